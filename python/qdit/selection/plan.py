"""What will run: the method, how many picks, the memory, and whether they go together."""

from dataclasses import dataclass, field

import numpy as np

from .graph.plan import GraphOptions, GraphPlan, plan_graph
from .labels import Labels, open_labels
from .limits import NONE, OpenLimits, open_limits
from .memory import Memory, divide, on_device
from .methods import METHODS, Method, resolve
from .options import Search, SelectOptions, resolve_k
from .problem import Problem
from .quality import K_SCALES

_DEFAULT_K = 10_000


@dataclass(frozen=True, eq=False)
class Plan:
    """What will run.

    Attributes:
        method: how rows are chosen.
        k: number of picks, under a budget the most there can be.
        search: options of methods.
        limits: costs and groups, opened.
        memory: what the run may take beside what it needs.
        labels: those of the rows, opened, for a method that takes them; None for none.
        graph: how the graph is built that the method works on, or None.

    """

    method: Method
    k: int
    search: Search = field(default_factory=Search)
    limits: OpenLimits = NONE
    memory: Memory = field(default_factory=Memory)
    labels: Labels | None = None
    graph: GraphPlan | None = None


def make_plan(problem: Problem, options: SelectOptions, threads: int) -> Plan:
    """Decide what will run.

    Raises:
        ValueError: for options that do not go together.
        MemoryError: if the memory budget is too small.

    """
    limit = options.memory_bytes
    wanted = _DEFAULT_K if options.k is None and options.costs is None else options.k
    limits = open_limits(problem.n, options, None if wanted is None else resolve_k(wanted, problem.n))

    def memory(method: Method) -> Memory:
        if problem.backend == "cuda":
            return on_device(limit)
        return divide(limit, problem.memory_needed(threads, method.spare), problem.n, method.spare)

    def fits(method: Method) -> bool:
        try:
            memory(method)
        except MemoryError:
            return False
        return True

    method = resolve(
        options.method,
        n=problem.n,
        alpha=problem.alpha,
        backend=problem.backend,
        limited=bool(limits) or (limits.ends and problem.alpha == 1.0),
        targeted=problem.targeted,
        fits=fits,
    )
    granted = memory(method)
    _check_applies(method, problem, limits, options)
    k = _picks(options.k, problem, limits)
    graph = None
    if method.uses_graph:
        graph = plan_graph(
            problem.n, GraphOptions(probes=options.probes, seed=options.seed, memory_budget=limit)
        )
    if limits.costs is None:
        check_k(k, problem.n, len(problem.given), excluded=len(problem.closed) - len(problem.given))
    labels = None if options.labels is None else open_labels(options.labels, problem.n)
    return Plan(method, k, options, limits, granted, labels, graph)


def _check_applies(method: Method, problem: Problem, limits: OpenLimits, options: SelectOptions) -> None:
    """Raise ValueError for options that the method cannot obey."""
    if limits and not method.limits:
        names = "costs" if limits.costs is not None else "groups"
        raise ValueError(
            f"{names}: method {method.name!r} knows no constraints; use 'exact', 'lazy' or 'naive', or drop "
            "them"
        )
    if limits.watched and not method.greedy:
        name = (
            "quota_least" if limits.least is not None else "min_gain" if limits.min_gain is not None else ""
        )
        raise ValueError(
            f"{name or 'min_coverage'}: method {method.name!r} does not go by gains; use a greedy method"
        )
    if problem.targeted and not method.targets:
        name = "weights" if problem.represented is None else "represent"
        able = ", ".join(repr(other.name) for other in METHODS.values() if other.targets and other.greedy)
        raise ValueError(f"{name}: method {method.name!r} covers the pool, row by row; use one of {able}")
    if method.uses_graph and problem.backend == "reference":
        raise ValueError(
            f"method: backend {problem.backend!r} does not offer {method.name!r}; use 'cpu' or 'cuda'"
        )
    if method.needs_rows and problem.rows.device is not None:
        raise ValueError(f"method: {method.name!r} reads embeddings in CPU memory; copy them there")
    if method.k_decides and limits.costs is not None:
        raise ValueError(
            f"costs: method {method.name!r} cannot tell how many rows a budget buys; "
            "use 'exact', 'lazy' or 'naive'"
        )
    if method.needs_quality and problem.quality is None:
        raise ValueError(f"quality: got None with method {method.name!r}, wanted one score per row")
    if options.labels is not None and not method.labels:
        raise ValueError(f"labels: method {method.name!r} takes none; use 'mig', or drop them")
    if method.multiplies_by_quality(options):
        _check_multiplied(method, problem, options)
    if "tau" in method.options and problem.floor is not None and problem.floor > options.tau:
        raise ValueError(
            f"floor: got {problem.floor}, wanted at most tau = {options.tau}; every row starts at the floor"
        )


def _check_multiplied(method: Method, problem: Problem, search: Search) -> None:
    """Raise ValueError for what cannot be multiplied by quality."""
    if "distance_weight" in method.options:
        if problem.quality is None:
            raise ValueError("quality: got None with distance_weight='quality', wanted one score per row")
        if problem.metric != "cosine":
            raise ValueError(
                f"distance_weight: got 'quality' with metric {problem.metric!r}, which is no distance; use "
                "metric 'cosine', or distance_weight 'none'"
            )
    if (problem.scaled < 0).any():
        row = int(np.argmax(problem.scaled < 0))
        raise ValueError(
            f"quality: row {row} is {problem.scaled[row]:g}, wanted at least 0 with method {method.name!r}, "
            "which multiplies by it; use quality_scale 'minmax' or 'rank'"
        )


def _picks(k: int | float | None, problem: Problem, limits: OpenLimits) -> int:
    """Return the number of picks, with a budget the most there can be."""
    if limits.quota_mode == "exact" and limits.quotas is not None:
        total: int = sum(limits.quotas.tolist())  # may be beyond 64 bits
        if total < 1:
            raise ValueError("quota: got quotas that add up to 0, wanted at least 1")
        if k is not None and resolve_k(k, problem.n) != total:
            raise ValueError(f"k: got {k}, wanted {total:,}, the sum of the exact quotas, or None")
        return total
    if k is not None:
        return resolve_k(k, problem.n)
    if limits.costs is None:
        return _DEFAULT_K
    if problem.gain_scale in K_SCALES:
        raise ValueError(
            f"k: got None with a budget and gain_scale={problem.gain_scale!r}, wanted the rows to expect"
        )
    return problem.n - len(problem.closed)


def check_k(k: int, n: int, given: int, ignored: int = 0, excluded: int = 0) -> None:
    """Raise ValueError if fewer than k rows can be picked."""
    free = n - given - ignored - excluded
    if k <= free:
        return
    found = ((given, "given"), (excluded, "excluded"), (ignored, "ignored zero rows"))
    out = [f"{count:,} {what}" for count, what in found if count]
    less = f" less {' and '.join(out)}" if out else ""
    raise ValueError(f"k: got {k:,}, wanted at most {free:,} ({n:,} rows{less}); pass a smaller k")
