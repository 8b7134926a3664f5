"""What convert_embeddings does with dtypes, bad rows, columns, files that are there, and bad sources."""

import datetime
import re

import numpy as np
import pytest

import qdit
from helpers.vector_sources import IDS, ROWS, D, N, arrow_table, duckdb_table, write_parquet
from qdit.cli.convert import convert_command
from qdit.vectors import convert_embeddings, read_ids


@pytest.mark.parametrize("stored", ["float16", "float32", "float64"])
@pytest.mark.parametrize("asked", [None, "float16", "float32", "float64"])
def test_dtypes(tmp_path, stored, asked):
    rows = ROWS.astype(stored)
    made = convert_embeddings(rows, tmp_path / "out.npy", dtype=asked)
    kept = {"float16": "float16", "float32": "float32", "float64": "float32"}[stored]
    assert made.rows.dtype == (asked or kept)
    np.testing.assert_array_equal(made.rows.array, rows.astype(asked or kept))


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        (lambda x: pytest.importorskip("scipy.sparse").csr_matrix(x), lambda x: x.toarray()),
        (lambda x: pytest.importorskip("scipy.sparse").coo_array(x), lambda x: x.toarray()),
        (lambda x: pytest.importorskip("pandas").Series(list(x)), lambda x: np.stack(np.asarray(x))),
        (lambda x: np.fromiter(x, object, len(x)), lambda x: np.stack(np.asarray(x))),
        (lambda x: x.astype(object), lambda x: np.asarray(x, dtype=np.float32)),
        (lambda x: x.astype(complex), lambda x: x.real),
    ],
)
def test_the_remedy_for_arrays_of_other_kinds_works(tmp_path, change, remedy):
    x = change(ROWS)
    with pytest.raises(TypeError, match=r"^source: got ") as caught:
        convert_embeddings(x, tmp_path / "out.npy")
    assert re.search(r"x\.toarray\(\)|numpy\.stack|numpy\.asarray|x\.real", str(caught.value))
    np.testing.assert_array_equal(convert_embeddings(remedy(x), tmp_path / "out.npy").rows.array, ROWS)


def test_masked_arrays_are_refused_and_tensors_are_read(tmp_path):
    with pytest.raises(TypeError, match=r"^source: got a masked array, wanted a plain one"):
        convert_embeddings(np.ma.masked_array(ROWS, ROWS > 1), tmp_path / "out.npy")
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(ROWS).requires_grad_()
    np.testing.assert_array_equal(convert_embeddings(tensor, tmp_path / "out.npy").rows.array, ROWS)


@pytest.mark.parametrize("kind", ["list float16", "list float64", "large_list", "fixed float16", "list int8"])
def test_arrow_types_in_parquet(tmp_path, kind):
    pa = pytest.importorskip("pyarrow")
    made = {
        "list float16": pa.list_(pa.float16()),
        "list float64": pa.list_(pa.float64()),
        "large_list": pa.large_list(pa.float32()),
        "fixed float16": pa.list_(pa.float16(), D),
        "list int8": pa.list_(pa.int8()),
    }[kind]
    rows = np.rint(ROWS * 50).astype(np.int8) if "int8" in kind else ROWS.astype(np.float16)
    table = pa.table({"v": pa.array(list(rows) if "int8" in kind else rows.astype(object).tolist(), made)})
    pytest.importorskip("pyarrow.parquet").write_table(table, tmp_path / "x.parquet")
    found = convert_embeddings(tmp_path / "x.parquet", tmp_path / "out.npy")
    np.testing.assert_array_equal(found.rows.array.astype(float), rows.astype(float))


def with_bad_rows():
    rows = ROWS.copy()
    rows[7] = 0
    rows[130, 3] = np.nan
    rows[131] = np.inf
    return rows


def test_bad_rows_are_named(tmp_path):
    source = write_parquet(tmp_path / "x.parquet", rows=with_bad_rows())
    with pytest.raises(ValueError, match=r"row 7 \(id 'doc 7'\).*got zeros.*bad_rows='zero'"):
        convert_embeddings(source, tmp_path / "out.npy", block_rows=50)
    with pytest.raises(ValueError, match=r"row 7, row 130, row 131: got zeros or NaN, Inf or null"):
        convert_embeddings(with_bad_rows(), tmp_path / "out.npy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.parquet"]
    with pytest.raises(ValueError, match="and 495 more of this block"):
        convert_embeddings(np.zeros((N, D)), tmp_path / "out.npy")


def test_bad_rows_become_zeros(tmp_path):
    source = write_parquet(tmp_path / "x.parquet", rows=with_bad_rows())
    made = convert_embeddings(source, tmp_path / "out.npy", bad_rows="zero", block_rows=50)
    want = ROWS.copy()
    want[[7, 130, 131]] = 0
    np.testing.assert_array_equal(made.rows.array, want)
    assert made.bad == [
        {"row": 7, "id": "doc 7", "reason": "zeros"},
        {"row": 130, "id": "doc 130", "reason": "NaN, Inf or null"},
        {"row": 131, "id": "doc 131", "reason": "NaN, Inf or null"},
    ]
    assert made.manifest["bad_rows"] == made.bad
    assert not set(qdit.select(made.rows, alpha=0, k=N - 3).indices) & {7, 130, 131}


def test_null_rows(tmp_path):
    pa = pytest.importorskip("pyarrow")
    values = ROWS.tolist()
    values[40] = None
    values[41] = [None, *values[41][1:]]
    for kind in (pa.list_(pa.float32()), pa.list_(pa.float32(), D)):
        table = pa.table({"embeddings": pa.array(values, kind)})
        with pytest.raises(ValueError, match="row 40, row 41: got NaN, Inf or null"):
            convert_embeddings(table, tmp_path / "out.npy", overwrite=True)
        made = convert_embeddings(table, tmp_path / "out.npy", bad_rows="zero", overwrite=True)
        want = ROWS.copy()
        want[[40, 41]] = 0
        np.testing.assert_array_equal(made.rows.array, want)


def test_what_float16_cannot_hold(tmp_path):
    rows = ROWS.copy()
    rows[9, 2] = 70_000
    with pytest.raises(ValueError, match="row 9: 70000 is more than float16 holds; pass dtype='float32'"):
        convert_embeddings(rows, tmp_path / "out.npy", dtype="float16")
    rows = ROWS.copy()
    rows[9] = 1e-9
    with pytest.raises(ValueError, match=r"row 9: got zeros.*zero only as float16: pass dtype='float32'"):
        convert_embeddings(rows, tmp_path / "out.npy", dtype="float16")
    convert_embeddings(rows, tmp_path / "out.npy")


def test_vectors_of_different_lengths(tmp_path):
    pa = pytest.importorskip("pyarrow")
    values = ROWS.tolist()
    values[333] = values[333][:5]
    pytest.importorskip("pyarrow.parquet").write_table(pa.table({"v": values}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=r"x\.parquet: row 333: got a vector of 5 items, wanted 12"):
        convert_embeddings(tmp_path / "x.parquet", tmp_path / "out.npy", block_rows=100)


def test_which_column(tmp_path):
    pa = pytest.importorskip("pyarrow")
    one = pa.table({"a": ROWS.tolist(), "b": (-ROWS).tolist(), "text": ["x"] * N, "key": IDS})
    with pytest.raises(ValueError, match=r"several columns of vectors \(a, b\)"):
        convert_embeddings(one, tmp_path / "out.npy")
    made = convert_embeddings(one, tmp_path / "out.npy", column="b", id_column="key")
    np.testing.assert_array_equal(made.rows.array, -ROWS)
    assert read_ids(tmp_path / "out.npy") == IDS
    with pytest.raises(TypeError, match="column 'text': got string, wanted lists"):
        convert_embeddings(one, tmp_path / "x.npy", column="text")
    with pytest.raises(ValueError, match="id_column: the table has no 'id'"):
        convert_embeddings(one, tmp_path / "x.npy", column="a", id_column="id")
    with pytest.raises(ValueError, match="no column of vectors"):
        convert_embeddings(one.select(["text"]), tmp_path / "x.npy")
    numbers = pa.table({"a": ROWS[:, 0], "b": ROWS[:, 1]})
    with pytest.raises(ValueError, match="columns of numbers and none of vectors; join the numbers of a row"):
        convert_embeddings(numbers, tmp_path / "x.npy")
    frame = pytest.importorskip("pandas").DataFrame(ROWS)
    with pytest.raises(ValueError, match=r"columns of numbers and none of vectors; pass x\.to_numpy\(\)"):
        convert_embeddings(frame, tmp_path / "x.npy")
    assert convert_embeddings(frame.to_numpy(), tmp_path / "x.npy").rows.n == N


def test_a_file_that_is_there(tmp_path):
    source = write_parquet(tmp_path / "x.parquet")
    out = tmp_path / "out.npy"
    first = convert_embeddings(source, out)
    stamp = out.stat().st_mtime_ns
    again = convert_embeddings(source, out)  # finished: nothing is done
    assert out.stat().st_mtime_ns == stamp
    assert again.manifest == first.manifest
    with pytest.raises(ValueError, match="dtype is 'float16' now and was 'float32'; pass overwrite=True"):
        convert_embeddings(source, out, dtype="float16")
    convert_embeddings(source, out, dtype="float16", overwrite=True)
    assert np.load(out).dtype == np.float16
    convert_embeddings(ROWS, out, overwrite=True)  # has no ids
    with pytest.raises(FileNotFoundError, match="convert with id_column="):
        read_ids(out)
    write_parquet(source, rows=-ROWS)
    with pytest.raises(ValueError, match=r"made otherwise: source is .* now and was None"):
        convert_embeddings(source, out)


def test_the_command(tmp_path, capsys):
    source = write_parquet(tmp_path / "x.parquet", rows=with_bad_rows())
    convert_command(str(source), str(tmp_path / "out.npy"), dtype="float16", bad_rows="zero", progress=False)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"500 x 12 float16 in {tmp_path / 'out.npy'}"
    assert printed[1:3] == ["column  embeddings", "ids     id"]
    assert printed[4] == "note    3 rows are zeros and are never chosen"


def test_progress(tmp_path):
    told = []
    convert_embeddings(ROWS, tmp_path / "out.npy", block_rows=100, progress=told.append)
    assert told[-1].phase == "done"
    assert told[-1].rows == N


def test_ids_that_are_no_json(tmp_path):
    pa = pytest.importorskip("pyarrow")
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(i) for i in range(N)]
    table = pa.table({"id": days, "v": ROWS.tolist()})
    assert convert_embeddings(table, tmp_path / "out.npy").ids()[:2] == ["2024-01-01", "2024-01-02"]


def test_bad_sources(tmp_path):
    out = tmp_path / "out.npy"
    (tmp_path / "x.bin").write_bytes(b"abc")
    (tmp_path / "empty").mkdir()
    cases = [
        (tmp_path / "none.parquet", {}, FileNotFoundError, "no such file or folder"),
        (tmp_path / "x.bin", {}, ValueError, "does not tell its format, wanted one of parquet"),
        (tmp_path / "x.bin", {"format": "paquet"}, ValueError, "did you mean 'parquet'"),
        (tmp_path / "empty", {}, FileNotFoundError, "no Parquet files"),
        (ROWS[0], {}, ValueError, r"wanted \(n, d\)"),
        (3, {}, TypeError, "got int, wanted a path"),
        (ROWS, {"column": "x"}, ValueError, "column: got 'x' for array"),
        (ROWS, {"table": "x"}, ValueError, "has no tables"),
        (ROWS, {"query": "x"}, ValueError, "wanted a DuckDB database"),
        (ROWS, {"dtype": "int8"}, ValueError, "dtype: got 'int8'"),
        (ROWS, {"block_rows": 0}, ValueError, "block_rows: got 0"),
        (ROWS, {"bad_rows": "drop"}, ValueError, "bad_rows: got 'drop'"),
    ]
    for source, options, error, text in cases:
        with pytest.raises(error, match=text):
            convert_embeddings(source, out, **options)
    with pytest.raises(ValueError, match=r"ends in \.npy"):
        convert_embeddings(ROWS, tmp_path / "out.bin")
    assert not out.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("pyarrow.parquet", "parquet"),
        ("h5py", "hdf5"),
        ("safetensors", "safetensors"),
        ("faiss", "faiss"),
        ("duckdb", "duckdb"),
    ],
)
def test_damaged_files(tmp_path, module, name):
    pytest.importorskip(module)
    path = tmp_path / "x"
    path.write_bytes(b"this is nothing of the kind" * 10)
    options = {"table": "x"} if name == "duckdb" else {}
    with pytest.raises((ValueError, OSError), match="x"):
        convert_embeddings(path, tmp_path / "out.npy", format=name, **options)


def test_tables_are_named(tmp_path):
    source, _ = duckdb_table(tmp_path)
    with pytest.raises(ValueError, match="pass one of 'docs', 'other', or a query"):
        convert_embeddings(source, tmp_path / "out.npy")
    with pytest.raises(ValueError, match=r"source: DuckDB: .*nothing"):
        convert_embeddings(source, tmp_path / "out.npy", query="SELECT * FROM nothing")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tables_of_lancedb_are_named(tmp_path):
    lancedb = pytest.importorskip("lancedb")
    database = lancedb.connect(tmp_path / "lance")
    for i in range(12):
        database.create_table(f"docs{i:02}", arrow_table().slice(i))
    made = convert_embeddings(tmp_path / "lance", tmp_path / "out.npy", table="docs11")
    np.testing.assert_array_equal(made.rows.array, ROWS[11:])
    for table in (None, "other"):
        with pytest.raises(ValueError, match=r"table: got .*, wanted one of 'docs00', .*'docs11'"):
            convert_embeddings(tmp_path / "lance", tmp_path / "x.npy", table=table)


def test_faiss_indexes_that_lose_something(tmp_path):
    faiss = pytest.importorskip("faiss")
    index = faiss.IndexScalarQuantizer(D, faiss.ScalarQuantizer.QT_8bit)
    index.train(ROWS)
    index.add(ROWS)
    with pytest.raises(TypeError, match="wanted a flat index"):
        convert_embeddings(index, tmp_path / "out.npy")


@pytest.mark.parametrize(
    ("package", "name"),
    [("h5py", "x.h5"), ("faiss", "x.faiss"), ("duckdb", "x.duckdb"), ("safetensors", "x.safetensors")],
)
def test_a_missing_package_is_named(tmp_path, monkeypatch, package, name):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ImportError, match=rf"{package} is needed .* pip install 'qdit\[vectors\]'"):
        convert_embeddings(tmp_path / name, tmp_path / "out.npy")
