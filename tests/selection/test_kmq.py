"""Method "kmq": cells of k-means, and a weighted draw from each."""

import numpy as np
import pytest

import qdit
from helpers.oracle import clustered_rows
from qdit.engine import kmeans
from qdit.engine.rows import open_embeddings
from qdit.engine.shuffle import shuffled, uniform
from qdit.selection import baselines, draws
from qdit.selection.options import SelectOptions
from qdit.selection.run import prepare

N, CELLS = 700, 12
X = clustered_rows(N, 24, seed=40, dtype="float32")
Q = np.random.default_rng(41).integers(0, 50, N) / 8
GROUPS = np.random.default_rng(42).integers(0, 3, N)


def cells():
    engine = prepare(X, SelectOptions(alpha=0.0, k=1, threads=2)).engine()
    return kmeans.spherical(open_embeddings(X), engine, CELLS, 0).labels


def select(**options):
    return qdit.select(
        X, **{"quality": Q, "alpha": 0.5, "k": 150, "method": "kmq", "clusters": CELLS} | options
    )


def webster(sizes, k):
    """Return how many of k seats each party gets: one after the other to the largest size / (seats + 1/2)."""
    seats = np.zeros(len(sizes), int)
    for _ in range(k):
        seats[np.argmax(np.where(seats < sizes, sizes / (seats + 0.5), -1))] += 1
    return seats


@pytest.mark.parametrize("k", [1, 50, 150, 700])
def test_numbers_are_proportional_to_the_cells(k):
    labels = cells()
    sizes = np.bincount(labels, minlength=CELLS)
    counts = np.bincount(labels[select(k=k).indices], minlength=CELLS)
    assert counts.sum() == k
    # where quotients tie any of the cells may come first
    assert np.abs(counts - webster(sizes, k)).max() <= (0 if k == 700 else 1)
    assert np.abs(counts - sizes * k / N).max() <= 1.5


def test_equal_numbers():
    labels = cells()
    chosen = select(k=60, cell_share="equal")
    assert np.bincount(labels[chosen.indices], minlength=CELLS).tolist() == [5] * CELLS
    assert chosen.stats["rows_of_a_cell"] == [5, 5]
    assert chosen.params["cell_share"] == "equal"


def test_every_prefix_is_the_selection_of_its_size():
    chosen = select()
    for k in (1, 13, 149):
        assert select(k=k).indices.tolist() == chosen.indices[:k].tolist()


@pytest.mark.parametrize("proportional", [False, True])
def test_rows_of_a_cell_stay_in_their_order(proportional):
    labels = cells()
    rows = shuffled(np.arange(N), 5)
    order = baselines.in_turn(rows, labels, proportional=proportional)
    assert sorted(order.tolist()) == list(range(N))
    for cell in range(CELLS):
        assert order[labels[order] == cell].tolist() == rows[labels[rows] == cell].tolist()


def test_draws_are_as_likely_as_weights_say():
    """First and second draws of 4,000 seeds, against the probabilities of draws without replacement."""
    weights = np.array([0.0, 1.0, 2.0, 5.0])
    orders = [draws.draw_order(weights, uniform(np.arange(4), seed)) for seed in range(4000)]
    first = np.bincount([order[0] for order in orders], minlength=4) / 4000
    p = weights / weights.sum()
    # deviations of such shares are at most 0.008
    assert np.abs(first - p).max() < 0.03
    second = np.bincount([order[1] for order in orders], minlength=4) / 4000
    want = sum(
        p[i] * np.where(np.arange(4) == i, 0, weights) / (weights.sum() - weights[i]) for i in (1, 2, 3)
    )
    assert np.abs(second - want).max() < 0.03
    assert {int(order[3]) for order in orders} == {0}


def test_uniform_numbers():
    found = uniform(np.arange(20_000), 7)
    assert 0 < found.min() < 0.001
    assert 0.999 < found.max() < 1
    assert abs(found.mean() - 0.5) < 0.01
    assert np.array_equal(uniform(np.arange(100, 200), 7), found[100:200])
    assert not np.array_equal(uniform(np.arange(100), 8), found[:100])


def test_better_rows_are_drawn_more_often_and_seeds_differ():
    chosen = [select(seed=seed) for seed in range(5)]
    assert len({run.indices.tobytes() for run in chosen}) == 5
    assert np.mean([run.mean_quality for run in chosen]) > Q.mean() + 0.5
    alike = [select(seed=seed, quality=None, alpha=0) for seed in range(5)]
    assert abs(np.mean([Q[run.indices].mean() for run in alike]) - Q.mean()) < 0.3


def test_rows_without_quality_come_last():
    quality = np.where(np.arange(N) < 400, 0.0, 1.0)
    chosen = select(quality=quality, k=120, cell_share="equal")
    labels = cells()
    for cell in range(CELLS):
        drawn = quality[chosen.indices[labels[chosen.indices] == cell]]
        assert drawn.tolist() == sorted(drawn.tolist(), reverse=True)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_change_nothing(threads):
    assert select(threads=threads).indices.tolist() == select().indices.tolist()


def test_given_rows_and_limits():
    given = [3, 40, 41]
    chosen = select(given=given, k=690)
    assert not set(given) & set(chosen.indices.tolist())
    limited = select(k=60, groups=GROUPS, quota={0: 5, 1: 50})
    order = select(k=N).indices.tolist()
    want, counts = [], {0: 0, 1: 0, 2: 0}
    for row in order:
        if counts[GROUPS[row]] < {0: 5, 1: 50, 2: N}[GROUPS[row]] and len(want) < 60:
            counts[GROUPS[row]] += 1
            want.append(row)
    assert limited.indices.tolist() == want
    paid = select(k=None, costs=Q + 1, budget=100.0)
    want, spent = [], 0.0
    for row in order:
        if spent + Q[row] + 1 <= 100.0:
            spent += Q[row] + 1
            want.append(row)
    assert paid.indices.tolist() == want
    assert paid.stats["cost"] == spent


def test_negative_quality_is_refused():
    with pytest.raises(ValueError, match="wanted at least 0 with method 'kmq', which multiplies by it"):
        select(quality=Q - 3)
    assert len(select(quality=Q - 3, quality_scale="minmax")) == 150
