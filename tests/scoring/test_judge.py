"""A judge behind a real local server that fails, stalls and answers nonsense."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
import traceback

import numpy as np
import pytest

from helpers.openai_server import UNPARSABLE, OpenAIServer, rating
from helpers.scoring_pools import KEY, KEY_ENV, alpaca_rows, assert_nowhere, make_pool
from qdit.cli.score import score_command
from qdit.common.identity import digest
from qdit.models.asking import request_key
from qdit.records import open_records
from qdit.scoring import EndpointError, MissingScoresError, prepare, score
from qdit.scoring.rubrics import alpagasus, deita

pytest.importorskip("openai", reason="needs the openai package: pip install 'qdit[judge]'")

N = 12


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch):
    """Let retries follow at once: pauses are the library's business."""
    from openai import _base_client

    from qdit.models import client

    monkeypatch.setattr(_base_client, "INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr(_base_client, "MAX_RETRY_DELAY", 0.02)
    monkeypatch.setattr(client, "_BACKOFF", (0.01, 0.02))
    monkeypatch.setenv(KEY_ENV, KEY)


@pytest.fixture
def pool(tmp_path):
    return make_pool(tmp_path, N)


def judged(pool, server, by="alpagasus", **options):
    options = {"judge_model": "m", "key_env": KEY_ENV, "base_url": server.url} | options
    return score(pool, by, **options)


def truth(pool, rubric, answer=rating):
    """What an endless patience would get."""
    with open_records(pool) as records:
        texts = ["\n".join(m["content"] for m in rubric.messages(row)) for row in records.rows()]
    return [rubric.parse(answer(text)) for text in texts]


def test_ratings_of_every_row(pool):
    with OpenAIServer() as server:
        made = judged(pool, server)
    assert made.quality.tolist() == truth(pool, alpagasus())
    assert len(server.requests) == N
    body = server.requests[0].body
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("m", 0, 64)
    assert server.requests[0].authorization == f"Bearer {KEY}"
    (result,) = made.manifest["results"]
    assert (result["failed"], result["unparsable"], result["answers"]) == (0, 0, N)
    used = [len("\n".join(m["content"] for m in r.body["messages"]).split()) for r in server.requests]
    assert result["prompt_tokens"] == sum(used)
    (scorer,) = made.manifest["scorers"]
    assert scorer["request"]["temperature"] == 0
    assert "Response: {output}" in scorer["request"]["messages"][0]["content"]


def test_deita_is_complexity_times_quality(pool):
    with OpenAIServer(answer=lambda text: f"{len(text) % 6 + 1}") as server:
        made = judged(pool, server, "deita")
        parts = [truth(pool, deita(aspect), server.answer) for aspect in ("complexity", "quality")]
    assert made.quality.tolist() == np.prod(parts, axis=0).tolist()
    assert [one["by"] for one in made.manifest["results"]] == ["deita-complexity", "deita-quality"]


def test_equal_rows_are_asked_about_once(tmp_path):
    row = alpaca_rows(1)[0]
    pool = make_pool(tmp_path, [row, row | {"score": 5}, row])
    with OpenAIServer() as server:
        quality = judged(pool, server).quality
    assert len(server.requests) == 1
    assert len(set(quality)) == 1


def test_never_more_requests_at_once(pool):
    with OpenAIServer(delay=0.05) as server:
        judged(pool, server, concurrency=3)
    assert server.most_at_once == 3


@pytest.mark.parametrize(
    "fault", ["500", "503", "429", "429:0.05", "drop", "truncated", "garbage", "half", "empty", "echo"]
)
def test_one_failure_of_each_request_changes_nothing(pool, fault):
    with OpenAIServer(lambda request: fault if request.attempt == 0 else None) as server:
        made = judged(pool, server, retries=1)
    assert made.quality.tolist() == truth(pool, alpagasus())
    assert made.manifest["results"][0]["failed"] == 0
    assert len(server.requests) == 2 * N


def test_retry_after_is_obeyed(tmp_path):
    pool = make_pool(tmp_path, 1)
    with OpenAIServer(["429:0.4"]) as server:
        start = time.monotonic()
        judged(pool, server)
    assert time.monotonic() - start >= 0.4


def test_a_request_that_takes_too_long(tmp_path):
    pool = make_pool(tmp_path, 1)
    with (
        OpenAIServer(["stall"]) as server,
        pytest.raises(MissingScoresError, match=r"no answer within 0\.2 seconds; a longer timeout may help"),
    ):
        judged(pool, server, timeout=0.2, retries=0)


def test_stalls_end_at_the_timeout(tmp_path):
    pool = make_pool(tmp_path, 4)
    with OpenAIServer(["stall", "stall"]) as server:
        made = judged(pool, server, timeout=0.3, concurrency=2)
    assert made.quality.tolist() == truth(pool, alpagasus())


def some(fault, words="bees"):
    return lambda request: (
        fault if words in request.body["messages"][0]["content"].split("Response")[0] else None
    )


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("500", "2 x HTTP 500: scripted failure"),
        ("400", "2 x HTTP 400: scripted failure"),
        ("drop", r"2 x Connection error\. \(\w+: .+\)"),
        ("garbage", "2 x the reply is no chat completion"),
        ("half", "2 x the reply is no JSON"),
        ("empty", "2 x the reply is no chat completion"),
    ],
)
def test_rows_that_always_fail_lose_no_others(pool, fault, error):
    bees = [i for i, row in enumerate(alpaca_rows(N)) if "bees" in row["instruction"]]
    want = truth(pool, alpagasus())
    with OpenAIServer(some(fault)) as server:
        with pytest.raises(
            MissingScoresError, match=f"rows 3, 11.*2 requests failed.*{error}.*repeat the command"
        ):
            judged(pool, server, retries=1)
        asked = len(server.requests)
        made = judged(pool, server, retries=1, missing="lowest")
        assert len(server.requests) - asked == (2 if fault == "400" else 4)  # 400 is not repeated
    assert made.quality[bees].tolist() == [min(want[i] for i in range(N) if i not in bees)] * 2
    others = [i for i in range(N) if i not in bees]
    assert made.quality[others].tolist() == [want[i] for i in others]
    (result,) = made.manifest["results"]
    assert (result["failed"], result["failed_rows"], result["null"]) == (2, bees, 2)
    assert sum(result["errors"].values()) == 2
    with OpenAIServer() as server:  # works again: only what failed is asked for, without --overwrite
        healed = judged(pool, server, missing="lowest")
        assert len(server.requests) == 2
    assert healed.quality.tolist() == want


def test_unparsable_answers_are_null_and_counted(pool):
    with OpenAIServer(some("unparsable")) as server:
        with pytest.raises(
            MissingScoresError,
            match=rf"2 answers .*, such as '{UNPARSABLE}'; check .*, or pass",
        ):
            judged(pool, server)
        made = judged(pool, server, missing="median")
        assert len(server.requests) == N  # not asked for again
        (result,) = made.manifest["results"]
        assert (result["unparsable"], result["unparsable_rows"], result["failed"]) == (2, [3, 11], 0)
        kept = np.delete(np.array(truth(pool, alpagasus()), float), [3, 11])
        assert made.quality[[3, 11]].tolist() == [np.median(kept)] * 2
        assert result["mean"] == pytest.approx(kept.mean())  # nulls are in no mean
    with OpenAIServer() as server:
        again = judged(pool, server, missing="median", retry_unparsable=True)
        assert len(server.requests) == 2
    (cache,) = (pool / "scoring").glob("*.jsonl")
    assert UNPARSABLE in cache.read_text()
    assert again.quality.tolist() == truth(pool, alpagasus())


THINKING = {"message": {"content": None, "reasoning_content": "4 or 5?"}, "finish_reason": "length"}
OPEN = {"message": {"content": "<think>\nIs it\n4"}, "finish_reason": "length"}


@pytest.mark.parametrize("fault", [THINKING, OPEN, "unparsable", {"message": {"content": ""}}])
def test_answers_of_no_use_end_a_run_after_some_tens(tmp_path, fault):
    pool = make_pool(tmp_path, 300)
    with OpenAIServer(lambda request: fault) as server:
        with pytest.raises(EndpointError, match=r"36 of the last 36 answers are .*: 36 .*are kept") as caught:
            judged(pool, server, concurrency=1)
        assert len(server.requests) == 36
        with pytest.raises(EndpointError, match="36 of the last 36"):  # goes on, asks for none of them again
            judged(pool, server, concurrency=1)
        assert len({request.text for request in server.requests}) == 1
        asked = [str(request.body["messages"]) for request in server.requests]
        assert len(set(asked)) == len(asked) == 72
    told = str(caught.value)
    assert ("cut off at 64 tokens" in told) == (fault in (THINKING, OPEN))
    assert ("(--judge-params '{\"max_tokens\": 2048}')" in told) == (fault in (THINKING, OPEN))
    shown = {"unparsable": f"such as '{UNPARSABLE}'"}.get(str(fault), "such as '<think>")
    assert (shown in told) == (fault != {"message": {"content": ""}})


def test_some_answers_of_no_use_are_no_reason_to_stop(tmp_path):
    pool = make_pool(tmp_path, 90)
    with OpenAIServer(lambda request: None if request.number % 4 == 0 else OPEN) as server:
        made = judged(pool, server, concurrency=1, missing="lowest")
        assert len(server.requests) == 90
    assert made.manifest["results"][0]["unparsable_why"] == {"cut off at 64 tokens": 67}


def test_a_larger_limit_asks_again_for_what_was_cut_alone(tmp_path):
    n = 50
    pool = make_pool(tmp_path, n)
    want = truth(pool, alpagasus())
    with (
        OpenAIServer(lambda request: None if request.number < 10 else OPEN) as server,
        pytest.raises(EndpointError, match="cut off at 64"),
    ):
        judged(pool, server)
    with OpenAIServer() as server:
        made = judged(pool, server, judge_params={"max_tokens": 2048})
        assert len(server.requests) == n - 10
        assert {request.body["max_tokens"] for request in server.requests} == {2048}
        assert judged(pool, server, judge_params={"max_completion_tokens": 9}, overwrite=True)
        assert len(server.requests) == n - 10  # what has a rating has it under any limit
    assert made.quality.tolist() == want


@pytest.mark.parametrize("limit", [64, 512])
def test_answers_of_earlier_versions_go_on_counting(pool, limit):
    """They kept answers by a hash with the limit in it, in a file of such a name."""
    params = {"max_tokens": limit}
    with OpenAIServer() as server:
        judged(pool, server, judge_params=params)
        options = {"judge_model": "m", "base_url": server.url, "key_env": KEY_ENV}
        with prepare(pool, "alpagasus", judge_params=params, **options) as job, open_records(pool) as records:
            (judge,) = job.scorers
            keys = [digest(judge._request(row)) for row in records.rows()]
            name = f"alpagasus-{digest(judge.identity())[:12]}.jsonl"
        (path,) = (pool / "scoring").glob("*.jsonl")
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        by_new = {line["key"]: line for line in lines}
        assert len(by_new) == N
        old = []
        with open_records(pool) as records:
            for row, key in zip(records.rows(), keys, strict=True):
                line = by_new[request_key(judge._request(row))] | {"key": key}
                old.append({name: line[name] for name in line if name not in ("finish", "limit")})
        path.unlink()
        (pool / "scoring" / name).write_text("".join(json.dumps(line) + "\n" for line in old[:-2]))
        (pool / "quality.json").unlink()
        (pool / "quality.npy").unlink()
        with prepare(pool, "alpagasus", judge_params=params, **options) as job:
            assert job.estimate()[0]["left"] == 2
        made = judged(pool, server, judge_params=params)
        assert len(server.requests) == N + 2
    assert made.quality.tolist() == truth(pool, alpagasus())


def test_a_model_without_max_tokens_and_temperature(pool, capsys):
    """As OpenAI's reasoning models answer."""

    def fault(request):
        name = next((name for name in ("max_tokens", "temperature") if name in request.body), None)
        said = f"Unsupported: {name!r} is not supported with this model."
        return name and {"status": 400, "message": said, "param": name, "code": "unsupported_parameter"}

    with OpenAIServer(fault) as server:
        made = judged(pool, server, concurrency=1)
        assert len(server.requests) == N + 2
        last = server.requests[-1].body
        assert (last["max_completion_tokens"], "temperature" in last, "max_tokens" in last) == (
            64,
            False,
            False,
        )
        assert made.manifest["results"][0]["left_out"] == ["temperature"]
        with pytest.raises(EndpointError, match=r"pass judge_params=\{'temperature': None\}"):
            judged(pool, server, judge_params={"temperature": 0.5}, overwrite=True)
        score_command(str(pool), "alpagasus", judge_model="m", base_url=server.url, key_env=KEY_ENV)
    assert "asked without temperature, which the endpoint refuses" in capsys.readouterr().out
    assert made.quality.tolist() == truth(pool, alpagasus())


def test_fields_that_the_library_does_not_know(pool):
    params = {"top_k": 5, "chat_template_kwargs": {"enable_thinking": False}}
    with OpenAIServer() as server:
        judged(pool, server, judge_params=params)
        assert params.items() <= server.requests[0].body.items()


@pytest.mark.parametrize("status", ["401", "403", "404"])
def test_refusal_stops_at_once(pool, status):
    with OpenAIServer(lambda request: status) as server:
        with pytest.raises(EndpointError, match=f"HTTP {status}: scripted failure"):
            judged(pool, server, concurrency=2)
        assert len(server.requests) <= 3


def test_a_dead_endpoint_stops_the_run(tmp_path):
    pool = make_pool(tmp_path, 60)
    with OpenAIServer(lambda request: None if request.number < 5 else "500") as server:
        with pytest.raises(EndpointError, match=r"20 requests in a row failed.*all answers so far are kept"):
            judged(pool, server, concurrency=1, retries=0)
        assert len(server.requests) == 25
    with OpenAIServer() as server:
        judged(pool, server)
        assert len(server.requests) == 55


def test_no_endpoint(pool):
    with pytest.raises(MissingScoresError, match=r"12 of 12 rows.*Connection error"):
        score(
            pool, "alpagasus", judge_model="m", base_url="http://127.0.0.1:1/v1", key_env=KEY_ENV, retries=0
        )


def test_openai_without_a_key(pool, monkeypatch):
    monkeypatch.delenv(KEY_ENV)
    with pytest.raises(EndpointError, match="no key: the environment variable that key_env names is not set"):
        score(pool, "alpagasus", judge_model="m", key_env=KEY_ENV)


def test_other_questions_are_asked_anew(pool):
    with OpenAIServer() as server:
        judged(pool, server)
        with pytest.raises(ValueError, match="overwrite"):
            judged(pool, server, dimension="helpfulness")
        judged(pool, server, dimension="helpfulness", overwrite=True)
        judged(pool, server, judge_model="other", overwrite=True)
        assert len(server.requests) == 3 * N
        judged(pool, server, overwrite=True)  # kept from the first time
        assert len(server.requests) == 3 * N


def test_inside_a_running_loop(pool):
    async def notebook(server):
        return judged(pool, server)

    with OpenAIServer() as server:
        made = asyncio.run(notebook(server))
    assert made.quality.tolist() == truth(pool, alpagasus())


def test_dry_run(pool, capsys):
    with OpenAIServer() as server:
        options = {"judge_model": "m", "base_url": server.url, "key_env": KEY_ENV}
        score_command(str(pool), "alpagasus", **options, price_in=2.0, price_out=8.0, dry_run=True)
        with prepare(pool, "alpagasus", **options, price_in=2.0, price_out=8.0) as job:
            (estimate,) = job.estimate()
        assert server.requests == []
        assert not (pool / "scoring").exists()
        judged(pool, server)
        with prepare(pool, "alpagasus", **options) as job:
            assert job.estimate()[0]["left"] == 0
    tokens = estimate["prompt_tokens"]
    assert (estimate["left"], estimate["completion_tokens_at_most"]) == (N, N * 64)
    assert estimate["cost_at_most"] == pytest.approx((tokens * 2 + N * 64 * 8) / 1e6)
    assert capsys.readouterr().out.splitlines() == [
        "alpagasus         12 requests for 12 rows",
        f"  prompt tokens   about {tokens:,} (4 bytes a token)",
        "  answer tokens   at most 768",
        f"  cost            about {estimate['cost_at_most']:,.2f} at most",
    ]


@pytest.mark.parametrize("fault", ["echo", "401", "garbage", "drop", "unparsable", None])
def test_the_key_is_nowhere(tmp_path, fault, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    pool = make_pool(tmp_path, 3)
    trace = ""
    echo = lambda text: f"4\nYour key is {KEY}, Bearer {KEY}"  # noqa: E731
    with OpenAIServer(lambda request: fault, answer=echo) as server:
        try:
            judged(pool, server, retries=1, progress=True, missing="error")
        except (MissingScoresError, EndpointError):
            trace = traceback.format_exc()
        assert all(request.authorization == f"Bearer {KEY}" for request in server.requests)
    assert (fault is None) == (trace == "")
    captured = capfd.readouterr()
    assert_nowhere(KEY, tmp_path, trace, captured.out, captured.err, caplog.text)
    if fault == "echo":
        assert "could not handle Bearer [key]" in trace
    if fault is None:
        assert "Your key is [key]" in next((pool / "scoring").glob("*.jsonl")).read_text()


CHILD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from openai import _base_client
_base_client.INITIAL_RETRY_DELAY = 0.02
from qdit.cli.score import score_command
pool, url, env = sys.argv[1:]
score_command(pool, "alpagasus", judge_model="m", base_url=url, key_env=env, concurrency=4, timeout=0.5,
              missing="lowest", progress=True)
"""


def trouble(request):
    """Fail the first tries of most requests in every way; some rows never get a usable answer."""
    shown = request.body["messages"][0]["content"]
    if "tides" in shown.split("Response")[0]:
        return "unparsable"
    faults = ("500", "429:0.02", "drop", "garbage", "truncated", "stall", None, None)
    return faults[len(shown) % len(faults)] if request.attempt == 0 else None


def start(pool, server):
    command = [sys.executable, "-c", CHILD, str(pool), server.url, KEY_ENV]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )


def wait_for(pool, lines, child, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end and child.poll() is None:
        if sum(path.read_bytes().count(b"\n") for path in (pool / "scoring").glob("*.jsonl")) >= lines:
            return
        time.sleep(0.005)
    raise AssertionError(f"{lines} answers did not come: {child.communicate()}")


def comparable(pool):
    """All of the manifest but times."""
    value = json.loads((pool / "quality.json").read_text())
    value.pop("seconds")
    for one in value["results"]:
        one.pop("seconds")
        one.pop("base_url")
    return value


@pytest.mark.slow
def test_killed_again_and_again_ends_with_the_same_scores(tmp_path):
    n = 64
    calm, pool = make_pool(tmp_path / "calm", n), make_pool(tmp_path / "killed", n)
    with OpenAIServer(some("unparsable", "tides")) as server:
        judged(calm, server, missing="lowest")
    output = ""
    with OpenAIServer(trouble, delay=0.02) as server:
        for lines, number in ((10, signal.SIGKILL), (25, signal.SIGKILL), (40, signal.SIGINT)):
            child = start(pool, server)
            wait_for(pool, lines, child)
            child.send_signal(number)
            out, err = child.communicate()
            assert child.returncode in (-signal.SIGKILL, -signal.SIGINT, 1), err
            assert not (pool / "quality.npy").exists()
            output += out + err
        assert "repeat the call to go on; scores so far are in" in output
        child = start(pool, server)
        out, err = child.communicate()
        assert child.returncode == 0, err
        answered = [r for r in server.requests if trouble(r) in (None, "unparsable")]
        assert len(answered) <= n + 3 * 4  # at most what was under way at each kill was paid for twice
    assert (pool / "quality.npy").read_bytes() == (calm / "quality.npy").read_bytes()
    assert comparable(pool) == comparable(calm)
    assert_nowhere(KEY, tmp_path, output, out, err)
