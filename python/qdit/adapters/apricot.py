"""FacilityLocationSelection with the interface of apricot-select: change one import and keep the picks.

from apricot import FacilityLocationSelection                 # before
from qdit.adapters.apricot import FacilityLocationSelection   # after

What `qdit.select` adds (quality, pools beyond memory, threads) is not here: both hold the (n, n) matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..common.checks import check_choice, check_float
from ..common.optional import require
from ..common.types import Array, Floats, Indices
from ..engine.arrays import refuse_masked, shown, unlike
from .facility import RANDOM, WAYS, Facility

_EXTRA = "sklearn"
# optimizer objects of apricot.optimizers, and which of their attributes are options
_OBJECTS = {
    "NaiveGreedy": ("naive", ()),
    "LazyGreedy": ("lazy", ()),
    "TwoStageGreedy": ("two-stage", ("n_first_selections", "optimizer1", "optimizer2")),
    "ApproximateLazyGreedy": ("approximate-lazy", ("beta",)),
    "StochasticGreedy": ("stochastic", ("epsilon", "random_state")),
    "SampleGreedy": ("sample", ("epsilon", "optimizer", "random_state")),
    "ModularGreedy": ("modular", ()),
}
_ELSEWHERE = (
    "greedi",
    "bidirectional",
    "random",
    "sieve",
)  # of apricot's optimizers, those that are not here


class FacilityLocationSelection:
    """Selects the rows that represent all rows best, as apricot's class of this name does.

    Args:
        n_samples: rows to select; with sample_cost what their costs may add up to.
        metric: "precomputed" for an (n, n) matrix of similarities, dense or CSR. Else rows are compared:
            "euclidean" is the largest squared distance less the squared distance, "cosine" and "corr" (or
            "correlation") are the *square* of cosine and correlation, any other metric of
            `sklearn.metrics.pairwise_distances` is the largest distance less the distance.
        initial_subset: row numbers, or a mask, of what is chosen already: covered and not picked.
        optimizer: "naive", "lazy" and "two-stage" (the same picks but for ties), "approximate-lazy",
            "stochastic", "sample", "modular", or such an object of apricot.optimizers. Not here: "greedi",
            "bidirectional", "random", "sieve" with partial_fit.
        optimizer_kwds: options of the optimizer: n_first_selections, optimizer1, optimizer2 of "two-stage";
            beta of "approximate-lazy"; epsilon of "stochastic"; epsilon, optimizer of "sample".
        n_neighbors: keep only the similarities to so many nearest neighbors, in a sparse matrix.
        reservoir: accepted, without effect: apricot uses it in partial_fit alone, which is not here.
        max_reservoir_size: the same.
        n_jobs: accepted, without effect, as in apricot.
        random_state: int, RandomState or None, of "stochastic" and "sample".
        verbose: show a bar on stderr (needs tqdm).

    Attributes:
        ranking: (k,) int64 selected rows, the first pick first.
        gains: (k,) float64 gain of each when it was picked ("stochastic": per cost, as apricot tells it).
        subset: (k, d) float64 selected rows; of "precomputed" similarities (0, n).

    """

    def __init__(
        self,
        n_samples: float,
        metric: str = "euclidean",
        initial_subset: Any = None,
        optimizer: Any = "lazy",
        optimizer_kwds: Mapping[str, Any] | None = None,
        n_neighbors: int | None = None,
        reservoir: Any = None,
        max_reservoir_size: int = 1000,
        n_jobs: int = 1,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        if check_float("n_samples", n_samples) <= 0:
            raise ValueError(f"n_samples: got {n_samples}, wanted a number above 0")
        if initial_subset is not None and not isinstance(initial_subset, list | np.ndarray):
            raise ValueError(
                f"initial_subset: got {type(initial_subset).__name__}, wanted a list or array of rows"
            )
        refuse_masked("initial_subset", initial_subset)
        self.n_samples = n_samples
        self.metric = "correlation" if metric == "corr" else metric
        self.initial_subset = None if initial_subset is None else np.array(initial_subset)
        self.optimizer = optimizer
        self.optimizer_kwds = dict(optimizer_kwds or {})
        self._way, self._options = _optimizer(optimizer, self.optimizer_kwds, _random_state(random_state))
        self.n_neighbors = n_neighbors
        self.reservoir = reservoir
        self.max_reservoir_size = max_reservoir_size
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.ranking: Indices | None = None
        self.gains: Floats | None = None
        self.subset: Floats | None = None

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, sample_cost: Any = None
    ) -> FacilityLocationSelection:
        """Select rows.

        Args:
            X: (n, d) rows, or (n, n) similarities that are not negative, dense or scipy.sparse.
            y: ignored.
            sample_weight: ignored.
            sample_cost: (n,) positive costs; n_samples then limits their sum, and the gain per cost decides.

        Raises:
            ValueError: for negative or non-finite similarities, or more rows asked for than there are.
            ImportError: to compare rows without scikit-learn.

        """
        similarities = _similarities(X, self.metric, self.n_neighbors)
        n = similarities.shape[0]
        costs = _costs(sample_cost, n)
        if sample_cost is None and self.n_samples > n:
            raise ValueError(f"n_samples: got {self.n_samples}, wanted at most the {n} rows that there are")
        facility = Facility(similarities)
        chosen = _initial(self.initial_subset, n)
        if sample_cost is None and len(chosen) + self.n_samples > n:
            raise ValueError(
                f"n_samples: got {self.n_samples} beside {len(chosen)} rows of initial_subset, wanted at "
                f"most {n - len(chosen)} more of the {n} rows"
            )
        for row in chosen.tolist():
            facility.add(row)
        open_rows = np.setdiff1d(np.arange(n), chosen)
        picks = list(self._shown(self._way(facility, open_rows, self.n_samples, costs, **self._options)))
        self.ranking = np.array([row for row, _ in picks], np.int64)
        self.gains = np.array([gain for _, gain in picks], np.float64)
        rows = self.ranking if self.metric != "precomputed" else self.ranking[:0]
        self.subset = np.asarray(
            X[rows].toarray() if hasattr(X, "toarray") else np.asarray(X)[rows], np.float64
        )
        return self

    def transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Return the selected rows of X, and those of y and sample_weight where they are given."""
        if self.ranking is None:
            raise ValueError("nothing is selected yet: call fit() first")
        chosen = [None if values is None else values[self.ranking] for values in (X, y, sample_weight)]
        if sample_weight is not None:
            return tuple(chosen)
        return chosen[0] if y is None else tuple(chosen[:2])

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None, sample_cost: Any = None) -> Any:
        """Fit, and return the selected rows."""
        return self.fit(X, y, sample_weight, sample_cost).transform(X, y, sample_weight)

    def partial_fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, sample_cost: Any = None
    ) -> FacilityLocationSelection:
        """Raise NotImplementedError: selecting from a stream is left to apricot."""
        raise NotImplementedError(
            "partial_fit: selecting from a stream (apricot's optimizer 'sieve') is not here; collect the "
            "rows and call fit, or qdit.select, which reads a file in place; or use apricot's own class"
        )

    def _shown(self, picks: Any) -> Any:
        if not self.verbose:
            return picks
        return require("tqdm", _EXTRA, "for verbose=True").tqdm(picks, total=int(self.n_samples), unit="pick")


def _optimizer(optimizer: Any, keywords: dict[str, Any], random_state: Any) -> tuple[Any, dict[str, Any]]:
    """Return the way to go and its options."""
    name, options = optimizer, dict(keywords)
    if not isinstance(optimizer, str):
        kind = type(optimizer).__name__
        _check_here(kind.lower().removesuffix("greedy"))
        if kind not in _OBJECTS:
            raise ValueError(f"optimizer: got {kind}, wanted a name, or an object of {', '.join(_OBJECTS)}")
        name, attributes = _OBJECTS[kind]
        options = {attribute: getattr(optimizer, attribute) for attribute in attributes}
    _check_here(name)
    check_choice("optimizer", name, tuple(WAYS))
    if name in RANDOM:
        options.setdefault("random_state", random_state)
    return WAYS[name], options


def _check_here(name: str) -> None:
    if name in _ELSEWHERE:
        raise ValueError(
            f"optimizer: apricot's {name!r} is not here, wanted one of {', '.join(map(repr, WAYS))}; "
            "'lazy' gives the picks of plain greedy, or use apricot's own class"
        )


def _random_state(seed: Any) -> Any:
    """Return what apricot draws from: the global state for None."""
    if seed is None:
        return np.random.mtrand._rand
    # the legacy generator: another would draw other rows
    return seed if isinstance(seed, np.random.RandomState) else np.random.RandomState(seed)


def _similarities(X: Any, metric: str, n_neighbors: Any) -> Any:
    """Return an (n, n) float64 array or CSR matrix of similarities."""
    sparse = hasattr(X, "tocsr")
    if sparse and metric != "precomputed":
        raise ValueError(
            f"X: got a sparse matrix with metric {metric!r}, wanted dense rows or metric='precomputed'"
        )
    X = X if sparse else _floats("X", X)
    shape = X.shape
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"X: got shape {tuple(shape)}, wanted (n, d) with n and d at least 1")
    if metric != "precomputed":
        found = _compared(X, metric, n_neighbors)
    elif shape[0] != shape[1]:
        raise ValueError(f"X: got shape {tuple(shape)}, wanted (n, n) with metric='precomputed'")
    else:
        found = X.tocsr().astype(np.float64) if sparse else X
    if hasattr(found, "tocsr"):
        found.sum_duplicates()
    values = found.data if hasattr(found, "tocsr") else found
    if values.size and not (np.isfinite(values).all() and values.min() >= 0):
        raise ValueError(
            f"X: got similarities from {values.min()} to {values.max()}, wanted finite ones that are not "
            "negative; shift or clip them, or use qdit.select, which takes negative ones as they are"
        )
    return found


def _compared(X: Floats, metric: str, n_neighbors: Any) -> Any:
    """Return similarities of rows as apricot makes them of scikit-learn's distances."""
    metrics = require("sklearn.metrics", _EXTRA, "to compare rows")
    squared = metric in ("cosine", "correlation")
    if n_neighbors is None or squared:
        options = {"squared": True} if metric == "euclidean" else {}
        distances = metrics.pairwise_distances(X, metric=metric, **options)
        if squared:
            np.subtract(1, distances, out=distances)
            np.square(distances, out=distances)
            np.subtract(1, distances, out=distances)
    if n_neighbors is not None:
        neighbors = require("sklearn.neighbors", _EXTRA, "to keep nearest neighbors")
        transformer = n_neighbors
        if isinstance(n_neighbors, int):
            known = "precomputed" if squared else metric
            transformer = neighbors.KNeighborsTransformer(n_neighbors=n_neighbors, metric=known)
        distances = transformer.fit_transform(distances if squared else X)
    largest = 1.0 if squared and n_neighbors is None else distances.max()
    if hasattr(distances, "tocsr"):
        distances.data = largest - distances.data
        return distances
    return np.subtract(largest, distances, out=distances)


def _floats(name: str, values: Any) -> Floats:
    refuse_masked(name, values)
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        rows = unlike(values) if isinstance(values, list) else ""
        raise TypeError(f"{name}: got {shown(values)}, wanted an array of numbers{rows}") from error


def _costs(costs: Any, n: int) -> Floats:
    if costs is None:
        return np.ones(n)
    found = _floats("sample_cost", costs)
    if found.shape != (n,):
        raise ValueError(f"sample_cost: got shape {found.shape}, wanted ({n},), one a row")
    if not (np.isfinite(found).all() and found.min() > 0):
        row = int(np.argmin(np.isfinite(found) & (found > 0)))
        raise ValueError(f"sample_cost: row {row} is {found[row]}, wanted a finite number above 0")
    return found


def _initial(subset: Array | None, n: int) -> Indices:
    """Return the row numbers of what is chosen already."""
    if subset is None or subset.size == 0:
        return np.empty(0, np.int64)
    if subset.ndim != 1:
        raise ValueError(f"initial_subset: got {subset.ndim} dimensions, wanted row numbers or a mask of 1")
    if subset.dtype == bool:
        if len(subset) != n:
            raise ValueError(f"initial_subset: got a mask of {len(subset)}, wanted one of {n}")
        return np.flatnonzero(subset)
    if subset.dtype.kind not in "iu":
        raise ValueError(
            f"initial_subset: got dtype {subset.dtype.name}, wanted integer row numbers or a mask"
        )
    rows = np.unique(subset.astype(np.int64))
    if rows[0] < 0 or rows[-1] >= n:
        raise ValueError(f"initial_subset: got rows {rows[0]} to {rows[-1]}, wanted 0 to {n - 1}")
    return rows
