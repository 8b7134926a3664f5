"""What limits a selection beside k: a budget that costs add up to, quotas for groups of rows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._core import budget_ceiling
from ..common import checks, files
from ..common.types import JSON, Floats, Indices
from ..engine import arrays
from .options import Limits

_NO_QUOTA = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class OpenLimits:
    """Limits, opened and checked.

    Attributes:
        costs: (n,) positive float64, or None.
        budget: what the costs of the chosen rows may add up to; 0 without costs.
        groups: (n,) int64, the number of each row's group, or None.
        labels: what the groups are called, by number.
        quotas: (groups,) int64, the most rows of each group, or None.
        quota_mode: "at_most" or "exact".

    """

    costs: Floats | None = None
    budget: float = 0.0
    groups: Indices | None = None
    labels: tuple[int | str, ...] = ()
    quotas: Indices | None = None
    quota_mode: str = "at_most"

    @property
    def ceiling(self) -> float:
        """What costs may add up to: the budget, but for rounding."""
        return budget_ceiling(self.budget)

    def __bool__(self) -> bool:
        return self.costs is not None or self.groups is not None

    def engine_options(self, *, per_cost: bool) -> JSON:
        """Return the arguments of `Engine.select`."""
        chosen: JSON = {}
        if self.costs is not None:
            chosen |= {"costs": self.costs, "budget": self.budget, "per_cost": per_cost}
        if self.groups is not None:
            chosen |= {"groups": self.groups, "quotas": self.quotas}
        return chosen

    def recorded(self) -> JSON:
        """Return what to record beside the hashes of costs and groups."""
        found: JSON = {}
        if self.costs is not None:
            found["budget"] = self.budget
        if self.groups is not None and self.quotas is not None:
            quotas = zip(self.labels, self.quotas.tolist(), strict=True)
            found["quota"] = {str(label): count for label, count in quotas if count != _NO_QUOTA}
            found["quota_mode"] = self.quota_mode
        return found

    def describe(self) -> JSON:
        """Return hash, shape and dtype of costs and groups."""
        found: JSON = {}
        if self.costs is not None:
            found["costs"] = {
                "sha256": files.sha256_array(self.costs),
                "shape": list(self.costs.shape),
                "dtype": "float64",
            }
        if self.groups is not None:
            found["groups"] = {
                "sha256": files.sha256_array(self.groups, json.dumps(self.labels)),
                "shape": list(self.groups.shape),
                "dtype": type(self.labels[0]).__name__,
            }
        return found

    def permitted(self, rows: Indices) -> Indices:
        """Return those of the rows that may be chosen at all."""
        if self.costs is not None:
            rows = rows[self.costs[rows] <= self.ceiling]
        if self.groups is not None and self.quotas is not None:
            rows = rows[self.quotas[self.groups[rows]] > 0]
        return rows

    def check_rows(self, k: int, free: Indices) -> None:
        """Raise ValueError if k rows, or the exact quotas, cannot be had from the free rows."""
        if self.costs is not None and not (self.costs[free] <= self.ceiling).any():
            raise ValueError(
                f"budget: got {self.budget:g}, wanted at least {self.costs[free].min():g}, the cost of the "
                "cheapest row"
            )
        if self.groups is None or self.quotas is None:
            return
        there = np.bincount(self.groups[free], minlength=len(self.labels))
        if self.quota_mode == "exact" and (there < self.quotas).any():
            g = int(np.argmax(there < self.quotas))
            raise ValueError(
                f"quota: got {self.quotas[g]} for group {self.labels[g]!r}, wanted at most the {there[g]} "
                "rows of it that can be picked"
            )
        most = int(np.minimum(there, self.quotas).sum())
        if self.costs is None and k > most:
            raise ValueError(f"k: got {k:,}, wanted at most {most:,}, the most that the quotas allow")


NONE = OpenLimits()


def open_limits(n: int, limits: Limits) -> OpenLimits:
    """Read the costs and groups of a pool of n rows; errors as in `qdit.select`."""
    if (limits.costs is None) != (limits.budget is None):
        raise ValueError("costs and budget: got one of them, wanted both or neither")
    if (limits.groups is None) != (limits.quota is None):
        raise ValueError("groups and quota: got one of them, wanted both or neither")
    found: JSON = {"quota_mode": limits.quota_mode}
    if limits.costs is not None:
        found |= {"costs": _open_costs(limits.costs, n), "budget": limits.budget}
    if limits.groups is not None:
        labels, numbers = arrays.labels("groups", limits.groups, n)
        quotas = _check_quota(limits.quota, labels, limits.quota_mode)
        found |= {"labels": labels, "groups": numbers, "quotas": quotas}
    if limits.costs is not None and limits.groups is not None and limits.quota_mode == "exact":
        raise ValueError(
            "quota_mode: got 'exact' with a budget, wanted 'at_most'; a budget may not reach for every quota"
        )
    return OpenLimits(**found)


def _open_costs(costs: Any, n: int) -> Floats:
    values = arrays.numbers("costs", costs, n)
    good = np.isfinite(values) & (values > 0)
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(f"costs: row {row} is {values[row]}, wanted a finite number above 0")
    return values


def _check_quota(quota: Any, labels: tuple[int | str, ...], mode: str) -> Indices:
    if not isinstance(quota, Mapping):
        return np.full(len(labels), checks.check_least("quota", quota, 0), np.int64)
    counts = {
        _label(label, labels): checks.check_least(f"quota of {label!r}", count, 0)
        for label, count in quota.items()
    }
    missing = [label for label in labels if label not in counts]
    if missing and mode == "exact":
        raise ValueError(
            f"quota: group {missing[0]!r} has none, wanted one for every group under quota_mode='exact' "
            "(0 to leave it out)"
        )
    return np.array([counts.get(label, _NO_QUOTA) for label in labels], np.int64)


def _label(label: Any, labels: tuple[int | str, ...]) -> int | str:
    """Return the group that a key of `quota` means; keys of JSON and YAML are strings."""
    for name in labels:
        if label == name or (isinstance(label, str) and label == str(name)):
            return name
    some = ", ".join(repr(name) for name in labels[:5]) + (", ..." if len(labels) > 5 else "")
    raise ValueError(f"quota: got group {label!r}, which no row is in; there are {some}")
