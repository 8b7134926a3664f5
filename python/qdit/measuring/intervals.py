"""Where one more random set would lie."""

import math
from collections.abc import Sequence


def prediction_interval(values: Sequence[float], level: float) -> tuple[float, float]:
    """Return the interval in which one more value of the same normal distribution lies with this probability.

    mean +- t * s * sqrt(1 + 1 / m), t of m - 1 degrees of freedom; NaN for fewer than two values.
    """
    m = len(values)
    if m < 2:
        return math.nan, math.nan
    mean = math.fsum(values) / m
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (m - 1))
    half = t_quantile(level, m - 1) * deviation * math.sqrt(1 + 1 / m)
    return mean - half, mean + half


def t_quantile(level: float, degrees: int) -> float:
    """Return the t beyond which neither side of Student's distribution goes with this probability."""
    low, high = 0.0, math.pi / 2
    for _ in range(60):  # over the angle, whose tangent is t / sqrt(degrees)
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, degrees) < level else (low, middle)
    return math.sqrt(degrees) * math.tan(low)


def _within(angle: float, degrees: int) -> float:
    """Return P(|T| <= tan(angle) * sqrt(degrees)): Abramowitz & Stegun 26.7.3 and 26.7.4."""
    cosine, sine = math.cos(angle), math.sin(angle)
    odd = degrees % 2
    term = cosine if odd else 1.0
    total = term if degrees > 1 else 0.0
    for j in range(3 if odd else 2, degrees - 1, 2):
        term *= cosine**2 * (j - 1) / j
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
