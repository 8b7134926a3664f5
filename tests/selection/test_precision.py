"""Where rounding decides picks, a run says so, and by how much it may be off."""

import re
import warnings

import numpy as np
import pytest

import qdit

RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((300, 64))


def shortfall(rows, chosen, metric):
    """Return by what share of its gain the worst pick is beaten when float64 replays the selection."""
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True) if metric == "cosine" else rows
    sims = unit @ unit.T
    best, worst, picked = None, 0.0, []
    for pick in chosen.indices.tolist():
        gains = sims.sum(axis=1) if best is None else np.maximum(sims - best, 0).sum(axis=1)
        gains[picked] = -np.inf
        worst = max(worst, (gains.max() - gains[pick]) / gains.max())
        picked.append(pick)
        best = sims[pick] if best is None else np.maximum(best, sims[pick])
    return worst


def offset(by):
    return ROWS + by


def rogue(by):
    rows = ROWS.copy()
    rows[:, 7] += by
    return rows


def one_long(by):
    rows = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)
    rows[5] *= by
    return rows


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("make", "by", "metric"),
    [
        *(
            (make, by, "cosine")
            for make, size in ((offset, 1), (rogue, 8))
            for by in (10 * size, 1e2 * size, 1e3 * size)
        ),
        *((one_long, by, "dot") for by in (64, 256, 1e4)),
    ],
)
def test_it_is_warned_of_and_the_estimate_holds(make, by, metric, dtype):
    rows = make(by).astype(dtype)
    with pytest.warns(UserWarning, match="picks may be short of the best available by up to about") as caught:
        chosen = qdit.select(rows, None, 0.0, 40, metric=metric)
    (estimate,) = re.findall(r"up to about (\S+) of a gain", str(caught[0].message))
    short = shortfall(rows.astype(np.float64), chosen, metric)
    assert short < 2 * float(estimate)
    assert (
        qdit.select(rows, None, 0.0, 40, metric=metric, backend="reference").coverage <= 1 or metric == "dot"
    )


@pytest.mark.parametrize(
    ("make", "by", "metric"),
    [
        (offset, 0, "cosine"),
        (offset, 1, "cosine"),
        (rogue, 8, "cosine"),
        (one_long, 8, "dot"),
        (one_long, 1, "dot"),
    ],
)
def test_where_picks_are_as_good_as_is_promised_nothing_is_said(make, by, metric):
    rows = make(by)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chosen = qdit.select(rows, None, 0.0, 40, metric=metric)
        qdit.select(rows, np.arange(300.0), 1.0, 40, metric=metric)
    assert shortfall(rows, chosen, metric) < 1e-6


def test_no_coverage_is_beyond_what_a_cosine_can_be():
    rows = offset(1e4).astype(np.float32)
    with pytest.warns(UserWarning, match="their mean similarity is"):
        chosen = qdit.select(rows, None, 0.0, 40)
    assert chosen.coverage <= 1
    assert qdit.coverage(rows, chosen) <= 1
    assert qdit.row_coverage(rows, chosen).max() <= 1
    assert (qdit.row_coverage(rows, chosen, given=-rows[:3]) >= -1).all()
