"""What diversity and quality weigh beside each other: `gain_scale="balanced"`, and what a run says of it.

Both are measured on a sample of the pool, by exact selections that keep n / k. What there is to gain over
random rows hardly changes with the size of the sample then, so it stands for the whole pool (docs/concepts).
The sample is always the same rows and always on the CPU: backend, threads and seed do not move a scale.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .._core import Engine
from ..common.types import JSON, Floats, Indices
from ..engine.shuffle import shuffled

if TYPE_CHECKING:  # problems are scaled by what is measured here
    from .picks import Outcome
    from .problem import Problem
    from .selection import Selection

# With a gain that counts this share of what would make both worth the same, alpha 0.5 reaches equal shares of
# what there is to gain; measured, see bench/bench_balance.py.
_COVERAGE_SHARE = 0.75
_MEASURED, _WEIGHED = 4_000, 2_000  # rows of the samples that set a scale, and that are only told of
_LEAST_PICKS = 16
_DRAWS = 4  # random selections
_SEED = 1 << 61  # of the sample; none that a selection would have
_PAIR_BYTES = 64 * 10**6
_REST = 128  # rows that lost, for their spread
_WEIGHTLESS = 0.2  # a side that has less than this part of what alpha asks for has no weight
_LEAST_ROWS = 1_000  # of a pool that is warned of


def balanced_factor(problem: Problem, k: int) -> float:
    """Return what gains are multiplied by under "balanced"; 1 where there is nothing to balance.

    Over k picks quality can raise its sum by k * (mean of the k best - mean of all), and diversity by n *
    (coverage of diversity-only greedy - coverage of random rows); the latter is measured on the sample.
    """
    if problem.quality is None:
        return 1.0
    return _factor(problem, k, _Sample(problem, k, _MEASURED).possible_coverage())


def _factor(problem: Problem, k: int, coverage: float) -> float:
    free = np.delete(problem.scaled, problem.closed)
    best = np.sort(free)[max(0, len(free) - k) :]
    quality = float(best.mean() - free.mean()) if len(free) else 0.0
    gain = problem.n / k * coverage
    return _COVERAGE_SHARE * quality / gain if quality > 0 and gain > 0 else 1.0


class _Sample:
    """Some rows of a pool, and exact selections from them with as many picks as keep n / k."""

    def __init__(self, problem: Problem, k: int, rows: int) -> None:
        self._problem, self._k = problem, k
        self.rows = np.sort(shuffled(np.arange(problem.n), _SEED)[:rows])
        self._engine = problem.sample_engine(self.rows)
        self._closed = np.union1d(
            np.flatnonzero(np.isin(self.rows, problem.closed)), self._engine.ignored
        ).astype(np.int64)
        self._free = np.setdiff1d(np.arange(len(self.rows)), self._closed)
        wanted = max(round(len(self.rows) * k / problem.n), min(k, _LEAST_PICKS))
        self.count = min(wanted, len(self._free))

    def possible_coverage(self) -> float:
        """Return by how much diversity alone covers the sample better than random rows do."""
        drawn = [self.coverage(shuffled(self._free, seed)[: self.count]) for seed in range(_DRAWS)]
        return self.coverage(self.pick(0.0)) - float(np.mean(drawn))

    def pick(self, alpha: float) -> Indices:
        """Return the picks, by number in the sample, as the problem weighs them but for its alpha."""
        problem = self._problem
        if alpha == 1.0:
            order = np.argsort(-problem.scaled[self.rows][self._free], kind="stable")
            return np.asarray(self._free[order][: self.count], np.int64)
        self._engine.reset()
        # gains are those of n / k rows a pick, which a small sample has fewer of where it makes more picks
        fewer = problem.n / self._k / (len(self.rows) / self.count)
        factor = problem.factor(self._k) * fewer if alpha > 0 else 1.0
        picks, _ = self._engine.select(
            "exact",
            self.count,
            weight=(1.0 - alpha) * factor / self._engine.scale,
            bonus=alpha * problem.scaled[self.rows],
            excluded=np.setdiff1d(self._closed, self._engine.ignored),
            memory=_PAIR_BYTES,
        )
        return np.asarray(picks, np.int64)

    def coverage(self, picks: Indices) -> float:
        """Return the mean similarity of the sampled rows to the nearest of the picks."""
        self._engine.reset()
        self._engine.commit(picks)
        return float(self._engine.coverage()) / self._engine.scale / len(self.rows)

    def quality(self, picks: Indices) -> float:
        """Return the mean scaled quality of the picks."""
        return float(self._problem.scaled[self.rows[picks]].mean())


@dataclass(frozen=True, kw_only=True)
class Shares:
    """What a selection has of what either side alone would have, by a sample.

    Attributes:
        sampled_rows: of the sample; n if it is the pool.
        quality: 0 if the picks are as good as those of alpha 0, 1 if as those of alpha 1; None if these do
            not differ.
        coverage: 0 if they cover as those of alpha 1 do, 1 if as those of alpha 0.
        with_diversity, with_quality: share of the picks that alpha 0, and alpha 1, would make too.
        balancing_alpha: with it, and scales as they are, both would weigh alike.

    """

    sampled_rows: int
    quality: float | None
    coverage: float | None
    with_diversity: float
    with_quality: float
    balancing_alpha: float


def weighs(problem: Problem) -> bool:
    """Return whether there are two sides to weigh, of a pool that is covered row by row."""
    return problem.quality is not None and 0.0 < problem.alpha < 1.0 and not problem.targeted


def shares(problem: Problem, k: int) -> Shares | None:
    """Return what k picks will have of either side, or None where there is one side, or nothing to pick."""
    if not weighs(problem):
        return None
    sample = _Sample(problem, k, _WEIGHED)
    if sample.count == 0:
        return None
    own, diverse, good = (sample.pick(alpha) for alpha in (problem.alpha, 0.0, 1.0))
    measure = problem.factor(k)
    balanced = _factor(problem, k, sample.possible_coverage())
    return Shares(
        sampled_rows=len(sample.rows),
        quality=_between(*(sample.quality(picks) for picks in (diverse, own, good))),
        coverage=_between(*(sample.coverage(picks) for picks in (good, own, diverse))),
        with_diversity=float(np.isin(own, diverse).mean()),
        with_quality=float(np.isin(own, good).mean()),
        balancing_alpha=measure / (measure + balanced),
    )


def _between(low: float, value: float, high: float) -> float | None:
    return (value - low) / (high - low) if high > low else None


def weigh(
    problem: Problem,
    outcome: Outcome,
    k: int,
    rows: Indices,
    *,
    engine: Engine | None = None,
    diverse: Callable[[], Indices] | None = None,
    limited: bool = False,
) -> JSON:
    """Return what each side weighed in a run, for its stats; {} where there is one side.

    Args:
        problem: what was maximised.
        outcome: what the run found.
        k: picks that were asked for.
        rows: those that could be picked.
        engine: one in which the picks are chosen, for the gains of rows that lost; None leaves these out.
        diverse: returns the picks of alpha 0, where they are to be had; it may empty the engine.
        limited: whether costs or groups limited the run; samples are without.

    """
    picks = outcome.indices
    found = shares(problem, k) if len(picks) else None
    if found is None:
        return {}
    weight = problem.weight(k)
    spread: JSON = {"picks": _spreads(weight * outcome.gains, problem.bonus[picks]), "rest": None}
    rest = np.setdiff1d(rows, picks)
    if engine is not None and len(rest):
        rest = np.sort(shuffled(rest, 0)[:_REST])
        spread["rest"] = _spreads(np.asarray(weight * engine.gains(rest) / engine.scale), problem.bonus[rest])
    shared = {"alpha_0": round(found.with_diversity * len(picks))}
    shared["alpha_1"] = round(found.with_quality * len(picks))
    exact = ["alpha_0", "alpha_1"] if found.sampled_rows == problem.n and not limited else []
    if not limited:
        best = rows[np.argsort(-problem.scaled[rows], kind="stable")[:k]]
        shared["alpha_1"] = _common(picks, best)
        exact = sorted({*exact, "alpha_1"})
    reached = {name: value for name, value in asdict(found).items() if not name.startswith("with_")}
    record = {**reached, "spread": spread, "shared": shared, "exact": exact}
    return {"balance": record if diverse is None else _exactly(record, picks, diverse())}


def with_diverse(selections: dict[float, Selection]) -> dict[float, Selection]:
    """Return the selections of a sweep; what they share with that of alpha 0, if it has one, is counted."""
    if 0.0 not in selections:
        return selections
    diverse = selections[0.0].indices
    return {
        alpha: replace(chosen, stats={**chosen.stats, "balance": _exactly(balance, chosen.indices, diverse)})
        if (balance := chosen.stats.get("balance"))
        else chosen
        for alpha, chosen in selections.items()
    }


def _exactly(record: JSON, picks: Indices, diverse: Indices) -> JSON:
    shared = {**record["shared"], "alpha_0": _common(picks, diverse)}
    return {**record, "shared": shared, "exact": sorted({*record["exact"], "alpha_0"})}


def _common(a: Indices, b: Indices) -> int:
    return len(np.intersect1d(a, b, assume_unique=True))


def _spreads(diversity: Floats, quality: Floats) -> JSON:
    """Return how far the middle four fifths of what each side adds to a score lie apart."""
    return {
        name: float(np.diff(np.quantile(values, (0.1, 0.9)))[0])
        for name, values in (("diversity", diversity), ("quality", quality))
    }


def describe(balance: JSON, picked: int) -> dict[str, str]:
    """Return what each side weighed, line by line; balance: of a selection's stats."""
    lines = {}
    spread = balance["spread"]
    parts = [(name, spread[key]) for key, name in (("picks", "picks"), ("rest", "rows left")) if spread[key]]
    lines["weighed"] = "; ".join(
        f"among {name} diversity differs by {side['diversity']:.3g}, quality by {side['quality']:.3g}"
        for name, side in parts
    )
    shared = [
        f"{'' if name in balance['exact'] else 'about '}{balance['shared'][name]:,} with alpha {name[-1]}"
        for name in ("alpha_0", "alpha_1")
    ]
    lines["shared"] = f"of {picked:,} picks {', '.join(shared)}"
    return lines | describe_shares(balance)


def describe_shares(found: JSON) -> dict[str, str]:
    """Return what is reached of either side as a line; found: `Shares` as JSON, or what `weigh` recorded."""
    reached = ", ".join(
        f"{name} {value:.0%}"
        for name, value in (("quality", found["quality"]), ("coverage", found["coverage"]))
        if value is not None
    )
    return {
        "reached": f"{reached or 'nothing to gain'} of what one side alone adds, by "
        f"{found['sampled_rows']:,} rows; alpha {found['balancing_alpha']:.3g} would balance"
    }


def warn_of_balance(problem: Problem, k: int, found: JSON | Shares | None) -> None:
    """Warn if one side has no weight; found: `Shares`, or what `weigh` recorded."""
    if found is None or problem.n < _LEAST_ROWS:
        return
    told = asdict(found) if isinstance(found, Shares) else found
    alpha = problem.alpha
    for side, asked in (("quality", alpha), ("coverage", 1.0 - alpha)):
        reached = told[side]
        if reached is not None and reached < _WEIGHTLESS * asked:
            name = "quality" if side == "quality" else "diversity"
            other = "" if problem.gain_scale == "balanced" else "gain_scale='balanced', or "
            warnings.warn(
                f"alpha: {name} has hardly any weight with alpha={alpha:g}, gain_scale="
                f"{problem.gain_scale!r} and quality_scale={problem.quality_scale!r} at n / k = "
                f"{problem.n / k:,.3g}: by a sample of {told['sampled_rows']:,} rows the picks have "
                f"{max(0.0, reached):.0%} of the {side} that it adds alone; pass {other}"
                f"alpha={told['balancing_alpha']:.3g} to weigh both alike",
                stacklevel=2,
            )
