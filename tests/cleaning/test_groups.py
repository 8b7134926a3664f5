"""Which row of several stands for the others, against plain loops over rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qdit.cleaning.groups import components, ranks, star
from qdit.cleaning.pairs import PAIR, Pairs


def some_pairs(edges, sims):
    found = np.array([(min(e), max(e), s) for e, s in zip(edges, sims, strict=True)], PAIR)
    return Pairs.of(found, 10.0, "embedding")


def star_by_loops(n, pairs, rank):
    near = {row: {} for row in range(n)}
    for (a, b), s in zip(pairs.rows.tolist(), pairs.similarity.tolist(), strict=True):
        near[a][b] = near[b][a] = s
    kept = []
    for row in np.argsort(rank).tolist():
        if not any(other in near[row] for other in kept):
            kept.append(row)
    best = {row: min(near[row].keys() & set(kept), key=lambda o: (-near[row][o], rank[o])) for row in range(n)
            if row not in kept}  # fmt: skip
    return [best.get(row, row) for row in range(n)]


def components_by_search(n, pairs, rank):
    near = {row: set() for row in range(n)}
    for a, b in pairs.rows.tolist():
        near[a].add(b)
        near[b].add(a)
    keeper = [0] * n
    for row in range(n):
        seen, open_rows = {row}, [row]
        while open_rows:
            new = near[open_rows.pop()] - seen
            seen |= new
            open_rows += new
        keeper[row] = min(seen, key=lambda other: rank[other])
    return keeper


@given(st.data(), st.integers(1, 25))
def test_both_groupings(data, n):
    rows = st.integers(0, n - 1)
    edges = data.draw(st.lists(st.tuples(rows, rows), max_size=40))
    edges = sorted({tuple(sorted(edge)) for edge in edges if edge[0] != edge[1]})
    sims = data.draw(st.lists(st.integers(1, 4), min_size=len(edges), max_size=len(edges)))
    pairs = some_pairs(edges, sims)
    rank = ranks(n, np.array(data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), np.float64))
    assert star(pairs, rank).tolist() == star_by_loops(n, pairs, rank)
    assert components(pairs, rank).tolist() == components_by_search(n, pairs, rank)


def test_ranks_are_by_score_then_by_row():
    assert ranks(4, np.array([1.0, 3.0, 1.0, 3.0])).tolist() == [2, 0, 3, 1]
    assert ranks(3, None).tolist() == [0, 1, 2]


def test_a_long_chain():
    n = 20_000
    order = np.random.default_rng(0).permutation(n)
    pairs = some_pairs(list(zip(order[:-1].tolist(), order[1:].tolist(), strict=True)), [5] * (n - 1))
    assert set(components(pairs, ranks(n, None)).tolist()) == {0}
    keeper = star(pairs, ranks(n, None))
    kept = keeper == np.arange(n)
    assert not kept[pairs.rows].all(axis=1).any()  # no two kept rows are similar


def test_joined_pairs_are_in_order_and_found():
    one = some_pairs([(0, 3), (1, 2)], [9, 8])
    other = Pairs.of(np.array([(1, 2, 5), (0, 1, 7)], PAIR), 10.0, "minhash")
    both = one.joined(other)
    assert both.rows.tolist() == [[0, 1], [0, 3], [1, 2]]
    assert both.by.tolist() == ["minhash", "embedding", "embedding"]
    assert both.similarity.tolist() == pytest.approx([0.7, 0.9, 0.8])
    assert both.look_up(np.array([3, 1, 2]), np.array([0, 3, 1])).tolist() == [1, -1, 2]
