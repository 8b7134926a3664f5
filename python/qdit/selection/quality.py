"""How quality and diversity are brought to one scale.

The score of a candidate is (1 - alpha) * factor * gain + alpha * q (Bukharin & Zhao, arXiv 2311.14736,
Algorithm 2). The paper does not say how gain and q are scaled; here both choices are explicit and recorded.
"""

import math
from typing import Any

import numpy as np

from .._core import gain_factor as engine_gain_factor
from ..common.types import Floats
from ..engine import arrays

K_SCALES = ("per_k", "balanced")  # of gains: those that depend on k


def open_quality(quality: Any, n: int) -> Floats | None:
    """Return the quality scores of a pool of n rows as float64, or None.

    Args:
        quality: (n,) integers or floats: an array, a sequence, a CPU tensor, or the path of a .npy file.
        n: the number of rows they belong to.

    Raises:
        TypeError: if they are not real numbers.
        ValueError: if they are not n finite numbers; the first bad row is named.

    """
    if quality is None:
        return None
    scores = arrays.numbers("quality", quality, n)
    finite = np.isfinite(scores)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(
            f"quality: row {row} is {scores[row]}, wanted a finite number; drop the row or give it a score"
        )
    with np.errstate(over="ignore"):
        total = np.abs(scores).sum()
    if not math.isfinite(total):
        row = int(np.argmax(np.abs(scores)))
        raise ValueError(f"quality: row {row} is {scores[row]}, too large to be added up; rescale the scores")
    return scores


def scale_quality(quality: Floats, how: str) -> Floats:
    """Return quality on the scale that enters the score, shape (n,).

    Args:
        quality: (n,) finite scores of the whole pool.
        how: "raw" leaves them; "minmax" maps the pool's range to [0, 1]; "zscore" subtracts the mean and
            divides by the standard deviation; "rank" is the average rank, scaled to [0, 1]. When all scores
            are equal minmax and zscore give 0 and rank gives 0.5 for every row: quality then decides nothing.

    """
    if how == "raw":
        return quality
    if how == "rank":
        return _average_rank(quality)
    low, high = float(quality.min()), float(quality.max())
    if low == high:  # rounding the mean would leave something over
        return np.zeros_like(quality)
    with np.errstate(over="ignore", invalid="ignore"):
        zero, unit = (low, high - low) if how == "minmax" else (float(quality.mean()), float(quality.std()))
    if not (math.isfinite(zero) and math.isfinite(unit)):
        raise ValueError(
            f"quality: range {low} to {high} overflows under quality_scale={how!r}; use 'rank', or rescale it"
        )
    return (quality - zero) / unit if unit > 0 else np.zeros_like(quality)


def _average_rank(quality: Floats) -> Floats:
    n = len(quality)
    if n == 1:
        return np.full(1, 0.5)
    _, inverse, counts = np.unique(quality, return_inverse=True, return_counts=True)
    last = np.cumsum(counts) - 1  # zero-based rank of the last of each group of equals
    average = last - (counts - 1) / 2
    return np.asarray(average[inverse.reshape(-1)] / (n - 1), dtype=np.float64)


def gain_factor(how: str, k: int, n: float) -> float:
    """Return what a diversity gain is multiplied by: 1 for "sum", k / n for "per_k".

    Late in a run one pick raises the summed coverage by about n / k times the rise of its mean, so the
    balance of "sum" moves with n / k; "per_k" takes that out.
    """
    return engine_gain_factor(how, k, n)
