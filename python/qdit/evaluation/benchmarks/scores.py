"""What the tasks in yaml/ call: one answer of a model in, its score out."""

from collections.abc import Mapping, Sequence

import numpy as np

from ...common.types import JSON
from ..execution import check
from ..stats import DRAWS, Interval
from . import protocol


def prefix_match(doc: JSON, results: Sequence[str]) -> JSON:
    """Return {"acc": 1.0 or 0.0}: whether the answer begins with the target."""
    return {"acc": float(protocol.is_match(results[0], doc["target"]))}


def prefix_match_by_subtask(doc: JSON, results: Sequence[str]) -> JSON:
    """Return the same, and once more with the subtask, for `macro_mean`."""
    right = float(protocol.is_match(results[0], doc["target"]))
    return {"acc": right, "acc_macro": (doc["subtask"], right)}


def macro_mean(items: Sequence[tuple[str, float]]) -> float:
    """Return the mean over subtasks of the mean of each."""
    by_subtask: dict[str, list[float]] = {}
    for subtask, value in items:
        by_subtask.setdefault(subtask, []).append(value)
    means = [sum(values) / len(values) for values in by_subtask.values()]
    return sum(means) / len(means)


def macro_interval(by_subtask: Mapping[str, Sequence[float]]) -> Interval:
    """Return the mean over subtasks of their means, with the percentile bootstrap over each one's rows."""
    random = np.random.default_rng(0)
    means, drawn = [], np.zeros(DRAWS)
    for scores in by_subtask.values():
        found = np.asarray(scores, np.float64)
        means.append(found.mean())
        drawn += found[random.integers(0, len(found), (DRAWS, len(found)))].mean(axis=1)
    low, high = np.quantile(drawn / len(means), [0.025, 0.975])
    rows = sum(map(len, by_subtask.values()))
    return Interval(float(np.mean(means)), float(low), float(high), rows)


def humaneval_prompt(doc: JSON) -> str:
    """Return what the model is given for a problem."""
    return protocol.code_prompt(doc["prompt"])


def humaneval_passes(doc: JSON, results: Sequence[str]) -> JSON:
    """Return {"pass@1": 1.0 or 0.0}; it runs the code."""
    return {"pass@1": float(check(doc, protocol.first_paragraph(results[0])).passed)}
