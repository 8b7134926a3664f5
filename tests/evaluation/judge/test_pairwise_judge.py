"""A judge behind a local server compares answers in both orders: outcomes, files, failures, resumption."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from helpers.evaluation_files import answer_row, question, read_jsonl, write_answers, write_jsonl
from helpers.scoring_pools import KEY, KEY_ENV, assert_nowhere
from qdit.cli.evaluate import judge_command
from qdit.evaluation.judge.alpacaeval import win_rate
from qdit.evaluation.results import read_values

pytest.importorskip("openai", reason="needs the openai package: pip install 'qdit[judge]'")

from helpers.openai_server import UNPARSABLE, OpenAIServer, retry_at_once

N = 8


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch):
    retry_at_once(monkeypatch)
    monkeypatch.setenv(KEY_ENV, KEY)


@pytest.fixture
def answers(tmp_path):
    return [str(write_answers(tmp_path / f"{name}.jsonl", name, N)) for name in ("new", "old")]


def section(text, which):
    return text.split(f"Assistant {which}'s Answer]\n")[1].split("\n\n[The End")[0]


def by_length(text):
    """Prefer the longer answer, or the first of equal ones: a judge with a bias of position."""
    first, second = len(section(text, 1)), len(section(text, 2))
    return f"{8 if first >= second else 5} 7\nBecause."


def prefers_new(text):
    """Prefer the model called new wherever it is shown, call questions about bees a tie."""
    if "bees" in text.split("[The Start")[0]:
        return "6 6"
    return "9 3" if section(text, 1).startswith("new") else "3 9"


def judge(answers, server, out, **options):
    options = {"judge_model": "j", "base_url": server.url, "key_env": KEY_ENV, "progress": False} | options
    judge_command(*answers, str(out), **options)
    return json.loads((out / "judge.json").read_text())


def numbers(out):
    return {(one.set, one.category, one.metric): one.value for one in read_values(out)}


def test_both_orders(tmp_path, answers):
    with OpenAIServer(answer=prefers_new) as server:
        result = judge(answers, server, tmp_path / "out")
    assert len(server.requests) == 2 * N
    assert result["comparisons"] == {
        "orders": {"won": 14, "tied": 2, "lost": 0, "null": 0},
        "questions": {"won": 7, "tied": 1, "lost": 0, "null": 0},
    }
    assert numbers(tmp_path / "out")[None, None, "winning score"].mean == 14 / 16 + 1
    rows = read_jsonl(tmp_path / "out" / "rows.jsonl")
    assert [row["shown_first"] for row in rows[:4]] == ["new", "old", "new", "old"]
    assert [row["outcome"] for row in rows[:6]] == ["won", "won", "won", "won", "tied", "tied"]
    assert [row["preference"] for row in rows[:6]] == [1.0, 2.0, 1.0, 2.0, 1.5, 1.5]
    replies = read_jsonl(next((tmp_path / "out").glob("replies-*.jsonl")))
    assert {row["reply"] for row in rows} == {reply["key"] for reply in replies}


def test_a_judge_that_goes_by_position_makes_ties_of_questions(tmp_path):
    files = []
    for name in ("aaa", "bbb"):
        rows = [answer_row(question(i), name, f"{name} {i}") for i in range(4)]
        files.append(str(write_jsonl(tmp_path / f"{name}.jsonl", rows)))
    with OpenAIServer(answer=by_length) as server:
        result = judge(files, server, tmp_path / "out", count="questions")
    assert result["comparisons"]["orders"] == {"won": 4, "tied": 0, "lost": 4, "null": 0}
    assert result["comparisons"]["questions"] == {"won": 0, "tied": 4, "lost": 0, "null": 0}
    assert numbers(tmp_path / "out")[None, None, "winning score"].mean == 1.0


def test_equal_answers_are_asked_about_once(tmp_path):
    files = []
    for name in ("one", "two"):
        rows = [answer_row(question(i), name, "The same.") for i in range(3)]
        files.append(str(write_jsonl(tmp_path / f"{name}.jsonl", rows)))
    with OpenAIServer(answer=by_length) as server:
        result = judge(files, server, tmp_path / "out")
    assert len(server.requests) == 3
    assert result["comparisons"]["orders"] == {"won": 3, "tied": 0, "lost": 3, "null": 0}


def test_references_as_opponent_and_the_other_prompt(tmp_path, answers):
    with OpenAIServer(
        answer=lambda text: "1" if "### Answer of assistant 1\nnew" in text else "tie"
    ) as server:
        result = judge([answers[0], "reference"], server, tmp_path / "out", prompt="better")
    assert result["comparisons"]["orders"] == {"won": N, "tied": N, "lost": 0, "null": 0}
    assert result["settings"]["prompt"] == "better"
    assert result["settings"]["baseline"]["name"] == "reference"


def test_annotations_are_alpaca_evals(tmp_path, answers):
    def some(request):
        return "unparsable" if request.number == 0 else None

    with OpenAIServer(some, answer=by_length) as server:
        result = judge(answers, server, tmp_path / "out", concurrency=1)
    found = win_rate(tmp_path / "out" / "annotations.json")
    assert (found.model, found.reference, found.n_total, found.n_null) == ("new", "old", 2 * N - 1, 1)
    counts = result["comparisons"]["orders"]
    assert (found.n_wins, found.n_draws, found.n_wins_base) == tuple(
        counts[x] for x in ("won", "tied", "lost")
    )
    assert numbers(tmp_path / "out")[None, None, "winning score"].mean == pytest.approx(
        2 * found.win_rate / 100
    )
    rows = json.loads((tmp_path / "out" / "annotations.json").read_text())
    columns = ("instruction", "output_1", "output_2", "generator_1", "generator_2", "annotator", "preference")
    assert set(columns) <= set(rows[0])
    assert rows[0]["preference"] is None
    assert rows[0]["output_2"].startswith("new")
    assert rows[0]["annotator"] == "j (scores)"


def test_unreadable_replies_are_null(tmp_path, answers, capsys):
    def bees(request):
        return "unparsable" if "bees" in request.text.split("[The Start")[0] else None

    with OpenAIServer(bees, answer=prefers_new) as server:
        result = judge(answers, server, tmp_path / "out")
        assert "replies: 2 without a verdict" in capsys.readouterr().out
        assert result["comparisons"]["orders"] == {"won": 14, "tied": 0, "lost": 0, "null": 2}
        assert numbers(tmp_path / "out")[None, None, "winning score"].n == N - 1
        judge(answers, server, tmp_path / "out")
        assert len(server.requests) == 2 * N  # not asked again
    assert UNPARSABLE in next((tmp_path / "out").glob("replies-*.jsonl")).read_text()
    with OpenAIServer(answer=prefers_new) as server:
        result = judge(answers, server, tmp_path / "out", retry_unparsable=True)
        assert len(server.requests) == 2
    assert result["comparisons"]["orders"] == {"won": 14, "tied": 2, "lost": 0, "null": 0}


def test_replies_that_are_cut_off(tmp_path, answers):
    cut = {"message": {"content": "<think>\n8 7"}, "finish_reason": "length"}
    out = tmp_path / "out"
    with OpenAIServer(lambda request: cut, answer=prefers_new) as server:
        with pytest.raises(RuntimeError, match=r"16 answers cut off at 64 .*think> 8 7'; pass judge_params="):
            judge(answers, server, out)
        assert not (out / "judge.json").exists()
    with OpenAIServer([None, *[cut] * 99], answer=prefers_new) as server:
        result = judge(answers, server, out, judge_params={"max_tokens": 200}, concurrency=1)
        assert len(server.requests) == 2 * N
        assert result["unreadable_why"] == {"cut off at 200 tokens": 2 * N - 1}
    with OpenAIServer(answer=prefers_new) as server:
        judge(answers, server, out, judge_params={"max_tokens": 400}, overwrite=True)
        assert len(server.requests) == 2 * N - 1


def test_failed_requests(tmp_path, answers):
    def bees(request):
        return "500" if "bees" in request.text.split("[The Start")[0] else None

    out = tmp_path / "out"
    with OpenAIServer(bees, answer=prefers_new) as server:
        with pytest.raises(
            RuntimeError, match=r"2 of 16 comparisons failed \(2 x HTTP 500.*of question 'q2'"
        ):
            judge(answers, server, out, retries=0)
        assert not (out / "judge.json").exists()
        result = judge(answers, server, out, retries=0, failed="null")
        assert len(server.requests) == 2 * N + 2
    assert (result["failed"], result["unreadable"]) == (2, 0)
    assert result["comparisons"]["orders"]["null"] == 2
    with OpenAIServer(answer=prefers_new) as server:
        result = judge(answers, server, out)
        assert len(server.requests) == 2
        with pytest.raises(ValueError, match="made otherwise: count is 'questions' now"):
            judge(answers, server, out, count="questions")
        again = judge(answers, server, out, count="questions", overwrite=True)
        assert len(server.requests) == 2
    assert result["comparisons"]["orders"] == {"won": 14, "tied": 2, "lost": 0, "null": 0}
    assert again["comparisons"] == result["comparisons"]


def test_dry_run(tmp_path, answers, capsys):
    options = {"price_in": 2.0, "price_out": 8.0}
    with OpenAIServer() as server:
        judge_command(
            *answers, str(tmp_path / "out"), judge_model="j", base_url=server.url, dry_run=True, **options
        )
        assert server.requests == []
    assert not (tmp_path / "out").exists()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "judge             16 requests for 16 rows"
    assert lines[2] == "  answer tokens   at most 1,024"
    tokens = int(lines[1].split("about ")[1].split()[0].replace(",", ""))
    assert lines[3] == f"  cost            about {(tokens * 2 + 1024 * 8) / 1e6:,.2f} at most"


def test_wrong_options(tmp_path, answers):
    with pytest.raises(ValueError, match="judge_model: got none"):
        judge_command(*answers, str(tmp_path / "out"))
    with pytest.raises(ValueError, match="both are of model 'new'"):
        judge_command(answers[0], answers[0], str(tmp_path / "out"), judge_model="j")
    for name, value in (("count", "rows"), ("failed", "skip"), ("share", 0.0)):
        with pytest.raises(ValueError, match=f"{name}: got"):
            judge_command(*answers, str(tmp_path / "out"), judge_model="j", **{name: value})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("fault", ["echo", "401", None])
def test_the_key_is_nowhere(tmp_path, answers, fault, capfd):
    echo = lambda text: f"8 7\nYour key is {KEY}"  # noqa: E731
    told = ""
    with OpenAIServer(lambda request: fault, answer=echo) as server:
        try:
            judge(answers, server, tmp_path / "out", retries=0, progress=True)
        except RuntimeError as error:
            told = str(error)
        assert server.requests[0].authorization == f"Bearer {KEY}"
    assert (fault is None) == (told == "")
    captured = capfd.readouterr()
    assert_nowhere(KEY, tmp_path, told, captured.out, captured.err)


CHILD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from qdit.cli.evaluate import judge_command
new, old, out, url, env = sys.argv[1:]
judge_command(new, old, out, judge_model="j", base_url=url, key_env=env, concurrency=2, progress=False)
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_result(tmp_path):
    n = 30
    files = [str(write_answers(tmp_path / f"{name}.jsonl", name, n)) for name in ("new", "old")]
    with OpenAIServer(answer=by_length) as server:
        calm = judge(files, server, tmp_path / "calm")
    out = tmp_path / "killed"
    with OpenAIServer(answer=by_length, delay=0.02) as server:
        for lines, number in ((8, signal.SIGKILL), (25, signal.SIGINT)):
            command = [sys.executable, "-c", CHILD, *files, str(out), server.url, KEY_ENV]
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ)
            end = time.monotonic() + 30
            while child.poll() is None and time.monotonic() < end:
                if sum(path.read_bytes().count(b"\n") for path in out.glob("replies-*")) >= lines:
                    break
                time.sleep(0.005)
            child.send_signal(number)
            _, errors = child.communicate()
            assert child.returncode != 0
            assert not (out / "judge.json").exists()
        assert b"repeat the call to go on; replies so far are in" in errors
        again = judge(files, server, out)
        assert len(server.requests) <= 2 * n + 2 * 2
    for name in ("seconds", "base_url"):
        calm.pop(name), again.pop(name)
    assert calm == again
    for name in ("rows.jsonl", "annotations.json"):
        assert (out / name).read_bytes() == (tmp_path / "calm" / name).read_bytes()
