"""`qdit.select`: greedy choice of rows that are both good and diverse; `qdit.sweep`: for several alphas."""

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from .._core import Engine
from ..common.progress import ProgressLike, open_sink
from ..common.types import StrPath
from ..engine.rows import EmbeddingsLike, open_embeddings
from .checkpoint import Checkpoint, resumable
from .options import Column, Quota, SelectOptions, check_alpha
from .quality import open_quality
from .run import Job, prepare
from .selection import Selection
from .tables import alpha_folder
from .weighing import with_diverse


def select(
    embeddings: EmbeddingsLike,
    quality: Column | None = None,
    alpha: float = 0.7,
    k: int | float | None = None,
    *,
    gain_scale: str = "sum",
    quality_scale: str = "raw",
    metric: str = "cosine",
    zero_rows: str = "error",
    floor: float | None = None,
    given: Column | None = None,
    represent: Column | None = None,
    weights: Column | None = None,
    probes: int | None = None,
    method: str = "auto",
    epsilon: float = 0.01,
    seed: int = 0,
    tau: float = 0.5,
    shortfall: str = "fill",
    clusters: int = 100,
    cell_share: str = "proportional",
    distance_weight: str = "none",
    labels: Column | None = None,
    label_threshold: float = 0.9,
    propagation: float = 1.0,
    exponent: float = 0.8,
    memory_budget: int | str | None = None,
    costs: Column | None = None,
    budget: float | None = None,
    groups: Column | None = None,
    quota: Quota | None = None,
    quota_mode: str = "at_most",
    quota_least: Quota | None = None,
    min_gain: float | None = None,
    min_coverage: float | None = None,
    exclude: Column | None = None,
    exclude_mode: str = "covered",
    threads: int | None = None,
    device: int = 0,
    backend: str = "auto",
    precision: str = "auto",
    checkpoint: StrPath | None = None,
    progress: ProgressLike = None,
) -> Selection:
    """Choose k rows that maximise (1 - alpha) * d(A) + alpha * sum of quality, greedily.

    d(A) is the sum over all rows v of the largest similarity of v to a chosen row; each step picks the row
    with the largest (1 - alpha) * d(a|A) + alpha * q(a), the smaller row number on ties (Bukharin & Zhao,
    "Data Diversity Matters for Robust Instruction Tuning", arXiv 2311.14736, Algorithm 2).

    Args:
        embeddings: (n, d) float16, bfloat16, float32 or float64, C-contiguous: an array, np.memmap, path to a
            .npy file, CPU tensor, what `qdit.open_embeddings` returned, or a CuPy array or torch tensor on a
            CUDA device. Never copied on the CPU.
        quality: (n,) finite scores (or the path of a .npy file), larger is better; None needs alpha=0.
        alpha: from 0 (diversity only) to 1 (quality only: the k best scores, whatever the greedy method).
        k: number of rows, or a fraction of n between 0 and 1. None is 10,000, or with exact quotas their sum,
            or with a budget as many as it buys.
        gain_scale: "sum" adds the gain as it is, "per_k" multiplies it by k / n, "balanced" by what makes
            alpha 0.5 reach about the same share of what quality and of what diversity could gain over random
            rows (measured on pools of up to 50,000 rows): 0.75 * k / n * (mean scaled quality of the k best
            rows - mean of all) / (coverage of diversity-only greedy - coverage of random rows), the coverages
            on a sample of 4,000 rows with the same n / k. `stats["balance"]` tells what each side weighed.
        quality_scale: "raw", "minmax", "zscore" or "rank".
        metric: "cosine" (rows are normalised as they are read) or "dot".
        zero_rows: under "cosine", "error" refuses rows of zeros, "ignore" leaves them out; those that embed
            or convert was told to keep in a file are always left out.
        floor: similarity that every row starts with; None starts with nothing, so that the first pick's
            similarities count as they are, negative ones too.
        given: what is already chosen: row numbers of the pool, or (m, d) rows outside it. Their coverage
            counts, they are not picked again.
        represent: what d(A) sums over in place of all rows of the pool: (m, d) other rows such as a
            benchmark's questions, float16 to float64, or row numbers of the pool; an array or the path of a
            .npy file. Picks are rows of the pool, those that come nearest to these. For methods "exact",
            "lazy", "naive", "stochastic", "quality" and "random".
        weights: positive numbers, one for each represented row, or for each row of the pool (or the path of a
            .npy file): d(A) is the sum of weight times similarity. They are rounded to multiples of a power
            of two that is at most 2**-34 of their sum, so that sums are exact.
        probes: of "sparse", the cells that each row is compared with; more keep more of the gain.
        method: greedy with the same picks: "exact" (all gains from one pass over all pairs, then kept up to
            date), "lazy" (upper bounds, Minoux 1978), "naive" (every gain at every pick). For large pools:
            "sparse" (a similarity graph of the pool, see `qdit.build_graph`, and greedy on it; the reported
            gains and coverage are still the exact ones over all rows). "auto" is "exact" if the memory
            budget lets it, else "lazy"; above 250,000 rows (5,000,000 on "cuda"), without constraints,
            "sparse". Greedy on samples: "stochastic" (ceil(n / k * ln(1 / epsilon)) random candidates per
            pick, Mirzasoleiman et al. 2015). Not greedy: "quality" (the best scores), "random", "threshold"
            (in order of quality, rows that are no more similar than tau to any kept or given row) and
            "cluster" (equally many of every k-means cluster, by quality), the last two as in arXiv
            2311.14736; "k_center" (the row that is least similar to all chosen and given rows, again and
            again, quality deciding ties; Gonzalez 1985), "kmq" (a draw from k-means cells, rows as likely as
            their quality is large; arXiv 2409.11378) and "mig" (greedy information gain on a graph of labels;
            arXiv 2504.13835). Of these alpha decides only what objective is reported.
        epsilon: between 0 and 1, how much "stochastic" may lose in expectation.
        seed: of "stochastic", "sparse", "random", "cluster", "kmq" and "mig".
        tau: of "threshold", a similarity.
        shortfall: of "threshold", when fewer than k rows are left: "fill" takes the best of the others,
            "stop" returns fewer, "error" raises ValueError. stats tells how many survived.
        clusters: k-means clusters of "cluster", "kmq" and, where it has no labels, "mig".
        cell_share: of "kmq": as many rows of each cell as is "proportional" to its size, or "equal" numbers.
        distance_weight: of "k_center": "none", or "quality" to multiply a row's distance sqrt(2 - 2 cosine)
            by its scaled quality, which must not be negative (Dyer & Frieze 1985).
        labels: of "mig": n integers or strings, or n lists of them such as tags; an array, or the path of a
            .npy file or of a .jsonl file with one JSON value a line. None takes k-means cells.
        label_threshold: of "mig": labels whose rows' mean directions have at least this cosine share what
            they are informed by.
        propagation: of "mig": how much they share; 0 for nothing.
        exponent: of "mig": a label informed by x counts x ** exponent; above 0, at most 1.
        memory_budget: bytes, or text such as "2GiB", beside the embeddings; None takes half of the available
            memory for "exact", 5 GB or half of the memory for the graph of "sparse", 512 MB for stored
            similarities otherwise. Changes no result but that of "sparse" where not all pairs fit.
        costs: (n,) positive numbers such as tokens (or the path of a .npy file), with budget. Greedy by score
            per cost and greedy by score both run, each passing over rows that no longer fit and ending when
            no row with a positive score is left (while nothing is chosen the best row is taken whatever its
            score); the result is the one with the larger objective (Leskovec et al., KDD 2007), stats has
            both. A score below zero would lower the objective: shift such quality, for instance with
            quality_scale="minmax".
        budget: what the costs of the picks may add up to, those of given rows not counted. Three times 0.1
            fit 0.3: four units in the last place are allowed for rounding.
        groups: (n,) integers or strings such as sources or languages (or a .npy file), with quota.
        quota: the most rows of each group, given rows not counted: a number, or {group: number}, where groups
            that are not named have no limit. Numbers between 0 and 1 are shares of k: {"en": 0.6, "de": 0.4}.
            Shares that add up to 1 become numbers that add up to k (largest remainders); others are rounded
            down, those of quota_least up.
        quota_mode: "at_most", or "exact": every group gets its quota, and k is their sum.
        quota_least: the fewest rows of each group, like quota; groups that are not named may have none. Picks
            are greedy as ever until as many are left as groups still lack, and those go to these groups
            (greedy methods, without a budget).
        min_gain: end before the first pick that raises the objective by less than this; fewer than k rows are
            returned then, and stats["ended_by"] tells.
        min_coverage: end with the pick that brings the coverage to this or above.
        exclude: row numbers that are not to be picked (or a .npy file, or a `Selection`).
        exclude_mode: "covered": excluded rows are represented still; "dropped": they do not count in d, as if
            represent named all others (with the methods and backends that take represent).
        threads: None for all processors that this process may use. Never changes the result.
        device: number of the device of backend "cuda"; embeddings that are on one stay there.
        backend: "cpu", "cuda" (an NVIDIA device of compute capability 8.0 or newer), "reference" (float64,
            slow, plain), or "auto" = "cuda" where the device can be used, else "cpu".
        precision: of products on backend "cuda": "float16" (picks within 1e-3 of the best), "split" (items as
            two float16: within 1e-6, for thrice the products), or "auto" = "split" for float32 and float64.
        checkpoint: a directory. A run that was stopped in any way goes on from it when the call is repeated
            and ends with the same picks; a finished one returns at once. It stays until you delete it.
        progress: True for a bar on stderr, or a callable that takes a `qdit.Progress`.

    Returns:
        The selection: indices in pick order, gains, scores, objective, coverage.

    Raises:
        TypeError: for a wrong dtype or kind of argument.
        ValueError: for wrong shapes, values, files, or a checkpoint of another run; rows are named.
        MemoryError: if memory_budget is below what the run needs.
        RuntimeError: if another run is using the checkpoint.

    """
    start = time.perf_counter()
    scope = locals()
    options = SelectOptions(**{name: scope[name] for name in SelectOptions.names()})
    return run_job(prepare(embeddings, options), start, checkpoint=checkpoint, progress=progress)


def sweep(
    embeddings: EmbeddingsLike,
    quality: Column | None,
    alphas: Iterable[float],
    k: int | float | None = None,
    *,
    checkpoint: StrPath | None = None,
    progress: ProgressLike = None,
    **options: Any,
) -> dict[float, Selection]:
    """Select for several values of alpha; equal to one `qdit.select` each, and faster.

    The pool is read, checked and hashed once. Method "exact" makes one pass over all pairs for all alphas
    that have the first pick in common (most have), method "sparse" builds one graph, and the others keep the
    similarities that they have stored.

    Args:
        embeddings: (n, d), as in `qdit.select`.
        quality: (n,) scores, as in `qdit.select`.
        alphas: distinct numbers from 0 (diversity only) to 1 (quality only).
        k: number of rows, or a fraction of n, as in `qdit.select`.
        checkpoint: a directory with a checkpoint for each alpha; a repeated call goes on from there.
        progress: True for a bar for each alpha, or a callable that takes a `qdit.Progress`.
        **options: the other options of `qdit.select`.

    Returns:
        alpha -> selection, in the order of alphas.

    Raises:
        TypeError, ValueError, MemoryError, RuntimeError: as `qdit.select`; no alphas, or one twice.

    """
    start = time.perf_counter()
    if "alpha" in options:
        raise TypeError("sweep: got option 'alpha', wanted alphas")
    chosen = SelectOptions.of("sweep", {"quality": quality, "k": k, **options})
    return run_sweep(embeddings, chosen, alphas, start, checkpoint=checkpoint, progress=progress)


def run_sweep(
    embeddings: EmbeddingsLike,
    options: SelectOptions,
    alphas: Iterable[float],
    start: float,
    *,
    checkpoint: StrPath | None,
    progress: ProgressLike,
) -> dict[float, Selection]:
    """Select for several values of alpha; start: perf_counter() when the call began."""
    jobs = _jobs(embeddings, options, alphas)
    first = next(iter(jobs.values()))
    caches = [job.plan.memory.cache_bytes for job in jobs.values() if job.plan.method.greedy]
    engine = first.problem.engine(threads=first.threads, cache_bytes=max(caches, default=0))
    maker = next((job.graph_maker for job in jobs.values() if job.graph_maker is not None), None)
    for job in jobs.values():
        job.check_engine(engine)
        job.inputs = first.inputs
        job.graph_maker = maker if job.graph_maker is not None else None
    selections = {}
    for alpha, job in jobs.items():
        job.problem.reset(engine)
        folder = None if checkpoint is None else Path(checkpoint) / alpha_folder(alpha)
        selections[alpha] = run_job(job, start, checkpoint=folder, progress=progress, engine=engine)
        start = time.perf_counter()
    return with_diverse(selections)


def _jobs(embeddings: EmbeddingsLike, options: SelectOptions, alphas: Iterable[float]) -> dict[float, Job]:
    values = [check_alpha(alpha) for alpha in alphas]
    if not values:
        raise ValueError("alphas: got none, wanted at least one")
    for i, alpha in enumerate(values):
        if alpha in values[:i]:
            raise ValueError(f"alphas: got {alpha} twice; drop repeats")
    rows = open_embeddings(embeddings)
    scores = open_quality(options.quality, rows.n)
    return {alpha: prepare(rows, replace(options, quality=scores, alpha=alpha)) for alpha in values}


def run_job(
    job: Job,
    start: float,
    *,
    checkpoint: StrPath | None,
    progress: ProgressLike,
    engine: Engine | None = None,
) -> Selection:
    """Run a prepared call, or finish it from its checkpoint.

    start: perf_counter() when the call began. engine: one that was reset for it; None makes one.
    """
    with open_sink(progress) as sink, resumable(checkpoint):
        if checkpoint is None:
            return job.run(start, sink=sink, engine=engine)
        with Checkpoint(checkpoint, job.identity(), job.problem.n) as saved:
            selection = saved.result(job.plan.k)
            if selection is None:
                selection = job.run(start, sink=sink, saved=saved, engine=engine)
                saved.finish(selection)
            return selection
