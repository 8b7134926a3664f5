"""Questions as what a selection from a pool represents: found, embedded as the pool was, kept, replayed."""

import json
import shutil

import numpy as np
import pytest

import qdit
from qdit.cli.main import main
from qdit.demo.instructions import write_instructions
from qdit.evaluation.coverage.api import nearest
from qdit.exporting import verify

SKILLS = [
    "Write a poem about rain",
    "What is the capital of France?",
    "Sort these numbers",
    "Explain gravity",
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("represented")
    source = write_instructions(folder / "rows.jsonl", 200, 0)
    qdit.records.import_records(source, folder / "pool").close()
    qdit.embed(folder / "pool", "builtin:hash")
    qdit.score(folder / "pool", "column", column="rating")
    lines = [json.dumps({"instruction": text}) for text in SKILLS]
    (folder / "asked.jsonl").write_text("\n".join(lines))
    wizard = [{"idx": i, "Skill": "x", "Difficulty": 1, "Instruction": text} for i, text in enumerate(SKILLS)]
    (folder / "wizard.jsonl").write_text("\n".join(map(json.dumps, wizard)))
    return folder


@pytest.fixture
def pool(made, tmp_path):
    """A pool of its own for each test."""
    return shutil.copytree(made / "pool", tmp_path / "pool")


def test_questions_are_embedded_once_for_texts_and_model(made, pool):
    path = qdit.embed_questions(pool, made / "asked.jsonl")
    assert path.parent == pool / "questions"
    vectors = np.load(path)
    assert vectors.shape == (4, 384)
    near, _ = nearest(pool / "embeddings.npy", np.arange(200), vectors)
    assert near.max() <= 1.0
    before = path.stat().st_mtime_ns
    for same in (str(made / "asked.jsonl"), f"jsonl={made / 'asked.jsonl'}", {"jsonl": made / "asked.jsonl"}):
        assert qdit.embed_questions(pool, same).read_bytes() == path.read_bytes()
    assert path.stat().st_mtime_ns == before
    wizard = qdit.embed_questions(pool, made / "wizard.jsonl")
    assert wizard.name.startswith("wizardlm-")
    assert np.load(wizard).tobytes() == vectors.tobytes()
    both = qdit.embed_questions(pool, f"wizardlm={made / 'wizard.jsonl'},jsonl={made / 'asked.jsonl'}")
    assert np.load(both).tobytes() == np.concatenate([vectors, vectors]).tobytes()


def test_the_command_selects_for_questions_and_verify_replays_it(made, pool, tmp_path, capsys):
    line = ["select", str(pool), "--k", "12", "--alpha", "0.3", "--no-progress"]
    out = tmp_path / "chosen"
    assert main([*line, "--represent", str(made / "asked.jsonl"), "--out", str(out)]) == 0
    got = qdit.Selection.load(out)
    vectors = qdit.embed_questions(pool, made / "asked.jsonl")
    want = qdit.select_pool(pool, 0.3, 12, represent=vectors)
    assert got.indices.tolist() == want.indices.tolist()
    assert got.inputs["represent"]["source"] == str(vectors)
    assert got.params["represented_rows"] == 4
    found = verify(out)
    assert found.ok
    assert {check.name: check.status for check in found.checks}["picks"] == "ok"
    capsys.readouterr()
    assert main(["verify", str(out)]) == 0
    assert "picks" in capsys.readouterr().out

    sweep = [
        "sweep",
        str(pool),
        "--k",
        "12",
        "--alpha",
        "0.0,0.3",
        "--no-progress",
        "--out",
        str(tmp_path / "s"),
    ]
    assert main([*sweep, "--represent", str(made / "wizard.jsonl")]) == 0
    swept = qdit.Selection.load(tmp_path / "s" / "alpha-0.3")
    assert swept.indices.tolist() == got.indices.tolist()


def test_a_pool_of_questions_stands_for_its_rows(made, pool, tmp_path, capsys):
    other = tmp_path / "questions"
    rows = [{"instruction": text, "output": "?"} for text in SKILLS]
    qdit.records.import_records(rows, other).close()
    line = ["select", str(pool), "--k", "9", "--alpha", "0", "--no-progress", "--represent", str(other)]
    assert main(line) == 2
    assert "make it with: qdit embed" in capsys.readouterr().err
    qdit.embed(other, "builtin:hash", dtype="float32")
    assert main([*line, "--out", str(tmp_path / "chosen")]) == 0
    got = qdit.Selection.load(tmp_path / "chosen")
    asked = qdit.embed_questions(pool, made / "asked.jsonl")
    assert got.indices.tolist() == qdit.select_pool(pool, 0, 9, represent=asked).indices.tolist()
    manifest = other / "embeddings.json"
    record = json.loads(manifest.read_text())
    record["model"]["name"] = "another"
    manifest.write_text(json.dumps(record))
    assert main([*line, "--overwrite", "--out", str(tmp_path / "chosen")]) == 2
    assert "the model of" in capsys.readouterr().err


def test_a_run_selects_for_questions_and_again_when_they_change(made, tmp_path, capsys):
    asked = shutil.copy(made / "asked.jsonl", tmp_path / "asked.jsonl")
    config = {
        "source": str(made / "rows.jsonl"),
        "out": str(tmp_path / "run"),
        "embed": {"model": "builtin:hash"},
        "score": {"by": "column", "column": "rating"},
        "select": {"k": 12, "alpha": 0.3, "represent": str(asked)},
        "export": False,
        "report": False,
    }
    file = tmp_path / "run.yaml"
    file.write_text(json.dumps(config))
    assert main(["run", str(file), "--no-progress"]) == 0
    got = qdit.Selection.load(tmp_path / "run" / "selection")
    want = qdit.select_pool(made / "pool", 0.3, 12, represent=qdit.embed_questions(made / "pool", asked))
    assert got.indices.tolist() == want.indices.tolist()
    asked.write_text(json.dumps({"instruction": "Name three rivers"}))
    assert main(["run", str(file), "--no-progress"]) == 0
    assert qdit.Selection.load(tmp_path / "run" / "selection").params["represented_rows"] == 1
    asked.unlink()
    capsys.readouterr()
    assert main(["run", str(file), "--no-progress"]) == 2
    assert f"represent: {asked} does not exist" in capsys.readouterr().err


def test_what_cannot_be_represented_is_named(made, pool, tmp_path, capsys):
    with pytest.raises(ValueError, match=r"represent: got .*asked.jsonl.*qdit.embed_questions"):
        qdit.select_pool(pool, 0, 5, represent=str(made / "asked.jsonl"))
    line = ["select", str(pool), "--k", "5", "--alpha", "0", "--no-progress", "--represent"]
    (tmp_path / "bad.jsonl").write_text('{"text": 3}\n')
    for value, message in (
        (tmp_path / "bad.jsonl", "wanted the schema of set 'jsonl'"),
        (tmp_path / "none.jsonl", "none.jsonl"),
        (tmp_path, "no pool"),
    ):
        assert main([*line, str(value)]) == 2
        assert message in capsys.readouterr().err
    (pool / "embeddings.json").unlink()
    assert main([*line, str(made / "asked.jsonl")]) == 2
    assert "nothing says which model made" in capsys.readouterr().err
