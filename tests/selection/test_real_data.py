"""Real embeddings of Alpaca: 52,002 rows of 768 float16 numbers, read from the memory-mapped file."""

import numpy as np
import pytest

from helpers.data_folder import data_folder
from helpers.oracle import replay
from qdit import _core

pytestmark = pytest.mark.real_data
ROWS, SUBSET = 52_002, 6_000
ALPHA = 0.7
CACHE = 1 << 27


@pytest.fixture(scope="module")
def pool():
    """Return (embeddings, quality) as they lie on disk."""
    folder = data_folder()
    if not (folder / "alpaca_mpnet_f16.npy").exists():
        pytest.skip(f"no Alpaca embeddings in {folder}: set QDIT_DATA to the folder that has them")
    rows = np.load(folder / "alpaca_mpnet_f16.npy", mmap_mode="r")
    quality = np.load(folder / "alpaca_quality.npy")
    assert (rows.shape, rows.dtype) == ((ROWS, 768), np.float16)
    assert quality.shape == (ROWS,)
    return rows, quality


@pytest.fixture(scope="module")
def subset(pool):
    """Return a seeded sample of the pool."""
    rows, quality = pool
    chosen = np.sort(np.random.default_rng(6000).choice(ROWS, size=SUBSET, replace=False))
    return np.ascontiguousarray(rows[chosen]), quality[chosen]


def select(variant, rows, k, method="lazy", alpha=ALPHA, quality=None, **options):
    bonus = np.zeros(len(rows)) if quality is None else alpha * quality.astype(np.float64)
    return variant.select(rows, k, method, weight=1 - alpha, bonus=bonus, **options)


@pytest.mark.parametrize("alpha", [0.0, ALPHA])
@pytest.mark.parametrize("fast_method", ["lazy", "exact"])
def test_two_thousand_picks_replay(default_cpu, subset, fast_method, alpha):
    rows, quality = subset
    options = {"memory": CACHE} if fast_method == "exact" else {}
    found = select(
        default_cpu,
        rows,
        2000,
        fast_method,
        alpha=alpha,
        quality=quality,
        threads=2,
        cache_bytes=CACHE,
        **options,
    )
    replay(rows, found.picks, quality, alpha, k=2000, rtol=1e-6, gains=found.gains)


def test_lazy_equals_naive(default_cpu, subset):
    rows, quality = subset
    lazy, naive = (
        select(default_cpu, rows, 4, method, quality=quality, threads=2) for method in ("lazy", "naive")
    )
    assert lazy.bits() == naive.bits()


def test_every_instruction_set_gives_the_same_bits(cpu_levels, subset):
    rows, quality = subset
    runs = [select(level, rows, 8, quality=quality, threads=2).bits() for level in cpu_levels]
    assert all(run == runs[0] for run in runs)
    assert "baseline" in _core.build_info()["simd_supported"]


@pytest.mark.slow
def test_one_and_two_threads_give_the_same_bytes_on_the_whole_pool(default_cpu, pool):
    rows, quality = pool
    options = {"quality": quality, "cache_bytes": CACHE}
    one, two = (select(default_cpu, rows, 20, threads=threads, **options) for threads in (1, 2))
    assert one.bits() == two.bits()


@pytest.mark.slow
def test_twenty_thousand_rows_replay(default_cpu, pool):
    """A pool for which the replay computes similarities in blocks."""
    rows, quality = pool[0][:20_000], pool[1][:20_000]
    found = select(default_cpu, rows, 40, quality=quality, threads=2, cache_bytes=CACHE)
    replay(rows, found.picks, quality, ALPHA, k=40, gains=found.gains)
