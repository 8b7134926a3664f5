"""Selections of a study: made once, kept, and taken again by every figure that needs them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common import files
from ..common.identity import OtherRunError
from ..pipeline.state import State, Watch, fingerprint
from ..selection import options
from ..selection.api import alpha_folder, select, sweep
from ..selection.evaluate import row_coverage
from ..selection.selection import MANIFEST, Selection
from .methods import Method
from .sources import Source

_CHECKPOINT = "checkpoint"


@dataclass(frozen=True)
class Settings:
    """What the selections of a study have in common.

    Attributes:
        tau: largest similarity under QDIT:Threshold; the paper's is 0.5.
        clusters: of QDIT:Cluster; the paper's are 100.
        gain_scale, quality_scale: how diversity and quality meet, as in `qdit.select`.
        backend, threads: as in `qdit.select`.

    """

    tau: float = 0.5
    clusters: int = 100
    gain_scale: str = "sum"
    quality_scale: str = "raw"
    backend: str = "auto"
    threads: int | None = None

    def decisive(self) -> dict[str, Any]:
        """Return those that change picks."""
        return {"gain_scale": self.gain_scale, "quality_scale": self.quality_scale, "backend": self.backend}


class Shelf:
    """Selections from one pool in one folder, with a record of what each was made of."""

    def __init__(
        self,
        source: Source,
        folder: Path,
        settings: Settings | None = None,
        *,
        progress: Any = None,
        say: Callable[[str], Any] = lambda line: None,
    ) -> None:
        """Open or make the folder.

        progress: as `qdit.select` takes it. say: gets a line for every selection that is made.
        """
        self.source = source
        self.settings = settings or Settings()
        self._folder = folder
        self._progress = progress
        self._say = say
        self._state = State(folder)

    def get(self, methods: Iterable[Method], k: int | float) -> dict[Method, Selection]:
        """Return a selection of k rows for each method; what is missing is made.

        Alphas that are missing are made by one sweep, which shares their work. Killed, it goes on when it is
        called again.
        """
        k = options.resolve_k(k, self.source.rows.n)
        wanted = list(methods)
        missing = [method for method in wanted if not self._is_done(method, k)]
        greedy = [method for method in missing if method.kind == "qdit"]
        if len(greedy) > 1:
            self._sweep(greedy, k)
        for method in missing:
            if method not in greedy or len(greedy) == 1:
                self._select(method, k)
        return {method: Selection.load(self._place(method, k)) for method in wanted}

    def prefixes(self, methods: Sequence[Method], ks: Sequence[int]) -> dict[tuple[Method, int], Selection]:
        """Return selections of several sizes: the largest is made, the smaller ones are its first picks.

        That holds for all methods of the study as long as gains are not scaled by k.
        """
        if self.settings.gain_scale == "per_k":
            return {(method, k): found for k in ks for method, found in self.get(methods, k).items()}
        largest = self.get(methods, max(ks))
        return {(method, k): largest[method][:k] for k in ks for method in methods}

    def row_coverage(self, method: Method, k: int) -> NDArray[np.float64]:
        """Return for every row of the pool the similarity to the nearest of the k rows chosen, (n,)."""
        name, path = f"{method.key}-{k}-coverage", self._place(method, k) / "row_coverage.npy"
        chosen = self.get([method], k)[method]
        key = fingerprint(selection=files.sha256_array(chosen.indices), embeddings=self._embeddings)
        if not self._state.is_done(name, key):
            self._state.begin(name, key)
            watch = Watch()
            covered = row_coverage(
                self.source.rows, chosen, backend=self.settings.backend, threads=self.settings.threads
            )
            files.write_npy(path, covered)
            self._state.end(name, key, path, watch)
        return np.asarray(np.load(path, allow_pickle=False), np.float64)

    @property
    def _embeddings(self) -> str:
        return self.source.hashes["embeddings"]

    def _place(self, method: Method, k: int) -> Path:
        return self._folder / f"k{k}" / method.key

    def _key(self, method: Method, k: int) -> str:
        chosen = method.select_options(tau=self.settings.tau, clusters=self.settings.clusters)
        hashes = {name: found for name, found in self.source.hashes.items() if name != "records"}
        return fingerprint(k=k, chosen=chosen, settings=self.settings.decisive(), inputs=hashes)

    def _is_done(self, method: Method, k: int) -> bool:
        return self._state.is_done(f"{method.key}-{k}", self._key(method, k))

    def _options(self) -> dict[str, Any]:
        return {**self.settings.decisive(), "threads": self.settings.threads, "progress": self._progress}

    def _select(self, method: Method, k: int) -> None:
        own = method.select_options(tau=self.settings.tau, clusters=self.settings.clusters)
        checkpoint = self._place(method, k) / _CHECKPOINT
        watch = self._begin(method, k)
        found = _retry(
            checkpoint,
            lambda: select(
                self.source.rows, self.source.quality, k=k, checkpoint=checkpoint, **own, **self._options()
            ),
        )
        self._keep(method, k, found, watch)
        shutil.rmtree(checkpoint)

    def _sweep(self, methods: Sequence[Method], k: int) -> None:
        checkpoint = self._folder / f"k{k}" / _CHECKPOINT
        alphas = [float(method.alpha or 0.0) for method in methods]
        watches = [self._begin(method, k) for method in methods]
        found = _retry(
            checkpoint,
            lambda: sweep(
                self.source.rows, self.source.quality, alphas, k, checkpoint=checkpoint, **self._options()
            ),
            [checkpoint / alpha_folder(alpha) for alpha in alphas],
        )
        for method, alpha, watch in zip(methods, alphas, watches, strict=True):
            self._keep(method, k, found[alpha], watch)
        shutil.rmtree(checkpoint)

    def _begin(self, method: Method, k: int) -> Watch:
        self._state.begin(f"{method.key}-{k}", self._key(method, k))
        return Watch()

    def _keep(self, method: Method, k: int, found: Selection, watch: Watch) -> None:
        folder = self._place(method, k)
        found.save(folder)
        self._state.end(f"{method.key}-{k}", self._key(method, k), folder / MANIFEST, watch)
        quality = "" if found.mean_quality is None else f", mean quality {found.mean_quality:.4f}"
        self._say(f"{method.key:<12} {len(found):>7,} rows  coverage {found.coverage:.4f}{quality}")


def _retry(checkpoint: Path, work: Callable[[], Any], parts: Sequence[Path] = ()) -> Any:
    """Run, and once more from the start if the checkpoint is one of other inputs or options."""
    try:
        return work()
    except OtherRunError:
        for folder in parts or [checkpoint]:
            shutil.rmtree(folder, ignore_errors=True)
    return work()
