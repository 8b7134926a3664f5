"""Bad embeddings and files are refused with words that say what, which row, got, wanted, what to do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qdit

RNG = np.random.default_rng(5)
X = RNG.standard_normal((20, 4)).astype(np.float32)
Q = RNG.random(20)
WANTED = "float16, bfloat16, float32 or float64"
CONVERT = "convert with numpy.asarray(x, dtype=numpy.float32)"


def refuse(kind: type[Exception], text: str, *args: Any, **options: Any) -> None:
    """Call select and compare the whole message."""
    with pytest.raises(kind) as caught:
        qdit.select(*args, **{"k": 3} | options)
    assert str(caught.value) == text


def changed(array: np.ndarray, where: Any, value: float) -> np.ndarray:
    array = array.copy()
    array[where] = value
    return array


def unaligned() -> np.ndarray:
    return np.frombuffer(bytes(4 * 20 * 4 + 1), np.float32, offset=1).reshape(20, 4)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_, np.complex64, np.longdouble])
def test_embeddings_of_another_dtype(dtype):
    name = np.dtype(dtype).name
    remedy = "take x.real if that is what is meant" if name == "complex64" else CONVERT
    text = f"embeddings: got dtype {name}, wanted {WANTED}; {remedy}"
    refuse(TypeError, text, np.ones((5, 4), dtype), alpha=0)


@pytest.mark.parametrize(
    ("rows", "kind", "text"),
    [
        (
            np.full((3, 2), "a"),
            TypeError,
            f"embeddings: got dtype str32, wanted {WANTED}",
        ),
        (
            np.full((3, 2), None),
            TypeError,
            f"embeddings: got dtype object, wanted {WANTED}; {CONVERT}",
        ),
        (
            [[1.0, 2.0]],
            TypeError,
            "embeddings: got list, wanted an array; convert it with numpy.asarray(x, dtype=numpy.float32)",
        ),
        (
            np.ma.masked_array(X),
            TypeError,
            "embeddings: got a masked array, wanted a plain one; fill it or drop the masked rows",
        ),
        (
            X[0],
            ValueError,
            "embeddings: got 1 dimension (shape (4,)), wanted 2: (rows, dimensions)",
        ),
        (
            X[None],
            ValueError,
            "embeddings: got 3 dimensions (shape (1, 20, 4)), wanted 2: (rows, dimensions)",
        ),
        (X[:0], ValueError, "embeddings: got shape (0, 4), wanted at least one row and one dimension"),
        (X[:, :0], ValueError, "embeddings: got shape (20, 0), wanted at least one row and one dimension"),
        (
            np.asfortranarray(X),
            ValueError,
            "embeddings: got strides (4, 80), wanted C-contiguous rows with strides (16, 4); "
            "make them so with numpy.ascontiguousarray(x)",
        ),
        (
            X[:, :3],
            ValueError,
            "embeddings: got strides (16, 4), wanted C-contiguous rows with strides (12, 4); "
            "make them so with numpy.ascontiguousarray(x)",
        ),
        (
            X[::-1],
            ValueError,
            "embeddings: got negative strides (-16, 4), wanted C-contiguous rows with strides (16, 4); "
            "make them so with numpy.ascontiguousarray(x)",
        ),
        (
            unaligned(),
            ValueError,
            "embeddings: got data that is not aligned to its 4-byte items; copy it once with x.copy()",
        ),
        (
            X.astype(">f4"),
            ValueError,
            "embeddings: got byte order '>f4', wanted this machine's; "
            "convert with numpy.asarray(x, dtype=numpy.float32)",
        ),
        (
            X.view("V2").reshape(20, 8),
            TypeError,
            f"embeddings: got dtype void16, wanted {WANTED}; "
            'if these are bfloat16 bits, use qdit.open_embeddings(x, dtype="bfloat16")',
        ),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")) or None,
)
def test_embeddings_of_another_kind_or_layout(rows, kind, text):
    refuse(kind, text, rows, alpha=0)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(("value", "name"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_the_first_row_that_is_not_finite_is_named(dtype, value, name, backend):
    bad = changed(changed(X.astype(dtype), (17, 3), value), (19, 0), value)
    text = f"embeddings: row 17 has {name} in column 3; every value must be finite. Repair or remove the row."
    refuse(ValueError, text, bad, alpha=0, backend=backend)


def test_the_first_zero_row_is_named_under_cosine():
    bad = changed(changed(X, 6, 0), 9, 0)
    with pytest.raises(ValueError, match=r'^embeddings: row 6 is all zeros.*zero_rows="ignore"'):
        qdit.select(bad, alpha=0, k=3)
    assert len(qdit.select(bad, alpha=0, k=3, metric="dot")) == 3
    chosen = qdit.select(bad, alpha=0, k=18, zero_rows="ignore")
    assert sorted(chosen.indices) == [i for i in range(20) if i not in (6, 9)]
    refuse(
        ValueError,
        "k: got 19, wanted at most 18 (20 rows less 2 ignored zero rows); pass a smaller k",
        bad,
        alpha=0,
        k=19,
        zero_rows="ignore",
    )


@pytest.fixture
def npy(tmp_path: Path) -> Path:
    path = tmp_path / "emb.npy"
    np.save(path, X)
    return path


def test_a_missing_file(tmp_path):
    refuse(FileNotFoundError, f"embeddings: no such file: {tmp_path / 'no.npy'}", tmp_path / "no.npy", Q)
    refuse(FileNotFoundError, f"quality: no such file: {tmp_path / 'no.npy'}", X, tmp_path / "no.npy")


def test_a_directory(tmp_path):
    refuse(
        ValueError, f"embeddings: {tmp_path} is not a file; pass the path of a .npy or raw file", tmp_path, Q
    )


def test_a_truncated_file(npy):
    npy.write_bytes(npy.read_bytes()[:-7])
    text = (
        f"embeddings: {npy} is truncated: got 441 bytes, wanted 448 for shape (20, 4) of float32; "
        "write or copy it again"
    )
    refuse(ValueError, text, npy, Q)


def test_a_file_cut_in_its_header(npy):
    npy.write_bytes(npy.read_bytes()[:50])
    text = f"embeddings: {npy} has a damaged or unknown .npy header (50 bytes in all); write it again"
    refuse(ValueError, text, npy, Q)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b"\x93NUM"])
def test_a_file_of_another_format(npy, content):
    npy.write_bytes(content)
    text = (
        f"embeddings: {npy} is not a .npy file; for a raw file pass shape and dtype, else write it "
        "with numpy.save"
    )
    refuse(ValueError, text, npy, Q)


def test_a_file_of_pickled_objects(npy):
    np.save(npy, np.array([[1, None]], object), allow_pickle=True)
    text = f"embeddings: {npy} holds pickled Python objects, wanted numbers; save a numeric array"
    refuse(ValueError, text, npy, Q)


def test_files_obey_the_rules_for_arrays(npy):
    np.save(npy, np.asfortranarray(X))
    with pytest.raises(ValueError, match=rf"^embeddings: {npy}: got strides \(4, 80\)"):
        qdit.select(npy, Q, k=3)
    np.save(npy, np.empty((0, 4), np.float32))
    with pytest.raises(ValueError, match=rf"^embeddings: {npy}: got shape \(0, 4\)"):
        qdit.select(npy, Q, k=3)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (Q[:19], "got shape (19,), wanted (20,), one for each row of embeddings"),
        (np.array(["a"] * 20), "got dtype str32, wanted real numbers; convert to float64"),
    ],
)
def test_columns_in_files_are_named(npy, values, text):
    np.save(npy, values)
    kind = TypeError if "dtype" in text else ValueError
    refuse(kind, f"quality: {npy}: {text}", X, npy)
    refuse(kind, f"costs: {npy}: {text}", X, Q, costs=npy, budget=3)
