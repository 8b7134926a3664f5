"""Embeddings of every kind reach the engine without a copy, and mean the same."""

import subprocess
import sys

import numpy as np
import pytest

import qdit
from qdit import open_embeddings
from qdit.engine.rows import check_rows

RNG = np.random.default_rng(2)
X = RNG.standard_normal((30, 8)).astype(np.float16)
WANT = qdit.select(X, alpha=0, k=10).indices.tolist()


def picks(source):
    return qdit.select(source, alpha=0, k=10).indices.tolist()


def bfloat16_bits(rows):
    """Truncated float32, as uint16 bits."""
    return (rows.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


BITS = bfloat16_bits(X)
WIDE = (BITS.astype(np.uint32) << 16).view(np.float32)


class Wrapper:
    """An array behind one of numpy's protocols."""

    def __init__(self, array, **attributes):
        self.array = array
        self.__dict__.update(attributes)


class ByInterface(Wrapper):
    @property
    def __array_interface__(self):
        return self.array.__array_interface__


class ByArray(Wrapper):
    def __array__(self, dtype=None, copy=None):
        return self.array


class ByDLPack(Wrapper):
    device = (1, 0)

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.device


def test_arrays_are_viewed(tmp_path):
    rows = open_embeddings(X)
    assert np.shares_memory(rows.array, X)
    assert (rows.shape, rows.n, rows.d, len(rows), rows.dtype, rows.nbytes) == (
        (30, 8),
        30,
        8,
        30,
        "float16",
        480,
    )
    assert repr(rows) == "Rows(n=30, d=8, dtype='float16', source='memory')"
    assert open_embeddings(rows) is rows
    assert picks(rows) == WANT


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_wider_storage_of_the_same_values_gives_the_same_picks(dtype):
    assert picks(X.astype(dtype)) == WANT


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_npy_files_are_mapped(tmp_path, kind):
    path = tmp_path / "x.npy"
    np.save(path, X)
    rows = open_embeddings(kind(path))
    assert isinstance(rows.array, np.memmap)
    assert rows.source == str(path)
    assert not rows.array.flags.writeable
    assert picks(kind(path)) == WANT


@pytest.mark.parametrize("version", [(2, 0), (3, 0)])
def test_npy_files_of_later_versions_are_mapped(tmp_path, version):
    path = tmp_path / "x.npy"
    with path.open("wb") as file:
        np.lib.format.write_array(file, X, version=version)
    assert picks(path) == WANT


def test_npy_files_that_go_on_are_refused(tmp_path):
    path = tmp_path / "x.npy"
    for more in (b"\0", X.tobytes()):
        np.save(path, X)
        with path.open("ab") as file:
            file.write(more)
        with pytest.raises(
            ValueError, match=r"x\.npy goes on after its array .*; save each array in a file of its own$"
        ):
            open_embeddings(path)


def test_memmaps_are_viewed(tmp_path):
    pool = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", X.dtype, X.shape)
    pool[:] = X
    assert np.shares_memory(open_embeddings(pool).array, pool)
    assert picks(pool) == WANT


@pytest.mark.parametrize("shape", [(30, 8), (-1, 8)])
@pytest.mark.parametrize("dtype", ["float16", np.float16, np.dtype("float16")])
def test_raw_files_are_mapped(tmp_path, shape, dtype):
    (tmp_path / "x.bin").write_bytes(X.tobytes())
    rows = open_embeddings(tmp_path / "x.bin", shape=shape, dtype=dtype)
    assert isinstance(rows.array, np.memmap)
    assert picks(rows) == WANT


def test_raw_bfloat16_files(tmp_path):
    (tmp_path / "x.bin").write_bytes(BITS.tobytes())
    rows = open_embeddings(tmp_path / "x.bin", shape=(30, 8), dtype="bfloat16")
    assert (rows.dtype, rows.array.dtype) == ("bfloat16", np.uint16)
    assert picks(rows) == picks(WIDE)


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        (
            {"shape": (30, 8)},
            ValueError,
            "got a shape without a dtype; pass dtype=float16, bfloat16, float32",
        ),
        ({"shape": (31, 8), "dtype": "float16"}, ValueError, "has 480 bytes, wanted 496 for shape (31, 8)"),
        (
            {"shape": (-1, 7), "dtype": "float16"},
            ValueError,
            "has 480 bytes, wanted a positive multiple of 14",
        ),
        ({"shape": (0, 8), "dtype": "float16"}, ValueError, "got shape (0, 8), wanted (n, d) with n and d"),
        (
            {"shape": (30, 8), "dtype": "int8"},
            TypeError,
            "dtype: got int8, wanted float16, bfloat16, float32",
        ),
        (
            {"shape": (30, 8), "dtype": "fp16"},
            TypeError,
            "dtype: got fp16, wanted float16, bfloat16, float32",
        ),
    ],
)
def test_raw_files_of_another_size_or_dtype(tmp_path, options, kind, text):
    (tmp_path / "x.bin").write_bytes(X.tobytes())
    with pytest.raises(kind) as caught:
        open_embeddings(tmp_path / "x.bin", **options)
    assert text in str(caught.value)


def test_a_npy_file_opened_as_raw_is_recognised(tmp_path):
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(ValueError, match=r"this is a \.npy file: leave out shape and dtype"):
        open_embeddings(tmp_path / "x.npy", shape=(30, 8), dtype="float16")


def test_shape_and_dtype_that_have_no_say():
    with pytest.raises(
        ValueError, match=r"^embeddings: shape is for raw files only; leave it out for arrays$"
    ):
        open_embeddings(X, shape=(30, 8))
    with pytest.raises(ValueError, match=r"^embeddings: shape and dtype are known already; leave them out$"):
        open_embeddings(open_embeddings(X), dtype="float32")
    with pytest.raises(TypeError, match=r"^embeddings: got dtype float16, wanted float32 as asked for"):
        open_embeddings(X, dtype="float32")


@pytest.mark.parametrize("wrap", [ByInterface, ByArray, ByDLPack])
def test_protocols_share_memory(wrap):
    rows = open_embeddings(wrap(X))
    assert np.shares_memory(rows.array, X)
    assert picks(wrap(X)) == WANT


def test_other_devices_are_refused():
    with pytest.raises(ValueError, match=r"on a device \(DLPack device type 8\), wanted one in CPU memory"):
        open_embeddings(ByDLPack(X, device=(8, 0)))
    on_device = ByArray(X, __cuda_array_interface__={})
    with pytest.raises(ValueError) as caught:
        check_rows("given", on_device)
    assert (
        str(caught.value) == "given: got an array on a device (CUDA), wanted one in CPU memory; copy it there"
    )


def test_bfloat16_of_ml_dtypes(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    rows = open_embeddings(BITS.view(ml_dtypes.bfloat16))
    assert (rows.dtype, rows.array.dtype) == ("bfloat16", np.uint16)
    assert picks(BITS.view(ml_dtypes.bfloat16)) == picks(WIDE)
    np.save(tmp_path / "x.npy", BITS.view(ml_dtypes.bfloat16))
    assert picks(open_embeddings(tmp_path / "x.npy", dtype="bfloat16")) == picks(WIDE)


def test_bfloat16_bits():
    assert picks(open_embeddings(BITS, dtype="bfloat16")) == picks(WIDE)
    with pytest.raises(TypeError, match=r"^embeddings: got dtype uint16"):
        open_embeddings(BITS)


def test_given_rows_of_another_dtype_than_the_pool():
    outside = X[:3].astype(np.float32)
    want = qdit.select(X, alpha=0, k=5, given=outside).indices.tolist()
    assert qdit.select(X, alpha=0, k=5, given=X[:3].copy()).indices.tolist() == want
    assert qdit.select(X, alpha=0, k=5, given=open_embeddings(outside)).indices.tolist() == want


def test_given_from_a_file(tmp_path):
    np.save(tmp_path / "given.npy", np.array([3, 1]))
    want = qdit.select(X, alpha=0, k=5, given=[1, 3]).indices.tolist()
    assert qdit.select(X, alpha=0, k=5, given=tmp_path / "given.npy").indices.tolist() == want


def run_python(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_qdit_imports_nothing_heavy():
    code = "import sys, qdit; print([m for m in ('torch', 'matplotlib', 'jsonargparse') if m in sys.modules])"
    assert run_python(code) == "[]\n"


@pytest.mark.slow
@pytest.mark.parametrize("order", ["import qdit, torch", "import torch, qdit"])
def test_beside_torch_in_either_import_order(order):
    pytest.importorskip("torch")
    code = f"""{order}
import numpy as np
x = torch.randn(400, 64, generator=torch.Generator().manual_seed(0))
before = x @ x.T
picks = qdit.select(x, alpha=0, k=30, threads=2).indices
assert torch.equal(before, x @ x.T)
assert picks.tolist() == qdit.select(x.numpy(), alpha=0, k=30, threads=1).indices.tolist()
print("fine")"""
    assert run_python(code) == "fine\n"
