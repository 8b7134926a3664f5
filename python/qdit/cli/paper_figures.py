"""What ``qdit paper ...`` does for figures and tables that need no trained model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ..evaluation.coverage.questions import EncodingOptions, open_encoding, question_vectors
from ..evaluation.sets import open_questions
from ..paper.cost import Cost, cost
from ..paper.coverage import Robustness, coverage
from ..paper.fig1 import Fig1, fig1
from ..paper.fig2 import Fig2, fig2
from ..paper.fig9 import Fig9, fig9_pool, fig9_toy
from ..paper.methods import parse_all
from ..paper.results import finish
from ..paper.shelf import Settings, Shelf
from ..paper.sources import Source, open_source
from ..paper.toy import Toy
from ..reporting.figures import require_matplotlib
from ..selection.pool import is_pool
from .words import parse_alphas

_ALPHAS = "0,0.1,0.3,0.5,0.7,0.9,1"


def paper_fig1_command(
    pool: str,
    out: str,
    *,
    quality: str | None = None,
    records: str | None = None,
    name: str | None = None,
    k: int = 3_000,
    alpha: float = 0.7,
    seeds: int = 5,
    work: str | None = None,
    threads: int | None = None,
    progress: bool = True,
) -> None:
    """Figure 1: verbs and objects of instructions chosen at random, by quality and by QDIT.

    Args:
        pool: Pool directory, or .npy file of (n, d) embeddings with --quality and --records.
        out: Directory for fig1.png, fig1.csv, fig1-pairs.csv and so on.
        quality: .npy file of n scores; null for the pool's own.
        records: Pool directory or data file with the texts of a .npy file's rows.
        name: Name of the pool, for titles.
        k: Rows to choose.
        alpha: Alpha of QDIT.
        seeds: Random choices.
        work: Folder that keeps selections for other figures and for a repeated command; null for work in out.
        threads: Number of threads; null for all processors.
        progress: Show progress bars on stderr (--no-progress: do not).

    """
    start = time.perf_counter()
    require_matplotlib()
    source, shelf, folder = _open(
        pool, out, quality, records, name, work, Settings(threads=threads), progress
    )
    result = fig1(source, shelf, folder, Fig1(k, alpha, seeds), progress=progress)
    finish(result, out, start, print)


def paper_fig2_command(
    pool: str,
    out: str,
    *,
    quality: str | None = None,
    name: str | None = None,
    k: int = 3_000,
    alpha: str | float | list[float] = _ALPHAS,
    seeds: int = 5,
    file: str = "fig2",
    gain_scale: str = "sum",
    quality_scale: str = "raw",
    work: str | None = None,
    threads: int | None = None,
    backend: str = "auto",
    progress: bool = True,
) -> None:
    """Figures 2 and 6 to 8: coverage d/n against mean quality by alpha, and of random choices.

    Args:
        pool: Pool directory, or .npy file of (n, d) embeddings with --quality.
        out: Directory for fig2.png, fig2.csv, fig2-runs.csv and so on.
        quality: .npy file of n scores; null for the pool's own.
        name: Name of the pool, for titles.
        k: Rows to choose.
        alpha: Values from 0 (diversity only) to 1 (quality only), such as 0.1,0.5,0.9.
        seeds: Random choices.
        file: Name of the files; fig6, fig7, fig8 for the paper's other pools.
        gain_scale: sum or per_k, as in select.
        quality_scale: raw, minmax, zscore or rank, as in select.
        work: Folder that keeps selections for other figures and for a repeated command; null for work in out.
        threads: Number of threads; null for all processors.
        backend: auto, cpu, cuda or reference.
        progress: Show progress bars on stderr (--no-progress: do not).

    """
    start = time.perf_counter()
    require_matplotlib()
    settings = Settings(threads=threads, backend=backend, gain_scale=gain_scale, quality_scale=quality_scale)
    source, shelf, _ = _open(pool, out, quality, None, name, work, settings, progress)
    spec = Fig2(k, tuple(parse_alphas(alpha)), seeds, file)
    finish(fig2(source, shelf, spec), out, start, print)


def paper_fig9_command(
    out: str,
    *,
    pool: str | None = None,
    quality: str | None = None,
    name: str | None = None,
    k: int | None = None,
    alpha: float = 0.7,
    tau: float = 0.5,
    clusters: int | None = None,
    points: int = 400,
    groups: int = 5,
    width: float = 1.0,
    seed: int = 0,
    work: str | None = None,
    threads: int | None = None,
    progress: bool = True,
) -> None:
    """Figure 9: what QDIT, QDIT:Threshold and QDIT:Cluster choose, of made-up points or of a pool.

    Args:
        out: Directory for fig9.png, or fig9-pool.png with --pool, and so on.
        pool: Pool directory, or .npy file of embeddings with --quality; null for points of a plane.
        quality: .npy file of n scores; null for the pool's own.
        name: Name of the pool, for titles.
        k: Points or rows to choose; null for 30 points or 3000 rows.
        alpha: Alpha of QDIT.
        tau: Largest similarity under QDIT:Threshold.
        clusters: Clusters of QDIT:Cluster; null for 10 of points, 100 of a pool.
        points: Points to draw.
        groups: Groups of points, each half as large as the one before.
        width: Of the Gaussian that turns the distance of points into similarity.
        seed: Seed of the points.
        work: Folder that keeps selections of a pool; null for work in out.
        threads: Number of threads; null for all processors.
        progress: Show progress bars on stderr (--no-progress: do not).

    """
    start = time.perf_counter()
    require_matplotlib()
    if pool is None:
        spec = Fig9(30 if k is None else k, alpha, tau, 10 if clusters is None else clusters)
        finish(fig9_toy(Toy(points, groups, width, seed), spec), out, start, print)
        return
    spec = Fig9(3_000 if k is None else k, alpha, tau, 100 if clusters is None else clusters)
    settings = Settings(tau=tau, clusters=spec.clusters, threads=threads)
    source, shelf, _ = _open(pool, out, quality, None, name, work, settings, progress)
    finish(fig9_pool(source, shelf, spec), out, start, print)


def paper_cost_command(
    pool: str,
    out: str,
    *,
    quality: str | None = None,
    name: str | None = None,
    methods: str | list[str] = "random,quality,qdit:0.7,threshold,cluster",
    k: int | list[int] | str = "1000,3000,10000",
    repeats: int = 1,
    work: str | None = None,
    threads: int | None = None,
    backend: str = "auto",
    progress: bool = True,
) -> None:
    """Appendix on cost: seconds of selecting by method and k, beside what the paper reports.

    Args:
        pool: Pool directory, or .npy file of (n, d) embeddings with --quality.
        out: Directory for cost.csv, cost.md and so on.
        quality: .npy file of n scores; null for the pool's own.
        name: Name of the pool, for titles.
        methods: Such as random,quality,qdit:0.7,threshold,cluster.
        k: Rows to choose, several as 1000,3000.
        repeats: Runs of each; the table has the median.
        work: Folder that keeps what was timed; null for work in out.
        threads: Number of threads; null for all processors.
        backend: auto, cpu, cuda or reference.
        progress: Show progress bars on stderr (--no-progress: do not).

    """
    start = time.perf_counter()
    settings = Settings(threads=threads, backend=backend)
    spec = Cost(tuple(parse_all(methods)), _numbers("k", k), repeats)
    source, _, folder = _open(pool, out, quality, None, name, work, settings, progress)
    finish(cost(source, folder, spec, settings, progress=progress, say=print), out, start, print)


def paper_coverage_command(
    pool: str,
    out: str,
    questions: str | list[str] | dict[str, str],
    *,
    quality: str | None = None,
    name: str | None = None,
    model: str | None = None,
    k: int | list[int] | str = "3000,9000",
    alpha: str | float | list[float] = "0.1,0.3,0.5,0.7,0.9",
    seeds: int = 5,
    draws: int = 10_000,
    work: str | None = None,
    threads: int | None = None,
    device: str = "auto",
    local_files_only: bool = False,
    progress: bool = True,
) -> None:
    """How near the chosen instructions come to evaluation questions: a robustness that needs no model.

    Args:
        pool: Pool directory, or .npy file of (n, d) embeddings with --quality.
        out: Directory for coverage.csv, coverage-<set>.csv, coverage.png and so on.
        questions: Files by set, such as vicuna=vicuna.jsonl,koala=koala.jsonl.
        quality: .npy file of n scores; null for the pool's own.
        name: Name of the pool, for titles.
        model: Model that embedded the pool, or its folder; null where the pool's embeddings.json says it.
        k: Rows to choose, several as 3000,9000.
        alpha: Values of alpha.
        seeds: Random choices.
        draws: Bootstrap resamples.
        work: Folder that keeps selections and embedded questions; null for work in out.
        threads: Number of threads; null for all processors.
        device: Torch device of the model, or auto.
        local_files_only: Do not ask the Hub for the model.
        progress: Show progress bars on stderr (--no-progress: do not).

    """
    start = time.perf_counter()
    require_matplotlib()
    asked = open_questions(questions)
    source, shelf, folder = _open(pool, out, quality, None, name, work, Settings(threads=threads), progress)
    where = {"pool" if is_pool(pool) else "embeddings": pool}
    options = EncodingOptions(**where, model=model, device=device, local_files_only=local_files_only)
    _, encoding = open_encoding(options)
    assert encoding is not None
    vectors = question_vectors(asked, encoding, folder / "questions", progress)
    spec = Robustness(_numbers("k", k), tuple(parse_alphas(alpha)), seeds, draws)
    described = encoding.describe()
    described["name"] = Path(str(described.get("name", ""))).name  # not where it lies on this machine
    finish(coverage(source, shelf, asked, vectors, spec, encoder=described), out, start, print)


def _open(
    pool: str,
    out: str,
    quality: str | None,
    records: str | None,
    name: str | None,
    work: str | None,
    settings: Settings,
    progress: bool,
) -> tuple[Source, Shelf, Path]:
    """Return the pool, its selections, and the folder that keeps them."""
    folder = Path(out) / "work" if work is None else Path(work)
    folder.mkdir(parents=True, exist_ok=True)
    source = open_source(pool, quality=quality, records=records, work=folder, name=name, progress=progress)
    return source, Shelf(source, folder / "selections", settings, progress=progress, say=print), folder


def _numbers(name: str, given: Any) -> tuple[int, ...]:
    """Return the whole numbers of "1000,3000", of one number, or of several."""
    parts = given.strip("[] ").split(",") if isinstance(given, str) else given
    try:
        found = tuple(int(part) for part in (parts if isinstance(parts, list) else [parts]))
    except (TypeError, ValueError):
        raise ValueError(f"{name}: got {given!r}, wanted whole numbers such as 3000,9000") from None
    if not found or min(found) < 1:
        raise ValueError(f"{name}: got {given!r}, wanted whole numbers from 1")
    return found
