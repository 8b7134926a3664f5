"""`qdit.export`: the chosen rows, unchanged and in order, with all that shows why these."""

import os
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ..common import checks, files
from ..common.optional import Package, check_installed
from ..common.progress import ProgressLike, open_phases
from ..common.types import JSON, ArrowTable, StrPath
from ..common.versions import versions
from ..selection.selection import MANIFEST
from . import card, converted, forms, trainers, writers
from . import decisions as tables
from .chats import read_chats
from .choice import EXPORT_FORMAT, SELECTION_FOLDER, Choice, ChoiceOptions, open_choice
from .hub import PACKAGE as HUB
from .hub import push
from .similar import Tick
from .survey import Survey

FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class ExportOptions(ChoiceOptions):
    """What an export holds, and where it goes.

    Attributes:
        format: jsonl or json (the rows' own bytes), parquet or hf (a folder for datasets.load_from_disk; both
            with the types of a typed source), or several such as jsonl,parquet.
        columns: Add qdit_rank (1 for the first pick), qdit_gain and qdit_quality to every row.
        sizes: Add qdit_size to every row: how many rows of the pool it stands for, as a weight in training.
        decisions: Why each row of the pool was kept or not: parquet, jsonl, auto (parquet where pyarrow is
            installed) or none. Each row has rank, gain and score at its pick, nearest chosen row and
            similarity, and what it would add at the end.
        final_gains: Whether to work that last column out, n x n products: all, none, or auto (all up to
            100,000 rows).
        name: Name of the data set; none for the name of out.
        license: License identifier for the card, such as cc-by-nc-4.0.
        push_to_hub: Repository such as user/dataset to upload to; the token is that of HF_TOKEN or hf auth.
        private: Make a new repository private (--no-private: public).

    """

    format: str | list[str] = "jsonl"
    columns: bool = False
    sizes: bool = False
    decisions: str = "auto"
    final_gains: str = "auto"
    name: str | None = None
    license: str | None = None
    push_to_hub: str | None = None
    private: bool = True

    def _check(self) -> None:
        self._set("format", writers.parse_formats(self.format))
        checks.check_choice("decisions", self.decisions, tables.FORMATS)
        checks.check_choice("final_gains", self.final_gains, tables.FINAL_GAINS)

    def packages(self) -> tuple[Package, ...]:
        """Return the optional packages that these formats need, those of the rows and of the decisions."""
        formats = (*self.format, tables.resolve_format(self.decisions))
        found = tuple(writers.PACKAGES[name] for name in formats if name in writers.PACKAGES)
        return found if self.push_to_hub is None else (*found, HUB)


def export(
    selection: StrPath,
    out: StrPath,
    *,
    overwrite: bool = False,
    progress: ProgressLike = None,
    **options: Any,
) -> Path:
    """Write the chosen rows of a pool, unchanged and in pick order, with the evidence.

    Args:
        selection: directory of a selection.
        out: directory for data.*, indices.npy, decisions.*, selection/, dataset_info.json (LLaMA-Factory),
            axolotl.yaml, trl-sft.yaml, README.md (a data set card) and manifest.json, which comes last: where
            it is, the export is whole.
        overwrite: replace an export in `out`.
        progress: True for a bar on stderr, or a callable that takes a `qdit.Progress`.
        **options: format, columns, decisions, final_gains, name, license, push_to_hub, private, pool,
            quality, given, device, threads; see `ExportOptions`.

    Returns:
        `out`.

    Raises:
        FileNotFoundError, ValueError: if files are missing, damaged or do not belong together.
        ImportError: names the package that a format needs.

    """
    return write_export(selection, out, ExportOptions.of("export", options), overwrite, progress)


def write_export(
    selection: StrPath, out: StrPath, options: ExportOptions, overwrite: bool, progress: ProgressLike
) -> Path:
    """Do what `export` says."""
    start = time.perf_counter()
    check_installed(options.packages())
    files.check_writable(Path(out))
    formats, kind = list(options.format), tables.resolve_format(options.decisions)
    path = Path(out)
    with open_choice(selection, options) as choice:
        _check_out(path, choice, overwrite)
        choice.check_rows()
        added = writers.added_columns(choice, options.columns, options.sizes, progress)
        table = writers.make_table(choice.pool.records, choice.selection, formats, added)
        files.remove_temporaries(path)
        title = path.resolve().name if options.name is None else options.name
        with files.new_files(path, MANIFEST) as folder:
            written = _write_rows(folder, choice, formats, added, table)
            trained = _write_for_trainers(folder, choice, formats, _key(title), written)
            if kind != "none":
                written.append(f"decisions.{kind}")
                _write_decisions(folder / written[-1], choice, options.final_gains, progress)
            text = card.make_card(choice, title, formats, [*added], options.license, written, trained)
            files.write_atomic(folder / "README.md", [text.encode()])
            written.append("README.md")
            recorded = {"format": formats, "columns": options.columns, "sizes": options.sizes, "name": title}
            pool = os.path.relpath(choice.pool.directory, path)
            recorded = {"settings": recorded, "trainers": trained, "pool": pool}
            _write_manifest(folder, choice, written, recorded, start)
    if options.push_to_hub is not None:
        push(path, options.push_to_hub, private=options.private)
    return path


def _check_out(path: Path, choice: Choice, overwrite: bool) -> None:
    taken = (choice.directory, choice.folder, choice.pool.directory)
    if path.resolve() in [folder.resolve() for folder in taken]:
        raise ValueError(f"out: got {path}, the selection or pool itself; pass another directory")
    found = path / MANIFEST
    if found.exists():
        files.read_json(found, EXPORT_FORMAT)  # never replace what is no export
        if not overwrite:
            raise ValueError(f"out: {path} holds an export already; pass --overwrite or another directory")


def _write_rows(
    path: Path, choice: Choice, formats: list[str], added: writers.Added, table: ArrowTable | None
) -> list[str]:
    records, selection = choice.pool.records, choice.selection
    written = []
    for name in formats:
        written += writers.write(path, name, records, selection, added, table)
    files.write_npy(path / "indices.npy", selection.indices)
    selection.save(path / SELECTION_FOLDER)
    written += ["indices.npy"]
    written += sorted(f"{SELECTION_FOLDER}/{found.name}" for found in (path / SELECTION_FOLDER).glob("*.*"))
    return written


def _write_for_trainers(path: Path, choice: Choice, formats: list[str], key: str, written: list[str]) -> JSON:
    """Write settings, and the rows anew where some trainer needs it; return what each makes of them."""
    chosen = partial(read_chats, choice.pool.records, choice.selection)
    survey = Survey(chosen())
    found = forms.choose_forms(survey, formats)
    lines = {forms.PLAIN: converted.plain_lines, forms.SHAREGPT: converted.sharegpt_lines}
    for name in lines.keys() & {form.file for form in found.values()}:
        files.write_atomic(path / name, lines[name](chosen(), survey))
    for file, text in trainers.settings(key, found).items():
        files.write_atomic(path / file, [text.encode()])
    written += sorted(lines.keys() & {form.file for form in found.values()})
    written += trainers.SETTINGS.values()
    return {reading.trainer: reading.as_json() for reading in forms.read_back(survey, found)}


def _write_decisions(path: Path, choice: Choice, final_gains: str, progress: ProgressLike) -> None:
    with open_phases(progress, choice.rows.n, len(choice.selection)) as phases:

        def phase(name: str) -> Tick:
            phases.enter(name)
            return phases.tick

        found = tables.decide(choice, final_gains=final_gains, phase=phase)
        tables.write(path, choice, found, phase("writing"))


def _write_manifest(path: Path, choice: Choice, written: list[str], recorded: JSON, start: float) -> None:
    selection, records = choice.selection, choice.pool.records
    record = {
        "format": EXPORT_FORMAT,
        "format_version": FORMAT_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": len(selection),
        **recorded,
        "records": {"n": len(records), "sha256": records.sha256, "format": records.format},
        "inputs": dict(selection.inputs),
        "params": dict(selection.params),
        "files": {name: files.describe(path / name) for name in written},
        "versions": versions(),
        "seconds": time.perf_counter() - start,
    }
    files.write_json(path / MANIFEST, record)


def _key(title: str) -> str:
    """Return a name for the entry of LLaMA-Factory, which splits names at commas."""
    return re.sub(r"[^\w.-]+", "_", title) or "qdit"
