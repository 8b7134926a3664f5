"""`qdit dedup` and `qdit decontaminate` from the command line."""

import json

import numpy as np
import pytest

import qdit
from qdit.cli.main import main

X = np.random.default_rng(3).standard_normal((40, 8)).astype(np.float32)
X[30:] = X[:10]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    np.save("q.npy", np.arange(40.0))
    rows = [
        {"instruction": f"word{i} and word{i + 100} make a pair of words", "output": "x"} for i in range(40)
    ]
    qdit.import_records(rows, "pool").close()
    (tmp_path / "eval.jsonl").write_text(json.dumps({"prompt": rows[4]["instruction"].upper()}) + "\n")
    return tmp_path


def test_a_file_of_embeddings(folder, capsys):
    assert main(["dedup", "x.npy", "--out", "groups", "--quality", "q.npy", "--no-progress"]) == 0
    assert "30 of 40 rows stay, 10 go in 10 groups" in capsys.readouterr().out
    assert np.load("groups/kept.npy").tolist() == list(range(10, 40))
    assert sorted(path.name for path in (folder / "groups").iterdir() if path.suffix != ".npy") == [
        "dedup.json"
    ]
    assert main(["dedup", "x.npy", "--out", "groups", "--no-progress"]) == 2
    assert "holds groups already; pass --overwrite" in capsys.readouterr().err
    assert main(["dedup", "x.npy", "--out", "groups", "--no-progress", "--overwrite"]) == 0
    assert np.load("groups/kept.npy").tolist() == list(range(30))
    assert main(["dedup", "x.npy", "--no-progress"]) == 2
    assert main(["dedup", "x.npy", "--out", "other", "--by", "text"]) == 2
    assert "which has no texts; pass a pool" in capsys.readouterr().err


def test_a_pool(folder, capsys):
    assert main(["dedup", "pool", "--by", "text", "--dry-run"]) == 0
    assert "40 rows, 0 pairs" in capsys.readouterr().out
    assert main(["dedup", "pool", "--by", "text", "--out", "unique", "--no-progress"]) == 0
    assert "40 of 40 rows stay" in capsys.readouterr().out
    command = ["decontaminate", "unique", "--against", "eval.jsonl", "--by", "ngram", "--no-progress"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "1 of 40 rows are in an evaluation set" in out
    assert "eval: 1 of 1 evaluation rows found, in 1 rows" in out
    assert main([*command, "--out", "clean"]) == 0
    assert len(qdit.Pool.open("clean")) == 39
    assert main(["decontaminate", "pool", "--against", "eval.jsonl", "--no-progress"]) == 2
    assert "no embeddings.npy; make them with: qdit embed pool, or pass by ngram" in capsys.readouterr().err
    assert main(["dedup", "pool", "--quality", "q.npy"]) == 2
