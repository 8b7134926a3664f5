"""What select, objective and coverage share: checked inputs and the engine over them."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from .._core import Engine
from ..common.types import JSON, Array, Floats, Indices
from ..engine import arrays
from ..engine.backend import open_engine, resolve_backend, resolve_precision
from ..engine.rows import Rows, check_rows, kept_zeros, open_embeddings, subset
from . import memory, weighing
from . import quality as scaling
from .options import ObjectiveOptions, SelectOptions
from .selection import Selection

MEASURES = ("metric", "floor", "zero_rows", "gain_scale", "quality_scale")  # they shape scores, as alpha does


@dataclass(frozen=True, eq=False)
class Problem:
    """Checked inputs.

    Attributes:
        rows: the pool.
        alpha, metric, floor, zero_rows, backend, gain_scale, quality_scale: as in `qdit.select`; backend is
            resolved.
        quality: (n,) raw scores, or None.
        scaled: (n,) scores as they enter the score, zeros without quality.
        given: (m,) pool rows that are already chosen, ascending.
        excluded: pool rows that are not to be picked, ascending.
        outside: rows outside the pool that are already chosen, or None.
        represented: rows that are to be covered in place of the pool's, or None.
        numbers: their row numbers, where they are rows of the pool, or None.
        weights: what each represented row counts, or None.

    """

    rows: Rows
    alpha: float
    quality: Floats | None
    scaled: Floats
    given: Indices
    outside: Rows | None
    metric: str
    floor: float | None
    zero_rows: str
    backend: str
    gain_scale: str
    quality_scale: str
    device: int = 0
    precision: str | None = None
    represented: Rows | None = None
    numbers: Indices | None = None
    weights: Floats | None = None
    excluded: Indices = field(default_factory=lambda: np.empty(0, np.int64))
    exclude_mode: str = "covered"
    _balanced: dict[int, float] = field(default_factory=dict, init=False, repr=False)

    @property
    def n(self) -> int:
        """Number of rows in the pool."""
        return self.rows.n

    @property
    def closed(self) -> Indices:
        """Pool rows that cannot be picked, ascending: those that are given, and excluded ones."""
        return np.union1d(self.given, self.excluded)

    @property
    def dropped(self) -> bool:
        """Whether rows that are excluded are not represented either."""
        return self.exclude_mode == "dropped" and len(self.excluded) > 0

    @property
    def targeted(self) -> bool:
        """Whether it is not the rows of the pool that are covered, one like the other."""
        return self.represented is not None or self.weights is not None

    @property
    def mass(self) -> float:
        """What d is divided by for a mean: the represented rows, or their weights, added up."""
        if self.weights is not None:
            return math.fsum(self.weights.tolist())
        return self.n if self.represented is None else self.represented.n

    @property
    def bonus(self) -> Floats:
        """What quality adds to the score of every row: alpha * quality."""
        return self.alpha * self.scaled if self.alpha > 0 else np.zeros(self.n)

    def bonus_of(self, row: int) -> float:
        """Return what quality adds to the score of one row."""
        return self.alpha * float(self.scaled[row]) if self.alpha > 0 else 0.0

    def weight(self, k: int) -> float:
        """Return what a gain in units of similarity is multiplied by in a score."""
        return (1.0 - self.alpha) * self.factor(k)

    def factor(self, k: int) -> float:
        """Return what a gain of a run of k picks is multiplied by beside 1 - alpha."""
        if self.gain_scale != "balanced":
            return scaling.gain_factor(self.gain_scale, k, self.mass)
        if k not in self._balanced:
            self._balanced[k] = weighing.balanced_factor(self, k)
        return self._balanced[k]

    def memory_needed(self, threads: int, spare: memory.Spare) -> int:
        """Return the bytes a run needs at least, beside the pool; spare: what more would be used for."""
        outside, represented = (0 if rows is None else rows.n for rows in (self.outside, self.represented))
        return memory.memory_needed(
            self.n,
            self.rows.d,
            threads=threads,
            outside_rows=outside,
            represented_rows=represented,
            spare=spare,
        )

    def engine(self, *, threads: int, cache_bytes: int = 0) -> Engine:
        """Return an engine over the rows that covers with what is given."""
        engine = open_engine(
            self.rows,
            outside=self.outside,
            represented=self.represented,
            weights=self.weights,
            metric=self.metric,
            floor=self.floor,
            zero_rows=self.zero_rows,
            cache_bytes=cache_bytes,
            **self.placement(threads),
        )
        self.reset(engine)
        return engine

    def sample_engine(
        self, sampled: Indices, read: Callable[[Indices], Rows] | None = None, **placement: Any
    ) -> Engine:
        """Return an engine over some rows that covers with what is given.

        sampled: row numbers, ascending. read: returns some rows of the pool; None takes them from this
        problem. placement: options of `Engine`; none for one thread of the CPU.
        """
        read = partial(subset, self.rows) if read is None else read
        some = read(sampled)
        engine = open_engine(
            some,
            outside=read(self.given) if len(self.given) else self.outside,
            metric=self.metric,
            floor=self.floor,
            zero_rows="ignore",
            **(placement or {"backend": "cpu", "threads": 1}),
        )
        engine.reset()
        return engine

    def placement(self, threads: int) -> JSON:
        """Return the options of an `Engine` over other rows that runs where this problem's does."""
        names = ("backend", "device", "precision")
        return {name: getattr(self, name) for name in names} | {"threads": threads}

    def reset(self, engine: Engine) -> None:
        """Empty the engine's selection and cover with what is given."""
        engine.reset(np.setdiff1d(self.given, engine.ignored))


def make_problem(embeddings: Any, options: ObjectiveOptions | SelectOptions) -> Problem:
    """Open all inputs, the cheap ones first; errors as in `qdit.select`."""
    rows = open_embeddings(embeddings)
    device = options.device if rows.device is None else rows.device
    excluded = row_indices("exclude", read_given(getattr(options, "exclude", None), "exclude"), rows.n)
    exclude_mode = getattr(options, "exclude_mode", "covered")
    dropped = len(excluded) > 0 and exclude_mode == "dropped"
    targeted = options.represent is not None or options.weights is not None or dropped
    asked = "cpu" if targeted and options.backend == "auto" and rows.device is None else options.backend
    backend = resolve_backend(asked, device, on_device=rows.device is not None)
    if targeted and backend == "cuda":
        raise ValueError(
            "represent, weights: backend 'cuda' does not offer them; use 'cpu', with embeddings in CPU memory"
        )
    if targeted and options.gain_scale == "balanced":
        raise ValueError(
            "gain_scale: got 'balanced' with represent or weights, wanted 'sum' or 'per_k'; it measures "
            "what the pool's own rows gain"
        )
    raw = scaling.open_quality(options.quality, rows.n)
    if raw is None and options.alpha > 0:
        raise ValueError(
            f"quality: got None with alpha {options.alpha}, wanted one score per row; pass quality or alpha=0"
        )
    indices, outside = open_given(options.given, rows)
    numbers, represented = open_represented(options.represent, rows)
    weights = open_weights(options.weights, rows, represented)
    if dropped:
        if represented is not None:
            raise ValueError(
                "exclude_mode: got 'dropped' with represent, wanted one of them; leave the rows out of "
                "represent"
            )
        numbers = np.setdiff1d(np.arange(rows.n), excluded)
        if len(numbers) == 0:
            raise ValueError(f"exclude: got all {rows.n:,} rows, wanted some that are left")
        represented = subset(rows, numbers)
        weights = None if weights is None else weights[numbers]
    measures = {name: getattr(options, name) for name in MEASURES}
    if kept_zeros(rows.source) or (represented is not None and kept_zeros(represented.source)):
        measures["zero_rows"] = "ignore"
    return Problem(
        rows=rows,
        quality=raw,
        scaled=np.zeros(rows.n) if raw is None else scaling.scale_quality(raw, options.quality_scale),
        given=np.sort(indices),
        outside=outside,
        backend=backend,
        device=device,
        precision=resolve_precision(options.precision, rows.dtype) if backend == "cuda" else None,
        alpha=options.alpha,
        represented=represented,
        numbers=numbers,
        weights=weights,
        excluded=np.sort(excluded),
        exclude_mode=exclude_mode,
        **measures,
    )


def open_given(given: Any, rows: Rows) -> tuple[Indices, Rows | None]:
    """Return `given` as row numbers of the pool, or as rows outside it."""
    return _open_rows("given", given, rows)


def open_represented(represent: Any, rows: Rows) -> tuple[Indices | None, Rows | None]:
    """Return row numbers of the pool that are to be represented, if they are, and all of these rows.

    Both None for those of the pool, one after the other.
    """
    if represent is None:
        return None, None
    numbers, others = _open_rows("represent", represent, rows)
    if others is not None:
        path = represent if isinstance(represent, str | os.PathLike) else others.source
        return None, replace(others, source=os.fspath(path))
    if len(numbers) == 0:
        raise ValueError("represent: got no rows, wanted at least one, or None for all rows of the pool")
    if np.array_equal(numbers, np.arange(rows.n)):
        return None, None
    return numbers, subset(rows, numbers)


def open_weights(weights: Any, rows: Rows, represented: Rows | None) -> Floats | None:
    """Return the weights of represented rows, or of those of the pool; errors as in `qdit.select`."""
    if weights is None:
        return None
    n, of = (rows.n, "embeddings") if represented is None else (represented.n, "represent")
    remedy = "; leave rows that count nothing out of represent"
    return arrays.positive("weights", weights, n, of, remedy=remedy)


def _open_rows(name: str, value: Any, rows: Rows) -> tuple[Indices, Rows | None]:
    """Return row numbers of the pool, or rows outside it and no numbers."""
    found = read_given(value, name)
    if not isinstance(found, Rows):
        return row_indices(name, found, rows.n), None
    if found.d != rows.d:
        raise ValueError(f"{name}: got rows of {found.d} dimensions, wanted {rows.d} as in embeddings")
    return np.empty(0, np.int64), found


def read_given(given: Any, name: str = "given") -> Rows | Array:
    """Return what is given as rows outside the pool, or as an array of row numbers."""
    if given is None or isinstance(given, Rows):
        return np.empty(0, np.int64) if given is None else given
    if isinstance(given, Selection):
        return given.indices
    array = arrays.column(name, given)
    vectors = array.dtype.kind == "O" and len(array) and np.ndim(array[0]) == 1
    if array.dtype.kind in "iub" or (array.ndim != 2 and not vectors):
        return array
    if 0 in array.shape:
        return np.empty(0, np.int64)
    return check_rows(name, array if isinstance(given, Sequence | str | os.PathLike) else given)


def row_indices(name: str, values: Any, n: int) -> Indices:
    """Return distinct row numbers of a pool of n rows, or those of a selection, as int64, in the order given.

    Raises:
        TypeError: if they are not integers.
        ValueError: if they are not 1-D, out of range or repeated; position and value are named.

    """
    array = arrays.column(name, values.indices if isinstance(values, Selection) else values)
    if array.size == 0 and array.ndim == 1:
        return np.empty(0, np.int64)
    if array.dtype.kind == "O":
        for i, item in enumerate(array.flat):
            if type(item) is not int:  # ints beyond 64 bits are out of range
                raise TypeError(f"{name}: position {i} is {arrays.shown(item)}, wanted an integer row number")
    elif array.dtype.kind not in "iu":
        hint = _mask_hint(array) or arrays.missing(array)
        raise TypeError(f"{name}: got dtype {array.dtype.name}, wanted integer row numbers{hint}")
    if array.ndim != 1:
        raise ValueError(f"{name}: got shape {array.shape}, wanted row numbers of 1 dimension")
    outside = (array < 0) | (array >= n)
    if outside.any():
        i = int(np.argmax(outside))
        raise ValueError(f"{name}: position {i} is row {array[i]}, wanted 0 to {n - 1}")
    indices = array.astype(np.int64)
    order = np.argsort(indices, kind="stable")
    repeats = order[1:][indices[order][1:] == indices[order][:-1]]
    if len(repeats):
        i = int(repeats.min())
        first = int(np.argmax(indices == indices[i]))
        raise ValueError(
            f"{name}: position {i} is row {indices[i]} again, it was at position {first}; drop repeats"
        )
    return indices


def _mask_hint(array: Array) -> str:
    return "; turn a mask into row numbers with numpy.flatnonzero(x)" if array.dtype.kind == "b" else ""
