"""What can be imported: files, folders, names of data sets, objects in memory."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..common.types import JSON
from .compressed import COMPRESSED, PARQUET_MAGIC, check_contents
from .folders import PARQUET, Found, is_known, kind_of, open_folder, split_of
from .options import ImportOptions, SourceOptions
from .presets import PRESETS
from .textfiles import SUFFIXES

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
            **({"roles": source.role_names} if source.roles else {}),
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
    if any((options.format, options.columns, options.roles, options.id_column)):
        raise ValueError(
            f"source: the format of preset {location!r} is known; leave out format, columns, roles, id_column"
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


def find_files(source: Source) -> Found | None:
    """Return the files of a source that is a path, or None if it is the id of a data set or an object.

    A folder holds files of one kind, read in order of their names, or is one of datasets' save_to_disk.

    Raises:
        FileNotFoundError: if there is nothing there.
        ValueError: if nothing there can be read, a folder holds files of two kinds, or an option is of no use
            for such a source.

    """
    if source.in_memory:
        _refuse(source, "an object in memory", "revision", "subset", "data_files")
        if source.split not in ("train", "all") and not _is_dataset(source.location):
            raise ValueError(f"split: got {source.split!r} for rows in memory without splits; leave it out")
        return None
    path = Path(source.location)
    if path.is_dir():
        _refuse(source, "a folder", "revision")
        return _folder(path, source)
    if path.is_file():
        _refuse(source, "a file", "revision", "subset", "data_files")
        if source.split not in ("train", "all", *split_of(path)):
            raise ValueError(
                f"split: got {source.split!r}, but {path} is a file without splits; leave it out"
            )
        found = Found(kind_of(path), [path])
        _check_files(found)
        return found
    if path.exists() or path.is_symlink():
        raise FileNotFoundError(f"source: {path} is no file or folder, or a link that leads nowhere")
    text = os.fspath(source.location)
    if isinstance(source.location, str) and _HUB_ID.fullmatch(text) and not is_known(path):
        return None
    presets = ", ".join(PRESETS)
    raise FileNotFoundError(
        f"source: no such file or folder: {text}; data sets of the Hub are named owner/name, pools: {presets}"
    )


def _folder(folder: Path, source: Source) -> Found:
    if (folder / "state.json").exists() or (folder / "dataset_dict.json").exists():
        _refuse(source, "what save_to_disk wrote", "subset", "data_files")
        return Found("disk", [folder])
    found = open_folder(folder, source.split, source.subset, source.data_files)
    _check_files(found)
    return found


def _refuse(source: Source, what: str, *options: str) -> None:
    """Raise ValueError for options that a source cannot heed."""
    for name in options:
        if (value := getattr(source, name)) is not None:
            raise ValueError(
                f"{name}: got {value!r} for {source.describe()['location']}, {what}; leave it out"
            )


def _check_files(found: Found) -> None:
    """Look at the beginning of every file before a long import, not during it."""
    for path in found.files:
        if not path.is_file():
            raise FileNotFoundError(f"source: {path} is a link that leads nowhere, or no file; mend the link")
        with path.open("rb") as file:
            start = file.read(512)
        if found.kind == "text":
            check_contents(path, start)
        elif not start.startswith(PARQUET_MAGIC):
            check_contents(path, start, "Parquet")
