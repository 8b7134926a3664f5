"""The files of a folder that hold rows, and the split and subset that they are, as datasets tells them."""

import glob
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from .compressed import COMPRESSED
from .textfiles import SUFFIXES, suffix

PARQUET = ".parquet"
README = "README.md"
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".lz4", ".br", ".lzma", ".z", ".snappy")
_DESCRIPTIONS = ("config.json", "dataset_dict.json", "dataset_info.json", "dataset_infos.json", "state.json")
_SHARD = re.compile(r"data/(\w+(?:\.\w+)*)-\d{5}-of-\d{5}[^/]*\.[^/]*")
_WORDS = {
    "train": "train|training",
    "validation": "validation|valid|dev|val",
    "test": "test|testing|eval|evaluation",
}
_CALLED = {
    split: re.compile(rf"(?:^|[-._ 0-9])(?:{words})(?:[-._ 0-9]|$)") for split, words in _WORDS.items()
}
Splits = dict[str, set[str]]  # split -> files


@dataclass(frozen=True)
class Found:
    """Where the rows of a path are.

    Attributes:
        kind: "text", "parquet" or "disk", which is what save_to_disk wrote.
        files: the files with rows, in the order they are read.
        splits: the splits of a folder.
        left_out: why other files of a folder are not read.

    """

    kind: str
    files: list[Path]
    splits: tuple[str, ...] = ()
    left_out: Mapping[Path, str] = field(default_factory=dict)


def is_known(path: Path) -> bool:
    """Return whether a file has a name as files of rows have."""
    return suffix(path) in (*SUFFIXES, PARQUET)


def kind_of(path: Path) -> str:
    """Return "text" or "parquet"; ValueError for a file that cannot be read."""
    if not is_known(path):
        wanted = ", ".join((*SUFFIXES, PARQUET))
        raise ValueError(
            f"source: {path}: unknown suffix, wanted one of {wanted} (also with {', '.join(COMPRESSED)})"
        )
    if suffix(path) == PARQUET and path.suffix.lower() in COMPRESSED:
        raise ValueError(f"source: {path}: a Parquet file is compressed inside; unpack it")
    return "parquet" if suffix(path) == PARQUET else "text"


def visible_files(folder: Path) -> list[Path]:
    """Return the files in a folder and in those below it, by name, without hidden ones and markers."""
    return list(_walk(folder, {}, (os.path.realpath(folder),)))


def _walk(folder: Path, left_out: dict[Path, str], above: tuple[str, ...]) -> Iterator[Path]:
    """Yield files by name, also those behind links."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")):
            left_out[path] = "hidden, by its name"
        elif not path.is_dir():
            yield path
        elif (real := os.path.realpath(path)) in above:
            left_out[path] = "a link to a folder that it lies in"
        else:
            yield from _walk(path, left_out, (*above, real))


def open_folder(folder: Path, split: str, subset: str | None, patterns: str | None) -> Found:
    """Return what is read of a folder.

    The splits and subsets are those that datasets finds: `configs` in README.md, else by the names of folders
    and files; all files are split train where no name tells.

    Args:
        folder: the path.
        split: the one that is wanted, several as "train+test", or "all".
        subset: the one that is wanted, of those in README.md.
        patterns: the files that are meant, where not all are.

    Raises:
        ValueError: if there is nothing to read, no such split or subset, or files of two kinds.

    """
    left_out: dict[Path, str] = {}
    known: dict[str, Path] = {}
    for path in _walk(folder, left_out, (os.path.realpath(folder),)):
        if path.name in _DESCRIPTIONS:
            left_out[path] = "describes the data"
        elif not is_known(path):
            left_out[path] = "unknown suffix"
        else:
            known[path.relative_to(folder).as_posix()] = path
    _refuse_archives(folder, left_out)
    if not known:
        wanted = ", ".join((*SUFFIXES, PARQUET))
        _fail(
            f"{folder} holds no file of {wanted}, nor what save_to_disk writes; pass one that does", left_out
        )
    splits = {split: _matching(folder, patterns, known)} if patterns else _splits(folder, subset, known)
    read = _choose(folder, splits, split, known)
    for name in known.keys() - read:
        of = [f"split {split!r}" for split, files in splits.items() if name in files]
        left_out[known[name]] = " and ".join(of) or ("of another subset" if subset else "of no split")
    files: dict[str, Path] = {}
    for path in (path for name, path in known.items() if name in read):
        first = files.setdefault(os.path.realpath(path), path)
        if first != path:
            left_out[path] = f"the same file as {first.name}, by a link"
    kinds = sorted({suffix(path) for path in files.values()})
    if len(kinds) > 1:
        raise ValueError(
            f"source: {folder} holds {' and '.join(kinds)} files; give the ones that are meant, one by one"
        )
    read_files = list(files.values())
    return Found(kind_of(read_files[0]), read_files, tuple(splits), dict(sorted(left_out.items())))


def _choose(folder: Path, splits: Splits, split: str, known: Mapping[str, Path]) -> set[str]:
    """Return the files of the splits that are wanted."""
    wanted = list(splits) if split == "all" else split.split("+")
    for name in wanted:
        if name not in splits:
            there = ", ".join(f"{name!r} (files: {len(files):,})" for name, files in splits.items())
            raise ValueError(
                f"split: got {split!r}, but {folder} has {there}; pass one of them (--split), 'all', or the "
                "files that are meant, one by one"
            )
        if missing := sorted(splits[name] - known.keys()):
            raise FileNotFoundError(
                f"source: {folder} has no file {missing[0]!r} of rows for split {name!r}; put it there, or "
                f"mend the data_files that name it (in {README} if it has some)"
            )
    return {file for name in wanted for file in splits[name]}


def split_of(path: Path) -> list[str]:
    """Return the splits that a file is of, by its name alone."""
    return list(_by_name([path.name]))


def _refuse_archives(folder: Path, left_out: dict[Path, str]) -> None:
    packed = [path for path in left_out if path.suffix.lower() in _ARCHIVES and is_known(Path(path.stem))]
    if packed:
        _fail(
            f"{folder} holds rows that cannot be read as they are packed; unpack them",
            dict.fromkeys(packed, ""),
        )


def _fail(problem: str, left_out: Mapping[Path, str]) -> None:
    raise ValueError(f"source: {problem}{': ' if left_out else ''}{list_files(left_out)}")


def list_files(left_out: Mapping[Path, str], most: int = 3) -> str:
    """Return files and why they are not read in a line: the first of each reason, and how many there are."""
    reasons: dict[str, list[str]] = {}
    for path, why in left_out.items():
        reasons.setdefault(why, []).append(path.name.encode(errors="backslashreplace").decode())
    parts = []
    for why, names in reasons.items():
        more = f" and {len(names) - most:,} more" if len(names) > most else ""
        parts.append(", ".join(names[:most]) + more + (f" ({why})" if why else ""))
    return "; ".join(parts)


def _splits(folder: Path, subset: str | None, known: Mapping[str, Path]) -> Splits:
    """Return the files of every split of a subset."""
    config = _config(folder, subset)
    base = str(config.get("data_dir") or "")
    given = config.get("data_files")
    if given is None:
        return _by_name([name for name in known if PurePosixPath(name).is_relative_to(base)])
    if isinstance(given, list) and all(isinstance(entry, dict) for entry in given):
        given = {entry.get("split", "train"): entry.get("path") for entry in given}
    if not isinstance(given, dict):
        given = {"train": given}
    return {str(split): _matching(folder, patterns, known, base) for split, patterns in given.items()}


def _matching(folder: Path, patterns: Any, known: Mapping[str, Path], base: str = "") -> set[str]:
    """Return the known files that match patterns; a pattern that matches none stands for itself."""
    found: set[str] = set()
    for pattern in patterns if isinstance(patterns, list) else [patterns]:
        asked = str(PurePosixPath(base, str(pattern)))
        names = set(glob.glob(asked, root_dir=folder, recursive=True))  # noqa: PTH207  pathlib's ** differs
        found |= names & known.keys() or {asked}
    return found


def _by_name(names: list[str]) -> Splits:
    """Return the splits that names tell: of shards in data/, else of folders, else of files."""
    shards: Splits = {}
    for name in names:
        if match := _SHARD.fullmatch(name):
            shards.setdefault(match[1], set()).add(name)
    if shards:
        order = [*_WORDS, *shards]
        return dict(sorted(shards.items(), key=lambda item: order.index(item[0])))
    ways: tuple[Callable[[PurePosixPath], tuple[str, ...]], ...] = (
        lambda path: path.parent.parts,
        lambda path: (path.name,),
    )
    for parts in ways:
        found = {
            split: {name for name in names if any(map(called.search, parts(PurePosixPath(name))))}
            for split, called in _CALLED.items()
        }
        if any(found.values()):
            return {split: files for split, files in found.items() if files}
    return {"train": set(names)}


def _config(folder: Path, subset: str | None) -> Mapping[str, Any]:
    """Return the entry of README.md for a subset, {} if there is none and none is asked for."""
    configs = _configs(folder / README)
    names = [str(config.get("config_name", "default")) for config in configs]
    if subset is None:
        marked = [
            config
            for config, name in zip(configs, names, strict=True)
            if config.get("default") or name == "default"
        ]
        if len(configs) < 2 or marked:
            return [*marked, *configs, {}][0]
    elif subset in names:
        return configs[names.index(subset)]
    if names:
        raise ValueError(
            f"subset: got {subset!r}, but {folder} has {', '.join(map(repr, names))}; pass one of them"
        )
    hint = f"give {folder / str(subset)}" if (folder / str(subset)).is_dir() else "leave it out"
    raise ValueError(f"subset: got {subset!r}, but {folder / README} names none; {hint}")


def _configs(readme: Path) -> list[Mapping[str, Any]]:
    if not readme.is_file():
        return []
    match = re.match(r"\ufeff?---\s*\n(.*?)\n---", readme.read_text("utf-8", "replace"), re.DOTALL)
    if match is None or "configs:" not in match[1]:
        return []
    try:
        told = yaml.safe_load(match[1])
        configs = told["configs"]
        if not isinstance(configs, list) or not all(isinstance(config, dict) for config in configs):
            raise TypeError("wanted a list of entries with config_name and data_files")
    except (yaml.YAMLError, KeyError, TypeError) as error:
        why = " ".join(str(error).split())
        raise ValueError(f"{readme}: configs cannot be read: {why}; mend it or move it away") from error
    return configs
