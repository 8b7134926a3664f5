"""Some rows of a pool as a pool: the same rows, ids and arrays, whatever the rows are stored as."""

import json

import numpy as np
import pytest

import qdit
from qdit.records.subset import steps, write_subset


def write(tmp_path, pool, rows):
    folder = tmp_path / "some"
    folder.mkdir()
    entries = write_subset(pool, np.array(rows, np.int64), folder, {"verb": "test"})
    found = qdit.Pool.open(folder)
    found.check()
    assert set(entries) == {path.name for path in folder.iterdir()}
    assert [found.records.row(i).id for i in range(len(rows))] == [pool.records.row(i).id for i in rows]
    assert [found.records.value(i) for i in range(len(rows))] == [pool.records.value(i) for i in rows]
    return found


@pytest.mark.parametrize("ids", [True, False])
def test_typed_rows_keep_their_types(tmp_path, ids):
    pa = pytest.importorskip("pyarrow")
    n = 9000  # several batches
    columns = {"instruction": [f"say {i}" for i in range(n)], "output": ["x"] * n}
    columns["score"] = pa.array(range(n), pa.int16())
    if ids:
        columns["id"] = [f"own-{i}" for i in range(n)]
    qdit.import_records(pa.table(columns), tmp_path / "pool").close()
    pool = qdit.Pool.open(tmp_path / "pool")
    rows = [0, 1, 4095, 4096, 4097, 8191, 8999]
    found = write(tmp_path, pool, rows)
    assert found.records.table(range(7)).schema == pool.records.table(range(7)).schema


def test_sources_without_rows_leave(tmp_path):
    lists = {name: [{"instruction": f"{name} {i}", "output": "x"} for i in range(4)] for name in "abc"}
    qdit.import_records(lists, tmp_path / "pool").close()
    pool = qdit.Pool.open(tmp_path / "pool")
    found = write(tmp_path, pool, [1, 3, 9])
    assert found.records.sources()[1] == ["a", "c"]
    assert found.source_groups().tolist() == ["a", "a", "c"]
    assert steps(found) == [{"verb": "test"}]


def test_what_was_embedded_and_scored_is_not_done_again(tmp_path):
    rows = [{"instruction": f"say {i}", "output": "x" * i, "rating": i} for i in range(20)]
    rows[5]["instruction"] = "..."
    pool = tmp_path / "pool"
    qdit.import_records(rows, pool).close()
    made = qdit.embed(pool, "builtin:hash", zero_rows="keep")
    assert made.manifest["zero_rows"] == 1
    scored = qdit.score(pool, "column", column="rating")
    found = write(tmp_path, qdit.Pool.open(pool), [2, 5, 11, 19])
    before = [(found.directory / name).stat().st_mtime_ns for name in ("embeddings.npy", "quality.npy")]
    again = qdit.embed(found, "builtin:hash", zero_rows="keep")
    assert np.array_equal(again.rows.array, made.rows.array[[2, 5, 11, 19]])
    assert again.manifest["zero_rows"] == 1
    assert (
        qdit.score(found, "column", column="rating").quality.tolist()
        == scored.quality[[2, 5, 11, 19]].tolist()
    )
    assert before == [
        (found.directory / name).stat().st_mtime_ns for name in ("embeddings.npy", "quality.npy")
    ]
    assert len(qdit.select_pool(found, 0.5, 3)) == 3


def test_arrays_put_there_by_hand_and_stale_costs(tmp_path):
    pool = tmp_path / "pool"
    qdit.import_records([{"instruction": f"say {i}", "output": "x"} for i in range(6)], pool).close()
    x = np.random.default_rng(0).standard_normal((6, 3))
    np.save(pool / "embeddings.npy", x)
    opened = qdit.Pool.open(pool)
    opened.token_costs()
    costs = json.loads((pool / "costs.json").read_text())
    costs["records"]["n"] = 5
    (pool / "costs.json").write_text(json.dumps(costs))
    found = write(tmp_path, opened, [0, 4])
    assert np.array_equal(found.embeddings.array, x[[0, 4]])
    assert found.manifests == {}
    assert not (found.directory / "costs.npy").exists()
