"""Embeddings of an OpenAI-compatible server, also of one that fails, stalls and talks nonsense."""

import asyncio
import base64
import json
import os
import signal
import threading
import time

import numpy as np
import pytest

from helpers.embedding_pools import sample_rows, write_pool
from helpers.openai_server import OpenAIServer, embedding, retry_at_once
from helpers.scoring_pools import KEY, KEY_ENV, assert_nowhere
from qdit.cli.embed import embed_command
from qdit.embedding import embed
from qdit.embedding.server import parse_answer
from qdit.models.client import EndpointError
from qdit.records.pool import Pool
from qdit.selection.pool import select_pool

pytest.importorskip("openai", reason="needs qdit[embed]")

QUICK = {"batch_size": 8, "chunk_rows": 32, "retries": 2, "timeout": 5.0, "concurrency": 4}


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch):
    retry_at_once(monkeypatch)
    monkeypatch.setenv(KEY_ENV, KEY)


@pytest.fixture
def pool(tmp_path):
    return write_pool(tmp_path, sample_rows(100))


def run(pool, server, **options):
    return embed(pool, "some-model", base_url=server.url, key_env=KEY_ENV, **(QUICK | options))


def wanted(pool, dims=8, prompt=""):
    with Pool.open(pool).records as records:
        texts = [f"{r.instruction}\n{r.input}" if r.input else r.instruction for r in records.rows()]
    return np.array([embedding(prompt + text, dims) for text in texts], np.float32)


def test_rows_in_order_whatever_comes_first(pool):
    with OpenAIServer(delay=0.01) as server:
        made = run(pool, server, dtype="float32")
        assert server.most_at_once == 4
        assert {r.authorization for r in server.requests} == {f"Bearer {KEY}"}
        assert max(len(r.body["input"]) for r in server.requests) == 8
    np.testing.assert_allclose(made.rows.array, wanted(pool), atol=1e-6)
    found = made.manifest
    assert found["model"] == {"kind": "server", "name": "some-model", "url": server.url, "prompt": None}
    assert found["details"]["requests"] == 13
    assert found["details"]["prompt_tokens"] > 100
    assert "openai" in found["versions"]
    assert_nowhere(KEY, pool)


def test_prompt_and_dimensions(pool):
    with OpenAIServer() as server:
        made = run(pool, server, dtype="float32", prompt="query: ", dimensions=5)
    np.testing.assert_allclose(made.rows.array, wanted(pool, 5, "query: "), atol=1e-6)


@pytest.mark.parametrize("fault", ["unnumbered", "unnumbered-first"])
@pytest.mark.parametrize("batch_size", [1, 8])
def test_a_vector_without_index_has_that_of_its_place(pool, fault, batch_size):
    with OpenAIServer(lambda request: fault) as server:
        made = run(pool, server, dtype="float32", batch_size=batch_size)
    np.testing.assert_allclose(made.rows.array, wanted(pool), atol=1e-6)


@pytest.mark.parametrize(
    ("taken", "message"),
    [
        ("float", "base64 encoding is not currently supported"),
        (None, "Extra inputs are not permitted: encoding_format"),
    ],
)
def test_an_encoding_that_is_refused_is_not_asked_for_again(pool, taken, message):
    def faults(request):
        return None if request.body.get("encoding_format") == taken else f"400={message}"

    with OpenAIServer(faults) as server:
        made = run(pool, server, dtype="float32", concurrency=1, retries=0)
        assert len(server.requests) == 13 + (1 if taken else 2)
    np.testing.assert_allclose(made.rows.array, wanted(pool), atol=1e-6)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "batch size is invalid, it should not be larger than 3"),
        (422, "batch size 8 > maximum allowed batch size 3"),
        (413, "Payload Too Large"),
        (413, {"error": "batch size 8 > maximum allowed batch size 3", "type": "Validation"}),
        (500, "input is too large to process. increase the physical batch size"),
    ],
)
def test_a_batch_that_is_too_large_is_halved_for_good(pool, status, message, caplog):
    def faults(request):
        fault = f"{status}={message}" if isinstance(message, str) else {"status": status, "body": message}
        return fault if len(request.inputs) > 3 else None

    with OpenAIServer(faults) as server:
        made = run(pool, server, dtype="float32", concurrency=1, retries=0)
        assert [len(r.inputs) for r in server.requests[:4]] == [8, 4, 2, 2]
        assert sum(len(r.inputs) > 3 for r in server.requests) == 2
    np.testing.assert_allclose(made.rows.array, wanted(pool), atol=1e-6)
    assert made.manifest["batch_sizes"] == [[0, 8], [0, 2]]
    assert (message if isinstance(message, str) else message["error"])[:20] in caplog.text
    assert "going on with batches of 2" in caplog.text


TOO_LONG = "This model's maximum context length is 100 characters"


TEI = "Input validation error: `inputs` must have less than 100 tokens. Given: 300"


def long_texts(request, fault=f"400={TOO_LONG}"):
    return fault if max(map(len, request.inputs)) > 100 else None


@pytest.fixture
def uneven(tmp_path):
    """20 short rows, of which the 13th is long."""
    rows = [(f"Explain word {i}", "") for i in range(20)]
    rows[13] = ("Explain it all " * 20, "")
    return write_pool(tmp_path, rows)


def test_a_text_that_is_too_long_is_named_and_the_rows_before_it_are_kept(uneven):
    pattern = (
        r"row 13: its text of 300 characters .*maximum context length.* \(--truncate\).*--zero-rows keep"
    )
    with OpenAIServer(long_texts) as server:
        with pytest.raises(RuntimeError, match=pattern):
            run(uneven, server, concurrency=1)
        asked = {text for r in server.requests for text in r.inputs}
        assert asked > {f"Explain word {i}" for i in range(13)}
        before = len(server.requests)
        made = run(uneven, server, dtype="float16", zero_rows="keep")
        assert not any("Explain word 12" in r.inputs for r in server.requests[before:])
    assert made.manifest["runs"] == 2
    assert (made.manifest["zero_rows"], made.manifest["first_zero_rows"]) == (1, [13])
    assert np.flatnonzero(~made.rows.array.any(axis=1)).tolist() == [13]
    assert made.manifest["batch_sizes"] == [[0, 8]]
    assert 13 not in select_pool(uneven, alpha=0, k=19).indices


@pytest.mark.parametrize("body", [{"error": TEI, "type": "Validation"}, {"detail": [{"msg": TEI}]}, TEI])
def test_what_a_server_says_is_read_wherever_it_stands(uneven, body):
    """The library of OpenAI gives the status alone."""
    with (
        OpenAIServer(lambda request: long_texts(request, {"status": 413, "body": body})) as server,
        pytest.raises(RuntimeError, match=rf"row 13: .* HTTP 413: .*{TEI}.*--truncate") as failure,
    ):
        run(uneven, server)
    assert "Error code" not in str(failure.value)


def test_a_text_that_is_too_long_is_cut(uneven, capsys):
    with OpenAIServer(long_texts) as server:
        options = {"model": "m", "base_url": server.url, "key_env": KEY_ENV, "progress": False}
        embed_command(str(uneven), truncate=True, dtype="float32", **options)
    printed = capsys.readouterr().out
    assert "note     1 rows were cut: 13" in printed
    kept = len("Explain it all " * 20)
    while kept > 100:
        kept = kept * 3 // 4
    want = embedding(("Explain it all " * 20)[:kept], 8)
    np.testing.assert_allclose(Pool.open(uneven).embeddings.array[13], want, atol=1e-6)


def test_longer_vectors_than_asked_for_are_cut(pool):
    def deaf(request):
        request.body.pop("dimensions")

    with OpenAIServer(deaf) as server:
        made = run(pool, server, dtype="float32", dimensions=5, normalize=False)
    np.testing.assert_allclose(made.rows.array, wanted(pool)[:, :5], atol=1e-6)


@pytest.mark.parametrize(
    "fault", ["500", "503", "429", "drop", "truncated", "garbage", "empty", "nan", "short"]
)
def test_failures_are_repeated(pool, fault):
    with OpenAIServer(lambda r: fault if r.attempt == 0 and r.number % 3 == 0 else None) as server:
        made = run(pool, server, dtype="float32")
    np.testing.assert_allclose(made.rows.array, wanted(pool), atol=1e-6)


def test_a_stalled_request_is_repeated(pool):
    with OpenAIServer(["stall"]) as server:
        made = run(pool, server, timeout=0.5)
    assert made.rows.n == 100


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("500", r"rows 32 to 39: HTTP 500: scripted failure; tried 3 times"),
        ("drop", r"rows 32 to 39: APIConnectionError: .*check the server"),
        ("stall", r"rows 32 to 39: APITimeoutError: .*timeout"),
        ("400", r"row 32: its text of .* refused: HTTP 400: .*; check the model's name"),
        ("401", r"HTTP 401: .*the key in the environment variable that key_env names"),
        ("404", r"HTTP 404: .*base_url"),
        ("garbage", r"the answer is of no use: it is not JSON: .*asked 3 times"),
        ("short", r"got 7 embeddings, wanted 8"),
        ("nan", r"it has NaN"),
        ("echo", r"HTTP 500: .*\[key\]"),
    ],
)
def test_lasting_failures_keep_what_is_done(pool, fault, message, capfd):
    first = wanted(pool)
    seen = set()

    def faults(request):
        with_row = [int(i) for i in np.flatnonzero([request.text.startswith(t) for t in marked])]
        seen.update(with_row)
        return fault if with_row else None

    with Pool.open(pool).records as records:
        marked = [records.row(32).instruction]
    with OpenAIServer(faults) as server, pytest.raises(RuntimeError, match=message) as caught:
        run(pool, server, dtype="float32", timeout=0.5)
    assert seen
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert_nowhere(KEY, pool, *capfd.readouterr())
    with OpenAIServer(port=int(server.url.split(":")[2].split("/")[0])) as again:
        made = run(pool, again, dtype="float32")
        assert not any(r.text.startswith(tuple(wanted_texts(pool, 0, 32))) for r in again.requests)
    assert made.manifest["runs"] == 2
    np.testing.assert_allclose(made.rows.array, first, atol=1e-6)


def wanted_texts(pool, start, stop):
    with Pool.open(pool).records as records:
        return [row.instruction + ("\n" if row.input else "") for row in records.rows(start, stop)]


def test_a_changed_size_is_refused(pool):
    def sizes(request):
        server.dims = 8 if request.number < 4 else 9  # the first chunk has four requests

    with OpenAIServer(sizes) as server, pytest.raises(RuntimeError) as caught:
        run(pool, server, concurrency=1)
    assert str(caught.value).startswith("row 32: got a vector of 9 dimensions, those before have 8")


def test_ctrl_c_does_not_wait_for_answers(pool):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with OpenAIServer(lambda request: "stall") as server:
            threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
            start = time.monotonic()
            with pytest.raises(KeyboardInterrupt) as caught:
                run(pool, server, timeout=30.0)
            assert time.monotonic() - start < 2.5
    finally:
        signal.signal(signal.SIGINT, before)
    assert caught.value.__notes__ == ["repeat the call to go on; 0 of 100 rows are done"]


def test_a_proxy_that_cannot_be_used(pool, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "nonsense://x")
    with OpenAIServer() as server, pytest.raises(EndpointError, match=r"check base_url, and .*ALL_PROXY"):
        run(pool, server)


def test_it_works_where_an_event_loop_runs(pool):
    async def notebook():
        with OpenAIServer() as server:
            return run(pool, server)

    assert asyncio.run(notebook()).rows.n == 100


def test_a_server_without_key(pool, monkeypatch):
    monkeypatch.delenv(KEY_ENV)
    with OpenAIServer() as server:
        run(pool, server)
        assert {r.authorization for r in server.requests} == {"Bearer none"}


def test_the_command(pool, capsys):
    with OpenAIServer() as server:
        embed_command(str(pool), model="some-model", base_url=server.url, key_env=KEY_ENV, progress=True)
    shown = capsys.readouterr()
    assert "100 x 8 float16" in shown.out
    assert "100/100 rows" in shown.err
    assert_nowhere(KEY, pool, *shown)


def answer(*vectors, index=None):
    index = range(len(vectors)) if index is None else index
    data = [{"index": i, "embedding": v} for i, v in zip(index, vectors, strict=True)]
    return json.dumps({"data": data}).encode()


def test_answers_are_put_in_order():
    packed = base64.b64encode(np.array([3, 4], "<f4").tobytes()).decode()
    rows, tokens = parse_answer(answer([1, 2], packed, index=[1, 0]), 2)
    np.testing.assert_array_equal(rows, [[3, 4], [1, 2]])
    assert tokens == 0


def test_vectors_shorter_than_asked_for_are_refused():
    with pytest.raises(ValueError, match="got vectors of 2 dimensions, wanted 3"):
        parse_answer(answer([1, 2]), 1, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"[]", "no list of data"),
        (b'{"data": [1, 2]}', "no list of data"),
        (answer([1.0]), "got 1 embeddings, wanted 2"),
        (answer([1.0], [2.0], index=[0, 0]), "got index"),
        (answer([1.0], [2.0], index=[1, None]), "got index"),
        (answer([1.0], [2.0], index=["0", "1"]), "got index"),
        (answer([1.0], [2.0, 3.0]), r"\[1, 2\] dimensions"),
        (answer([], []), "dimensions"),
        (answer([1.0], ["x"]), "neither a list of numbers"),
        (answer([1.0], [[1.0]]), "neither a list of numbers"),
        (answer([1.0], [None]), "NaN|neither"),
        (answer([1.0], "!"), "neither a list of numbers"),
        (answer([1.0], "AAA="), "neither a list of numbers"),
        (answer([1.0], {}), "neither a list of numbers"),
        (answer([1.0], [float("inf")]), "NaN or infinite"),
    ],
)
def test_answers_of_no_use(content, message):
    with pytest.raises(ValueError, match=message):
        parse_answer(content, 2)
