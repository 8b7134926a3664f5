"""The result of a selection: rows in pick order, what each one was worth, and where they came from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..common import files
from ..common.checks import check_int
from ..common.shape import ENTRIES, NULL, NUMBER, Shape
from ..common.types import JSON, Floats, Indices, StrPath

if TYPE_CHECKING:
    from ..engine.rows import EmbeddingsLike
    from .assign import Assignment

FORMAT = "qdit-selection"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
_FILES = {"indices": np.int64, "gains": np.float64, "scores": np.float64, "quality": np.float64}


@dataclass(frozen=True, eq=False, repr=False)
class Selection:
    """Rows chosen by `qdit.select`, in pick order; ``sel[:k2]`` is the selection of the first k2 picks.

    Attributes:
        indices: (k,) int64 row numbers in pick order.
        gains: (k,) float64 diversity gain d(a|A) of each pick, in units of similarity summed over rows.
        scores: (k,) float64, (1 - alpha) * gain_factor * gain + alpha * scaled quality, what it won with.
        quality: (k,) float64 raw quality of the picks, or None.
        objective: (1 - alpha) * gain_factor * d(A and given) + alpha * sum of the picks' scaled quality.
        coverage: d / n, the mean over all rows of the similarity to the nearest chosen or given row; with
            represent the mean over these, with weights the weighted one.
        mean_quality: mean raw quality of the picks, or None.
        upper_bound: what the objective of no other permitted set of rows exceeds: (1 - alpha) * gain_factor *
            d(A and given) plus the largest sum over k rows of alpha * quality, plus (1 - alpha) * gain_factor
            * gain for those that are not chosen. Under a budget or quotas the sum is over what they permit.
            None for prefixes, and where the method does not know the gains of all rows ("stochastic" and
            those that are not greedy, but "quality" at alpha = 1).
        optimality: objective / upper_bound, between 0 and 1: what share of the best possible objective this
            one reaches at least. Where quality is negative both are first raised by k times what makes the
            worst row's scaled quality 0, or the ratio would say nothing; a row far below all others, such as
            a missing score written as -1e9, thus makes it nearly 1 whatever is chosen. None without
            upper_bound, or if the objective is negative still.
        d_start: d before the first pick, that of the given rows or the floor, so that
            coverage = (d_start + sum(gains)) / n.
        params: what was asked for, with defaults filled in.
        stats: what it took: evaluations, seconds, bytes, backend, instruction set, threads.
        inputs: for each input its sha256, shape, dtype and path.

    """

    indices: Indices
    gains: Floats
    scores: Floats
    quality: Floats | None
    objective: float
    coverage: float
    mean_quality: float | None
    d_start: float = 0.0
    upper_bound: float | None = None
    optimality: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    stats: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_picks(
        cls,
        indices: Indices,
        gains: Floats,
        scores: Floats,
        quality: Floats | None,
        *,
        d_start: float,
        params: Mapping[str, Any],
        stats: Mapping[str, Any],
        inputs: Mapping[str, Any],
    ) -> Selection:
        """Build a selection from its picks; see `Selection` for d_start.

        params must hold n, alpha and gain_factor.
        """
        total = float(params.get("total_weight", params["n"]))
        weight = (1.0 - float(params["alpha"])) * float(params["gain_factor"])
        most = 1.0 if params.get("metric") == "cosine" else math.inf  # where rounding goes beyond
        return cls(
            indices=indices,
            gains=gains,
            scores=scores,
            quality=quality,
            objective=math.fsum([weight * d_start, *scores.tolist()]),
            coverage=max(-most, min(most, math.fsum([d_start, *gains.tolist()]) / total)),
            mean_quality=None if quality is None else math.fsum(quality.tolist()) / len(quality),
            d_start=d_start,
            params=params,
            stats=stats,
            inputs=inputs,
        )

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, key: slice) -> Selection:
        """Return the selection of the first picks.

        It is what select would have returned for that k, except under gain_scale="per_k", method "stochastic"
        and a budget, where the picks depend on k. It has no upper_bound.
        """
        if not isinstance(key, slice):
            raise TypeError(
                f"selection: got index {key!r}, wanted a prefix sel[:k]; single rows: sel.indices[i]"
            )
        if key.start not in (None, 0) or key.step not in (None, 1):
            raise ValueError(
                f"selection: got {_slice_text(key)}, wanted a prefix [:k]; other parts are no greedy "
                "selection: slice sel.indices"
            )
        k = len(self) if key.stop is None else check_int("selection: end of the prefix", key.stop)
        k = k + len(self) if k < 0 else k
        if not 1 <= k <= len(self):
            raise ValueError(f"selection: got a prefix of {k} picks, wanted 1 to {len(self)}")
        if k == len(self):
            return self
        return Selection.from_picks(
            self.indices[:k],
            self.gains[:k],
            self.scores[:k],
            None if self.quality is None else self.quality[:k],
            d_start=self.d_start,
            params={**self.params, "k": k, "prefix_of": self.params.get("prefix_of", len(self))},
            stats=self.stats,
            inputs=self.inputs,
        )

    def __repr__(self) -> str:
        parts = [f"k={len(self)}", f"coverage={self.coverage:.4f}"]
        if self.mean_quality is not None:
            parts.append(f"mean_quality={self.mean_quality:.4f}")
        parts.append(f"objective={self.objective:.6g}")
        parts += [f"{key}={self.params[key]!r}" for key in ("alpha", "method", "n") if key in self.params]
        return f"Selection({', '.join(parts)})"

    def assign(self, embeddings: EmbeddingsLike, **options: Any) -> Assignment:
        """Give every row of the pool to the pick that is most similar to it; see `qdit.assign`.

        options: weights, represent, progress and those of the engine; metric is the selection's own.
        """
        from .assign import assign  # it takes selections

        return assign(embeddings, self, **{"metric": self.params.get("metric", "cosine"), **options})

    def save(self, directory: StrPath) -> Path:
        """Write indices.npy, gains.npy, scores.npy, quality.npy (if any) and manifest.json.

        A selection that is already there is replaced once the new one is written, and stays if that fails.
        Its manifest goes before the files and the new one comes last, so whenever there is a manifest the
        directory is whole; `load` refuses it in between.

        Returns:
            The directory.

        """
        path = Path(directory)
        record = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "result": {key: getattr(self, key) for key in _RESULT},
            "params": dict(self.params),
            "stats": dict(self.stats),
            "inputs": dict(self.inputs),
        }
        arrays = {f"{name}.npy": getattr(self, name) for name in _FILES if getattr(self, name) is not None}
        with files.new_files(path, MANIFEST) as folder:
            entries = {name: files.write_npy(folder / name, array) for name, array in arrays.items()}
            files.write_json(folder / MANIFEST, record | {"files": entries})
        return path

    @classmethod
    def load(cls, directory: StrPath) -> Selection:
        """Read a saved selection and check the hash of every file.

        Raises:
            FileNotFoundError: if there is no complete selection in the directory.
            ValueError: if a file is damaged or was changed.

        """
        path = Path(directory)
        if not (path / MANIFEST).is_file():
            raise FileNotFoundError(f"{path}: no {MANIFEST}, so no complete selection; save or select again")
        record = files.read_json(path / MANIFEST, FORMAT, FORMAT_VERSION, "select again", _SHAPE)
        arrays = _load_arrays(path, record["files"])
        values = {key: record["result"][key] for key in _RESULT}
        rest = {key: record[key] for key in ("params", "stats", "inputs")}
        return cls(**arrays, **values, **rest)


_SHAPE: Shape = {
    "files": ENTRIES,
    "result": {"objective": NUMBER, "*": (*NUMBER, NULL)},
    "params": {"n": int, "method": str, "gain_factor": NUMBER, "alpha": NUMBER, "floor": (*NUMBER, NULL)},
    "inputs": {"embeddings": dict, "*": (dict, NULL)},
}
_RESULT = ("objective", "coverage", "mean_quality", "d_start", "upper_bound", "optimality")


def _load_arrays(path: Path, entries: Mapping[str, Any]) -> JSON:
    arrays: JSON = {}
    for name, dtype in _FILES.items():
        file = f"{name}.npy"
        if name == "quality" and file not in entries:
            arrays[name] = None
            continue
        array = files.load_verified(path, file, entries[file], "select again")
        if array.dtype != dtype or array.ndim != 1:
            raise ValueError(
                f"{path / file}: got {array.ndim}-d {array.dtype.name}, wanted 1-d {np.dtype(dtype)}"
            )
        arrays[name] = array
    return arrays


def _slice_text(key: slice) -> str:
    parts = ["" if part is None else str(part) for part in (key.start, key.stop)]
    return f"[{':'.join(parts)}]" if key.step is None else f"[{':'.join(parts)}:{key.step}]"
