"""Selecting from a pool directory: its arrays, limits by source and by tokens."""

import json

import numpy as np
import pytest

import qdit
from qdit.cli.main import main
from qdit.demo.instructions import write_instructions


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pools")
    sources = {
        name: write_instructions(folder / f"{name}.jsonl", 150, seed) for seed, name in enumerate("ab")
    }
    qdit.records.import_records(sources, folder / "pool").close()
    qdit.embed(folder / "pool", "builtin:hash")
    qdit.score(folder / "pool", "column", column="rating")
    return folder / "pool"


def test_takes_the_arrays_of_the_pool(pool):
    got = qdit.select_pool(pool, 0.4, 20)
    want = qdit.select(pool / "embeddings.npy", pool / "quality.npy", 0.4, 20)
    assert got.indices.tolist() == want.indices.tolist()
    assert qdit.select_pool(qdit.Pool.open(pool), 0.4, 20).indices.tolist() == got.indices.tolist()
    other = np.arange(300.0)
    assert qdit.select_pool(pool, 1.0, 3, quality=other).indices.tolist() == [299, 298, 297]


def test_sweep(pool):
    found = qdit.sweep_pool(pool, [0.0, 0.5], 12)
    for alpha, selection in found.items():
        assert selection.indices.tolist() == qdit.select_pool(pool, alpha, 12).indices.tolist()


def test_quotas_by_source(pool):
    got = qdit.select_pool(pool, 0.5, per_source={"a": 3, "b": 9}, quota_mode="exact")
    assert np.bincount(got.indices // 150).tolist() == [3, 9]


def test_at_least_by_source(pool):
    got = qdit.select_pool(pool, 0.5, 10, per_source_least={"a": 0.8})
    assert (got.indices < 150).sum() >= 8
    got = qdit.select_pool(pool, 0.5, 10, per_source={"a": 0.3, "b": 0.7})
    assert np.bincount(got.indices // 150).tolist() == [3, 7]


def test_a_budget_of_tokens(pool):
    got = qdit.select_pool(pool, 0.5, budget_tokens=500, quality_scale="minmax")
    costs = qdit.Pool.open(pool).token_costs()
    assert 400 < costs[got.indices].sum() <= 500
    assert got.stats["cost"] == costs[got.indices].sum()


def test_ids_that_are_not_to_be_picked(pool, tmp_path):
    ids = qdit.Pool.open(pool).records.ids()
    first = qdit.select_pool(pool, 0.4, 20)
    out = first.indices[:5]
    (tmp_path / "ids.txt").write_text("\n".join([*(ids[row] for row in out), "", ""]), encoding="utf-8")
    want = qdit.select_pool(pool, 0.4, 20, exclude=out)
    assert not np.isin(want.indices, out).any()
    for exclude_ids in (tmp_path / "ids.txt", [ids[row] for row in out]):
        found = qdit.select_pool(pool, 0.4, 20, exclude_ids=exclude_ids)
        assert found.indices.tolist() == want.indices.tolist()
    words = f"--k 20 --alpha 0.4 --no-progress --out {tmp_path / 'out'} --exclude-ids {tmp_path / 'ids.txt'}"
    main(["select", str(pool), *words.split()])
    assert qdit.Selection.load(tmp_path / "out").indices.tolist() == want.indices.tolist()
    with pytest.raises(ValueError, match="exclude_ids: no row has the id 'none', nor have 1 others; ids"):
        qdit.select_pool(pool, 0.4, 20, exclude_ids=["none", ids[0], "nor this"])
    with pytest.raises(ValueError, match="exclude_ids: got it together with exclude, wanted one of them"):
        qdit.select_pool(pool, 0.4, 20, exclude_ids=["a"], exclude=[1])


def test_labels_of_the_records(tmp_path):
    rows = [{"instruction": f"Say {i}", "output": "x", "tags": [f"t{i % 4}", f"u{i % 3}"]} for i in range(60)]
    qdit.records.import_records(rows, tmp_path / "pool").close()
    qdit.embed(tmp_path / "pool", "builtin:hash")
    got = qdit.select_pool(tmp_path / "pool", 0.0, 12, method="mig", label_field="tags")
    tags = [row["tags"] for row in rows]
    want = qdit.select(tmp_path / "pool" / "embeddings.npy", alpha=0, k=12, method="mig", labels=tags)
    assert got.indices.tolist() == want.indices.tolist()
    with pytest.raises(
        ValueError, match="no row has a field 'topics'; the first has instruction, output, tags"
    ):
        qdit.select_pool(tmp_path / "pool", 0.0, 12, method="mig", label_field="topics")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_field": "x", "labels": [1]}, "label_field: got it together with labels, wanted one"),
        ({"budget_tokens": 9, "budget": 9.0}, "budget_tokens: got it together with budget, wanted one"),
        ({"per_source": 9, "quota": 9}, "per_source: got it together with quota, wanted one"),
        ({"tokenizer": "x"}, "tokenizer: got 'x' without budget_tokens"),
    ],
)
def test_options_that_do_not_go_together(pool, options, message):
    with pytest.raises(ValueError, match=message):
        qdit.select_pool(pool, 0.5, **options)


def test_what_the_pool_lacks_is_named(tmp_path, pool):
    bare = tmp_path / "bare"
    qdit.records.import_records(write_instructions(tmp_path / "rows.jsonl", 30), bare).close()
    with pytest.raises(FileNotFoundError, match=r"no embeddings.npy; make them with: qdit embed .*bare"):
        qdit.select_pool(bare)
    qdit.embed(bare, "builtin:hash")
    with pytest.raises(FileNotFoundError, match=r"no quality.npy with alpha 0.7; make it with: qdit score"):
        qdit.select_pool(bare, k=3)
    assert len(qdit.select_pool(bare, 0.0, 3)) == 3
    with pytest.raises(TypeError, match="select_pool: got option 'methd', wanted one of per_source, "):
        qdit.select_pool(pool, methd="lazy")


def test_the_command(pool, tmp_path, capsys):
    words = ["select", str(pool), "--alpha", "0.5", "--per-source", json.dumps({"a": 3, "b": 9})]
    words += ["--quota-mode", "exact", "--out", str(tmp_path / "out"), "--no-progress"]
    assert main(words) == 0
    assert "picked       " in capsys.readouterr().out
    want = qdit.select_pool(pool, 0.5, per_source={"a": 3, "b": 9}, quota_mode="exact")
    assert qdit.Selection.load(tmp_path / "out").indices.tolist() == want.indices.tolist()
    assert main(["sweep", str(pool), "--alpha", "0,0.5", "--k", "9", "--no-progress"]) == 0
    assert main(["select", str(pool / "embeddings.npy"), "--alpha", "0", "--budget-tokens", "9"]) == 2
    assert "is no pool directory; use groups with quota" in capsys.readouterr().err
    assert main(["select", str(tmp_path), "--alpha", "0"]) == 2
    assert "without records.json, so no pool; make one with: qdit import" in capsys.readouterr().err
