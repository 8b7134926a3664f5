"""Answers of a server that fails, stalls and talks nonsense, over a real local connection."""

import json
from pathlib import Path

import pytest

from helpers.openai_server import OpenAIServer, retry_at_once
from helpers.scoring_pools import KEY, KEY_ENV, assert_nowhere
from qdit.cli.generate import _describe
from qdit.generation import generate, prepare
from qdit.generation.questions import Question
from qdit.scoring import EndpointError

pytest.importorskip("openai", reason="needs the openai package: pip install 'qdit[judge]'")

N = 12
QUESTIONS = [Question("own", str(i), f"Question {i}?", reference="r" if i % 2 else None) for i in range(N)]


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch):
    retry_at_once(monkeypatch)
    monkeypatch.setenv(KEY_ENV, KEY)


def reply(text):
    return f"An answer to: {text}"


def make(out, server, questions=QUESTIONS, **options):
    options = {"model": "m", "key_env": KEY_ENV, "base_url": server.url, "concurrency": 3} | options
    return generate(questions, out, **options)


def answers(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_answers_in_the_order_of_the_questions(tmp_path):
    with OpenAIServer(answer=reply) as server:
        made = make(tmp_path / "a.jsonl", server)
    assert [one["output"] for one in answers(made.path)] == [reply(f"Question {i}?") for i in range(N)]
    assert {one["finish"] for one in answers(made.path)} == {"stop"}
    assert {one["model"] for one in answers(made.path)} == {"m"}
    body = server.requests[0].body
    assert (body["temperature"], body["max_tokens"], len(body["messages"])) == (0.0, 512, 1)
    assert not {"seed", "top_p", "stop"} & body.keys()
    assert server.requests[0].authorization == f"Bearer {KEY}"
    assert made.manifest["by"] == {"model": "m", "params": {"temperature": 0.0, "max_tokens": 512}}
    assert made.manifest["base_url"] == server.url
    assert_nowhere(KEY, tmp_path)


def test_settings_of_a_request(tmp_path):
    options = {"temperature": 0.5, "top_p": 0.9, "stop": "###", "max_new_tokens": 3, "seed": 4}
    with OpenAIServer(answer=reply) as server:
        made = make(tmp_path / "a.jsonl", server, template="Q: {instruction}\nA:", **options)
    bodies = {request.text: request.body for request in server.requests}
    assert set(bodies) == {f"Q: Question {i}?\nA:" for i in range(N)}
    body = bodies["Q: Question 0?\nA:"]
    assert (body["temperature"], body["top_p"], body["stop"]) == (0.5, 0.9, ["###"])
    seeds = {one["seed"] for one in bodies.values()}
    assert len(seeds) == N
    assert all(0 <= seed < 2**31 for seed in seeds)
    # the stand-in says more than three words, and counts words
    assert {one["finish"] for one in answers(made.path)} == {"length"}


def test_failed_requests_are_asked_again_by_another_run(tmp_path):
    out = tmp_path / "a.jsonl"

    def faults(request):
        return "400" if request.text in ("Question 3?", "Question 7?") else None

    with (
        OpenAIServer(faults, answer=reply) as server,
        pytest.raises(
            EndpointError,
            match=r"2 of 12 questions have no answer: HTTP 400.*\(2 times\); all others are kept",
        ),
    ):
        make(out, server)
    assert not out.exists()
    with OpenAIServer(["drop", "garbage"], answer=reply) as server:
        assert (
            prepare(QUESTIONS, out, model="m", base_url=server.url, key_env=KEY_ENV).estimate()["left"] == 2
        )
        made = make(out, server)
    assert {request.text for request in server.requests} == {"Question 3?", "Question 7?"}
    assert [one["output"] for one in answers(made.path)] == [reply(f"Question {i}?") for i in range(N)]
    assert_nowhere(KEY, tmp_path)


def test_reasoning_is_no_answer(tmp_path):
    """What was cut off is asked for again with a larger limit, all else is kept."""
    out = tmp_path / "a.jsonl"
    cut = {"message": {"content": "<think>hm"}, "finish_reason": "length"}
    half = {"message": {"content": "half"}, "finish_reason": "length"}
    faults = {"Question 3?": cut, "Question 7?": {"message": {"content": ""}}, "Question 8?": half}

    def thoughtful(text):
        return f"<think>{text}</think>\n\n{reply(text)}"

    with (
        OpenAIServer(lambda request: faults.get(request.text), answer=thoughtful) as server,
        pytest.raises(EndpointError, match=r"1 of 12 .*: 1 answers cut off at 512 .*'<think>hm'"),
    ):
        make(out, server)
    assert not out.exists()
    with OpenAIServer(answer=thoughtful) as server:
        job = prepare(QUESTIONS, out, model="m", base_url=server.url, key_env=KEY_ENV)
        assert job.estimate()["left"] == 2  # with the same limit, half an answer is one
        made = make(out, server, params={"max_tokens": 2048})
    asked = {request.text: request.body["max_tokens"] for request in server.requests}
    assert asked == dict.fromkeys(faults, 2048)
    assert [one["output"] for one in answers(made.path)] == [reply(f"Question {i}?") for i in range(N)]


def test_a_model_that_says_nothing_is_taken_at_its_word(tmp_path):
    empty = {"message": {"content": ""}}
    filtered = empty | {"finish_reason": "content_filter"}
    with OpenAIServer([empty, filtered], answer=reply) as server:
        made = make(tmp_path / "a.jsonl", server, concurrency=1)
    assert [one["finish"] for one in answers(made.path)][:3] == ["stop", "content_filter", "stop"]
    assert [one["output"] for one in answers(made.path)][:2] == ["", ""]
    assert made.manifest["empty"] == 2
    assert "11 ended by themselves, 1 ended with content_filter, 2 without text" in _describe(made)


def test_a_model_that_only_thinks_stops_the_run(tmp_path):
    questions = [Question("own", str(i), f"Question {i}?") for i in range(90)]
    thinking = {"message": {"content": None, "reasoning": "So"}, "finish_reason": "length"}
    with OpenAIServer(lambda request: thinking) as server:
        with pytest.raises(
            EndpointError, match=r"36 answers cut off at 512 .*pass params={.max_tokens.: 2048}"
        ):
            make(tmp_path / "a.jsonl", server, questions, concurrency=1)
        assert len(server.requests) == 36


def test_a_server_that_refuses_seeds_draws_without(tmp_path):
    def fault(request):
        said = "Extra inputs are not permitted: ('body', 'seed')"
        return {"status": 422, "message": said} if "seed" in request.body else None

    with OpenAIServer(fault, answer=reply) as server:
        made = make(tmp_path / "a.jsonl", server, temperature=0.5)
    assert made.manifest["left_out"] == ["seed"]


def test_a_key_that_the_server_echoes_goes_nowhere(tmp_path, capsys):
    with OpenAIServer(["echo"] * 99, answer=reply) as server, pytest.raises(EndpointError) as caught:
        make(tmp_path / "a.jsonl", server, retries=0)
    assert "[key]" in str(caught.value)
    with OpenAIServer(answer=lambda text: f"your key is {KEY}") as server:
        made = make(tmp_path / "b.jsonl", server)
    assert answers(made.path)[0]["output"] == "your key is [key]"
    assert_nowhere(KEY, tmp_path, str(caught.value), *capsys.readouterr())


def test_a_refused_key_stops_at_once(tmp_path):
    with OpenAIServer(["401"] * 99) as server, pytest.raises(EndpointError, match="HTTP 401"):
        make(tmp_path / "a.jsonl", server, concurrency=1)
    assert len(server.requests) == 1


def test_another_server_with_the_same_model_goes_on(tmp_path):
    out = tmp_path / "a.jsonl"
    refusing = OpenAIServer(lambda request: "400" if request.number >= 5 else None, answer=reply)
    with refusing as server, pytest.raises(EndpointError):
        make(out, server, concurrency=1)
    with OpenAIServer(answer=reply) as server:
        make(out, server)
    assert len(server.requests) == N - 5


def test_prices(tmp_path):
    job = prepare(
        QUESTIONS, tmp_path / "a.jsonl", model="m", base_url="http://x/v1", price_in=1.0, price_out=2.0
    )
    estimate = job.estimate()
    assert estimate["completion_tokens_at_most"] == 512 * N
    assert estimate["cost_at_most"] == (estimate["prompt_tokens"] + 2 * 512 * N) / 1e6
