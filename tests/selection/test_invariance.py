"""What must not change a selection: each test is named after what the picks and gains are agnostic of.

Equality is to the last bit, of the picks and of the fixed-point gains.
"""

import numpy as np
import pytest

import qdit
from conftest import Variant
from helpers.oracle import as_float64, clustered_rows, replay

N, K = 420, 40
QUALITY = np.random.default_rng(30).normal(size=N)
OPTIONS = {"weight": 0.5, "bonus": 0.5 * QUALITY, "epsilon": 0.1, "seed": 4}
STARTS = {
    "nothing": {},
    "floor": {"floor": 0.2},
    "given": {"given": [3, 99, 419]},
    "outside": {"outside": clustered_rows(6, 72, seed=31), "given": [7]},
    "excluded": {"excluded": [0, 2, 4, 400]},
}


@pytest.fixture(params=["float16", "bfloat16", "float32", "float64"])
def rows(request):
    return clustered_rows(N, 72, seed=30, dtype=request.param)


@pytest.mark.parametrize("threads", [2, 3, 16])
def test_thread_count_agnosticism(cpu, any_method, rows, threads):
    want = cpu.select(rows, K, any_method, threads=1, **OPTIONS)
    assert cpu.select(rows, K, any_method, threads=threads, **OPTIONS).bits() == want.bits()


@pytest.mark.parametrize("start", STARTS)
def test_thread_count_agnosticism_from_every_start(cpu, any_method, start):
    rows = clustered_rows(N, 72, seed=32)
    one, many = (
        cpu.select(rows, K, any_method, threads=threads, block_rows=block, **STARTS[start], **OPTIONS)
        for threads, block in ((1, 0), (5, 24))
    )
    assert one.bits() == many.bits()


@pytest.mark.parametrize("block_rows", [1, 5, 64, 419, 420, 421, 10_000])
def test_block_size_agnosticism(cpu, any_method, block_rows):
    rows = clustered_rows(N, 72, seed=30, dtype="float32")
    want = cpu.select(rows, K, any_method, **OPTIONS)
    found = cpu.select(rows, K, any_method, block_rows=block_rows, threads=2, **OPTIONS)
    assert found.bits() == want.bits()


@pytest.mark.parametrize("batch", [1, 7, 33, 500])
def test_batch_width_agnosticism(cpu, any_method, batch):
    rows = clustered_rows(N, 72, seed=30, dtype="float32")
    want = cpu.select(rows, K, any_method, **OPTIONS)
    assert cpu.select(rows, K, any_method, batch=batch, **OPTIONS).bits() == want.bits()


@pytest.mark.parametrize("cached_rows", [15, 16, 40, 2 * N])
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("method", ["naive", "lazy", "stochastic"])
def test_cache_size_agnosticism(cpu, method, cached_rows, start):
    rows = clustered_rows(N, 72, seed=32)
    options = STARTS[start] | OPTIONS
    want = cpu.select(rows, K, method, **options)
    engine_options = {"cache_bytes": cached_rows * N * 4, "threads": 2}
    assert cpu.select(rows, K, method, **engine_options, **options).bits() == want.bits()


def test_cache_serves_evaluations_and_survives_a_reset(cpu):
    """The cached run must really use the cache, or the test above says nothing; and forget nothing wrong."""
    rows = clustered_rows(N, 72, seed=32)
    engine = cpu.engine(rows, cache_bytes=N * N * 4)
    for given in (None, [3, 99], None):
        found = cpu.run(engine, K, "lazy", given=given, **OPTIONS)
        assert found.bits() == cpu.select(rows, K, "lazy", given=given, **OPTIONS).bits()
    assert engine.stats()["cached_evaluations"] > 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("metric", ["cosine", "dot"])
@pytest.mark.parametrize("d", [5, 72, 300])
def test_simd_level_agnosticism(cpu_levels, any_method, dtype, metric, d):
    """A product of two half-precision numbers is exact in float32, fused into the sum or not."""
    rows = clustered_rows(N, d, seed=33, dtype=dtype)
    runs = [level.select(rows, K, any_method, metric=metric, **OPTIONS).bits() for level in cpu_levels]
    assert all(run == runs[0] for run in runs)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_simd_level_agnosticism_of_fused_levels(cpu_levels, any_method, dtype, metric):
    """With all 24 bits in use the levels that fuse agree; baseline rounds products, so it is replayed."""
    noise = np.random.default_rng(1).uniform(0.9, 1.1, size=(N, 300))
    rows = (clustered_rows(N, 300, seed=34, dtype=dtype) * noise).astype(dtype)
    runs = {level.simd: level.select(rows, K, any_method, metric=metric, **OPTIONS) for level in cpu_levels}
    baseline = runs.pop("baseline")
    fused = [run.bits() for run in runs.values()]
    assert all(run == fused[0] for run in fused)
    if any_method != "stochastic":
        replay(rows, baseline.picks, QUALITY, 0.5, k=K, metric=metric)


def test_memmap_array_agnosticism(variant, any_method, rows, tmp_path):
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    assert not mapped.flags.writeable
    n, k = (90, 12) if variant.small else (N, K)
    options = OPTIONS | {"bonus": OPTIONS["bonus"][:n]}
    want = variant.select(rows[:n], k, any_method, **options)
    assert variant.select(mapped[:n], k, any_method, **options).bits() == want.bits()
    assert np.array_equal(mapped, rows)


@pytest.mark.parametrize("method", ["exact", "lazy", "cluster", "k_center", "mig"])
def test_a_file_that_is_replaced_during_a_run_changes_nothing(method, tmp_path):
    rows = clustered_rows(N, 72, seed=30, dtype="float32")
    path, other = tmp_path / "rows.npy", tmp_path / "other.npy"
    np.save(path, rows)
    quality = np.abs(QUALITY)  # some methods multiply by it
    want = qdit.select(path, quality, 0.5, K, method=method, checkpoint=tmp_path / "one")
    np.save(other, rows[::-1])

    def replace(state):
        if state.picks and other.exists():
            other.replace(path)

    found = qdit.select(path, quality, 0.5, K, method=method, progress=replace, checkpoint=tmp_path / "two")
    assert np.array_equal(np.load(path), rows[::-1])
    assert found.indices.tolist() == want.indices.tolist()
    assert found.gains.tobytes() == want.gains.tobytes()
    assert found.inputs == want.inputs


@pytest.mark.parametrize("offset", [1, 3, 5])
def test_memory_offset_agnosticism(cpu, rows, offset):
    """A slice starts anywhere in its buffer: aligned for its items, not for vectors."""
    buffer = np.zeros(rows.size + offset, rows.dtype)
    shifted = buffer[offset:].reshape(rows.shape)
    shifted[:] = rows
    assert cpu.select(shifted, K, **OPTIONS).bits() == cpu.select(rows, K, **OPTIONS).bits()


@pytest.mark.parametrize("other", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_storage_dtype_agnosticism(variant, any_method, kind, other):
    """The same numbers in a wider type are the same pool."""
    n, k = (90, 12) if variant.small else (N, K)
    options = OPTIONS | {"bonus": OPTIONS["bonus"][:n]}
    narrow = clustered_rows(n, 72, seed=35, dtype=kind)
    wide = as_float64(narrow).astype(other)
    if (
        variant.backend == "cuda"
    ):  # which precision takes the narrow rows as they are; "split" is for wide ones
        variant = Variant("cuda", precision="float16")
    assert (
        variant.select(narrow, k, any_method, **options).bits()
        == variant.select(wide, k, any_method, **options).bits()
    )


def test_reuse_agnosticism(variant, any_method):
    """An engine that has run before selects what a fresh one selects."""
    rows = clustered_rows(90, 24, seed=36)
    engine = variant.engine(rows)
    first = variant.run(engine, 20, any_method)
    variant.run(engine, 30, "lazy", given=[4, 5])
    engine.commit(np.array([1, 2, 3]))
    assert variant.run(engine, 20, any_method).bits() == first.bits()


def test_order_of_given_agnosticism(variant, any_method):
    rows = clustered_rows(90, 24, seed=37)
    runs = [variant.select(rows, 20, any_method, given=given).bits() for given in ([1, 40, 8], [8, 1, 40])]
    assert runs[0] == runs[1]


def test_given_or_outside_agnosticism(variant, method):
    """A given pool row covers like the same row handed in from outside and excluded."""
    rows = clustered_rows(90, 24, seed=38)
    given = variant.select(rows, 20, method, given=[3, 50])
    outside = variant.select(rows, 20, method, outside=rows[[3, 50]], excluded=[3, 50])
    assert given.bits() == outside.bits()
