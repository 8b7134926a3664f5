"""Memory sizes, and what a budget is spent on."""

import numpy as np
import pytest

import qdit
from qdit.common.text import format_bytes, parse_bytes
from qdit.selection.memory import Spare, divide, memory_needed


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (None, None),
        (123, 123),
        ("123", 123),
        ("512MB", 512 * 10**6),
        ("2GiB", 2**31),
        (" 1.5 gb ", 15 * 10**8),
    ],
)
def test_sizes(value, count):
    assert parse_bytes("memory_budget", value) == count


@pytest.mark.parametrize(
    ("count", "text"),
    [(7, "7 bytes"), (1000, "1 kB"), (999_700, "1 MB"), (81_400_000, "81.4 MB"), (5 * 10**12, "5e+03 GB")],
)
def test_sizes_as_text(count, text):
    assert format_bytes(count) == text


def test_the_default_cache_is_a_quarter_of_the_memory_at_most(monkeypatch):
    monkeypatch.setattr("qdit.selection.memory.available_memory", lambda: 400 * 10**6)
    assert divide(None, 10**6, 9, Spare.EVALUATED_PAIRS).cache_bytes == 10**8
    monkeypatch.setattr("qdit.selection.memory.available_memory", lambda: 10**12)
    assert divide(None, 10**6, 9, Spare.EVALUATED_PAIRS).cache_bytes == 512 * 10**6
    monkeypatch.setattr("qdit.selection.memory.available_memory", lambda: None)
    assert divide(None, 10**6, 9, Spare.EVALUATED_PAIRS).cache_bytes == 512 * 10**6


def test_a_budget_goes_to_the_cache_above_the_need():
    assert divide(500, 400, 9, Spare.EVALUATED_PAIRS).cache_bytes == 100
    with pytest.raises(MemoryError):
        divide(399, 400, 9, Spare.EVALUATED_PAIRS)


def test_a_budget_changes_no_pick_and_is_kept():
    x = np.random.default_rng(0).standard_normal((3000, 32)).astype(np.float32)
    need = memory_needed(3000, 32, threads=1)
    options = {"alpha": 0, "k": 100, "threads": 1, "method": "lazy"}
    small = qdit.select(x, memory_budget=need, **options)
    large = qdit.select(x, memory_budget=need + 40_000_000, **options)
    assert small.indices.tobytes() == large.indices.tobytes()
    assert (small.stats["cache_bytes"], large.stats["cache_bytes"]) == (0, 40_000_000)
    assert small.stats["peak_bytes"] <= need
    assert large.stats["peak_bytes"] <= need + 40_000_000


def test_alive_pairs_get_half_of_the_memory_or_what_the_budget_leaves(monkeypatch):
    need = memory_needed(3000, 32, spare=Spare.ALIVE_PAIRS)
    monkeypatch.setattr("qdit.selection.memory.available_memory", lambda: 10**9)
    assert divide(None, need, 3000, Spare.ALIVE_PAIRS).pair_bytes == 5 * 10**8
    least = divide(need, need, 3000, Spare.ALIVE_PAIRS).pair_bytes
    assert 0 < least < need
    assert divide(need + 10**6, need, 3000, Spare.ALIVE_PAIRS).pair_bytes == least + 10**6
    monkeypatch.setattr("qdit.selection.memory.available_memory", lambda: 1)
    assert divide(None, need, 3000, Spare.ALIVE_PAIRS).pair_bytes == least
    monkeypatch.setattr("qdit.selection.memory.available_memory", lambda: None)
    assert divide(None, need, 3000, Spare.ALIVE_PAIRS).pair_bytes == 2 * 10**9


def test_a_budget_for_alive_pairs_changes_no_pick_and_is_kept():
    x = np.random.default_rng(0).standard_normal((3000, 32)).astype(np.float32)
    want = qdit.select(x, alpha=0, k=100, threads=1, method="naive").indices.tolist()
    need = memory_needed(3000, 32, threads=1, spare=Spare.ALIVE_PAIRS)
    for extra in (0, 10**6, 10**7, 10**8):
        got = qdit.select(x, alpha=0, k=100, threads=1, method="exact", memory_budget=need + extra)
        assert got.indices.tolist() == want
        assert got.stats["peak_bytes"] <= need + extra


def test_auto_is_exact_where_it_fits():
    x = np.random.default_rng(0).standard_normal((3000, 32)).astype(np.float32)
    need = memory_needed(3000, 32, threads=1, spare=Spare.ALIVE_PAIRS)
    options = {"alpha": 0, "k": 5, "threads": 1}
    for limit, method in ((None, "exact"), (need, "exact"), (need - 1, "lazy")):
        assert qdit.select(x, memory_budget=limit, **options).params["method"] == method
    assert qdit.select(x[:100], backend="reference", **options).params["method"] == "lazy"
    with pytest.raises(MemoryError) as caught:
        qdit.select(x, memory_budget=need - 1, method="exact", **options)
    assert str(caught.value).startswith(
        f"memory_budget: got {format_bytes(need - 1)}, wanted at least {format_bytes(need)} for this pool"
    )
