"""A checked call of `score`: which scorers run on which pool, and what is written."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from ..common import checks, files
from ..common.lock import LOCK, Lock
from ..common.optional import check_installed
from ..common.progress import RowProgressLike
from ..common.types import JSON, Floats
from ..records.pool import PoolJob, PoolLike
from .combine import combine, fill
from .judge import Judge
from .likelihood import NAMES as LIKELIHOODS
from .likelihood import Likelihood
from .options import ScoreOptions
from .plain import LENGTHS, Column, ResponseLength
from .reward import RewardModel
from .rubrics import alpagasus, deita
from .scorer import FOLDER, Scored, Scorer

QUALITY = "quality.npy"
MANIFEST = "quality.json"
JUDGES = ("alpagasus", "deita-complexity", "deita-quality")
SCORERS = ("reward", *JUDGES, "deita", "column", *LENGTHS, *LIKELIHOODS)
_WRITING = "writing"  # in the folder while quality.npy may be there without its manifest
_EXPANDED = {"deita": ("deita-complexity", "deita-quality")}


@dataclass(frozen=True, eq=False)
class Scores:
    """What `score` made.

    Attributes:
        quality: (n,) float64, finite; larger is better.
        manifest: what quality.json says.

    """

    quality: Floats
    manifest: JSON = field(repr=False)


def parse_by(by: str | Iterable[str]) -> list[str]:
    """Return names of scorers, each once; "a,b" is a list too, and "deita" is two.

    Raises:
        ValueError: for an unknown name, a name given twice, or none.

    """
    if not isinstance(by, Iterable):
        raise ValueError(f"by: got {by!r}, wanted one or more of {', '.join(map(repr, SCORERS))}")
    names = by.split(",") if isinstance(by, str) else list(by)
    found: list[str] = []
    for name in names:
        name = checks.check_choice("by", name.strip() if isinstance(name, str) else name, SCORERS)
        found += _EXPANDED.get(name, (name,))
    if not found:
        raise ValueError("by: got no scorer, wanted one or more of " + ", ".join(map(repr, SCORERS)))
    for name in found:
        if found.count(name) > 1:
            raise ValueError(f"by: got {name!r} twice, wanted each scorer once")
    return found


def make_scorer(name: str, options: ScoreOptions) -> Scorer:
    """Return the scorer of a name from `parse_by`."""
    if name == "reward":
        return RewardModel(options)
    if name == "alpagasus":
        return Judge(alpagasus(options.dimension), options)
    if name in JUDGES:
        return Judge(deita(name.removeprefix("deita-")), options)
    if name in LIKELIHOODS:
        return Likelihood(name, options)
    return Column(options.column) if name == "column" else ResponseLength(name)


def make_scorers(by: str | Iterable[str], options: ScoreOptions) -> list[Scorer]:
    """Return the scorers of `qdit.score`; ImportError for a package that one needs and that is missing."""
    found = [make_scorer(name, options) for name in parse_by(by)]
    check_installed(package for one in found for package in one.packages)
    return found


class ScoreJob(PoolJob[Scores]):
    """A checked call of `score`; use it as a context manager."""

    verb, format, array = "score", "qdit-quality", "quality"
    goes_on = True  # where requests of a judge failed

    def __init__(self, pool: PoolLike, by: str | Iterable[str], options: ScoreOptions) -> None:
        """Make the scorers, and open the pool's records.

        Args:
            pool: a pool directory, or an object whose `directory` is one.
            by: names of scorers, as in `qdit.score`.
            options: of the scorers, and of what is made of their scores.

        """
        self.options = options
        self.scorers = make_scorers(by, options)
        super().__init__(pool)
        self.folder = self.directory / FOLDER

    def _identity(self) -> JSON:
        return {
            "records": {"n": len(self.records), "sha256": self.records.sha256},
            "scorers": [{"by": one.name, "kind": one.kind, **one.identity()} for one in self.scorers],
            "combine": self.options.combine if len(self.scorers) > 1 else None,
            "missing": self.options.missing,
        }

    def _load(self, manifest: JSON) -> Scores | None:
        """Return the scores; None if another run may score more rows."""
        reports = zip(self.scorers, manifest["results"], strict=True)
        if any(one.unfinished(report) for one, report in reports):
            return None
        entry = manifest["files"][QUALITY]
        return Scores(files.load_verified(self.directory, QUALITY, entry, "delete it"), manifest)

    def _is_stopped(self) -> bool:
        return (self.folder / _WRITING).exists()

    def _hold(self) -> Lock:
        return Lock(self.folder / LOCK, "scoring this pool")

    def _how_on(self) -> str:
        return f"go on; scores so far are in {self.folder}"

    def _libraries(self) -> tuple[str, ...]:
        return tuple(name for one in self.scorers for name in one.libraries)

    def estimate(self) -> list[JSON]:
        """Return for each scorer what a run would do."""
        return [{"by": one.name, **one.estimate(self.records, self.folder)} for one in self.scorers]

    def _make(self, progress: RowProgressLike, overwrite: bool) -> Scores:
        scored: dict[str, Scored] = {}
        results = []
        for one in self.scorers:
            before = time.perf_counter()
            scored[one.name] = one.run(self.records, self.folder, progress)
            report = {"by": one.name, **_statistics(scored[one.name].values), **scored[one.name].report}
            results.append(report | {"seconds": time.perf_counter() - before})
        values, filled = fill(combine(scored, self.options.combine), self.options.missing, scored)
        marker = self.folder / _WRITING
        files.remove_leftovers(self.directory, (QUALITY, MANIFEST))
        with files.new_files(self.directory, MANIFEST) as folder:
            entries = {QUALITY: files.write_npy(folder / QUALITY, values)}
            record = self._record({**self.identity, "results": results, "filled": filled, "files": entries})
            files.write_json(folder / MANIFEST, record)
            marker.touch()
        marker.unlink()
        return Scores(values, record)


def _statistics(values: Floats) -> JSON:
    present = values[~np.isnan(values)]
    counts: JSON = {"rows": len(values), "null": len(values) - len(present)}
    if len(present):
        counts |= {"min": float(present.min()), "mean": float(present.mean()), "max": float(present.max())}
    return counts
