"""The ways to choose: one table, which everything that depends on the method asks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..common.types import JSON, Indices
from .baselines import by_chance, by_cluster, by_quality, by_threshold
from .centers import by_distance
from .draws import by_draw
from .information import by_information
from .memory import Spare

if TYPE_CHECKING:  # options check their method here, and those two are made of options
    from .._core import Engine
    from .options import Search
    from .plan import Plan
    from .problem import Problem

_MOST_ROWS = 250_000  # "auto": an exact pass over more takes the best part of an hour on a few cores
_MOST_ROWS_ON_DEVICE = 5_000_000  # by arithmetic, not measured: some minutes on a large card
_LAZY_EVALUATIONS = 6.5  # evaluations over n of a lazy run: 52,002 Alpaca rows, k 9,000, alpha 0.7
# one symmetric pass, 0.5, and what the first picks take: the share of all n x n pairs that is multiplied
_EXACT_EVALUATIONS = 0.65


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to choose.

    Attributes:
        name: as in `qdit.select`.
        choose: of a method that is not greedy: yields picks in their order, in batches each of which is
            committed before the next is asked for, and adds to its last argument what to report.
        spare: what memory beyond what a run needs is used for.
        exact: every pick is the best of all rows.
        first_pass: the gains of all rows are found before the second pick, so that bounds on them help.
        one_pass: that is all that is multiplied; other greedy methods evaluate gains at every pick.
        accelerates: evaluations become fewer from pick to pick.
        keeps_bounds: bounds on gains that an earlier run found make it faster.
        k_decides: the picks for a smaller k are not the first ones of those for a larger k.
        fixed_order: its order depends on quality and seed only.
        limits: knows costs and groups.
        targets: can cover other rows than the pool's, and rows that have weights.
        needs_quality: wants scores.
        multiplies_by_quality: whether it takes scores for numbers that are not negative.
        labels: takes the labels of rows.
        needs_rows: reads embeddings in CPU memory.
        distributed: is one of `qdit.distributed.select`.
        options: fields of `Search` that decide its picks.
        evaluations: marginal gains that it evaluates in a pool of n rows, each over all rows.
        why_not: why it left out a row, where that needs no gains; {quality} is the row's, {last_quality} the
            last pick's.

    """

    name: str
    choose: Callable[[Problem, Engine, Plan, JSON], Iterator[Indices]] | None = None
    spare: Spare = Spare.EVALUATED_PAIRS
    exact: bool = False
    first_pass: bool = False
    one_pass: bool = False
    accelerates: bool = False
    keeps_bounds: bool = False
    k_decides: bool = False
    fixed_order: bool = False
    limits: bool = False
    targets: bool = False
    needs_quality: bool = False
    multiplies_by_quality: Callable[[Search], bool] = lambda search: False
    labels: bool = False
    needs_rows: bool = False
    distributed: bool = False
    options: tuple[str, ...] = ()
    evaluations: Callable[[int, int, Search], float] = lambda n, k, search: 0.0
    why_not: str = ""

    @property
    def greedy(self) -> bool:
        """Whether it maximises the objective step by step."""
        return self.choose is None

    @property
    def uses_graph(self) -> bool:
        """Whether it is greedy on the similarities that a graph holds; what it costs depends on the graph."""
        return self.spare is Spare.SIMILAR_PAIRS


def _naive(n: int, k: int, search: Search) -> float:
    return k * (n - (k - 1) / 2)


def _lazy(n: int, k: int, search: Search) -> float:
    return min(_naive(n, k, search), _LAZY_EVALUATIONS * n)


def _stochastic(n: int, k: int, search: Search) -> float:
    return k * min(float(n), math.ceil(n / k * math.log(1 / search.epsilon)))


EXACT = Method(
    name="exact",
    spare=Spare.ALIVE_PAIRS,
    exact=True,
    first_pass=True,
    one_pass=True,
    accelerates=True,
    limits=True,
    targets=True,
    distributed=True,
    evaluations=lambda n, k, search: _EXACT_EVALUATIONS * n,
)
LAZY = Method(
    name="lazy",
    exact=True,
    first_pass=True,
    accelerates=True,
    keeps_bounds=True,
    limits=True,
    targets=True,
    distributed=True,
    evaluations=_lazy,
)
NAIVE = Method(name="naive", exact=True, limits=True, targets=True, evaluations=_naive)
STOCHASTIC = Method(
    name="stochastic",
    keeps_bounds=True,
    k_decides=True,
    limits=True,
    targets=True,
    options=("epsilon", "seed"),
    evaluations=_stochastic,
)
SPARSE = Method(name="sparse", spare=Spare.SIMILAR_PAIRS, distributed=True)
QUALITY = Method(
    name="quality",
    choose=by_quality,
    fixed_order=True,
    targets=True,
    needs_quality=True,
    distributed=True,
    why_not="Its quality {quality:.6g} is not above the last pick's, {last_quality:.6g}.",
)
RANDOM = Method(
    name="random",
    choose=by_chance,
    fixed_order=True,
    targets=True,
    options=("seed",),
    why_not="The random order did not reach it.",
)
THRESHOLD = Method(name="threshold", choose=by_threshold, needs_quality=True, options=("tau", "shortfall"))
CLUSTER = Method(
    name="cluster", choose=by_cluster, needs_quality=True, needs_rows=True, options=("clusters", "seed")
)
K_CENTER = Method(
    name="k_center",
    choose=by_distance,
    limits=True,
    multiplies_by_quality=lambda search: search.distance_weight != "none",
    options=("distance_weight",),
    why_not="Other rows were farther from all that was chosen.",
)
KMQ = Method(
    name="kmq",
    choose=by_draw,
    limits=True,
    multiplies_by_quality=lambda search: True,
    needs_rows=True,
    options=("clusters", "cell_share", "seed"),
    why_not="It was not drawn from its cell.",
)
MIG = Method(
    name="mig",
    choose=by_information,
    limits=True,
    multiplies_by_quality=lambda search: True,
    labels=True,
    needs_rows=True,
    options=("clusters", "seed", "label_threshold", "propagation", "exponent"),
    why_not="Other rows added more to the information of the labels.",
)
_GREEDY = (EXACT, LAZY, NAIVE, STOCHASTIC, SPARSE)
_OTHERS = (QUALITY, RANDOM, THRESHOLD, CLUSTER, K_CENTER, KMQ, MIG)
METHODS = {method.name: method for method in (*_GREEDY, *_OTHERS)}
NAMES = ("auto", *METHODS)


def resolve(
    name: str,
    *,
    n: int,
    alpha: float,
    backend: str,
    limited: bool,
    targeted: bool = False,
    fits: Callable[[Method], bool],
) -> Method:
    """Return the method that runs.

    A greedy method is "quality" at alpha = 1. "auto" is "exact" on a backend that has it and where it fits
    the memory, else "lazy", but "sparse" for a large pool without costs and groups, if that is what is
    covered.
    """
    method = METHODS.get(name)
    if (method is None or method.greedy) and alpha == 1.0 and not limited:
        return QUALITY
    if method is not None:
        return method
    if backend == "reference":
        return LAZY
    if n > (_MOST_ROWS_ON_DEVICE if backend == "cuda" else _MOST_ROWS) and not (limited or targeted):
        return SPARSE
    return EXACT if fits(EXACT) else LAZY
