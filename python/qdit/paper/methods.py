"""The ways to choose that the study compares."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..common.checks import check_least
from ..common.types import JSON
from ..selection.methods import METHODS, QUALITY, RANDOM
from ..selection.options import SelectOptions, check_alpha
from .options import OF_METHODS

KINDS = ("qdit", "quality", "random", "threshold", "cluster", "k_center", "kmq", "mig")
_LABELS = {
    "threshold": "QDIT:Threshold",
    "cluster": "QDIT:Cluster",
    "k_center": "k-center",
    "kmq": "kMQ",
    "mig": "MIG",
}
_SEEDED = tuple(kind for kind in KINDS[1:] if "seed" in METHODS[kind].options)


@dataclass(frozen=True)
class Method:
    """One way to choose rows.

    Attributes:
        kind: "qdit" (greedy, facility location plus quality), "quality" (the best scores), "random",
            "threshold" (QDIT:Threshold), "cluster" (QDIT:Cluster), "k_center", "kmq" or "mig".
        alpha: of "qdit": from 0 (diversity only) to 1 (quality only).
        seed: of "random", "cluster", "kmq" and "mig".

    """

    kind: str
    alpha: float | None = None
    seed: int | None = None

    @property
    def greedy(self) -> bool:
        """Whether it maximises diversity and quality: QDIT itself."""
        return self.kind == KINDS[0]

    @property
    def key(self) -> str:
        """A name that is unique among methods, for files: qdit-0.7, random-0, quality."""
        extra = self.alpha if self.greedy else self.seed
        return self.kind if extra is None else f"{self.kind}-{extra!r}"

    @property
    def family(self) -> str:
        """The name without the seed."""
        return self.kind if self.kind in _SEEDED else self.key

    @property
    def label(self) -> str:
        """The name for tables and figures, without the seed."""
        if self.greedy:
            return f"QDIT, alpha {self.alpha:g}"
        return _LABELS.get(self.kind, self.kind.capitalize())

    def chosen(self, options: SelectOptions) -> JSON:
        """Return the options of `qdit.select` that make it this method, its own of `options` among them.

        Where the method is not greedy, alpha only decides what `objective` would report. One that multiplies
        by quality gets it on a scale of 0 to 1, unless another is asked for: raw scores may be negative.
        """
        if self.greedy:
            return {"alpha": self.alpha}
        method = METHODS[self.kind]
        chosen: JSON = {"method": self.kind, "alpha": 1.0 if method is QUALITY else 0.0}
        chosen |= {name: getattr(options, name) for name in OF_METHODS if name in method.options}
        if method.multiplies_by_quality(options) and options.quality_scale == "raw":
            chosen["quality_scale"] = "minmax"
        return chosen if self.seed is None else chosen | {"seed": self.seed}


def qdit(*alphas: float) -> list[Method]:
    """Return greedy methods, one for each alpha."""
    return [Method(KINDS[0], check_alpha(alpha)) for alpha in alphas]


def random(seeds: int) -> list[Method]:
    """Return random choices with seeds 0, 1, ...; their number must be at least 1."""
    return [Method(RANDOM.name, seed=seed) for seed in range(check_least("seeds", seeds, 1))]


def parse(text: str, *, seed: int = 0) -> Method:
    """Return the method of text such as "qdit:0.7", "quality", "random", "random:3", "threshold".

    seed: of random and others that draw where the text has none. "qdit" alone is alpha 0.7, the paper's.
    """
    match = re.fullmatch(r"\s*([a-z_]+)\s*(?::\s*([0-9.eE+-]+))?\s*", str(text))
    kind = match[1] if match else ""
    if match is None or kind not in KINDS or (match[2] is not None and kind not in (KINDS[0], *_SEEDED)):
        raise ValueError(
            f"method: got {text!r}, wanted qdit:ALPHA, {', '.join(KINDS[1:])}, or one with a seed such as "
            "random:SEED"
        )
    try:
        if kind == KINDS[0]:
            return Method(kind, check_alpha(float(match[2] or 0.7)))
        return Method(kind, seed=int(match[2] or seed) if kind in _SEEDED else None)
    except ValueError as error:
        raise ValueError(f"method: {text!r}: {error}") from None


def parse_all(text: str | Iterable[str]) -> list[Method]:
    """Return the methods of "random,quality,qdit:0.7" or of a list; ValueError for none, or one twice."""
    found = [parse(part) for part in (text.split(",") if isinstance(text, str) else text)]
    for i, method in enumerate(found):
        if method in found[:i]:
            raise ValueError(f"methods: got {method.key} twice; drop repeats")
    if not found:
        raise ValueError("methods: got none, wanted at least one")
    return found


def with_seed(method: Method, seed: int) -> Method:
    """Return the method with this seed, itself where it has none."""
    return replace(method, seed=seed) if method.kind in _SEEDED else method
