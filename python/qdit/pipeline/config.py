"""The YAML file of a run: a source, and for each stage its options."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..embedding.options import EmbedOptions
from ..exporting import ExportOptions
from ..records.options import ImportOptions
from ..reporting import ReportOptions
from ..scoring.options import ScoreOptions
from ..selection.pool import PoolSelectOptions

STAGES = ("import", "embed", "score", "select", "sweep", "export", "report")
_OPTIONAL = ("sweep", "report")  # do not run unless the file names them
_SWITCHED = ("score", "export", *_OPTIONAL)  # may be false
_PLACES = ("source", "pool", "out")
# what the run itself decides, or what cannot stand in a file
_OWN = {"source", "pool", "selection", "out", "directory", "progress", "overwrite", "checkpoint", "kwargs"}
_OWN |= {"embeddings", "options", "settings", "sweep"}


@dataclass(frozen=True)
class Config:
    """A checked file.

    Attributes:
        source: what to import, as in `qdit.records.import_records`.
        pool: the pool directory.
        out: directory for the selection, the export, the report and run.json.
        stages: the options of each stage that runs, in order.

    """

    source: Any
    pool: Path
    out: Path
    stages: Mapping[str, dict[str, Any]]


def read_config(path: str | os.PathLike[str], *, out: str | os.PathLike[str] | None = None) -> Config:
    """Read and check a file; paths in it are relative to it.

    Args:
        path: YAML file with `source`, optionally `out` (default: its name without suffix, beside it) and
            `pool` (default: the folder pool in `out`), and a mapping of options for each of the stages
            import, embed, score, select, sweep, export, report. sweep and report run only if they are named,
            score and export may be false. `file` under embed or score takes an array that was made elsewhere.
        out: replaces the file's own.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no YAML, or has keys or options that do not exist.

    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"file: {file} does not exist; pass the YAML file of a run")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: this is no YAML: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file}: got {type(content).__name__}, wanted keys such as source, embed, select")
    check_names(str(file), content, (*_PLACES, *STAGES))
    if content.get("source") is None:
        raise ValueError(f"{file}: no source; name a file, a folder, a data set on the Hub or a named pool")
    base = file.parent
    folder = Path(out) if out is not None else base / str(content.get("out") or file.stem)
    pool = base / str(content["pool"]) if content.get("pool") else folder / "pool"
    stages = {}
    for name in STAGES:
        options = content.get(name, False if name in _OPTIONAL else {})
        if options is False and name in _SWITCHED:
            continue
        if not isinstance(options, dict) and options is not None and options is not True:
            raise ValueError(f"{file}: {name}: got {options!r}, wanted a mapping of options")
        options = dict(options) if isinstance(options, dict) else {}
        check_names(f"{file}: {name}", options, known_options(name))
        if "file" in options:
            options["file"] = str(base / str(options["file"]))
        stages[name] = options
    return Config(_located(content["source"], base), pool, folder, stages)


def known_options(stage: str) -> tuple[str, ...]:
    """Return the names of the options of a stage."""
    functions: dict[str, tuple[Callable[..., Any], ...]] = {
        "import": (),
        "embed": (),
        "score": (),
        "select": (),
        "sweep": (),
        "export": (ExportOptions,),
        "report": (ReportOptions,),
    }
    names = {name for function in functions[stage] for name in inspect.signature(function).parameters} - _OWN
    if stage == "import":
        names |= {*ImportOptions.names()}
    if stage == "embed":
        names |= {*EmbedOptions.names()}
    if stage == "score":
        names |= {"by", *ScoreOptions.names()}
    if stage in ("select", "sweep"):
        names |= {*PoolSelectOptions.names()}
    if stage in ("embed", "score"):
        names.add("file")
    if stage == "sweep":
        names = names - {"alpha"} | {"alphas"}
    return tuple(sorted(names))


def check_names(where: str, content: Mapping[Any, Any], known: tuple[str, ...]) -> None:
    """Raise ValueError for a key that is not known, with the one that was probably meant."""
    for name in content:
        if name in known:
            continue
        close = difflib.get_close_matches(str(name), known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"{where}: got {name!r}, wanted some of {', '.join(known)}{hint}")


def _located(source: Any, base: Path) -> Any:
    """Return sources with files relative to the config; what is no file stays."""
    if isinstance(source, list):
        return [_located(item, base) for item in source]
    if isinstance(source, dict):
        return {str(label): _located(item, base) for label, item in source.items()}
    file = base / str(source)
    return str(file.resolve()) if file.exists() else str(source)
