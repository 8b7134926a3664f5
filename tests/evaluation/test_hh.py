"""HH scores of two models' answers by a real two-layer reward model, against one answer at a time."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from helpers.evaluation_files import read_jsonl, write_answers, write_jsonl
from qdit.cli.evaluate import hh_command
from qdit.evaluation.results import read_values

torch = pytest.importorskip("torch", reason="needs torch: pip install 'qdit[score]'")
transformers = pytest.importorskip("transformers", reason="needs transformers: pip install 'qdit[score]'")

from helpers.tiny_models import LENGTH, make_reward_model  # noqa: E402

N = 25


@pytest.fixture(scope="session")
def reward_folder(tmp_path_factory):
    torch.set_num_threads(2)
    return make_reward_model(tmp_path_factory.mktemp("reward"))


@pytest.fixture
def answers(tmp_path):
    return [str(write_answers(tmp_path / f"{name}.jsonl", name, N)) for name in ("random", "qdit")]


def evaluate(answers, out, reward_folder, **options):
    options = {"reward_template": "human-assistant", "batch_size": 4, "progress": False} | options
    hh_command(answers, str(out), reward_model=str(reward_folder), **options)
    return json.loads((out / "hh.json").read_text())


def alone(folder, path):
    """Rewards of one answer at a time, without padding, straight from transformers."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    model.config.pad_token_id = None
    found = []
    for row in read_jsonl(Path(path)):
        text = f"###Human: {row['instruction']} ###Assistant: {row['output']}"
        ids = tokenizer(text, return_tensors="pt")["input_ids"][:, :LENGTH]
        with torch.inference_mode():
            found.append(model(input_ids=ids).logits.item())
    return np.array(found)


def test_scores_means_and_tails_of_each_model(tmp_path, answers, reward_folder, capsys):
    result = evaluate(answers, tmp_path / "out", reward_folder)
    rows = read_jsonl(tmp_path / "out" / "rows.jsonl")
    assert [row["model"] for row in rows] == ["random"] * N + ["qdit"] * N
    assert (rows[3]["set"], rows[3]["id"], rows[3]["category"]) == ("s", "q3", "c0")
    values = {
        (one.model, one.set, one.category, one.metric): one.value for one in read_values(tmp_path / "out")
    }
    for model, path in zip(("random", "qdit"), answers, strict=True):
        want = alone(reward_folder, path)
        found = np.array([row["reward"] for row in rows if row["model"] == model])
        np.testing.assert_allclose(found, want, atol=1e-6)
        ordered = np.sort(found)
        for of_set in (None, "s"):
            assert values[model, of_set, None, "HH score"].mean == pytest.approx(found.mean())
            assert values[model, of_set, None, "HH score, worst 10%"].mean == pytest.approx(
                ordered[:3].mean()
            )
            assert values[model, of_set, None, "HH score, best 10%"].mean == pytest.approx(
                ordered[-3:].mean()
            )
        assert values[model, "s", "c1", "HH score"].mean == pytest.approx(found[1::3].mean())
        interval = values[model, None, None, "HH score"]
        assert interval.low < interval.mean < interval.high
    assert result["settings"]["reward_model"]["template"] == "human-assistant"
    assert result["settings"]["reward_model"]["revision"].startswith("sha256:")
    assert [one["name"] for one in result["models"]] == ["random", "qdit"]
    assert {"torch", "transformers"} < set(result["versions"])
    out = capsys.readouterr().out
    assert "random: 25 answers" in out
    assert "| s | qdit |" in out


def test_nothing_is_scored_twice(tmp_path, answers, reward_folder, monkeypatch):
    from qdit.scoring.reward import RewardModel

    first = evaluate(answers[:1], tmp_path / "out", reward_folder)
    asked = []
    score = RewardModel.score_chunk
    monkeypatch.setattr(
        RewardModel, "score_chunk", lambda self, rows, tick: asked.extend(rows) or score(self, rows, tick)
    )
    with pytest.raises(ValueError, match=r"made otherwise: answers\[1\] is .* was None; pass overwrite=True"):
        evaluate(answers, tmp_path / "out", reward_folder)
    assert asked == []
    both = evaluate(answers, tmp_path / "out", reward_folder, overwrite=True)
    assert len(asked) == N
    assert both["values"][: len(first["values"])] == first["values"]
    other = evaluate(answers, tmp_path / "out", reward_folder, reward_template="{output}", overwrite=True)
    assert len(asked) == 3 * N
    assert other["values"] != both["values"]


def test_names_and_counts(tmp_path, answers, reward_folder, capsys):
    rows = read_jsonl(Path(answers[0]))
    rows[0]["output"], rows[1]["finish"] = " ", "length"
    path = write_jsonl(tmp_path / "x.jsonl", rows)
    result = evaluate(f"one={answers[0]},two={path}", tmp_path / "out", reward_folder)
    assert [(one["name"], one["cut_off"], one["empty"]) for one in result["models"]] == [
        ("one", 0, 0),
        ("two", 1, 1),
    ]
    assert "two: 25 answers: 1 cut off, 1 empty" in capsys.readouterr().out


def test_dry_run_and_errors(tmp_path, answers, reward_folder, capsys):
    hh_command(
        answers,
        str(tmp_path / "out"),
        reward_model=str(reward_folder),
        reward_template="{output}",
        dry_run=True,
    )
    assert "random            25 of 25 rows to score" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="has no chat template; pass the form that it was trained on"):
        hh_command(answers, str(tmp_path / "out"), reward_model=str(reward_folder))
    with pytest.raises(ValueError, match="tell them apart with NAME=FILE"):
        evaluate([answers[0]] * 2, tmp_path / "out", reward_folder)


CHILD = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
import torch
torch.set_num_threads(1)
from qdit.scoring.reward import RewardModel
score = RewardModel.score_chunk
def slowly(self, rows, tick):
    time.sleep(0.05)
    return score(self, rows, tick)
RewardModel.score_chunk = slowly
from qdit.cli.evaluate import hh_command
hh_command(sys.argv[2:4], sys.argv[1], reward_model=sys.argv[4], reward_template="{output}", batch_size=1,
           progress=False)
"""


@pytest.fixture
def one_thread():
    """As in the child: with another number of threads torch may round sums otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_killed_run_goes_on_to_the_same_scores(tmp_path, reward_folder):
    answers = [str(write_answers(tmp_path / f"{name}.jsonl", name, 60)) for name in ("random", "qdit")]
    options = {"reward_template": "{output}", "batch_size": 1}
    evaluate(answers, tmp_path / "calm", reward_folder, **options)
    out = tmp_path / "killed"
    for number in (signal.SIGKILL, signal.SIGINT):
        command = [sys.executable, "-c", CHILD, str(out), *answers, str(reward_folder)]
        child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ)
        size, end = sum(path.stat().st_size for path in out.glob("*.f64")), time.monotonic() + 60
        while child.poll() is None and time.monotonic() < end:
            if sum(path.stat().st_size for path in out.glob("*.f64")) > size:
                break
            time.sleep(0.005)
        child.send_signal(number)
        _, errors = child.communicate()
        assert child.returncode != 0
        assert not (out / "hh.json").exists()
    assert b"repeat the call to go on; scores so far are in" in errors
    evaluate(answers, out, reward_folder, **options)
    assert (out / "rows.jsonl").read_bytes() == (tmp_path / "calm" / "rows.jsonl").read_bytes()
