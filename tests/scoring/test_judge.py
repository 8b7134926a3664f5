"""A judge behind a real local server: its ratings, answers of no use, limits and costs."""

import asyncio
import json

import numpy as np
import pytest

from helpers.openai_server import UNPARSABLE, OpenAIServer, retry_at_once
from helpers.scoring_pools import KEY, KEY_ENV, alpaca_rows, judged, make_pool, some, truth
from qdit.cli.score import score_command
from qdit.common.identity import digest
from qdit.models.asking import request_key
from qdit.records import open_records
from qdit.scoring import EndpointError, MissingScoresError, prepare
from qdit.scoring.rubrics import alpagasus, deita

pytest.importorskip("openai", reason="needs the openai package: pip install 'qdit[judge]'")

N = 12


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch):
    retry_at_once(monkeypatch)
    monkeypatch.setenv(KEY_ENV, KEY)


@pytest.fixture
def pool(tmp_path):
    return make_pool(tmp_path, N)


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
