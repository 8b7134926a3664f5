"""What can be imported: files, folders, names of data sets, objects in memory."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..common.types import JSON, StrPath
from .options import ImportOptions, SourceOptions
from .presets import PRESETS
from .textfiles import COMPRESSED, SUFFIXES, suffix

PARQUET = ".parquet"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_NAME = re.compile(r"[^\w.+-]+")


@dataclass(frozen=True)
class Source(SourceOptions):
    """One source of rows, with what is to be known about it: these, and what `SourceOptions` lists.

    Attributes:
        location: path of a file or folder, id of a data set on the Hugging Face Hub, or an object: HF
            Dataset, pandas.DataFrame, pyarrow.Table, list of dicts.
        name: label of its rows; made from the location if None.
        data_files: files of a data set on the Hub, where not all of them are meant.
        preset: the named pool that this source belongs to.

    """

    location: Any
    name: str | None = None
    data_files: str | None = None
    preset: str | None = None

    @property
    def in_memory(self) -> bool:
        """Whether the location is an object."""
        return not isinstance(self.location, str | os.PathLike)

    def describe(self) -> JSON:
        """Return what was asked for, for the manifest."""
        asked = {key: getattr(self, key) for key in ("revision", "split", "subset", "data_files", "preset")}
        kind = f"{type(self.location).__name__} in memory"
        return {"location": kind if self.in_memory else os.fspath(self.location), **asked}


def resolve(source: Any, asked: ImportOptions) -> list[Source]:
    """Return the single sources of what was asked for, presets taken apart, each with its own label.

    Args:
        source: one location, a `Source`, a list of them, or a mapping label -> location. A list of dicts
            is one source, its rows.
        asked: what holds where a source does not say otherwise.

    """
    options = Source(None, asked.source_name, **vars(asked.only(SourceOptions)))
    if isinstance(source, Mapping) and not _is_dataset(source):
        listed = [_single(location, replace(options, name=str(name))) for name, location in source.items()]
    elif isinstance(source, Sequence) and not isinstance(source, str) and not _is_rows(source):
        if not source:
            raise ValueError("source: got an empty list, wanted at least one source")
        listed = [_single(location, options) for location in source]
    else:
        listed = [_single(source, options)]
    named: list[Source] = []
    for found in (part for group in listed for part in group):
        name = found.name or _name(found.location)
        taken = [other.name for other in named]
        if name in taken:
            if found.name is not None:
                raise ValueError(f"source: label {name!r} is given twice; give each source its own")
            name = next(free for i in range(2, 10**9) if (free := f"{name}-{i}") not in taken)
        named.append(replace(found, name=name))
    return named


def describe_call(sources: list[Source], asked: ImportOptions) -> JSON:
    """Return all that decides what an import makes, beside the contents of files, as JSON values."""
    listed = [
        {
            "name": source.name,
            **source.describe(),
            "format": source.format,
            "columns": None if source.columns is None else dict(source.columns),
            "id_column": source.id_column,
        }
        for source in sources
    ]
    return {"sources": listed, "skip_bad": asked.skip_bad, "limit": asked.limit}


def _is_dataset(source: Any) -> bool:
    """Return whether this is of datasets, whose DatasetDict of splits is a mapping too."""
    return any(kind.__module__.partition(".")[0] == "datasets" for kind in type(source).__mro__)


def _is_rows(source: Sequence[Any]) -> bool:
    return bool(source) and isinstance(source[0], Mapping)


def _single(location: Any, options: Source) -> list[Source]:
    if isinstance(location, Source):
        options, location = location, location.location
    if not (isinstance(location, str) and location in PRESETS and not Path(location).exists()):
        return [replace(options, location=location)]
    if options.format is not None or options.columns or options.id_column is not None:
        raise ValueError(
            f"source: the format of preset {location!r} is known; leave out format, columns, id_column"
        )
    group = PRESETS[location]
    if options.revision is not None and len(group) > 1:
        raise ValueError(
            f"revision: {location!r} has several sources, each with its own; import them one by one"
        )
    return [
        replace(
            options,
            location=preset.repository,
            name=options.name if options.name and len(group) == 1 else name,
            format=preset.format,
            id_column=preset.id_column,
            data_files=preset.data_files,
            preset=location,
        )
        for name, preset in group.items()
    ]


def _name(location: Any) -> str:
    if not isinstance(location, str | os.PathLike):
        return "rows"
    text = Path(location).name or Path(location).resolve().name
    known = (*COMPRESSED, *SUFFIXES, PARQUET)
    while text.lower().endswith(known):
        text = text[: text.rindex(".")]
    return _NAME.sub("-", text).strip("-") or "rows"


def find_files(location: StrPath) -> tuple[str, list[Path]] | None:
    """Return ("text", "parquet" or "disk", the files) of a path, or None if it is the id of a data set.

    A folder holds files of one kind, read in order of their names, or is one of datasets' save_to_disk.

    Raises:
        FileNotFoundError: if there is nothing there.
        ValueError: if nothing there can be read, or a folder holds files of two kinds.

    """
    path = Path(location)
    if path.is_dir():
        return _folder(path)
    if path.is_file():
        return _kind(path), [path]
    text = os.fspath(location)
    if isinstance(location, str) and _HUB_ID.fullmatch(text) and not _known(path):
        return None
    presets = ", ".join(PRESETS)
    raise FileNotFoundError(
        f"source: no such file or folder: {text}; data sets of the Hub are named owner/name, pools: {presets}"
    )


def _known(path: Path) -> bool:
    return suffix(path) in (*SUFFIXES, PARQUET)


def _kind(path: Path) -> str:
    if not _known(path):
        wanted = ", ".join((*SUFFIXES, PARQUET))
        raise ValueError(f"source: {path}: unknown suffix, wanted one of {wanted} (also with .gz or .zst)")
    return "parquet" if suffix(path) == PARQUET else "text"


def visible_files(folder: Path) -> list[Path]:
    """Return the files in a folder and in those below it, by name, without hidden ones and markers."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(
        path
        for path in found
        if not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    )


def _folder(folder: Path) -> tuple[str, list[Path]]:
    if (folder / "state.json").exists() or (folder / "dataset_dict.json").exists():
        return "disk", [folder]
    files = [path for path in visible_files(folder) if _known(path)]
    kinds = sorted({suffix(path) for path in files})
    if not kinds:
        raise ValueError(f"source: {folder} holds no file that can be read, nor what save_to_disk writes")
    if len(kinds) > 1:
        raise ValueError(
            f"source: {folder} holds {' and '.join(kinds)} files; give the ones that are meant, one by one"
        )
    return _kind(files[0]), files
