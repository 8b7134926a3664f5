"""What the engine does for qdit.distributed: partial gains, pairs, certain picks."""

import numpy as np
import pytest

from conftest import skip_without_cuda
from helpers.shards import cut, pool
from qdit._core import Engine, Shard, pick_among


@pytest.fixture(params=["cpu", "reference", "cuda"])
def backend(request):
    if request.param == "cuda":
        skip_without_cuda()
    return request.param


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_partial_gains_and_increases_add_up(backend, metric, dtype):
    rows, _ = pool(150, 9, dtype=dtype)
    options = {"dtype": dtype, "backend": backend, "metric": metric}
    whole = Engine(rows, **options)
    whole.reset(np.array([4]))
    engines = [Engine(part, range=whole.range, **options) for part in cut(rows, 60, 61)]
    parts = [Shard(engine, dtype=dtype) for engine in engines]
    assert all(engine.scale == whole.scale for engine in engines)
    assert sum(part.commit_rows(rows[4:5])[0] for part in parts) == whole.coverage()
    candidates = np.arange(150)
    assert np.array_equal(sum(part.gains(rows) for part in parts), whole.gains(candidates))
    raised = sum(part.commit_rows(rows[[7, 90]]) for part in parts)
    assert np.array_equal(raised, whole.commit(np.array([7, 90])))
    assert sum(engine.coverage() for engine in engines) == whole.coverage()


@pytest.mark.parametrize("n", [5, 1023, 1024, 1025, 2600])
@pytest.mark.parametrize("backend", ["cpu", "cuda"], indirect=True)
def test_the_sum_of_all_rows_has_the_same_bits_however_they_are_cut(backend, n):
    rows, _ = pool(n, 7, dtype=np.float32)
    options = {"dtype": "float32", "backend": backend}
    whole = Engine(rows, **options)
    whole.reset()
    for places in ([], [1], [n // 3, n // 2], [min(1024, n - 1)]):
        total, rest, first = np.zeros(7), np.zeros(7), 0
        parts = []
        for part in cut(rows, *places):
            # a device that is asked to takes the rows in parts
            engine = Engine(part, block_rows=1024 * (backend == "cuda"), **options)
            engine.reset()
            parts.append(Shard(engine, dtype="float32"))
            total, rest = parts[-1].sum_rows(first, total, rest)
            first += len(part)
        found = np.concatenate([part.first_gains(total + rest) for part in parts])
        assert np.array_equal(found, whole.gains(np.arange(n)))


def test_pairs_are_what_gains_are_made_of():
    rows, _ = pool(2200, 12)
    whole = Engine(rows, dtype="float16")
    whole.reset(np.array([0]))
    engine = Engine(rows[:1300].copy(), dtype="float16")
    engine.reset()
    part = Shard(engine, dtype="float16")
    part.commit_rows(rows[:1])
    gains = np.zeros(2200, np.int64)
    part.open(gains, 0, 10**6)
    part.list(rows[1300:].copy(), 1300)
    part.start()
    assert np.array_equal(gains, part_gains(engine, rows))
    for pick in range(1, 40):
        part.commit(np.array([pick]), rows[pick : pick + 1])
    exact = part_gains(engine, rows)
    assert (gains >= exact).all()
    some = np.array([50, 1500, 2100])
    offsets, _, rises = part.pairs(some, rows[some])
    sums = np.add.reduceat(np.append(rises, 0).astype(np.int64), offsets[:-1])
    assert np.array_equal(np.where(np.diff(offsets) > 0, sums, 0), exact[some])
    assert np.array_equal(gains[some], exact[some])


def part_gains(engine, rows):
    """Return gains over the rows of an engine by its own products with all candidates."""
    similarities = Engine(rows, dtype="float16")
    similarities.reset()
    values = similarities.similarities(np.arange(len(rows)), np.arange(engine.n))
    maxima = np.rint(engine.row_coverage() * engine.scale).astype(np.int64)
    return np.maximum(values - maxima, 0).sum(axis=1)


def test_pick_among_ends_before_a_rival():
    offsets = np.array([0, 2, 3, 4])
    table = (offsets, np.array([0, 1, 1, 5], np.uint32), np.array([10, 4, 9, 7], np.int32))

    def picks(rival_score, rival, most=3):
        found, gains = pick_among(
            [table],
            np.array([3, 5, 8]),
            np.zeros(3),
            weight=1.0,
            most=most,
            rival_score=rival_score,
            rival=rival,
        )
        return found.tolist(), gains.tolist()

    assert picks(-np.inf, -1) == ([0, 2, 1], [14, 7, 5])
    assert picks(-np.inf, -1, most=2) == ([0, 2], [14, 7])
    assert picks(7.0, 4) == ([0], [14])  # row 4 comes before row 8
    assert picks(7.0, 9) == ([0, 2], [14, 7])
    with pytest.raises(ValueError, match="offsets"):
        pick_among(
            [(offsets[:-1], *table[1:])],
            np.arange(3),
            np.zeros(3),
            weight=1.0,
            most=1,
            rival_score=0,
            rival=-1,
        )


def test_the_engine_refuses_what_it_cannot_do():
    rows, _ = pool(60, 6)
    engine = Engine(rows, dtype="float16")
    engine.reset()
    part = Shard(engine, dtype="float16")
    with pytest.raises(RuntimeError, match="nothing is chosen yet"):
        part.open(np.zeros(60, np.int64), 0, 0)
    with pytest.raises(RuntimeError, match="nothing is chosen yet"):
        part.gains(rows)
    part.commit_rows(rows[:1])
    with pytest.raises(RuntimeError, match="no pairs are listed"):
        part.start()
    with pytest.raises(ValueError, match="columns"):
        part.gains(np.ascontiguousarray(rows[:, :5]))
    with pytest.raises(ValueError, match="first"):
        part.open(np.zeros(60, np.int64), 10, 0)
    with pytest.raises(ValueError, match="gains"):
        part.open(np.zeros(60), 0, 0)
    part.open(np.zeros(60, np.int64), 0, 10**6)
    with pytest.raises(ValueError, match="wanted their rows"):
        part.commit(np.array([1]))
    with pytest.raises(ValueError, match=r"wanted 0 \.\. 59"):
        part.commit(np.array([60]), rows[:1])
    with pytest.raises(ValueError, match="one for each"):
        part.commit(np.array([1, 2]), rows[:1])
    with pytest.raises(RuntimeError, match="candidates need numbers"):
        part.commit_rows(rows[:1])
    engine.reset()
    assert part.unlisted == 0
