"""What is recorded of a selection: its inputs, its parameters, what decides its picks, its result."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict

from ..common import files
from ..common.types import JSON, Array
from ..engine.device import DeviceArray
from ..engine.rows import Rows
from .picks import Outcome
from .plan import Plan
from .problem import MEASURES, Problem
from .selection import Selection

_FACTS = ("peak_bytes", "threads", "simd", "backend", "device")  # of an engine's stats; the others count


def describe_array(array: Array, dtype: str) -> JSON:
    """Return hash, shape and dtype of an array."""
    return {"sha256": files.sha256_array(array, dtype), "shape": list(array.shape), "dtype": dtype}


def describe_rows(rows: Rows) -> JSON:
    """Return hash, shape, dtype and origin of rows."""
    if isinstance(rows.array, DeviceArray):
        digest = rows.array.sha256()
        return {"sha256": digest, "shape": list(rows.shape), "dtype": rows.dtype, "source": rows.source}
    return {**describe_array(rows.array, rows.dtype), "source": rows.source}


def sha256_of_shards(hashes: Iterable[str]) -> str:
    """Return the hash of rows that lie in shards, of the hashes of these."""
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def describe_inputs(problem: Problem, embeddings: JSON | None = None) -> JSON:
    """Return hash, shape and dtype of each input, of rows also their origin.

    embeddings: their description, where the problem's rows are not there or were hashed before; that of given
        rows is then without origin, as it always was in manifests of graphs and shards.
    """
    entries = {"embeddings": describe_rows(problem.rows) if embeddings is None else embeddings}
    if problem.quality is not None:
        entries["quality"] = describe_array(problem.quality, "float64")
    if len(problem.given):
        entries["given"] = describe_array(problem.given, "int64")
    if problem.outside is not None:
        outside = problem.outside
        known = embeddings is not None
        entries["given"] = describe_array(outside.array, outside.dtype) if known else describe_rows(outside)
    if len(problem.excluded):
        entries["exclude"] = describe_array(problem.excluded, "int64")
    if problem.numbers is not None and not problem.dropped:
        entries["represent"] = describe_array(problem.numbers, "int64")
    elif problem.represented is not None and not problem.dropped:  # those that are not excluded
        entries["represent"] = describe_rows(problem.represented)
    if problem.weights is not None:
        entries["weights"] = describe_array(problem.weights, "float64")
    return entries


def identity(problem: Problem, inputs: JSON, method: str, arithmetic: str, kind: JSON | None = None) -> JSON:
    """Return what decides the picks of every run, for its checkpoint.

    inputs: as `describe_inputs` returns them. kind: what tells runs of another kind apart.
    """
    hashes = {name: entry["sha256"] for name, entry in inputs.items()}
    shape = {"n": problem.n, "d": problem.rows.d, "dtype": problem.rows.dtype, **(kind or {})}
    score = {"method": method, "alpha": problem.alpha, **_measures(problem)}
    if len(problem.excluded):
        score["exclude_mode"] = problem.exclude_mode
    return {**hashes, **shape, **score, "arithmetic": arithmetic}


def params(problem: Problem, k: int, method: str, ignored: int, search: JSON | None = None) -> JSON:
    """Return what was asked for, with defaults filled in.

    ignored: number of rows left out. search: options of methods that are recorded whatever the method.
    """
    outside = 0 if problem.outside is None else problem.outside.n
    return {
        "n": problem.n,
        "d": problem.rows.d,
        "dtype": problem.rows.dtype,
        "k": k,
        "alpha": problem.alpha,
        "method": method,
        **_measures(problem),
        "gain_factor": problem.factor(k),
        **(search or {}),
        "given_rows": len(problem.given) + outside,
        "ignored_rows": ignored,
        **_target(problem),
    }


def method_options(plan: Plan) -> JSON:
    """Return the options that only some methods have, and the limits."""
    found = {name: getattr(plan.search, name) for name in plan.method.options}
    if plan.graph is not None:
        found["graph"] = asdict(plan.graph)
    return found | plan.limits.recorded()


def result(problem: Problem, outcome: Outcome, *, params: JSON, stats: JSON, inputs: JSON) -> Selection:
    """Return the selection that a run found; params must hold its k."""
    picks = outcome.indices
    return Selection.from_picks(
        picks,
        outcome.gains,
        problem.weight(params["k"]) * outcome.gains + problem.bonus[picks],
        None if problem.quality is None else problem.quality[picks],
        d_start=outcome.d_start,
        params=params,
        stats=stats,
        inputs=inputs,
    )


def stats_since(before: JSON, now: JSON) -> JSON:
    """Return an engine's stats with its counters as they grew since `before`, {} for a new one."""
    return now | {name: now[name] - before[name] for name in before if name not in _FACTS}


def _target(problem: Problem) -> JSON:
    """Return what is left out, and what coverage is a mean over, if not every row of the pool alike."""
    found: JSON = {}
    if len(problem.excluded):
        found |= {"excluded_rows": len(problem.excluded), "exclude_mode": problem.exclude_mode}
    if problem.represented is not None:
        found["represented_rows"] = problem.represented.n
    return found | ({"total_weight": problem.mass} if problem.targeted else {})


def _measures(problem: Problem) -> JSON:
    """Return the options that shape similarities and scores."""
    names = ("backend", *MEASURES) if problem.precision is None else ("backend", *MEASURES, "precision")
    return {name: getattr(problem, name) for name in names}
