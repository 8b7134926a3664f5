"""Parts of a Parquet folder that differ, lists of every kind, and sources that cannot be read on."""

import numpy as np
import pytest

from helpers.vector_sources import ROWS, D, N, arrow_table
from qdit.vectors import convert_embeddings, from_arrow

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

HALVES = ROWS.astype(np.float16)


def lists(kind, rows=HALVES):
    return pa.array([None if row is None else list(row) for row in rows], kind)


def part(vectors, **columns):
    return pa.table({"id": list(range(len(vectors))), "embeddings": vectors} | columns)


def write(folder, *tables):
    folder.mkdir()
    for i, table in enumerate(tables):
        pq.write_table(table, folder / f"{i}.parquet")
    return folder


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.null(), pa.string()], ids=str)
def test_parts_without_rows_are_left_out(tmp_path, place, kind):
    parts = [arrow_table().slice(0, 200), arrow_table().slice(200)]
    parts.insert(place, pa.table({"embeddings": pa.nulls(0, kind)}))
    made = convert_embeddings(write(tmp_path / "parts", *parts), tmp_path / "out.npy")
    np.testing.assert_array_equal(made.rows.array, ROWS)
    assert len(made.ids()) == N


def test_parts_that_are_all_without_rows(tmp_path):
    folder = write(tmp_path / "parts", *[arrow_table().slice(0, 0)] * 2)
    with pytest.raises(ValueError, match=r"^source: .*0\.parquet and 1 more has no rows$"):
        convert_embeddings(folder, tmp_path / "out.npy")


@pytest.mark.parametrize(
    ("one", "other", "dtype"),
    [
        (pa.list_(pa.float16()), pa.list_(pa.float32()), "float32"),
        (pa.list_(pa.float16(), D), pa.large_list(pa.float16()), "float16"),
        (pa.list_(pa.float32(), D), pa.list_(pa.float64()), "float32"),
    ],
    ids=str,
)
def test_the_widest_numbers_of_all_parts_are_kept(tmp_path, one, other, dtype):
    for i, (first, second) in enumerate([(one, other), (other, one)]):
        folder = write(tmp_path / f"parts-{i}", part(lists(first)), part(lists(second)))
        made = convert_embeddings(folder, tmp_path / f"out-{i}.npy")
        assert made.rows.dtype == dtype
        np.testing.assert_array_equal(made.rows.array, np.concatenate([HALVES, HALVES]).astype(dtype))


def test_a_part_of_nulls_is_a_part_of_bad_rows(tmp_path):
    for i, parts in enumerate(
        [(pa.nulls(3), lists(pa.list_(pa.float32()))), (lists(pa.list_(pa.float32())), pa.nulls(3))]
    ):
        folder = write(tmp_path / f"parts-{i}", *map(part, parts))
        made = convert_embeddings(folder, tmp_path / f"out-{i}.npy", bad_rows="zero")
        assert len(made.rows.array) == N + 3
        assert [bad["reason"] for bad in made.bad] == ["NaN, Inf or null"] * 3


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (pa.table({"id": [1]}), "{1} has no column 'embeddings', which other parts have; write it again"),
        (
            pa.table({"embeddings": lists(pa.list_(pa.float32()))}),
            "{1} has no column 'id', which other parts have",
        ),
        (part(pa.array(["x"])), "{1}: column 'embeddings' is string, in {0} it is "),
        (
            part(lists(pa.list_(pa.float32()), [*HALVES[:2], HALVES[2, 1:]])),
            f"{{1}}: row 2: got a vector of {D - 1} items, ",
        ),
    ],
)
def test_a_part_that_does_not_fit_is_named(tmp_path, other, said):
    folder = write(tmp_path / "parts", part(lists(pa.list_(pa.float32()))), other)
    with pytest.raises(ValueError) as caught:
        convert_embeddings(folder, tmp_path / "out.npy")
    assert str(caught.value).startswith(said.format(folder / "0.parquet", folder / "1.parquet"))


@pytest.mark.parametrize("make", [pa.list_view, pa.large_list_view])
def test_views_of_lists(tmp_path, make):
    views = lists(make(pa.float32()))
    turned = type(views).from_arrays(views.offsets[::-1], views.sizes, views.values)
    np.testing.assert_array_equal(from_arrow(turned), HALVES[::-1])
    np.testing.assert_array_equal(
        convert_embeddings(part(turned), tmp_path / "x.npy").rows.array, HALVES[::-1]
    )
    with pytest.raises(ValueError, match=r"^row 1 is null, wanted a vector"):
        from_arrow(lists(make(pa.float32()), [HALVES[0], None]))


def test_vectors_without_items():
    with pytest.raises(ValueError, match=r"^row 0: got a vector without items, wanted numbers$"):
        from_arrow(pa.array([[], []], pa.list_(pa.float32())))


def test_frames_that_arrow_cannot_read(tmp_path):
    pd = pytest.importorskip("pandas")
    np.testing.assert_array_equal(
        convert_embeddings(pd.DataFrame({"v": list(ROWS)}), tmp_path / "x.npy").rows.array, ROWS
    )
    for read in (from_arrow, lambda frame: convert_embeddings(frame, tmp_path / "y.npy")):
        with pytest.raises(
            TypeError, match=r"^data: got DataFrame that Arrow cannot read .*; pass a frame of vectors"
        ):
            read(pd.DataFrame({"v": list(ROWS[:2]), "c": ["x", 1]}))


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow"])
def test_names_that_are_no_utf_8(tmp_path, name):
    path = tmp_path / name
    table = part(lists(pa.list_(pa.float32())), zzzz=[1] * N)
    pq.write_table(table, path, store_schema=False)
    if name == "x.arrow":
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    path.write_bytes(path.read_bytes().replace(b"zzzz", b"\xff" * 4))
    with pytest.raises(
        ValueError, match=r"^\S*x\.\w+( is not a Parquet file or damaged|: the name of a column is not UTF-8)"
    ):
        convert_embeddings(path, tmp_path / "out.npy")


def damage(path, begin):
    content = bytearray(path.read_bytes())
    content[begin : 2 * begin] = bytes(begin)
    path.write_bytes(content)
    return path


def test_a_source_that_is_damaged_further_on(tmp_path):
    """What h5py and duckdb meet while they read is told with the source and the row."""
    h5py = pytest.importorskip("h5py")
    rows = np.random.default_rng(1).random((5000, 8))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("v", data=rows, compression="gzip", chunks=(500, 8))
    damage(tmp_path / "x.h5", (tmp_path / "x.h5").stat().st_size // 2 - 1000)
    with pytest.raises(
        ValueError, match=r"^source: .*x\.h5 cannot be read from row [1-9]\d* on: .*; write it again$"
    ):
        convert_embeddings(tmp_path / "x.h5", tmp_path / "out.npy", block_rows=500)


def test_a_query_that_fails_further_on(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect(str(tmp_path / "x.duckdb")) as database:
        words = "CASE WHEN i > 4000 THEN 'x' ELSE '1' END AS word"
        database.execute(f"CREATE TABLE t AS SELECT i AS id, {words} FROM range(5000) r(i)")
    with pytest.raises(
        ValueError, match=r"^source: .*x\.duckdb cannot be read from row \d+ on: Conversion Error"
    ):
        convert_embeddings(
            tmp_path / "x.duckdb", tmp_path / "out.npy", query="SELECT id, [CAST(word AS FLOAT)] AS v FROM t"
        )
