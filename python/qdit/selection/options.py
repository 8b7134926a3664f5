"""options."""

from __future__ import annotations

import operator
from typing import SupportsFloat, SupportsIndex

from ..common.checks import check_float, check_int

GREEDY_METHODS = ("exact", "lazy", "naive", "stochastic")
BOUND_METHODS = ("lazy", "stochastic")  # those that old bounds make faster
GRAPH_METHOD = "sparse"  # greedy too, on the similarities that a graph holds
OTHER_METHODS = ("quality", "random", "threshold", "cluster")
METHODS = ("auto", *GREEDY_METHODS, GRAPH_METHOD, *OTHER_METHODS)
SHORTFALLS = ("fill", "stop", "error")
BACKENDS = ("auto", "cpu", "cuda", "reference")
PRECISIONS = ("auto", "float16", "split")  # of backend "cuda"
METRICS = ("cosine", "dot")
ZERO_ROWS = ("error", "ignore")
QUALITY_SCALES = ("raw", "minmax", "zscore", "rank")
GAIN_SCALES = ("sum", "per_k")


def check_alpha(alpha: object) -> float:
    """Return alpha in [0, 1]: 0 is diversity only, 1 is quality only."""
    number = check_float("alpha", alpha)
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"alpha: got {number}, wanted a number from 0 (diversity only) to 1 (quality only)")
    return number


def check_epsilon(epsilon: object) -> float:
    """Return epsilon in (0, 1), the error of method "stochastic"."""
    number = check_float("epsilon", epsilon)
    if not 0.0 < number < 1.0:
        raise ValueError(f"epsilon: got {number}, wanted a number between 0 and 1, both excluded")
    return number


def check_clusters(clusters: object) -> int:
    """Return the number of clusters of method "cluster"."""
    number = check_int("clusters", clusters)
    if number < 1:
        raise ValueError(f"clusters: got {number}, wanted at least 1")
    return number


def resolve_k(k: object, n: int) -> int:
    """Return the number of picks: an int >= 1, or round(k * n) (at least 1) for a float in (0, 1)."""
    if isinstance(k, SupportsIndex) and not isinstance(k, bool):
        number = operator.index(k)
        if number < 1:
            raise ValueError(f"k: got {number}, wanted at least 1")
        return number
    if isinstance(k, bool | str) or not isinstance(k, SupportsFloat):
        raise TypeError(f"k: got {k!r}, wanted an integer, or a fraction of the rows between 0 and 1")
    fraction = float(k)
    if not 0.0 < fraction < 1.0:
        raise ValueError(
            f"k: got {fraction}, wanted an integer of at least 1, or a fraction of the rows between 0 and 1"
        )
    return max(1, round(fraction * n))
