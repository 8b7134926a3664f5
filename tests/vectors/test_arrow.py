"""from_arrow: views of Arrow's memory where there can be one."""

import numpy as np
import pytest

import qdit
from helpers.oracle import clustered_rows
from qdit.vectors import from_arrow

pa = pytest.importorskip("pyarrow")

N, D = 60, 8
ROWS = clustered_rows(N, D, seed=2, dtype="float32")


def fixed(rows=ROWS):
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])


def listed(rows=ROWS, kind=pa.ListArray):
    offsets = pa.array(
        np.arange(0, rows.size + 1, rows.shape[1]), pa.int64() if kind is pa.LargeListArray else pa.int32()
    )
    return kind.from_arrays(offsets, pa.array(rows.ravel()))


def values_address(array):
    return array.values.buffers()[1].address


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(
    "make", [fixed, listed, lambda rows: listed(rows, pa.LargeListArray)], ids=["fixed", "list", "large"]
)
def test_a_view_without_a_copy(make, dtype):
    rows = ROWS.astype(dtype)
    array = make(rows)
    for data in (array, pa.chunked_array([array]), pa.table({"v": array}), pa.record_batch({"v": array})):
        view = from_arrow(data, copy=False)
        np.testing.assert_array_equal(view, rows)
        assert view.dtype == rows.dtype
        assert view.ctypes.data == values_address(array)
        assert view.flags.c_contiguous
        assert not view.flags.writeable
    assert (
        qdit.select(view, alpha=0, k=5).indices.tolist() == qdit.select(rows, alpha=0, k=5).indices.tolist()
    )


@pytest.mark.parametrize("make", [fixed, listed])
def test_a_slice_is_a_view_too(make):
    array = make()
    view = from_arrow(array.slice(10, 20), copy=False)
    np.testing.assert_array_equal(view, ROWS[10:30])
    assert view.ctypes.data == values_address(array) + 10 * D * 4


def test_the_memory_lives_as_long_as_the_view():
    view = from_arrow(fixed())
    filler = [np.zeros(N * D) for _ in range(50)]
    np.testing.assert_array_equal(view, ROWS)
    assert len(filler) == 50


def test_several_chunks():
    chunked = pa.chunked_array([fixed(ROWS[:20]), fixed(ROWS[20:20]), fixed(ROWS[20:])])
    np.testing.assert_array_equal(from_arrow(chunked), ROWS)
    with pytest.raises(ValueError, match="copy: got False for a column of 2 chunks"):
        from_arrow(chunked, copy=False)
    one = pa.chunked_array([fixed(), fixed(ROWS[:0])])
    assert from_arrow(one, copy=False).ctypes.data == values_address(one.chunk(0))


def test_a_copy_where_asked():
    array = fixed()
    made = from_arrow(array, copy=True)
    assert made.ctypes.data != values_address(array)
    assert made.flags.writeable


def test_a_mapped_file(tmp_path):
    path = str(tmp_path / "x.arrow")
    table = pa.table({"id": np.arange(N), "vector": fixed()})
    with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    before = pa.total_allocated_bytes()
    view = from_arrow(pa.ipc.open_file(pa.memory_map(path)).read_all())
    np.testing.assert_array_equal(view, ROWS)
    assert pa.total_allocated_bytes() == before


def test_extension_types_and_other_frames():
    tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(ROWS)
    np.testing.assert_array_equal(from_arrow(tensor), ROWS)
    np.testing.assert_array_equal(from_arrow(pa.table({"v": tensor})), ROWS)
    polars = pytest.importorskip("polars")
    frame = polars.from_arrow(pa.table({"v": fixed()}))
    np.testing.assert_array_equal(from_arrow(frame), ROWS)


def test_integers_become_floats():
    made = from_arrow(pa.array([[1, 2], [3, 4]], pa.list_(pa.int8())))
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (pa.array([[1.0, 2.0], None]), ValueError, "row 1 is null"),
        (pa.array([[1.0, 2.0], [3.0, None]]), ValueError, "row 1 has a null item"),
        (pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2)), ValueError, "row 1 is null"),
        (pa.array([[1.0, 2.0], [3.0]]), ValueError, "row 1: got a vector of 1 items, wanted 2"),
        (pa.array([["a"]]), TypeError, "wanted lists of float16"),
        (pa.array([1.0]), TypeError, "wanted lists of float16"),
        (pa.array([], pa.list_(pa.float32())), ValueError, "got no rows"),
        (pa.chunked_array([[[1.0, 2.0]], [[1.0]]]), ValueError, "row 1: got a vector of 1 items, wanted 2"),
        ([[1.0]], TypeError, "got list"),
    ],
)
def test_bad_data(data, error, text):
    with pytest.raises(error, match=text):
        from_arrow(data)
