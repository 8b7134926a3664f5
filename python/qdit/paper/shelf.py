"""Selections of a study: made once, kept, and taken again by every figure that needs them."""

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..common import files
from ..common.progress import AnyProgressLike
from ..common.types import Floats, StrPath
from ..engine.rows import kept_zeros
from ..pipeline.state import Say, State, Watch, fingerprint, silent, with_checkpoint
from ..selection.api import run_sweep, select
from ..selection.evaluate import row_coverage
from ..selection.options import CoverageOptions, SelectOptions, resolve_k
from ..selection.quality import K_SCALES
from ..selection.selection import MANIFEST, Selection
from ..selection.tables import alpha_folder
from .methods import Method
from .options import FigureOptions, decisive
from .sources import Source, open_source

_CHECKPOINT = "checkpoint"
_SELECTIONS = "selections"


class Shelf:
    """Selections from one pool in one folder, with a record of what each was made of.

    Attributes:
        source: the pool.
        work: the folder; selections are in its folder "selections", and figures keep other work beside it.
        options: what the selections have in common.
        progress: as `qdit.select` takes it.
        say: gets a line for every selection that is made.

    """

    def __init__(
        self,
        source: Source,
        work: Path,
        options: SelectOptions | None = None,
        *,
        progress: AnyProgressLike = None,
        say: Say = silent,
    ) -> None:
        """Open or make the folder."""
        self.source, self.work, self.options = source, work, options or SelectOptions()
        self.progress, self.say = progress, say
        zeros = kept_zeros(source.rows.source)
        if zeros:
            say(f"{zeros:,} rows of {source.name} are zeros: they have no vector and are left out")
        self._state = State(work / _SELECTIONS)

    def get(self, methods: Iterable[Method], k: int | float) -> dict[Method, Selection]:
        """Return a selection of k rows for each method; what is missing is made.

        Alphas that are missing are made by one sweep, which shares their work. Killed, it goes on when it is
        called again.
        """
        k = resolve_k(k, self.source.rows.n)
        wanted = list(methods)
        missing = [
            method for method in wanted if not self._state.is_done(f"{method.key}-{k}", self._key(method, k))
        ]
        greedy = [method for method in missing if method.greedy]
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
        if self.options.gain_scale in K_SCALES:
            return {(method, k): found for k in ks for method, found in self.get(methods, k).items()}
        largest = self.get(methods, max(ks))
        return {(method, k): largest[method][:k] for k in ks for method in methods}

    def row_coverage(self, method: Method, k: int) -> Floats:
        """Return for every row of the pool the similarity to the nearest of the k rows chosen, (n,)."""
        chosen = self.get([method], k)[method]
        key = fingerprint(
            selection=files.sha256_array(chosen.indices), embeddings=self.source.hashes["embeddings"]
        )
        path = self._place(method, k) / "row_coverage.npy"
        options = vars(self.options.only(CoverageOptions))
        self._state.do_once(
            f"{method.key}-{k}-coverage",
            key,
            path,
            lambda: files.write_npy(path, row_coverage(self.source.rows, chosen, **options)),
        )
        return np.asarray(np.load(path, allow_pickle=False), np.float64)

    def _place(self, method: Method, k: int) -> Path:
        return self.work / _SELECTIONS / f"k{k}" / method.key

    def _key(self, method: Method, k: int) -> str:
        hashes = {name: found for name, found in self.source.hashes.items() if name != "records"}
        chosen = method.chosen(self.options)
        return fingerprint(k=k, chosen=chosen, settings=decisive(self.options), inputs=hashes)

    def _select(self, method: Method, k: int) -> None:
        asked = vars(self.options) | {"quality": self.source.quality, "k": k, **method.chosen(self.options)}
        checkpoint = self._place(method, k) / _CHECKPOINT

        def make() -> Selection:
            return select(self.source.rows, **asked, checkpoint=checkpoint, progress=self.progress)

        self._make([method], k, lambda: [with_checkpoint(make, checkpoint)])
        shutil.rmtree(checkpoint)

    def _sweep(self, methods: Sequence[Method], k: int) -> None:
        asked = replace(self.options, quality=self.source.quality, k=k)
        checkpoint = self.work / _SELECTIONS / f"k{k}" / _CHECKPOINT
        alphas = [float(method.alpha or 0.0) for method in methods]

        def make() -> dict[float, Selection]:
            start, rows = time.perf_counter(), self.source.rows
            return run_sweep(rows, asked, alphas, start, checkpoint=checkpoint, progress=self.progress)

        parts = [checkpoint / alpha_folder(alpha) for alpha in alphas]
        self._make(methods, k, lambda: with_checkpoint(make, *parts).values())
        shutil.rmtree(checkpoint)

    def _make(self, methods: Sequence[Method], k: int, work: Callable[[], Iterable[Selection]]) -> None:
        """Select by several methods at once, and keep what `work` returns for each."""
        for method in methods:
            self._state.begin(f"{method.key}-{k}", self._key(method, k))
        watch = Watch()
        for method, found in zip(methods, work(), strict=True):
            folder = self._place(method, k)
            found.save(folder)
            self._state.end(f"{method.key}-{k}", self._key(method, k), folder / MANIFEST, watch)
            quality = "" if found.mean_quality is None else f", mean quality {found.mean_quality:.4f}"
            self.say(f"{method.key:<12} {len(found):>7,} rows  coverage {found.coverage:.4f}{quality}")


def open_shelf(
    pool: StrPath,
    out: StrPath,
    options: FigureOptions,
    *,
    records: StrPath | None = None,
    progress: AnyProgressLike = None,
    say: Say = print,
) -> Shelf:
    """Open the pool of a figure that goes to `out`; records: with the texts, where the pool has none."""
    work = Path(out) / "work" if options.work is None else Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    source = open_source(
        pool, quality=options.quality, records=records, work=work, name=options.name, progress=progress
    )
    return Shelf(source, work, options.select_options(), progress=progress, say=say)
