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

_NEAR = 3e-6  # picks are short of the best by up to this over 1 - the similarity to the first pick
_STEPS = 10.0  # and by this over the steps of fixed point that the similarity of a row to itself has
_TOLD = 1e-4  # from which share of a gain on it is told
_SAMPLE = 512


def warn_of_rounding(
    problem: Problem, method: Method, selection: Selection, ignored: Indices, scale: float | None = None
) -> None:
    """Warn if rounding may have decided picks.

    scale: fixed-point units per unit of similarity; None where the rows are not there to be looked at.
    """
    if not method.greedy or problem.alpha == 1.0 or problem.backend == "reference":
        return
    if not selection.gains[1:].any():  # one pick, or copies of one row
        return
    if problem.metric == "cosine":
        covered = selection.d_start + float(selection.gains[0])
        mean = covered / (problem.mass if problem.targeted else problem.n - len(ignored))
        loss = _NEAR / max(1.0 - mean, _NEAR)
        if problem.floor is not None and problem.floor > 1.0 - _NEAR / _TOLD:
            return  # so little left to gain is what was asked for
        why = f"the rows lie close together: after the first pick their mean similarity is {mean:.7f}"
        remedy = "subtract the mean of all rows"
    elif scale is not None and problem.rows.device is None:
        sample = np.unique(np.linspace(0, problem.n - 1, _SAMPLE).astype(np.int64))
        rows = to_float64(problem.rows, sample)
        squares = np.einsum("ij,ij->i", rows, rows)
        steps = float(np.median(squares[squares > 0])) * scale if squares.any() else np.inf
        loss = _STEPS / max(steps, _STEPS)
        why = (
            "a few rows are much longer than the others, and similarities are held in 2**26 steps up to the "
            f"largest: that of most rows to themselves has {steps:.3g}"
        )
        remedy = "remove or shorten the longest rows"
    else:
        return
    if loss > _TOLD:
        coarse = 1e3 if problem.precision == "float16" else 1.0
        warnings.warn(
            f"embeddings: {why}; float32 products tell gains apart less well then, and picks may be short of "
            f"the best available by up to about {min(1.0, coarse * loss):.1g} of a gain; {remedy}, or pass "
            "backend='reference' (float64, slow)",
            stacklevel=2,
        )
