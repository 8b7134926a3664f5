"""Torch tensors as embeddings and quality; torch itself is never imported by qdit."""

import numpy as np
import pytest

import qdit
from qdit import open_embeddings

torch = pytest.importorskip("torch")

X = np.random.default_rng(2).standard_normal((30, 8)).astype(np.float32)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_are_viewed(dtype):
    tensor = torch.from_numpy(X).to(dtype)
    rows = open_embeddings(tensor)
    assert rows.dtype == str(dtype).removeprefix("torch.")
    assert rows.array.ctypes.data == tensor.data_ptr()
    want = qdit.select(tensor.to(torch.float32).numpy(), alpha=0, k=10).indices.tolist()
    assert qdit.select(tensor, alpha=0, k=10).indices.tolist() == want


def test_tensors_that_require_grad():
    tensor = torch.from_numpy(X.copy()).requires_grad_()
    assert open_embeddings(tensor).array.ctypes.data == tensor.data_ptr()
    quality = torch.arange(30.0, dtype=torch.bfloat16, requires_grad=True)
    assert qdit.select(tensor, quality, 1.0, 3).indices.tolist() == [29, 28, 27]


class OfMPS:
    """As much of a tensor on a device as is looked at."""

    __module__, device, data_ptr = "torch", torch.device("mps"), None


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (OfMPS(), "a tensor on mps, wanted one in CPU memory; move it with x.cpu()"),
        (torch.empty(3, 4, device="meta"), "a tensor on meta, which has no values; make it on cpu"),
    ],
    ids=["mps", "meta"],
)
def test_tensors_on_a_device(tensor, text):
    with pytest.raises(ValueError) as caught:
        open_embeddings(tensor)
    assert str(caught.value) == f"embeddings: got {text}"


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (
            lambda: torch.zeros(3, 4, dtype=torch.int64),
            TypeError,
            "embeddings: got dtype int64, wanted float16, bfloat16, float32 or float64; "
            "convert with numpy.asarray(x, dtype=numpy.float32)",
        ),
        (
            lambda: torch.zeros(3, 4).to(torch.float8_e4m3fn),
            TypeError,
            "embeddings: got dtype torch.float8_e4m3fn, which numpy has not; convert with x.float()",
        ),
        (
            lambda: torch.eye(3).to_sparse(),
            TypeError,
            "embeddings: got a torch.sparse_coo tensor, wanted a dense one; convert with x.to_dense()",
        ),
        (
            lambda: torch.zeros(4, 3).T,
            ValueError,
            "embeddings: got strides (4, 12), wanted C-contiguous rows with strides (16, 4); "
            "make them so with x.contiguous()",
        ),
    ],
    ids=["int64", "float8", "sparse", "transposed"],
)
def test_tensors_of_another_kind(make, kind, text):
    with pytest.raises(kind) as caught:
        open_embeddings(make())
    assert str(caught.value) == text


def test_given_as_a_tensor():
    want = qdit.select(X, alpha=0, k=5, given=[1, 3]).indices.tolist()
    assert qdit.select(X, alpha=0, k=5, given=torch.tensor([1, 3])).indices.tolist() == want
    outside = torch.from_numpy(X[:2]).to(torch.bfloat16)
    assert len(qdit.select(X, alpha=0, k=5, given=outside)) == 5
