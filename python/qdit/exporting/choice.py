"""A selection together with the pool that it was made from."""

import json
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..common import files
from ..common.closing import Closing
from ..common.shape import ENTRIES, Shape
from ..common.types import JSON, Floats, Indices, StrPath
from ..engine.rows import Rows
from ..records.pool import Pool
from ..selection.methods import METHODS, Method
from ..selection.options import Column, DeviceOptions, SelectOptions
from ..selection.problem import MEASURES, Problem, make_problem
from ..selection.quality import open_quality
from ..selection.record import describe_inputs, sha256_of_shards
from ..selection.selection import MANIFEST, Selection
from ..selection.tables import SWEEP

EXPORT_FORMAT = "qdit-export"
_SHAPE: Shape = {"files": ENTRIES, "settings": {}, "trainers": {"*": {}}, "pool": str}
SELECTION_FOLDER = "selection"
_WERE = {  # inputs that no pool has
    "given": "given",
    "represent": "represented",
    "weights": "weighted",
    "exclude": "excluded",
}


@dataclass(frozen=True, kw_only=True)
class ChoiceOptions(DeviceOptions):
    """Where what belongs to a selection is, and who works with it.

    Attributes:
        pool: Pool directory; none for the one that the selection names.
        quality: Scores that the selection was made with, if not the pool's own: an array or .npy file.
        given: Rows that were given to select, an array or .npy file.
        represent: What the selection represents, if its file is no more where it was: an array or .npy file.
        weights: Weights that the selection was made with, an array or .npy file.
        exclude: Row numbers that the selection was not to pick, an array or .npy file.

    """

    pool: str | Path | None = None
    quality: Column | None = None
    given: Column | None = None
    represent: Column | None = None
    weights: Column | None = None
    exclude: Column | None = None


class MissingInputError(ValueError):
    """What a selection was made with is not there, so that it cannot be made again."""


@dataclass(frozen=True, eq=False)
class Choice(Closing):
    """A selection and its pool, as `open_choice` returns them.

    Attributes:
        directory: what was opened: a selection, an export or a run.
        folder: where in it the selection is.
        selection: the picks.
        pool: what they were picked from.
        options: what else belongs to the selection.

    """

    directory: Path
    folder: Path
    selection: Selection
    pool: Pool
    options: ChoiceOptions

    @property
    def threads(self) -> int:
        """How many threads work with it."""
        return self.options.thread_count

    def close(self) -> None:
        """Close the files of the pool."""
        self.pool.records.close()

    @property
    def rows(self) -> Rows:
        """The pool's embeddings."""
        rows = self.pool.embeddings
        if rows is None:
            raise ValueError(f"{self.pool.directory}: no embeddings.npy; make them with qdit embed")
        return rows

    @property
    def metric(self) -> str:
        """What similarity is: "cosine" or "dot"."""
        return str(self.selection.params.get("metric", "cosine"))

    @cached_property
    def scores(self) -> Floats | None:
        """Raw quality of every row, (n,), or None."""
        quality = self.options.quality
        return self.pool.quality if quality is None else open_quality(quality, self.rows.n)

    @cached_property
    def problem(self) -> Problem:
        """What the selection maximised, in the arithmetic it was made with; inputs are checked by hash.

        Raises:
            MissingInputError: if given, represented or excluded rows or weights are needed and not there.
            ValueError: if embeddings, quality or one of those are not those of the selection.

        """
        params = self.selection.params
        options = SelectOptions(
            quality=self.scores if "quality" in self.selection.inputs else None,
            given=self._input("given"),
            represent=self._input("represent"),
            weights=self._input("weights"),
            exclude=self._input("exclude"),
            exclude_mode=params.get("exclude_mode", "covered"),
            **{name: params[name] for name in ("alpha", *MEASURES) if name in params},
            backend=params.get("backend", "cpu"),
            device=self.options.device,
            precision=params.get("precision", "auto"),
            threads=self.options.threads,
        )
        problem = make_problem(self.rows, options)
        for name, entry in describe_inputs(problem, {"sha256": self._sha256()}).items():
            self._same(name, entry["sha256"])
        return problem

    def _input(self, name: str) -> Column | None:
        """Return an input that is no part of the pool: as it is passed, or from where it was."""
        passed, entry = getattr(self.options, name), self.selection.inputs.get(name)
        if passed is not None or entry is None:
            return passed
        source = entry.get("source", "memory")
        if name == "represent" and Path(source).is_file():
            return str(source)
        raise MissingInputError(
            f"{self.folder}: {entry['shape'][0]} rows were {_WERE[name]} when this selection was made; pass "
            f"{name}, what select was called with"
        )

    def count_sources(self) -> tuple[list[str], Indices, Indices]:
        """Return the labels of the sources, and how many rows of each there are in the pool and chosen."""
        codes, labels = self.pool.records.sources()
        counts = [np.bincount(rows, minlength=len(labels)) for rows in (codes, codes[self.selection.indices])]
        return labels, counts[0], counts[1]

    @cached_property
    def method(self) -> Method | None:
        """The method of the selection, or None for one that only `qdit.distributed` has."""
        return METHODS.get(self.selection.params["method"])

    @property
    def limits(self) -> list[str]:
        """What limited the selection beside k."""
        return sorted({"budget", "quota"} & set(self.selection.params))

    def check_rows(self) -> None:
        """Raise ValueError if the pool's embeddings are not those of the selection."""
        self._same("embeddings", self._sha256())

    def _sha256(self) -> str:
        """Return the hash of the pool's embeddings, cut as the selection had them."""
        array, dtype = self.rows.array, self.rows.dtype
        shards = self.selection.inputs["embeddings"].get("shards")
        if shards is None:
            return files.sha256_array(array, dtype)
        stops = np.cumsum([shard["rows"] for shard in shards]).tolist()
        parts = (array[start:stop] for start, stop in pairwise([0, *stops]))
        return sha256_of_shards(files.sha256_array(part, dtype) for part in parts)

    def mismatch(self, name: str, found: str) -> str | None:
        """Return what is wrong if an input of the selection has another hash now."""
        entry = self.selection.inputs.get(name)
        if entry is None or entry["sha256"] == found:
            return None
        own = getattr(self.options, name, None) is None
        where = entry["source"] if name == "represent" else self.pool.directory / f"{name}.npy"
        where = where if own else name
        return f"{where} has sha256 {found}, the selection in {self.folder} was made of {entry['sha256']}"

    def _same(self, name: str, found: str) -> None:
        problem = self.mismatch(name, found)
        if problem is not None:
            raise ValueError(f"{problem}; pass the {name} of that selection, or select again")

    @property
    def weight(self) -> float:
        """What a gain is multiplied by in a score."""
        params = self.selection.params
        return (1.0 - float(params["alpha"])) * float(params["gain_factor"])

    @cached_property
    def ranks(self) -> Indices:
        """Return the rank of every row of the pool, 1 for the first pick and 0 for rows not chosen; (n,)."""
        ranks = np.zeros(len(self.pool.records), np.int64)
        ranks[self.selection.indices] = np.arange(1, len(self.selection) + 1)
        return ranks


def open_choice(directory: StrPath, options: ChoiceOptions | None = None) -> Choice:
    """Open a selection with its pool.

    directory: what `Selection.save`, `qdit.export` or `qdit run` wrote.

    Raises:
        FileNotFoundError: if there is no selection, or no pool where the selection says.
        ValueError: if files are damaged or do not belong together.

    """
    options = ChoiceOptions() if options is None else options
    path = Path(directory)
    folder = selection_folder(path)
    selection = Selection.load(folder)
    opened = Pool.open(_find_pool(path, folder, selection, options.pool))
    n = int(selection.params["n"])
    if len(opened.records) != n:
        opened.records.close()
        raise ValueError(
            f"{opened.directory} has {len(opened.records):,} rows, the selection in {folder} was made from "
            f"{n:,}; pass the pool it was made from"
        )
    return Choice(path, folder, selection, opened, options)


def read_export(directory: Path) -> JSON:
    """Return the manifest of an export."""
    return files.read_json(directory / MANIFEST, EXPORT_FORMAT, remedy="export again", shape=_SHAPE)


def selection_folder(path: Path) -> Path:
    """Return where under `path` the selection is: there, or in its folder "selection"."""
    kind = _kind(path / MANIFEST)
    if kind not in (None, EXPORT_FORMAT) or not (path / SELECTION_FOLDER / MANIFEST).is_file():
        if (path / SWEEP).is_file() and kind is None:
            folders = sorted(found.parent.name for found in path.glob(f"alpha-*/{MANIFEST}"))
            raise ValueError(f"{path} is a sweep; pass one of its selections: {', '.join(folders)}")
        return path
    return path / SELECTION_FOLDER


def _kind(path: Path) -> str | None:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value.get("format") if isinstance(value, dict) else None


def _find_pool(path: Path, folder: Path, selection: Selection, pool: StrPath | None) -> Path:
    if pool is not None:
        return Path(pool)
    candidates: list[Path] = []
    if folder != path and _kind(path / MANIFEST) == EXPORT_FORMAT:
        candidates.append(path / read_export(path)["pool"])
    source = selection.inputs["embeddings"].get("source", "memory")
    for one in [source] if isinstance(source, str) else source:  # a list of those of shards
        if one != "memory":
            candidates.append(Path(one).parent)
    candidates = list(dict.fromkeys(candidates))
    for candidate in candidates:
        if (candidate / "records.json").is_file():
            return candidate
    looked = f" (no records.json in {', '.join(map(str, candidates))})" if candidates else ""
    raise FileNotFoundError(f"pool: {folder} names no pool with records{looked}; pass pool (--pool)")
