"""The YAML file of a run: a source, and for each stage its options."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cleaning.options import DecontaminateOptions, PoolDedupOptions
from ..common.types import JSON, StrPath
from ..embedding.options import EmbedOptions
from ..exporting import ExportOptions
from ..records.options import ImportOptions
from ..reporting import ReportOptions
from ..scoring.options import ScoreOptions
from ..selection.pool import PoolSelectOptions
from .keys import Keys, mapping, read_yaml

STAGES: Mapping[str, Keys] = {  # in the order in which they run
    "import": Keys(ImportOptions),
    "embed": Keys(EmbedOptions, more=("file",)),
    "score": Keys(ScoreOptions, more=("by", "file")),
    "dedup": Keys(PoolDedupOptions, more=("drop",)),
    "decontaminate": Keys(DecontaminateOptions, more=("drop",)),
    "select": Keys(PoolSelectOptions),
    "sweep": Keys(PoolSelectOptions, own={"alpha": 0.0}, more=("alphas",)),
    "export": Keys(ExportOptions, own={"pool": None}),
    "report": Keys(ReportOptions, own={"pool": None, "out": None, "sweep": None}),
}
CLEANING = ("dedup", "decontaminate")  # may leave rows out
_OPTIONAL = (*CLEANING, "sweep", "report")  # do not run unless the file names them
_SWITCHED = ("score", "export", *_OPTIONAL)  # may be false


@dataclass(frozen=True)
class Config:
    """A checked file.

    Attributes:
        source: what to import, as in `qdit.import_records`.
        pool: the pool directory.
        out: directory for the selection, the export, the report and run.json.
        stages: the options of each stage that runs, in order.

    """

    source: Any
    pool: Path
    out: Path
    stages: Mapping[str, JSON]

    def drops(self, stage: str) -> bool:
        """Return whether a stage leaves rows out, and so makes a pool of its own."""
        return stage in CLEANING and bool(self.stages[stage].get("drop", True))

    def pool_of(self, stage: str) -> Path:
        """Return the pool that a stage works with: the one that the last stage before it made."""
        names = [*self.stages][: [*self.stages].index(stage)]
        return next((self.out / name for name in reversed(names) if self.drops(name)), self.pool)


def read_config(path: StrPath, *, out: StrPath | None = None) -> Config:
    """Read and check a file; paths in it are relative to it.

    Args:
        path: YAML file with `source`, optionally `out` (default: its name without suffix, beside it) and
            `pool` (default: the folder pool in `out`), and a mapping of options for each of the stages
            import, embed, score, dedup, decontaminate, select, sweep, export, report. dedup, decontaminate,
            sweep and report run only if they are named, score and export may be false. `file` under embed or
            score takes an array that was made elsewhere. drop: false under dedup or decontaminate names rows
            and leaves none out.
        out: replaces the file's own.

    Raises:
        FileNotFoundError: if there is no such file.
        TypeError, ValueError: if it is no YAML, has keys or options that do not exist, or values that options
            do not take.

    """
    file = Path(path)
    content = read_yaml(file, "file", "run", ("source", *STAGES, "pool", "out"))
    if content.get("source") is None:
        raise ValueError(
            f"{file}: no key source, with a file, a folder, a data set on the Hub or a named pool"
        )
    base = file.parent
    folder = Path(out) if out is not None else base / str(content.get("out") or file.stem)
    pool = base / str(content["pool"]) if content.get("pool") else folder / "pool"
    stages = {}
    for name, keys in STAGES.items():
        given = content.get(name, False if name in _OPTIONAL else {})
        if given is False and name in _SWITCHED:
            continue
        stages[name] = mapping(f"{file}: {name}", given)
        keys.check(f"{file}: {name}", stages[name])
        if "file" in stages[name]:
            stages[name]["file"] = str(base / str(stages[name]["file"]))
        for option in {"against", "vectors"} & {*stages[name]}:
            value = stages[name][option]
            stages[name][option] = _located(value.split(",") if isinstance(value, str) else value, base)
    return Config(_located(content["source"], base), pool, folder, stages)


def _located(source: Any, base: Path) -> Any:
    """Return sources with files relative to the config; what is no file stays."""
    if isinstance(source, list):
        return [_located(item, base) for item in source]
    if isinstance(source, dict):
        return {str(label): _located(item, base) for label, item in source.items()}
    file = base / str(source)
    return str(file.resolve()) if file.exists() else str(source)
