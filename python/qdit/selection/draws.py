"""k-means cells and a draw from each by quality: method "kmq".

kMQ is the static selection of Yu, Chen, Ahmadian & Fadaee, "Diversify and Conquer: Diversity-Centric Data
Selection with Iterative Refinement" (arXiv 2409.11378, section 2.1). Its iterative variant trains a model in
every round and weights cells by what that model answers, so it is none of a selection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .._core import Engine
from ..common.types import JSON, Floats, Indices
from ..engine import kmeans
from ..engine.shuffle import uniform
from .allowance import permitted_in_order
from .baselines import free_rows, in_turn

if TYPE_CHECKING:  # both are made of options, and those name the methods here
    from .plan import Plan
    from .problem import Problem

PROPORTIONAL = "proportional"
_DRAW_KEY = 1 << 61  # other numbers than those that choose where k-means starts


def by_draw(problem: Problem, engine: Engine, plan: Plan, report: JSON) -> Iterator[Indices]:
    """Draw rows from k-means cells, each row as likely as its quality is large.

    Of the rows of a cell that are left, each is drawn with a probability proportional to its scaled quality
    (all alike without quality), without replacement; those of quality 0 come last. The cells' numbers are
    proportional to their sizes (Webster's method, so that every prefix is proportional too), or equal as
    long as rows are left.
    """
    rows = free_rows(problem, engine.ignored)
    found = kmeans.spherical(problem.rows, engine, plan.search.clusters, plan.search.seed)
    weights = np.ones(len(rows)) if problem.quality is None else problem.scaled[rows]
    drawn = rows[draw_order(weights, uniform(rows, plan.search.seed ^ _DRAW_KEY))]
    order = in_turn(drawn, found.labels, proportional=plan.search.cell_share == PROPORTIONAL)
    picks = permitted_in_order(order, problem.n, plan.limits, plan.k)
    counts = np.bincount(found.labels[picks], minlength=plan.search.clusters)
    report |= {
        "kmeans_iterations": found.iterations,
        "cells_drawn_from": int((counts > 0).sum()),
        "rows_of_a_cell": [int(counts.min()), int(counts.max())],
    }
    yield picks


def draw_order(weights: Floats, chance: Floats) -> Indices:
    """Return the order of weighted draws without replacement (Efraimidis & Spirakis 2006).

    weights: (m,) not negative. chance: (m,) uniform in (0, 1). Each draw takes one of the items that are left
    with a probability proportional to its weight; items of weight 0 come last, at random.
    """
    waiting = -np.log(chance)  # exponential: the first of several clocks rings as likely as it runs fast
    with np.errstate(divide="ignore"):
        arrival = np.where(weights > 0, waiting / weights, np.inf)
    return np.lexsort((waiting, arrival))
