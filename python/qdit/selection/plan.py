"""What will run: the method, how many picks, and whether they go together."""

from __future__ import annotations

from dataclasses import dataclass

from . import options
from .graph import steps
from .limits import NONE, Constraints
from .memory import Memory, divide, on_device
from .problem import Problem

_DEFAULT_K = 10_000
_MOST_ROWS = 250_000  # "auto": an exact pass over more takes the best part of an hour on a few cores
_MOST_ROWS_ON_DEVICE = 5_000_000  # by arithmetic, not measured: some minutes on a large card


@dataclass(frozen=True)
class Plan:
    """What to run: method, number of picks, and the options of methods, as in `qdit.select`."""

    method: str
    k: int
    epsilon: float
    seed: int
    constraints: Constraints = NONE
    tau: float = 0.5
    shortfall: str = "fill"
    clusters: int = 100
    pair_bytes: int = 0
    graph: steps.Plan | None = None


def resolve_method(
    method: str, problem: Problem, constraints: Constraints, threads: int, limit: int | None
) -> tuple[str, Memory]:
    """Return the method that runs, and its memory.

    A greedy method is "quality" at alpha = 1. "auto" is "exact" on a backend that has it and where a memory
    budget lets it, else "lazy", but "sparse" for a large pool without constraints.
    """

    def memory(method: str) -> Memory:
        if problem.backend == "cuda":
            return on_device(limit)
        return divide(limit, problem.memory_needed(threads, method), problem.n, method)

    greedy = method in ("auto", options.GRAPH_METHOD, *options.GREEDY_METHODS)
    if greedy and problem.alpha == 1.0 and not constraints:
        method = "quality"
    if method != "auto":
        return method, memory(method)
    if problem.backend == "reference":
        return "lazy", memory("lazy")
    most = _MOST_ROWS_ON_DEVICE if problem.backend == "cuda" else _MOST_ROWS
    if problem.n > most and not constraints:
        return options.GRAPH_METHOD, memory(options.GRAPH_METHOD)
    try:
        return "exact", memory("exact")
    except MemoryError:
        return "lazy", memory("lazy")


def check_applies(method: str, problem: Problem, constraints: Constraints, tau: float) -> None:
    """Raise ValueError for options that the method cannot obey."""
    if method in (options.GRAPH_METHOD, *options.OTHER_METHODS) and constraints:
        names = "costs" if constraints.costs is not None else "groups"
        raise ValueError(
            f"{names}: method {method!r} knows no constraints; use 'exact', 'lazy' or 'naive', or drop them"
        )
    if method == options.GRAPH_METHOD and problem.backend == "reference":
        raise ValueError(f"method: backend {problem.backend!r} does not offer 'sparse'; use 'cpu' or 'cuda'")
    if method == "cluster" and problem.rows.device is not None:
        raise ValueError("method: 'cluster' reads embeddings in CPU memory; copy them there")
    if method == "stochastic" and constraints.costs is not None:
        raise ValueError(
            "costs: method 'stochastic' cannot tell how many rows a budget buys; "
            "use 'exact', 'lazy' or 'naive'"
        )
    if method in ("quality", "threshold", "cluster") and problem.quality is None:
        raise ValueError(f"quality: got None with method {method!r}, wanted one score per row")
    if method == "threshold" and problem.floor is not None and problem.floor > tau:
        raise ValueError(
            f"floor: got {problem.floor}, wanted at most tau = {tau}; every row starts at the floor"
        )


def resolve_k(k: object, problem: Problem, constraints: Constraints) -> int:
    """Return the number of picks, with a budget the most there can be."""
    if constraints.quota_mode == "exact" and constraints.quotas is not None:
        total = int(constraints.quotas.sum())
        if total < 1:
            raise ValueError("quota: got quotas that add up to 0, wanted at least 1")
        if k is not None and options.resolve_k(k, problem.n) != total:
            raise ValueError(f"k: got {k}, wanted {total:,}, the sum of the exact quotas, or None")
        return total
    if k is not None:
        return options.resolve_k(k, problem.n)
    if constraints.costs is None:
        return _DEFAULT_K
    if problem.gain_scale == "per_k":
        raise ValueError("k: got None with a budget and gain_scale='per_k', wanted the rows to expect")
    return problem.n - len(problem.given)


def check_k(k: int, n: int, given: int, ignored: int = 0) -> None:
    """Raise ValueError if fewer than k rows can be picked."""
    free = n - given - ignored
    if k <= free:
        return
    out = [f"{count:,} {what}" for count, what in ((given, "given"), (ignored, "ignored zero rows")) if count]
    less = f" less {' and '.join(out)}" if out else ""
    raise ValueError(f"k: got {k:,}, wanted at most {free:,} ({n:,} rows{less}); pass a smaller k")
