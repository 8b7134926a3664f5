"""The options of a selection, in groups: each has its default, its check and its documentation here only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..common.checks import (
    check_choice,
    check_device,
    check_float,
    check_int,
    check_least,
    check_seed,
    check_share,
)
from ..common.options import Options, ThreadOptions
from ..common.text import parse_bytes
from .draws import PROPORTIONAL
from .methods import NAMES

CELL_SHARES = (PROPORTIONAL, "equal")
DISTANCE_WEIGHTS = ("none", "quality")
SHORTFALLS = ("fill", "stop", "error")
BACKENDS = ("auto", "cpu", "cuda", "reference")
PRECISIONS = ("auto", "float16", "split")  # of backend "cuda"
METRICS = ("cosine", "dot")
ZERO_ROWS = ("error", "ignore")
QUALITY_SCALES = ("raw", "minmax", "zscore", "rank")
GAIN_SCALES = ("sum", "per_k", "balanced")
QUOTA_MODES = ("at_most", "exact")
EXCLUDE_MODES = ("covered", "dropped")

Quota = int | float | Mapping[Any, int | float]  # rows, or shares of k
Column = str | Any  # the path of a .npy file, or what numpy makes an array of


@dataclass(frozen=True, kw_only=True)
class Balance(Options):
    """How much quality counts beside diversity.

    Attributes:
        quality: n scores, larger is better: an array or .npy file; none for the pool's own. Needed unless
            alpha is 0.
        alpha: From 0 (diversity only) to 1 (quality only).
        gain_scale: sum, per_k (gain times k / n) or balanced (as much as makes alpha 0.5 weigh both alike).
        quality_scale: raw, minmax, zscore or rank.

    """

    quality: Column | None = None
    alpha: float = 0.7
    gain_scale: str = "sum"
    quality_scale: str = "raw"

    def _check(self) -> None:
        self._set("alpha", check_alpha(self.alpha))
        check_choice("gain_scale", self.gain_scale, GAIN_SCALES)
        check_choice("quality_scale", self.quality_scale, QUALITY_SCALES)


@dataclass(frozen=True, kw_only=True)
class Similarity(Options):
    """What the similarity of two rows is.

    Attributes:
        metric: cosine or dot.
        zero_rows: error, or ignore to leave rows of zeros out. Of a pool, and of files that embed or convert
            made, rows of zeros that they were told to keep are always left out.

    """

    metric: str = "cosine"
    zero_rows: str = "error"

    def _check(self) -> None:
        check_choice("metric", self.metric, METRICS)
        check_choice("zero_rows", self.zero_rows, ZERO_ROWS)


@dataclass(frozen=True, kw_only=True)
class Start(Options):
    """What is covered before the first pick.

    Attributes:
        floor: Similarity that every row starts with; none for no floor.
        given: What is already chosen: row numbers, or rows outside the pool; an array or .npy file.

    """

    floor: float | None = None
    given: Column | None = None

    def _check(self) -> None:
        if self.floor is not None:
            self._set("floor", check_float("floor", self.floor))
            cosine = getattr(self, "metric", None) == "cosine"  # a graph has its metric, not its options
            if cosine and abs(self.floor) > 1:
                raise ValueError(f"floor: got {self.floor}, wanted a similarity from -1 to 1, or None")


@dataclass(frozen=True, kw_only=True)
class Target(Options):
    """What the chosen rows are to be near to.

    Attributes:
        represent: What to cover in place of the pool: other rows, or row numbers of the pool; an array or
            .npy file; for a pool directory also a file of questions, or the pool that they are in.
        weights: What each represented row counts, positive numbers: an array or .npy file.

    """

    represent: Column | None = None
    weights: Column | None = None


@dataclass(frozen=True, kw_only=True)
class Objective(Target, Start, Similarity, Balance):
    """What a selection maximises: diversity and quality of the chosen rows."""


@dataclass(frozen=True, kw_only=True)
class Neighbors(Options):
    """How far a similarity graph looks for neighbors.

    Attributes:
        probes: Cells that a similarity graph compares each row with; none for what makes some 4,000 rows, and
            at least 12. More find more pairs.

    """

    probes: int | None = None

    def _check(self) -> None:
        if self.probes is not None:
            check_least("probes", self.probes, 1)


@dataclass(frozen=True, kw_only=True)
class Search(Neighbors):
    """How many rows are looked for, and how.

    Attributes:
        k: Number of rows, or a fraction of them such as 0.05; none for 10000, or for what budget or exact
            quotas allow.
        method: auto (exact where it fits, sparse above 250000 rows), exact, lazy, naive, sparse, stochastic,
            quality, random, threshold, cluster, k_center, kmq or mig.
        epsilon: What method stochastic may lose, between 0 and 1.
        seed: Seed of methods stochastic, sparse, random, cluster, kmq and mig.
        tau: Largest similarity of two rows under method threshold.
        shortfall: When threshold leaves fewer than k: fill with the best others, stop or error.
        clusters: Number of clusters of methods cluster, kmq and, where it has no labels, mig.
        cell_share: Of method kmq: rows of each cell, proportional to its size or equal.
        distance_weight: Of method k_center: none (quality decides ties only), or quality to multiply
            distances by it.
        labels: Of method mig: the labels of each row, such as tags: n of them, or n lists; an array, a .npy
            file, or a .jsonl file with one JSON value a line; none for k-means cells.
        label_threshold: Of method mig: least similarity of two labels that share what they are informed by.
        propagation: Of method mig: how much they share.
        exponent: Of method mig: information grows with this power; smaller spreads rows over more labels.
        memory_budget: Memory beside the embeddings, such as 512MB or 2GiB.

    """

    k: int | float | None = None
    method: str = "auto"
    epsilon: float = 0.01
    seed: int = 0
    tau: float = 0.5
    shortfall: str = "fill"
    clusters: int = 100
    cell_share: str = PROPORTIONAL
    distance_weight: str = "none"
    labels: Column | None = None
    label_threshold: float = 0.9
    propagation: float = 1.0
    exponent: float = 0.8
    memory_budget: int | str | None = None

    def _check(self) -> None:
        check_choice("method", self.method, NAMES)
        check_choice("shortfall", self.shortfall, SHORTFALLS)
        self._set("epsilon", check_share("epsilon", self.epsilon))
        check_seed(self.seed)
        self._set("tau", check_float("tau", self.tau))
        check_least("clusters", self.clusters, 1)
        check_choice("cell_share", self.cell_share, CELL_SHARES)
        check_choice("distance_weight", self.distance_weight, DISTANCE_WEIGHTS)
        for name in ("label_threshold", "exponent"):
            self._set(name, _check_share(name, getattr(self, name)))
        self._set("propagation", check_float("propagation", self.propagation))
        if self.propagation < 0:
            raise ValueError(f"propagation: got {self.propagation}, wanted a number from 0 on")
        self._set("memory_budget", parse_bytes("memory_budget", self.memory_budget))

    @property
    def memory_bytes(self) -> int | None:
        """The memory budget in bytes, or None."""
        return parse_bytes("memory_budget", self.memory_budget)


@dataclass(frozen=True, kw_only=True)
class Limits(Options):
    """What limits a selection beside k.

    Attributes:
        costs: What each row costs, such as tokens: n positive numbers, an array or .npy file.
        budget: What the costs of the chosen rows may add up to, but for rounding in the last digits.
        groups: Each row's group, n integers or strings: an array or .npy file.
        quota: The most rows of each group, a number or {"group": number}; numbers between 0 and 1 are shares
            of k.
        quota_mode: at_most, or exact for exactly so many of each group.
        quota_least: The fewest rows of each group, as quota.
        min_gain: End before the first pick that raises the objective by less.
        min_coverage: End with the pick that brings the coverage to this.
        exclude: Row numbers that are not to be picked: an array or .npy file.
        exclude_mode: covered if excluded rows are to be represented still, dropped if they do not count.

    """

    costs: Column | None = None
    budget: float | None = None
    groups: Column | None = None
    quota: Quota | None = None
    quota_mode: str = "at_most"
    quota_least: Quota | None = None
    min_gain: float | None = None
    min_coverage: float | None = None
    exclude: Column | None = None
    exclude_mode: str = "covered"

    def _check(self) -> None:
        check_choice("exclude_mode", self.exclude_mode, EXCLUDE_MODES)
        for name in ("min_gain", "min_coverage"):
            if getattr(self, name) is not None:
                self._set(name, check_float(name, getattr(self, name)))
        check_choice("quota_mode", self.quota_mode, QUOTA_MODES)
        if self.budget is not None:
            self._set("budget", check_float("budget", self.budget))
            if self.budget <= 0:
                raise ValueError(f"budget: got {self.budget}, wanted a number above 0")


@dataclass(frozen=True, kw_only=True)
class DeviceOptions(ThreadOptions):
    """Which device computes, if one does.

    Attributes:
        device: Number of the CUDA device.

    """

    device: int = 0

    def _check(self) -> None:
        check_device(self.device)


@dataclass(frozen=True, kw_only=True)
class Machine(DeviceOptions):
    """Where it is computed, and with what arithmetic.

    Attributes:
        backend: auto (cuda where there is a device, else cpu), cpu, cuda or reference.
        precision: Products on CUDA: float16, split (two float16 an item), auto (split for float32, float64).

    """

    backend: str = "auto"
    precision: str = "auto"

    def _check(self) -> None:
        check_choice("backend", self.backend, BACKENDS)
        check_choice("precision", self.precision, PRECISIONS)


@dataclass(frozen=True, kw_only=True)
class SelectOptions(Machine, Limits, Search, Objective):
    """All options of `qdit.select`."""


@dataclass(frozen=True, kw_only=True)
class ObjectiveOptions(Machine, Objective):
    """The options of `qdit.objective`."""


@dataclass(frozen=True, kw_only=True)
class CoverageOptions(Machine, Target, Start, Similarity):
    """The options of `qdit.coverage` and `qdit.row_coverage`."""


def check_alpha(alpha: object) -> float:
    """Return alpha in [0, 1]: 0 is diversity only, 1 is quality only."""
    number = check_float("alpha", alpha)
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"alpha: got {number}, wanted a number from 0 (diversity only) to 1 (quality only)")
    return number


def _check_share(name: str, value: object) -> float:
    number = check_float(name, value)
    if not 0.0 < number <= 1.0:
        raise ValueError(f"{name}: got {number}, wanted a number above 0, at most 1")
    return number


def resolve_k(k: object, n: int) -> int:
    """Return the number of picks: an int >= 1, or round(k * n) (at least 1) for a float in (0, 1)."""
    try:
        try:
            return check_int("k", k, 1)
        except TypeError:
            fraction = check_float("k", k)
    except TypeError:
        wanted = "an integer, or a fraction of the rows between 0 and 1"
        raise TypeError(f"k: got {k!r}, wanted {wanted}") from None
    if not 0.0 < fraction < 1.0:
        raise ValueError(
            f"k: got {fraction}, wanted an integer of at least 1, or a fraction of the rows between 0 and 1"
        )
    return max(1, round(fraction * n))
