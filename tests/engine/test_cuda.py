"""What only backend "cuda" has: chunks, precisions, device arrays. Other tests have what all share."""

from types import SimpleNamespace

import numpy as np
import pytest

import qdit
from conftest import Variant, skip_without_cuda
from helpers.oracle import clustered_rows, integer_rows, naive_greedy, replay
from qdit import _core
from qdit.engine.backend import arithmetic

QUALITY = np.random.default_rng(3).normal(size=1500)
OPTIONS = {"weight": 0.5, "bonus": 0.5 * QUALITY[:1100]}


@pytest.fixture
def pool(request):
    return clustered_rows(1100, 40, seed=1)


def test_chunk_agnosticism(cuda, pool):
    """A pool that passes through the device in parts makes the picks of one that lies there."""
    for method in ("lazy", "exact"):
        whole = cuda.select(pool, 6, method, memory=2**32, **OPTIONS)
        parts = cuda.select(pool, 6, method, memory=2**32, block_rows=1024, **OPTIONS)
        assert parts.bits() == whole.bits()


def test_memory_agnosticism(cuda, pool):
    """Lists that do not fit, fit in part and fit give the same bits."""
    want = cuda.select(pool, 8, "exact", memory=2**32, **OPTIONS)
    for memory in (0, 2**19):
        assert cuda.select(pool, 8, "exact", memory=memory, **OPTIONS).bits() == want.bits()


def test_batch_agnosticism(cuda):
    rows = clustered_rows(200, 40, seed=2)
    want = cuda.select(rows, 10, "lazy")
    for batch in (1, 7, 130):
        assert cuda.select(rows, 10, "lazy", batch=batch).bits() == want.bits()


def test_two_runs_give_the_same_bytes(cuda):
    rows = clustered_rows(300, 70, seed=5)
    first, second = (cuda.select(rows, 40, "exact", memory=2**32) for _ in range(2))
    assert first.bits() == second.bits()


@pytest.mark.parametrize("method", ["lazy", "exact"])
def test_integer_rows_to_the_last_row(cuda, method):
    rows = integer_rows(150, 20, seed=4)
    bonus = np.random.default_rng(1).integers(-20, 20, 150) / 8
    found = cuda.select(rows, 150, method, metric="dot", bonus=bonus, memory=2**32)
    picks, gains = naive_greedy(rows, 150, metric="dot", bonus=bonus)
    assert found.picks.tolist() == picks.tolist()
    np.testing.assert_array_equal(found.gains, gains)


def test_similarities_are_symmetric_to_the_last_bit(cuda):
    rows = clustered_rows(140, 100, seed=6, dtype="float32")
    engine = cuda.engine(rows)
    sims = engine.similarities(np.arange(140), np.arange(140))
    assert np.array_equal(sims, sims.T)
    some = np.array([139, 3, 3, 77])
    assert np.array_equal(engine.similarities(some, some[::-1]), sims[np.ix_(some, some[::-1])])


def test_the_precision_follows_the_storage_type():
    skip_without_cuda()
    for dtype, precision in (("float16", "float16"), ("bfloat16", "float16"), ("float32", "split")):
        engine = Variant("cuda").engine(clustered_rows(30, 8, seed=1, dtype=dtype))
        assert f"{precision} products" in engine.stats()["device"]


def test_the_environment_forces_kernels(cuda, monkeypatch):
    rows = clustered_rows(30, 8, seed=1)
    monkeypatch.setenv("QDIT_CUDA_KERNELS", "mma")
    assert cuda.engine(rows).stats()["device"].endswith(" products by mma")
    monkeypatch.setenv("QDIT_CUDA_KERNELS", "tensor")
    with pytest.raises(RuntimeError, match='QDIT_CUDA_KERNELS: got "tensor", wanted "mma" or "wgmma"'):
        cuda.engine(rows)


def test_select_records_backend_and_precision(cuda):
    rows = clustered_rows(300, 40, seed=7, dtype="float32")
    chosen = qdit.select(rows, QUALITY[:300], 0.6, 30, precision=cuda.precision)  # "auto" is cuda here
    assert (chosen.params["backend"], chosen.params["precision"]) == ("cuda", cuda.precision)
    assert chosen.params["method"] == "exact"
    stats = chosen.stats
    assert "device" in stats
    assert (
        0 < stats["seconds_count"] < stats["seconds_count"] + stats["seconds_fill"] <= stats["seconds_pass"]
    )
    assert stats["seconds_sparse"] > 0
    replay(rows, chosen.indices, QUALITY[:300], 0.6, k=30, rtol=cuda.rtol)
    covered = qdit.coverage(rows, chosen.indices, backend="cuda")
    assert abs(covered - qdit.coverage(rows, chosen.indices, backend="cpu")) < 1e-3


def test_constraints_pick_one_by_one(cuda):
    rows = clustered_rows(120, 20, seed=8)
    options = {"groups": np.arange(120) % 3, "quota": 4, "k": 10, "alpha": 0}
    want = qdit.select(rows, backend="cuda", method="lazy", precision=cuda.precision, **options)
    chosen = qdit.select(rows, backend="cuda", method="exact", precision=cuda.precision, **options)
    assert chosen.indices.tolist() == want.indices.tolist()


def test_a_pool_larger_than_the_device_is_an_error_with_sizes(cuda, monkeypatch):
    if "emulation" not in _core.cuda_status()["name"]:
        pytest.skip("only the emulated device can be made small")
    monkeypatch.setenv("QDIT_EMULATED_BYTES", str(4 * 10**6))
    with pytest.raises(
        MemoryError, match=r"not enough memory on the device .* needs \d+ MB, free are \d+ MB"
    ):
        cuda.engine(np.ones((20_000, 64), np.float16))


def test_rows_are_copied_where_no_memory_can_be_pinned(cuda, monkeypatch):
    if "emulation" not in _core.cuda_status()["name"]:
        pytest.skip("only the emulated device can be made to fail")
    rows = clustered_rows(100, 16, seed=3)
    want = cuda.select(rows, 5)
    monkeypatch.setenv("QDIT_EMULATED_UNPINNED", "1")
    assert cuda.select(rows, 5, block_rows=1024).bits() == want.bits()


def test_what_rounds_products_names_the_kernels(cuda, monkeypatch):
    if "emulation" not in _core.cuda_status()["name"]:
        pytest.skip("only the emulated device is known to have both kinds")
    for kind in ("mma", "wgmma"):
        monkeypatch.setenv("QDIT_CUDA_KERNELS", kind)
        assert (
            arithmetic("cuda", "float32", precision=cuda.precision)
            == f"cuda {cuda.precision} by {kind}, tensor cores 9.0"
        )


class EmulatedArray:
    """Rows in CPU memory, which is the memory of the emulated device, as CuPy would offer them."""

    def __init__(self, rows):
        self.rows, self.device = rows, SimpleNamespace(id=0)
        self.__cuda_array_interface__ = {
            **{"shape": rows.shape, "typestr": rows.dtype.str, "data": (rows.ctypes.data, False)},
            "version": 3,
        }


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_graph_of_rows_on_the_device_is_that_of_the_same_rows_on_the_host(cuda, monkeypatch, dtype):
    rows = clustered_rows(130, 24, seed=4, dtype=dtype)
    if "emulation" in _core.cuda_status()["name"]:
        there = EmulatedArray(rows)
    else:
        torch = pytest.importorskip("torch")
        there = torch.from_numpy(rows).cuda()
    monkeypatch.setattr("qdit.engine.device._BLOCK_BYTES", 3000)  # rows are fetched from several parts
    graph, want = (
        qdit.build_graph(source, probes=4, sample=60, seed=2, backend="cuda", precision=cuda.precision)
        for source in (there, rows)
    )
    for name in ("offsets", "pairs", "sampled"):
        assert getattr(graph, name).tobytes() == getattr(want, name).tobytes()
    assert graph.source["sha256"] == want.source["sha256"]
    one, other = (
        g.select(QUALITY[:130], 0.5, 12, precision=cuda.precision, backend="cuda") for g in (graph, want)
    )
    assert one.indices.tolist() == other.indices.tolist()
    with pytest.raises(ValueError, match="got 'cpu' for embeddings on a CUDA device"):
        graph.select(alpha=0, k=3, backend="cpu")


def on_device_picks(array, source):
    return (
        qdit.select(array, alpha=0, k=12).indices.tolist()
        == qdit.select(source, alpha=0, k=12).indices.tolist()
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("d", [24, 21])
def test_cupy_arrays_stay_on_the_device(dtype, d):
    cupy = pytest.importorskip("cupy")
    if cupy.cuda.runtime.getDeviceCount() == 0:
        pytest.skip("cupy: no device")
    source = clustered_rows(200, d, seed=9, dtype=dtype)
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        array = cupy.asarray(source)
        array = array * 1  # work on that stream that must be done first
        assert on_device_picks(array, source)
    want = qdit.select(source, alpha=0, k=3).inputs["embeddings"]["sha256"]
    assert qdit.select(array, alpha=0, k=3).inputs["embeddings"]["sha256"] == want
    array[17, 3] = cupy.nan
    with pytest.raises(ValueError, match="row 17 has nan in column 3"):
        qdit.select(array, alpha=0, k=3)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("d", [24, 21])
def test_torch_tensors_stay_on_the_device(dtype, d):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch: no device")
    source = torch.from_numpy(clustered_rows(200, d, seed=9, dtype="float32")).to(getattr(torch, dtype))
    with torch.cuda.stream(torch.cuda.Stream()):
        tensor = source.cuda() * 1
        assert on_device_picks(tensor, source)
    with pytest.raises(ValueError, match="strided rows on a device"):
        qdit.select(tensor.T, alpha=0, k=3)
