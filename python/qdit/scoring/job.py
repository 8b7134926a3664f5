"""A checked call of `score`: which scorers run on which pool, and what is written."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

import numpy as np

from .._version import __version__
from ..common import checks, files
from ..common.identity import REPLACE, check_same
from ..common.lock import LOCK, Lock
from ..records import Records, open_records
from .column import Column
from .combine import combine, fill
from .heuristics import LENGTHS, ResponseLength
from .judge import Judge
from .likelihood import NAMES as LIKELIHOODS
from .likelihood import Likelihood
from .options import ScoreOptions
from .reward import RewardModel
from .rubrics import alpagasus, deita
from .scorer import FOLDER, Floats, Scored, Scorer

QUALITY = "quality.npy"
MANIFEST = "quality.json"
FORMAT = "qdit-quality"
FORMAT_VERSION = 1
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
    manifest: dict[str, Any] = field(repr=False)


def parse_by(by: str | Iterable[str]) -> list[str]:
    """Return names of scorers, each once; "a,b" is a list too, and "deita" is two.

    Raises:
        ValueError: for an unknown name, a name given twice, or none.

    """
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


class ScoreJob:
    """A checked call of `score`; use it as a context manager."""

    def __init__(self, pool: Any, by: str | Iterable[str], options: ScoreOptions) -> None:
        """Make the scorers, and open the pool's records.

        Args:
            pool: a pool directory, or an object whose `directory` is one.
            by: names of scorers, as in `qdit.score`.
            options: of the scorers, and of what is made of their scores.

        """
        self.options = options
        self.scorers = [make_scorer(name, options) for name in parse_by(by)]
        self.directory = Path(os.fspath(getattr(pool, "directory", pool)))
        self.records: Records = open_records(self.directory)
        self.folder = self.directory / FOLDER

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.records.close()

    def identity(self) -> dict[str, Any]:
        """Return all that decides the scores."""
        return {
            "records": {"n": len(self.records), "sha256": self.records.sha256},
            "scorers": [{"by": one.name, "kind": one.kind, **one.identity()} for one in self.scorers],
            "combine": self.options.combine if len(self.scorers) > 1 else None,
            "missing": self.options.missing,
        }

    def estimate(self) -> list[dict[str, Any]]:
        """Return for each scorer what a run would do."""
        return [{"by": one.name, **one.estimate(self.records, self.folder)} for one in self.scorers]

    def saved(self) -> Scores | None:
        """Return the scores of an earlier run of this very job; None without one, or if it is unfinished."""
        found = self._earlier()
        if found is None or any(
            one.unfinished(report) for one, report in zip(self.scorers, found["results"], strict=True)
        ):
            return None
        return Scores(files.load_verified(self.directory, QUALITY, found["files"][QUALITY]), found)

    def _earlier(self) -> dict[str, Any] | None:
        """Return the manifest of an earlier run of this job."""
        path = self.directory / MANIFEST
        if not path.exists():
            return None
        found = files.read_json(path, FORMAT)
        identity = self.identity()
        return found if {name: found.get(name) for name in identity} == identity else None

    def run(self, *, progress: Any = None, overwrite: bool = False) -> Scores:
        """Score, and write quality.npy and quality.json; nothing is done twice.

        Raises:
            ValueError: if the pool holds other scores and overwrite is not set.

        """
        start = time.perf_counter()
        earlier = self.saved()
        if earlier is not None:
            return earlier
        self._check_new(overwrite)
        try:
            with Lock(self.folder / LOCK, "scoring this pool"):
                return self._run(start, progress)
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(f"repeat the call to go on; scores so far are in {self.folder}")
            raise

    def _run(self, start: float, progress: Any) -> Scores:
        scored: dict[str, Scored] = {}
        results = []
        for one in self.scorers:
            before = time.perf_counter()
            scored[one.name] = one.run(self.records, self.folder, progress)
            report = {"by": one.name, **_statistics(scored[one.name].values), **scored[one.name].report}
            results.append(report | {"seconds": time.perf_counter() - before})
        values, filled = fill(combine(scored, self.options.combine), self.options.missing, scored)
        marker = self.folder / _WRITING
        marker.touch()
        files.remove_leftovers(self.directory, (QUALITY, MANIFEST))
        (self.directory / MANIFEST).unlink(missing_ok=True)  # it must never describe another array
        entries = {QUALITY: files.write_npy(self.directory / QUALITY, values)}
        value = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            **self.identity(),
            "results": results,
            "filled": filled,
            "files": entries,
            "seconds": time.perf_counter() - start,
            "versions": self._versions(),
        }
        files.write_json(self.directory / MANIFEST, value)
        marker.unlink()
        return Scores(values, value)

    def _check_new(self, overwrite: bool) -> None:
        path = self.directory / MANIFEST
        if overwrite or self._earlier() is not None:
            return
        if not path.exists():
            if (self.directory / QUALITY).exists() and not (self.folder / _WRITING).exists():
                raise ValueError(
                    f"{self.directory / QUALITY} is there already and was not made by score; {REPLACE}"
                )
            return
        found, identity = files.read_json(path, FORMAT), self.identity()
        names = ", ".join(one["by"] for one in found["scorers"])
        then = {name: found.get(name) for name in identity}
        where = f"{path.with_name(QUALITY)}, scores by {names}, was made otherwise"
        check_same(where, then, identity, REPLACE)

    def _versions(self) -> dict[str, str]:
        versions = {"qdit": __version__}
        for name in dict.fromkeys(name for one in self.scorers for name in one.libraries):
            try:
                versions[name] = version(name)
            except PackageNotFoundError:
                versions[name] = "unknown"
        return versions


def _statistics(values: Floats) -> dict[str, Any]:
    present = values[~np.isnan(values)]
    counts: dict[str, Any] = {"rows": len(values), "null": len(values) - len(present)}
    if len(present):
        counts |= {"min": float(present.min()), "mean": float(present.mean()), "max": float(present.max())}
    return counts
