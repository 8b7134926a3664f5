"""`qdit.verify`: whether files are what was written, and picks what greedy would pick."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..common import files
from ..common.progress import ProgressLike, open_phases
from ..common.types import JSON, StrPath
from ..selection.selection import MANIFEST, Selection
from . import writers
from .choice import Choice, open_choice, read_export, selection_folder
from .replay import VerifyOptions, replay


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


def verify(directory: StrPath, *, progress: ProgressLike = None, **options: Any) -> Verification:
    """Check an export or a selection: hashes, rows, and a replay of the picks.

    The replay adds the picks one after another, compares every recorded gain with the one found, and at
    sampled steps evaluates other candidates: none may beat the pick by more than the tolerance. It computes
    with the backend and precision that the selection was made with.

    Args:
        directory: an export or a selection.
        progress: True for a bar on stderr, or a callable that takes a `qdit.Progress`.
        **options: steps, candidates, tolerance, seed, pool, quality, given, represent, weights, device,
            threads; see `VerifyOptions`. Without a pool only hashes are checked.

    Raises:
        FileNotFoundError: if the directory holds no export and no selection.

    """
    return check_directory(directory, VerifyOptions.of("verify", options), progress)


def check_directory(directory: StrPath, options: VerifyOptions, progress: ProgressLike) -> Verification:
    """Do what `verify` says."""
    path = Path(directory)
    if not (path / MANIFEST).is_file() and not (selection_folder(path) / MANIFEST).is_file():
        raise FileNotFoundError(f"{path}: no {MANIFEST}, so no complete export or selection")
    found, record = [], None
    if selection_folder(path) != path and (path / MANIFEST).is_file():
        try:
            record = read_export(path)
        except ValueError as error:
            found.append(Check("export", "FAILED", str(error)))
    found += _file_checks(path, record)
    try:
        choice = open_choice(path, options)
    except FileNotFoundError as error:
        return Verification((*found, Check("pool", "not checked", str(error))))
    except ValueError as error:
        return Verification((*found, Check("pool", "FAILED", str(error))))
    with choice:
        found += _pool_checks(choice, record)
        if any(check.status == "FAILED" for check in found):
            return Verification((*found, Check("replay", "not checked", "the files are not as they were")))
        if record is not None:
            found += _row_checks(choice, record["settings"])
        with open_phases(progress, choice.rows.n, len(choice.selection)) as phases:
            phases.picks = 0
            phases.enter("replay")
            found += [Check(*line) for line in replay(choice, options, phases)]
    return Verification(tuple(found))


def _file_checks(path: Path, record: JSON | None) -> Iterator[Check]:
    """Compare files with the manifest of the export, then those of the selection with its own."""
    if record is not None:
        found = [_file_problem(path / name, entry) for name, entry in record["files"].items()]
        problems = [problem for problem in found if problem is not None]
        yield from (Check("file", "FAILED", problem) for problem in problems)
        if not problems:
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


def _file_problem(path: Path, entry: JSON) -> str | None:
    if not path.is_file():
        return f"{path} is missing"
    found = files.sha256_file(path)
    if found != entry["sha256"]:
        return f"{path} was changed: sha256 is {found}, the manifest says {entry['sha256']}"
    return None


def _pool_checks(choice: Choice, record: JSON | None) -> Iterator[Check]:
    records, folder = choice.pool.records, choice.pool.directory
    try:
        choice.pool.check()
        choice.check_rows()
    except ValueError as error:
        yield Check("pool", "FAILED", str(error))
        return
    wanted = records.sha256 if record is None else record["records"]["sha256"]
    if wanted != records.sha256:
        detail = f"{folder} has records {records.sha256}, the export was made of {wanted}"
        yield Check("pool", "FAILED", detail)
    else:
        yield Check("pool", "ok", f"{folder}: records and embeddings are those of the selection")


def _row_checks(choice: Choice, settings: JSON) -> Iterator[Check]:
    """Compare the exported lines with the rows of the pool, byte by byte."""
    path = choice.directory / writers.FORMATS["jsonl"]
    if choice.folder == choice.directory or not path.is_file():
        return
    added = writers.added_columns(choice, bool(settings["columns"]), bool(settings.get("sizes")))
    wanted = writers.lines(choice.pool.records, choice.selection, added)
    count = 0
    with path.open("rb") as file:
        for line, row in zip(file, wanted, strict=False):
            if line != row + b"\n":
                row_number = choice.selection.indices[count]
                detail = f"line {count + 1} of {path} is not row {row_number} of the pool"
                yield Check("rows", "FAILED", detail)
                return
            count += 1
        more = bool(file.readline())
    if more or count < len(choice.selection):
        yield Check("rows", "FAILED", f"{path} has not {len(choice.selection):,} rows, one for each pick")
        return
    what = "equal the pool's, with the added fields" if added else "are byte for byte those of the pool"
    yield Check("rows", "ok", f"{count:,} lines of {path} {what}")
