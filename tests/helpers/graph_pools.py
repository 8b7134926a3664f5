"""Pools, and a plain Python greedy on a graph, for the tests of similarity graphs."""

import numpy as np
from numpy.typing import NDArray

from qdit import SimilarityGraph

Lists = list[dict[int, int]]


def clustered(
    n: int, d: int = 24, clusters: int = 40, noise: float = 0.5, seed: int = 0
) -> NDArray[np.float16]:
    """Return (n, d) rows around uneven centres."""
    rng = np.random.default_rng(seed)
    size = rng.pareto(1.0, clusters) + 0.3
    rows = rng.standard_normal((clusters, d))[rng.choice(clusters, n, p=size / size.sum())]
    return (rows + 0.5 * rng.standard_normal((n, d))).astype(np.float16)


def near_copies(n: int, d: int = 24, seed: int = 0) -> NDArray[np.float16]:
    """Return rows of which a third are near-copies of three."""
    rng = np.random.default_rng(seed)
    rows = clustered(n, d, seed=seed).astype(np.float32)
    which = rng.permutation(n)[: n // 3]
    rows[which] = rows[rng.integers(0, 3, len(which))] + 0.02 * rng.standard_normal((len(which), d))
    return rows.astype(np.float16)


def lists_of(graph: SimilarityGraph) -> Lists:
    """Return {neighbor: similarity} of every row."""
    return [
        dict(zip(part["row"].tolist(), part["sim"].tolist(), strict=True))
        for part in np.split(graph.pairs, graph.offsets[1:-1])
    ]


def gains_on(lists: Lists, row_max: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the gain of every row, from the definition."""
    gains = np.zeros(len(lists), np.int64)
    for v, neighbors in enumerate(lists):
        for c, sim in neighbors.items():
            gains[c] += max(0, sim - int(row_max[v]))
    return gains


def greedy_on(
    lists: Lists, row_max: NDArray[np.int32], k: int, weight: float, bonus: NDArray[np.float64]
) -> tuple[list[int], list[int]]:
    """Return picks and gains of greedy on a graph, every gain computed anew at every pick."""
    row_max = row_max.copy()
    picks: list[int] = []
    found: list[int] = []
    for _ in range(k):
        gains = gains_on(lists, row_max)
        scores = weight * gains + bonus
        scores[picks] = -np.inf
        best = int(np.argmax(scores))
        picks.append(best)
        found.append(int(gains[best]))
        for v, sim in lists[best].items():
            row_max[v] = max(int(row_max[v]), sim)
    return picks, found
