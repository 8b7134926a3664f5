"""What limits a selection beside k: a budget that costs add up to, quotas for groups of rows."""

import json
import math
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
_ROUNDING = 1e-9  # of shares


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
        least: (groups,) int64, the fewest rows of each group, or None.
        min_gain, min_coverage: where a run ends, or None.

    """

    costs: Floats | None = None
    budget: float = 0.0
    groups: Indices | None = None
    labels: tuple[int | str, ...] = ()
    quotas: Indices | None = None
    quota_mode: str = "at_most"
    least: Indices | None = None
    min_gain: float | None = None
    min_coverage: float | None = None

    @property
    def ends(self) -> bool:
        """Whether a run may end before its k-th pick."""
        return self.min_gain is not None or self.min_coverage is not None

    @property
    def watched(self) -> bool:
        """Whether picks are to be followed: the engine knows nothing of ends and smallest numbers."""
        return self.ends or self.least is not None

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
            if self.least is not None:
                least = zip(self.labels, self.least.tolist(), strict=True)
                found["quota_least"] = {str(label): count for label, count in least if count}
        ends = {"min_gain": self.min_gain, "min_coverage": self.min_coverage}
        return found | {name: value for name, value in ends.items() if value is not None}

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
        if self.least is not None:
            self._check_least(k, np.minimum(there, self.quotas))
        most = int(np.minimum(there, self.quotas).sum())
        if self.costs is None and k > most:
            raise ValueError(f"k: got {k:,}, wanted at most {most:,}, the most that the quotas allow")

    def _check_least(self, k: int, there: Indices) -> None:
        assert self.least is not None
        if (there < self.least).any():
            g = int(np.argmax(there < self.least))
            raise ValueError(
                f"quota_least: got {self.least[g]} for group {self.labels[g]!r}, wanted at most the "
                f"{there[g]} rows of it that can be picked"
            )
        total = int(self.least.sum())
        if total > k:
            raise ValueError(f"quota_least: got {total:,} rows in all, wanted at most k = {k:,}")


NONE = OpenLimits()


def open_limits(n: int, limits: Limits, k: int | None) -> OpenLimits:
    """Read the costs and groups of a pool of n rows; errors as in `qdit.select`.

    k: picks, for shares of them; None where a budget decides.
    """
    if (limits.costs is None) != (limits.budget is None):
        raise ValueError("costs and budget: got one of them, wanted both or neither")
    if (limits.groups is None) != (limits.quota is None and limits.quota_least is None):
        raise ValueError("groups and quota: got one of them, wanted both or neither")
    found: JSON = {name: getattr(limits, name) for name in ("quota_mode", "min_gain", "min_coverage")}
    if limits.costs is not None:
        found |= {"costs": arrays.positive("costs", limits.costs, n), "budget": limits.budget}
    if limits.groups is not None:
        labels, numbers = arrays.labels("groups", limits.groups, n)
        found |= {"labels": labels, "groups": numbers}
        exact = limits.quota_mode == "exact"
        found["quotas"] = _read_quota("quota", limits.quota, labels, k, unnamed=_NO_QUOTA, exact=exact)
        if limits.quota_least is not None:
            found["least"] = _read_quota("quota_least", limits.quota_least, labels, k, unnamed=0)
    if limits.costs is not None and limits.groups is not None and limits.quota_mode == "exact":
        raise ValueError(
            "quota_mode: got 'exact' with a budget, wanted 'at_most'; a budget may not reach for every quota"
        )
    _check_together(limits)
    return OpenLimits(**found)


def _check_together(limits: Limits) -> None:
    """Raise ValueError for limits that do not go together."""
    if limits.costs is not None:
        for name in ("quota_least", "min_gain", "min_coverage"):
            if getattr(limits, name) is not None:
                raise ValueError(f"{name}: got it with a budget, wanted one of them; a budget ends by itself")
    if limits.quota_least is not None and limits.quota_mode == "exact":
        raise ValueError(
            "quota_least: got it with quota_mode 'exact', which says how many rows each group has"
        )


def _read_quota(
    name: str, quota: Any, labels: tuple[int | str, ...], k: int | None, *, unnamed: int, exact: bool = False
) -> Indices:
    """Return rows of each group, (groups,); shares of k become rows."""
    if quota is None:
        if exact:
            raise ValueError(f"{name}: got None, wanted numbers under quota_mode='exact'")
        return np.full(len(labels), unnamed, np.int64)
    if isinstance(quota, Mapping):
        given = {_label(label, labels, name): value for label, value in quota.items()}
    else:
        given = dict.fromkeys(labels, quota)
    missing = [label for label in labels if label not in given]
    if missing and exact:
        raise ValueError(
            f"{name}: group {missing[0]!r} has none, wanted one for every group under quota_mode='exact' "
            "(0 to leave it out)"
        )
    of = {label: f"{name} of {label!r}" if isinstance(quota, Mapping) else name for label in given}
    shares = [label for label, value in given.items() if _is_share(value)]
    if not shares:
        counts = {label: checks.check_least(of[label], value, 0) for label, value in given.items()}
    else:
        for label, value in given.items():
            if not _is_share(value) and value != 0:
                raise ValueError(f"{of[label]}: got {value!r} beside shares, wanted a number between 0 and 1")
        if k is None:
            raise ValueError(f"{name}: got shares with a budget, wanted numbers of rows, or k")
        counts = _of_shares(name, {label: float(value) for label, value in given.items()}, k, exact=exact)
    return np.array([counts.get(label, unnamed) for label in labels], np.int64)


def _is_share(value: Any) -> bool:
    return isinstance(value, float | np.floating) and 0.0 < float(value) < 1.0


def _of_shares(name: str, shares: dict[int | str, float], k: int, *, exact: bool) -> dict[int | str, int]:
    """Return rows for shares of k; all k by largest remainders (Hamilton) where they add up to 1."""
    total = math.fsum(shares.values())
    whole = {label: math.floor(share * k + _ROUNDING) for label, share in shares.items()}
    if abs(total - 1.0) <= _ROUNDING:
        by_rest = sorted(
            shares, key=lambda label: whole[label] - shares[label] * k
        )  # stable: the first on ties
        for label in by_rest[: k - sum(whole.values())]:
            whole[label] += 1
        return whole
    if exact:
        raise ValueError(f"{name}: got shares that add up to {total:g}, wanted 1 under quota_mode='exact'")
    if name == "quota_least":
        return {label: math.ceil(share * k - _ROUNDING) for label, share in shares.items()}
    return whole


def _label(label: Any, labels: tuple[int | str, ...], what: str) -> int | str:
    """Return the group that a key of `quota` means; keys of JSON and YAML are strings."""
    for name in labels:
        if label == name or (isinstance(label, str) and label == str(name)):
            return name
    some = ", ".join(repr(name) for name in labels[:5]) + (", ..." if len(labels) > 5 else "")
    raise ValueError(f"{what}: got group {label!r}, which no row is in; there are {some}")
