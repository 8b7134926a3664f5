"""Similarity graphs: of a large pool's n x n similarities, those that greedy selections need.

Building one costs minutes where an exact pass over all pairs costs hours. It depends on neither quality nor
alpha nor k, so any number of selections share it.
"""

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from ..._core import Engine, graph_select
from ...common.progress import Phases, ProgressLike, Sink, open_sink
from ...common.types import JSON, Array, Indices, StrPath
from ...common.versions import versions
from ...engine.blocks import commit, fixed_coverage
from ...engine.rows import EmbeddingsLike, Rows, open_embeddings
from .. import record
from ..baselines import free_rows
from ..methods import SPARSE
from ..options import Balance, Column, Machine, ObjectiveOptions, Start, resolve_k
from ..picks import Outcome
from ..plan import check_k
from ..problem import Problem, make_problem
from ..selection import Selection
from ..weighing import warn_of_balance, weigh
from . import files, steps
from .plan import check_backend


@dataclass(frozen=True, kw_only=True)
class FromGraph(Machine, Start, Balance):
    """The options of `SimilarityGraph.select`: metric and zero_rows are the graph's."""


@dataclass(frozen=True, eq=False, repr=False)
class SimilarityGraph:
    """For every row of a pool its most similar rows; `build_graph` and `load_graph` make it.

    Attributes:
        rows: the pool.
        offsets: (n + 1,) int64; the neighbors of row v are pairs[offsets[v]:offsets[v + 1]].
        pairs: (m,) {row: uint32, sim: int32}, each list by falling similarity (in units of 1 / scale), the
            smaller row first on ties. Every pair is in the lists of both rows, unless a list was full.
        sampled: row numbers, ascending, that first picks are chosen from.
        scale: units per similarity.
        params: what it was built with, defaults filled in.
        stats: what it took.

    """

    rows: Rows
    offsets: Indices
    pairs: Array
    sampled: Indices
    scale: float
    params: JSON
    stats: JSON = field(default_factory=dict)
    _diverse: dict[float | None, Indices] = field(default_factory=dict, init=False)

    def __repr__(self) -> str:
        return f"SimilarityGraph(n={self.rows.n}, pairs={len(self.pairs)}, metric={self.params['metric']!r})"

    @cached_property
    def source(self) -> JSON:
        """Hash, shape, dtype and origin of the embeddings."""
        return record.describe_rows(self.rows)

    def select(
        self,
        quality: Column | None = None,
        alpha: float = 0.7,
        k: int | float = 10_000,
        *,
        progress: ProgressLike = None,
        **options: Any,
    ) -> Selection:
        """Choose k rows greedily, by the similarities that the graph holds.

        The first picks come from exact greedy on the sampled rows, the others from the graph. Gains,
        objective and coverage of the result are the exact ones, over all rows; stats has the seconds to the
        picks and those of this evaluation apart. The backend, which need not be the one that built the graph,
        makes the first picks and the evaluation; picks from the graph are made on the CPU.

        Args:
            quality: (n,) scores as in `qdit.select`; None needs alpha=0.
            alpha: from 0 (diversity only) to 1 (quality only).
            k: number of rows, or a fraction of n between 0 and 1.
            progress: True for a bar on stderr, or a callable that takes a `qdit.Progress`.
            **options: gain_scale, quality_scale, floor, given, backend ("cpu", "cuda" or "auto"), device,
                precision, threads, as in `qdit.select`.

        Raises:
            TypeError, ValueError, RuntimeError: as `qdit.select`.

        """
        start = time.perf_counter()
        asked = FromGraph.of("SimilarityGraph.select", {"quality": quality, "alpha": alpha, **options})
        metric, zero_rows = self.params["metric"], self.params["zero_rows"]
        chosen = ObjectiveOptions(**vars(asked), metric=metric, zero_rows=zero_rows)
        problem = make_problem(self.rows, chosen)
        check_backend(problem.backend)
        k, threads = resolve_k(k, problem.n), chosen.thread_count
        check_k(k, problem.n, len(problem.given))
        with open_sink(progress) as sink:
            engine = problem.engine(threads=threads)
            outcome = self.pick(problem, k, engine, threads, sink)
            spent = engine.stats()
            weighed = weigh(
                problem,
                outcome,
                k,
                free_rows(problem, engine.ignored),
                engine=engine,
                diverse=partial(self.choose_diverse, problem, k, engine, threads),
            )
            warn_of_balance(problem, k, weighed.get("balance"))
        params = record.params(problem, k, SPARSE.name, len(engine.ignored))
        seconds = time.perf_counter() - start
        return record.result(
            problem,
            outcome,
            params=params | {"graph": dict(self.params)},
            stats={**spent, **outcome.report, "seconds_total": seconds, "versions": versions(), **weighed},
            inputs=record.describe_inputs(problem, self.source),
        )

    def pick(
        self, problem: Problem, k: int, engine: Engine, threads: int, sink: Sink | None = None
    ) -> Outcome:
        """Return the picks for a checked problem over this graph's rows; engine: one reset for it."""
        phases = Phases(sink, problem.n, k)
        start = time.perf_counter()
        d_start = engine.coverage()
        first, gains, rest, report = self._choose(problem, k, engine, threads, phases)
        seconds = time.perf_counter() - start
        phases.enter("evaluating", len(rest), "picks")
        gains = np.concatenate([gains, commit(engine, rest, phases.tick)])
        phases.picks = k
        phases.enter("done")
        report = {**phases.seconds, "seconds_to_picks": seconds, **report}
        return Outcome(np.concatenate([first, rest]), gains, engine.scale, d_start, report=report)

    def choose_diverse(self, problem: Problem, k: int, engine: Engine, threads: int) -> Indices:
        """Return the picks of alpha 0, without their gains; engine: is emptied first.

        They are kept, where nothing is given: fewer picks are the first of these.
        """
        plain = len(problem.given) == 0 and problem.outside is None
        known = self._diverse.get(problem.floor)
        if plain and known is not None and len(known) >= k:
            return known[:k]
        problem.reset(engine)
        alone = replace(problem, alpha=0.0, gain_scale="sum")
        first, _, rest, _ = self._choose(alone, k, engine, threads, Phases(None, problem.n, k))
        picks = np.concatenate([first, rest])
        if plain:
            self._diverse[problem.floor] = picks
        return picks

    def _choose(
        self, problem: Problem, k: int, engine: Engine, threads: int, phases: Phases
    ) -> tuple[Indices, Indices, Indices, JSON]:
        """Return first picks, their gains, the other picks, and what there is to report.

        First picks are added to the engine.
        """
        if engine.scale != self.scale:
            raise ValueError("given: rows longer than every row of the pool do not go with metric 'dot'")
        closed = np.union1d(problem.closed, engine.ignored)
        check_k(k, problem.n, len(closed))
        count = min(k, self.params["first_picks"]) if problem.alpha < 1.0 else 0
        phases.enter("first", count, "picks")
        first, multiplied = np.empty(0, np.int64), 0.0
        if count:
            first, multiplied = steps.first_picks(problem, k, self.sampled, count, threads, closed)
        gains = commit(engine, first, phases.tick)
        phases.enter("picking")
        rest = self._rest(problem, k, engine, threads, np.union1d(closed, first), len(first), phases)
        return first, gains, rest, {"first_picks": len(first), "multiplied_first": multiplied}

    def _rest(
        self,
        problem: Problem,
        k: int,
        engine: Engine,
        threads: int,
        closed: Indices,
        done: int,
        phases: Phases,
    ) -> Indices:
        is_open = np.ones(problem.n, bool)
        is_open[closed] = False
        phases.picks = done

        def on_progress(picks: Indices) -> None:
            phases.picks += len(picks)
            phases.tick(phases.picks / k)

        picks, _ = graph_select(
            self.offsets,
            self.pairs,
            fixed_coverage(engine),
            k - done,
            weight=problem.weight(k) / self.scale,
            bonus=problem.bonus,
            open=is_open,
            threads=threads,
            on_progress=on_progress,
        )
        return picks

    def save(self, directory: StrPath) -> Path:
        """Write offsets.npy, pairs.npy, sampled.npy and manifest.json; return the directory.

        A graph that is already there is replaced. The manifest goes first and the new one comes last, so
        whenever there is one the directory is whole.
        """
        manifest = {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "scale": self.scale,
            "params": self.params,
            "stats": self.stats,
            "inputs": {"embeddings": self.source},
        }
        arrays = {"offsets": self.offsets, "pairs": self.pairs, "sampled": self.sampled}
        return files.write(Path(directory), arrays, manifest)


def load_graph(directory: StrPath, embeddings: EmbeddingsLike) -> SimilarityGraph:
    """Open a saved graph; its arrays are memory-mapped.

    Args:
        directory: where `SimilarityGraph.save` wrote it.
        embeddings: the rows that it was built of.

    Raises:
        FileNotFoundError: if there is no complete graph in the directory.
        ValueError: if a file is damaged, or the graph is one of other embeddings.

    """
    rows = open_embeddings(embeddings)
    manifest, arrays = files.read(Path(directory))
    graph = SimilarityGraph(
        rows=rows, scale=manifest["scale"], params=manifest["params"], stats=manifest["stats"], **arrays
    )
    saved = manifest["inputs"]["embeddings"]
    for name in ("shape", "dtype", "sha256"):
        if graph.source[name] != saved[name]:
            raise ValueError(
                f"{directory}: {name} of embeddings is {graph.source[name]}, the graph was built of "
                f"{saved[name]}; build a graph of these embeddings"
            )
    return graph
