"""Where float32 products and fixed point cannot tell gains apart, and the warning that says so.

Picks are within 1e-6 of the best available (1e-3 with float16 products) as long as similarities differ by
much more than they are rounded by. The rules below were measured against float64 on Gaussian rows with a
common offset, and on unit rows beside one that is longer, in 16 to 1,024 dimensions.
"""

import warnings

import numpy as np

from ..common.types import Indices
from ..engine.rows import to_float64
from .methods import Method
from .problem import Problem
from .selection import Selection

_CLOSE, _LOSS = 0.1, 3e-6  # of 1 - similarity: with less left picks may be short of the best by _LOSS / that
_STEPS, _STEPS_LOSS = 2**17, 10  # the same for steps of fixed point in the similarity of a row to itself
_SAMPLE = 512


def warn_of_rounding(
    problem: Problem, method: Method, selection: Selection, ignored: Indices, scale: float | None = None
) -> None:
    """Warn if rounding may have decided picks.

    scale: fixed-point units per unit of similarity; None where the rows are not there to be looked at.
    """
    if not method.greedy or problem.alpha == 1.0 or problem.backend == "reference" or not len(selection):
        return
    coarse = 1e3 if problem.precision == "float16" else 1.0
    if problem.metric == "cosine":
        covered = selection.d_start + float(selection.gains[0])
        left = 1.0 - covered / (problem.n - len(ignored))
        if left < _CLOSE:
            _warn(
                f"the rows lie close together: their mean similarity to the first pick is {1 - left:.7f}",
                coarse * _LOSS / max(left, _LOSS),
                "subtract the mean of all rows",
            )
    elif scale is not None and problem.rows.device is None:
        sample = np.unique(np.linspace(0, problem.n - 1, _SAMPLE).astype(np.int64))
        rows = to_float64(problem.rows, sample)
        squares = np.einsum("ij,ij->i", rows, rows)
        steps = float(np.median(squares[squares > 0])) * scale if squares.any() else _STEPS
        if steps < _STEPS:
            _warn(
                "a few rows are much longer than the others, and similarities are held in 2**26 steps up to "
                f"the largest: that of most rows to themselves has {steps:.3g}",
                coarse * _STEPS_LOSS / max(steps, _STEPS_LOSS),
                "remove or shorten the longest rows",
            )


def _warn(what: str, loss: float, remedy: str) -> None:
    warnings.warn(
        f"embeddings: {what}; float32 products tell gains apart less well then, and picks may be short of "
        f"the best available by up to about {min(1.0, loss):.1g} of a gain; {remedy}, or pass "
        "backend='reference' (float64, slow)",
        stacklevel=2,
    )
