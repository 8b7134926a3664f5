"""Typed sources: Parquet, HF data sets, pandas and pyarrow tables keep their types and their order."""

import datetime
import json

import numpy as np
import pytest

from qdit.records import import_records, is_imported, open_records

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROWS = [
    {
        "id": f"r{i}",
        "instruction": f"say {i}",
        "input": "",
        "output": str(i),
        "score": i / 3,
        "tags": ["a"] * i,
    }
    for i in range(10)
]
TABLE = pa.Table.from_pylist(ROWS)


def texts(records):
    return [(row.id, row.instruction, row.output) for row in records.rows()]


WANT = [(row["id"], row["instruction"], row["output"]) for row in ROWS]


def test_parquet_files(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(TABLE, path, row_group_size=3)
    records = import_records(path, tmp_path / "pool")
    assert texts(records) == WANT
    assert records.format == "alpaca"
    assert records.table([7, 0, 7, 1]).equals(TABLE.take([7, 0, 7, 1]))
    assert records.table(np.array([], np.int64)).schema == TABLE.schema
    assert [json.loads(line) for line in records.raws()] == ROWS == list(records.values())
    assert json.loads(records.raw(3)) == ROWS[3]
    assert records.row(-1).id == "r9"
    assert [row.id for row in records.rows(4, 6)] == ["r4", "r5"]
    assert records.manifest["sources"][0]["inputs"][0]["path"] == str(path)
    assert "pyarrow" in records.manifest["versions"]
    assert is_imported(path, tmp_path / "pool")
    records.check()
    pool = tmp_path / "pool" / "records.arrow"
    content = bytearray(pool.read_bytes())
    content[-20:] = bytes(20)
    pool.write_bytes(content)
    with pytest.raises(ValueError, match=r"records\.arrow is damaged: "):
        open_records(tmp_path / "pool")


def test_many_batches(tmp_path):
    """Rows are found again across the batches of the stored file."""
    n = 20_000
    columns = {"instruction": [f"say {i}" for i in range(n)], "output": ["x"] * n, "n": list(range(n))}
    pq.write_table(pa.table(columns), tmp_path / "x.parquet", row_group_size=1500)
    records = import_records(tmp_path / "x.parquet", tmp_path / "pool")
    chosen = np.random.default_rng(1).choice(n, 500, replace=False)
    assert records.table(chosen)["n"].to_pylist() == chosen.tolist()
    assert [records.value(int(i))["n"] for i in chosen] == chosen.tolist()
    assert [row["n"] for row in records.values(4090, 12_300)] == list(range(4090, 12_300))


def test_parquet_folders(tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    pq.write_table(TABLE.slice(0, 4), folder / "part-0.parquet")
    wider = TABLE.slice(4).set_column(1, "instruction", TABLE.slice(4)["instruction"].cast(pa.large_string()))
    pq.write_table(wider, folder / "part-1.parquet")
    records = import_records(folder, tmp_path / "pool")
    assert texts(records) == WANT
    assert records.parts[0].store.schema == wider.schema
    pq.write_table(TABLE.drop_columns(["tags"]), folder / "part-2.parquet")
    with pytest.raises(
        ValueError,
        match=r"part-0\.parquet has a column 'tags' that .*part-2\.parquet lacks; give both the same ",
    ):
        import_records(folder, tmp_path / "p2")
    pq.write_table(TABLE.set_column(4, "score", pa.array(["x"] * 10)), folder / "part-2.parquet")
    with pytest.raises(
        ValueError, match=r"part-2\.parquet: column 'score' is string, in .*part-0\.parquet it is double; "
    ):
        import_records(folder, tmp_path / "p2")
    (folder / "part-2.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ValueError, match=r"part-2\.parquet is not a Parquet file or damaged: "):
        import_records(folder, tmp_path / "p2")


def test_parquet_without_rows(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(TABLE.slice(0, 0), path)
    with pytest.raises(ValueError, match=r"x\.parquet has no row that can be used: it is empty; pass"):
        import_records(path, tmp_path / "pool")


def test_bad_rows(tmp_path):
    rows = [*ROWS[:2], {**ROWS[2], "output": None}, *ROWS[3:]]
    path = tmp_path / "x.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    with pytest.raises(ValueError) as caught:
        import_records(path, tmp_path / "pool")
    assert str(caught.value).startswith(f"{path}, row 2: field 'output' is null, wanted text; mend it")
    records = import_records(path, tmp_path / "pool", skip_bad=True, id_column=None)
    assert texts(records) == WANT[:2] + WANT[3:]
    pq.write_table(pa.Table.from_pylist(rows).drop_columns(["id"]), path)
    records = import_records(path, tmp_path / "made", skip_bad=True, limit=5)
    assert list(records.ids()) == ["x-0", "x-1", "x-3", "x-4"]


def test_chats_in_columns(tmp_path):
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    path = tmp_path / "x.parquet"
    pq.write_table(
        pa.Table.from_pylist([{"conversation_id": "c", "conversation": turns, "model": "m"}]), path
    )
    records = import_records(path, tmp_path / "pool")
    assert records.format == "lmsys"
    row = records.row(0)
    assert (row.id, row.turns) == ("c", (("user", "q"), ("assistant", "a")))


def test_values_that_json_has_not(tmp_path):
    when = datetime.datetime(2024, 2, 29, 12, 30)
    row = {"instruction": "a", "output": "b", "when": when, "blob": b"\x00\xff", "day": when.date()}
    records = import_records(pa.Table.from_pylist([row]), tmp_path / "pool")
    line = records.raw(0)
    assert json.loads(line) == {**row, "when": "2024-02-29T12:30:00", "blob": "AP8=", "day": "2024-02-29"}
    assert records.value(0) == row
    assert records.table([0]).to_pylist() == [row]


def test_pandas(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        [{key: row[key] for key in ("id", "instruction", "output", "score")} for row in ROWS]
    )
    frame["kind"] = pd.Categorical(["u", "v"] * 5)
    frame = frame.sample(frac=1, random_state=3)
    records = import_records(frame, tmp_path / "pool")
    assert [row.id for row in records.rows()] == frame["id"].tolist()
    assert records.value(3) == frame.iloc[3].to_dict()
    assert records.table([0]).column_names == list(frame.columns)
    assert records.manifest["sources"][0]["location"] == "DataFrame in memory"
    with pytest.raises(
        ValueError, match=r"column 'output' has 'x' in row 0 and 3 in row 1, .* or pass the rows: "
    ):
        import_records(pd.DataFrame({"instruction": ["a", "b"], "output": ["x", 3]}), tmp_path / "p2")


def test_hugging_face_datasets(tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    made = datasets.Dataset.from_list(ROWS)
    pool = tmp_path / "pool"
    records = import_records(made, pool)
    assert texts(records) == WANT
    assert b"huggingface" in records.parts[0].store.schema.metadata
    back = datasets.Dataset(records.table(range(10)))
    assert back.features == made.features
    assert back.to_list() == ROWS
    chosen = made.select([5, 2]).with_format("numpy", columns=["score"])
    assert [row.id for row in import_records(chosen, pool, overwrite=True).rows()] == ["r5", "r2"]
    assert texts(import_records(made.to_iterable_dataset(), pool, overwrite=True)) == WANT
    both = datasets.DatasetDict({"train": made, "test": made.select([1])})
    assert len(import_records(both, pool, overwrite=True)) == 10
    assert len(import_records(both, pool, overwrite=True, split="test")) == 1
    with pytest.raises(ValueError, match=r"^split: got 'dev', wanted one of 'train', 'test'$"):
        import_records(both, pool, overwrite=True, split="dev")


def test_saved_datasets(tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    made = datasets.Dataset.from_list(ROWS)
    made.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": made, "test": made.select([1])}).save_to_disk(tmp_path / "two")
    records = import_records(tmp_path / "one", tmp_path / "a")
    assert texts(records) == WANT
    assert records.sources()[1] == ["one"]
    assert len(records.manifest["sources"][0]["inputs"]) == 1
    assert len(import_records(tmp_path / "two", tmp_path / "b", split="test")) == 1
    assert is_imported(tmp_path / "one", tmp_path / "a")


def test_typed_and_text_in_one_pool(tmp_path):
    records = import_records(
        {"table": TABLE, "text": [{"prompt": "p", "completion": "c"}]}, tmp_path / "pool"
    )
    assert [row.source for row in records.rows()] == ["table"] * 10 + ["text"]
    assert records.row(10).turns == (("user", "p"), ("assistant", "c"))
    mixed = records.table([10, 1]).to_pylist()
    assert mixed[0]["prompt"] == "p"
    assert mixed[0]["instruction"] is None
    assert mixed[1]["instruction"] == "say 1"


def test_other_objects_are_refused(tmp_path):
    with pytest.raises(
        TypeError, match=r"^source: got int, wanted a path, the id of a data set, an HF Dataset"
    ):
        import_records(3, tmp_path / "pool")
