"""`qdit.verify`: whether files are what was written, and picks what greedy would pick."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..common import checks as options
from ..common import files
from ..common.progress import Phases, Progress, open_sink
from ..selection.selection import MANIFEST, Selection
from . import writers
from .choice import EXPORT_FORMAT, Choice, open_choice, selection_folder
from .replay import replay


@dataclass(frozen=True)
class Check:
    """One thing that was checked.

    Attributes:
        name: what.
        status: "ok", "FAILED" or "not checked".
        detail: what was found, or why it was not checked.

    """

    name: str
    status: str
    detail: str


@dataclass(frozen=True)
class Verification:
    """All that was checked."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    @property
    def failures(self) -> list[Check]:
        """The checks that failed."""
        return [check for check in self.checks if check.status == "FAILED"]


def verify(
    directory: str | os.PathLike[str],
    *,
    pool: str | os.PathLike[str] | None = None,
    steps: int = 20,
    candidates: int = 4096,
    tolerance: float = 1e-6,
    seed: int = 0,
    quality: Any = None,
    given: Any = None,
    threads: int | None = None,
    progress: bool | Callable[[Progress], Any] | None = None,
) -> Verification:
    """Check an export or a selection: hashes, rows, and a replay of the picks.

    The replay adds the picks one after another, compares every recorded gain with the one found, and at
    sampled steps evaluates other candidates: none may beat the pick by more than the tolerance.

    Args:
        directory: an export or a selection.
        pool: the pool directory; None takes the one that the selection names. Without it only hashes are
            checked.
        steps: picks to replay against other candidates, the first and the last among them; 0 for none.
        candidates: rows evaluated at each of them: the picks that came next, the best by quality, and random
            ones; all rows of the pool if it has no more.
        tolerance: relative to the larger of 1 and the score. 1e-3 suits picks made with half-precision
            products.
        seed: of the sampled steps and candidates.
        quality: scores that the selection was made with, if not the pool's own.
        given: rows that were given to select.
        threads: None for all processors that this process may use.
        progress: True for a bar on stderr, or a callable that takes a `qdit.Progress`.

    Raises:
        FileNotFoundError: if the directory holds no export and no selection.

    """
    threads = options.check_threads(threads)
    steps, candidates = options.check_int("steps", steps), options.check_int("candidates", candidates)
    path = Path(directory)
    if not (path / MANIFEST).is_file() and not (selection_folder(path) / MANIFEST).is_file():
        raise FileNotFoundError(f"{path}: no {MANIFEST}, so no complete export or selection")
    checks = list(_file_checks(path))
    try:
        choice = open_choice(path, pool, quality=quality, given=given)
    except FileNotFoundError as error:
        return Verification((*checks, Check("pool", "not checked", str(error))))
    except ValueError as error:
        return Verification((*checks, Check("pool", "FAILED", str(error))))
    with choice:
        checks += _pool_checks(choice)
        if any(check.status == "FAILED" for check in checks):
            return Verification((*checks, Check("replay", "not checked", "the files are not as they were")))
        checks += _row_checks(choice)
        sink, bar = open_sink(progress)
        try:
            phases = Phases(sink, choice.rows.n, len(choice.selection))
            phases.enter("replay")
            found = replay(choice, steps, candidates, tolerance, seed, threads, phases)
            checks += [Check(name, status, detail) for name, status, detail in found]
            phases.enter("done")
        finally:
            if bar is not None:
                bar.close()
    return Verification(tuple(checks))


def _file_checks(path: Path) -> Iterator[Check]:
    """Compare files with the manifest of the export, then those of the selection with its own."""
    try:
        record = files.read_json(path / MANIFEST, EXPORT_FORMAT)
    except (ValueError, FileNotFoundError):
        record = None  # a selection, not an export
    if record is not None:
        bad = 0
        for name, entry in record["files"].items():
            problem = _file_problem(path / name, entry)
            if problem is not None:
                bad += 1
                yield Check("file", "FAILED", problem)
        if not bad:
            yield Check("files", "ok", f"{len(record['files'])} files have the hashes of {path / MANIFEST}")
    folder = selection_folder(path)
    try:
        selection = Selection.load(folder)
    except (ValueError, FileNotFoundError) as error:
        yield Check("selection", "FAILED", str(error))
        return
    yield Check("selection", "ok", f"{len(selection):,} picks have the hashes of {folder / MANIFEST}")
    if record is not None and (path / "indices.npy").is_file():
        try:
            same = np.array_equal(np.load(path / "indices.npy", allow_pickle=False), selection.indices)
        except ValueError:
            same = False
        if not same:
            yield Check("indices", "FAILED", f"{path / 'indices.npy'} differs from the selection in {folder}")


def _file_problem(path: Path, entry: dict[str, Any]) -> str | None:
    if not path.is_file():
        return f"{path} is missing"
    found = files.sha256_file(path)
    if found != entry["sha256"]:
        return f"{path} was changed: sha256 is {found}, the manifest says {entry['sha256']}"
    return None


def _pool_checks(choice: Choice) -> Iterator[Check]:
    records = choice.pool.records
    try:
        choice.pool.check()
        choice.check_rows()
    except ValueError as error:
        yield Check("pool", "FAILED", str(error))
        return
    record_path = choice.directory / MANIFEST
    try:
        wanted = files.read_json(record_path, EXPORT_FORMAT)["records"]["sha256"]
    except (ValueError, FileNotFoundError):
        wanted = records.sha256
    if wanted != records.sha256:
        detail = f"{choice.pool.directory} has records {records.sha256}, the export was made of {wanted}"
        yield Check("pool", "FAILED", detail)
    else:
        yield Check(
            "pool", "ok", f"{choice.pool.directory}: records and embeddings are those of the selection"
        )


def _row_checks(choice: Choice) -> Iterator[Check]:
    """Compare the exported lines with the rows of the pool, byte by byte."""
    path = choice.directory / writers.FORMATS["jsonl"]
    if choice.folder == choice.directory or not path.is_file():
        return
    record = files.read_json(choice.directory / MANIFEST, EXPORT_FORMAT)
    added = bool(record["settings"]["columns"])
    wanted = writers.lines(choice.pool.records, choice.selection, columns=added)
    count = 0
    with path.open("rb") as file:
        for line, row in zip(file, wanted, strict=False):
            if line != row + b"\n":
                detail = (
                    f"line {count + 1} of {path} is not row {choice.selection.indices[count]} of the pool"
                )
                yield Check("rows", "FAILED", detail)
                return
            count += 1
        more = bool(file.readline())
    if more or count < len(choice.selection):
        yield Check("rows", "FAILED", f"{path} has not {len(choice.selection):,} rows, one for each pick")
        return
    what = "equal the pool's, with the added fields" if added else "are byte for byte those of the pool"
    yield Check("rows", "ok", f"{count:,} lines of {path} {what}")
