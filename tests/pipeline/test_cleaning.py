"""`qdit run` with dedup and decontaminate: what is selected from, and what cards and reports say."""

import json

import numpy as np
import pytest
import yaml

import qdit
from qdit.pipeline import plan, read_config, run

ASKED = "Describe in a few sentences how a steam engine turns heat into work, and name two of its uses."


@pytest.fixture
def folder(tmp_path):
    rows = [
        {"instruction": f"Say what word {i} means in text {i * 7} of {i % 5}", "output": "x" * i}
        for i in range(60)
    ]
    rows += [{"instruction": row["instruction"].upper(), "output": "y"} for row in rows[:6]]
    rows += [{"instruction": ASKED, "output": "z"}]
    (tmp_path / "rows.json").write_text(json.dumps([{**row, "rating": i} for i, row in enumerate(rows)]))
    (tmp_path / "eval.jsonl").write_text(json.dumps({"question": ASKED}) + "\n")
    return tmp_path


def write(folder, **stages):
    content = {
        **{"source": "rows.json", "out": "out", "embed": {"model": "builtin:hash"}},
        **{"score": {"by": "column", "column": "rating"}, "select": {"k": 9, "alpha": 0.5}, **stages},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(content))
    return read_config(folder / "run.yaml")


def actions(config):
    planned = [(step.stage, step.action) for step in plan(config)]
    assert planned == [(step.stage, step.action) for step in run(config)]
    return dict(planned)


def test_rows_leave_before_the_selection(folder, capsys):
    stages = {
        **{
            "dedup": {"by": "text", "keep": "first"},
            "decontaminate": {"against": "eval.jsonl", "by": "ngram"},
        },
    }
    config = write(folder, **stages)
    assert set(actions(config).values()) == {"run"}
    assert "1 of 61 rows are in an evaluation set" in capsys.readouterr().out
    pool = qdit.Pool.open(folder / "out" / "decontaminate")
    assert len(pool) == 60
    kept = np.load(folder / "out" / "dedup" / "kept.npy")
    assert kept.tolist() == [*range(60), 66]
    want = qdit.select_pool(pool, 0.5, 9)
    assert np.load(folder / "out/selection/indices.npy").tolist() == want.indices.tolist()
    card = (folder / "out" / "export" / "README.md").read_text()
    assert "6 of 67 rows left out: 6 by equal text" in card
    assert "against eval (1 rows)" in card
    assert set(actions(config).values()) == {"reuse"}
    assert qdit.verify(folder / "out" / "export").ok
    again = actions(
        write(folder, dedup={**stages["dedup"], "keep": "longest"}, decontaminate=stages["decontaminate"])
    )
    assert [name for name, action in again.items() if action == "run"] == [
        "dedup",
        "decontaminate",
        "select",
        "export",
    ]
    (folder / "eval.jsonl").write_text(json.dumps({"question": "something else"}) + "\n")
    assert actions(config)["decontaminate"] == "run"


def test_rows_are_named_and_stay(folder):
    stages = {
        "decontaminate": {"against": ["eval.jsonl"], "by": "ngram", "drop": False},
        "select": {"k": 67, "alpha": 1},
    }
    config = write(folder, **stages)
    actions(config)
    assert np.load(folder / "out/pool/decontaminate/flagged.npy").tolist() == [66]
    assert len(np.load(folder / "out/selection/indices.npy")) == 67
    card = (folder / "out" / "export" / "README.md").read_text()
    assert "1 of 67 rows named, and still there" in card
    assert "1 of them are chosen" in card
    assert set(actions(config).values()) == {"reuse"}


def test_the_report_says_it(folder):
    pytest.importorskip("matplotlib", reason="a report needs matplotlib")
    run(write(folder, dedup={"by": "text"}, export=False, report={"verbs": False, "random_seeds": 1}))
    page = (folder / "out" / "report" / "report.html").read_text()
    assert "What was done to the pool before" in page
    assert "6 of 67 rows left out: 6 by equal text" in page


def test_a_missing_evaluation_set_is_told_before_the_first_stage(folder):
    config = write(folder, decontaminate={"against": "./nothing.jsonl"})
    with pytest.raises(FileNotFoundError, match="nothing"):
        run(config)
    assert not (folder / "out" / "pool").exists()


def test_options_are_checked(folder):
    with pytest.raises(ValueError, match=r"dedup: got 'treshold', wanted some of"):
        write(folder, dedup={"treshold": 0.9})
    with pytest.raises(TypeError, match="against"):
        write(folder, decontaminate={"ngram": 8})
