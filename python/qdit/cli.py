"""The command line: ``qdit select``, ``qdit info``, ``qdit demo``."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonargparse import auto_cli

from . import budget
from ._version import __version__
from .checkpoint import CheckpointMismatchError
from .demo import run_demo
from .estimate import estimate
from .greedy import run_job
from .info import format_table, info
from .job import Job, prepare
from .progress import format_seconds
from .rows import open_embeddings
from .selection import MANIFEST, Selection

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
_VERBS = ("select", "info", "demo")
_FLAGS = ("dry_run", "overwrite", "progress")
_CHECKPOINT = "checkpoint"  # the folder in --out that keeps an unfinished run


def select_command(
    embeddings: str,
    quality: str | None = None,
    alpha: float = 0.7,
    k: int | float = 10_000,
    out: str | None = None,
    *,
    method: str = "auto",
    backend: str = "auto",
    metric: str = "cosine",
    floor: float | None = None,
    gain_scale: str = "sum",
    quality_scale: str = "raw",
    given: str | None = None,
    epsilon: float = 0.01,
    seed: int = 0,
    threads: int | None = None,
    memory_budget: int | str | None = None,
    zero_rows: str = "error",
    checkpoint: str | None = None,
    shape: str | list[int] | None = None,
    dtype: str | None = None,
    progress: bool = True,
    dry_run: bool = False,
    overwrite: bool = False,
) -> None:
    """Choose rows of an embedding file that are both good and diverse.

    Args:
        embeddings: .npy file of (n, d) float16, bfloat16, float32 or float64; raw with --shape and --dtype.
        quality: .npy file of n scores, larger is better. Needed unless alpha is 0.
        alpha: From 0 (diversity only) to 1 (quality only).
        k: Number of rows, or a fraction of them such as 0.05.
        out: Directory for the result. An unfinished run is kept in its folder "checkpoint" and goes on
            when the command is repeated.
        method: auto (lazy), lazy, naive or stochastic.
        backend: auto (cpu), cpu or reference.
        metric: cosine or dot.
        floor: Similarity that every row starts with; null for none.
        gain_scale: sum or per_k (gain times k / n).
        quality_scale: raw, minmax, zscore or rank.
        given: .npy file of row numbers, or of rows outside the pool, that are already chosen.
        epsilon: What method stochastic may lose, between 0 and 1.
        seed: Seed of method stochastic.
        threads: Number of threads; null for all processors.
        memory_budget: Memory beside the embeddings, such as 512MB or 2GiB.
        zero_rows: error, or ignore to leave rows of zeros out.
        checkpoint: Directory that keeps an unfinished run, instead of the one in --out; it stays when done.
        shape: Shape n,d of a raw file; n may be -1.
        dtype: Dtype of a raw file; bfloat16 also reads a .npy file of 2-byte items as bfloat16.
        progress: Show a progress bar on stderr (--no-progress: do not).
        dry_run: Print memory and time that the run would take, and stop.
        overwrite: Replace the selection in --out, or an unfinished run of other options there.

    """
    start = time.perf_counter()
    job = prepare(
        open_embeddings(embeddings, shape=_parse_shape(shape), dtype=dtype),
        quality,
        alpha,
        k,
        method=method,
        backend=backend,
        metric=metric,
        floor=floor,
        gain_scale=gain_scale,
        quality_scale=quality_scale,
        given=given,
        epsilon=epsilon,
        seed=seed,
        threads=threads,
        memory_budget=memory_budget,
        zero_rows=zero_rows,
    )
    if dry_run:
        print(_describe_estimate(job))
        return
    if out is not None and not overwrite and (Path(out) / MANIFEST).exists():
        raise ValueError(f"out: {out} holds a selection already; pass --overwrite or another directory")
    if out is None or checkpoint is not None:
        selection = run_job(job, start, checkpoint=checkpoint, progress=progress)
    else:
        selection = _run_in(Path(out) / _CHECKPOINT, job, start, progress, overwrite)
    if out is not None:
        selection.save(out)
        if checkpoint is None:
            shutil.rmtree(Path(out) / _CHECKPOINT)
    print(_describe_selection(selection, out))


def _run_in(checkpoint: Path, job: Job, start: float, progress: bool, overwrite: bool) -> Selection:
    try:
        return run_job(job, start, checkpoint=checkpoint, progress=progress)
    except CheckpointMismatchError:
        if not overwrite:
            raise
    shutil.rmtree(checkpoint)
    return run_job(job, start, checkpoint=checkpoint, progress=progress)


def info_command() -> None:
    """Print version, compiler, instruction sets, threads and CUDA status."""
    print(format_table(info()))


def demo_command(
    out: str = "demo-out",
    *,
    rows: int = 20_000,
    dims: int = 384,
    k: int = 1_000,
    seed: int = 0,
    threads: int | None = None,
    progress: bool = True,
) -> None:
    """Choose from a sample pool in four ways; print a table and draw a picture.

    Args:
        out: Directory for the pool, the selections and picks.png.
        rows: Rows of the pool.
        dims: Dimensions of the pool.
        k: Rows to choose.
        seed: Seed of the pool.
        threads: Number of threads; null for all processors.
        progress: Show progress bars on stderr (--no-progress: do not).

    """
    run_demo(Path(out), rows=rows, dims=dims, k=k, seed=seed, threads=threads, progress=progress)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    0 done; 1 it failed while running; 2 wrong usage or input; 130 interrupted by Ctrl-C.
    """
    arguments = normalise(sys.argv[1:] if argv is None else argv)
    commands: dict[str, Any] = {"select": select_command, "info": info_command, "demo": demo_command}
    try:
        auto_cli(
            commands,
            args=arguments,
            prog="qdit",
            version=__version__,
            description="Choose fine-tuning data that is both good and diverse.",
        )
    except SystemExit as stop:  # the parser printed help, a version or what is wrong
        return stop.code if isinstance(stop.code, int) else BAD_INPUT
    except KeyboardInterrupt as interrupt:
        _complain("interrupted" + "".join(f"; {note}" for note in getattr(interrupt, "__notes__", ())))
        return INTERRUPTED
    except (ValueError, TypeError, FileNotFoundError) as error:
        _complain(f"error: {error}")
        return BAD_INPUT
    except (RuntimeError, MemoryError, OSError, ImportError) as error:
        _complain(f"error: {str(error) or type(error).__name__}")
        return FAILED
    return OK


def normalise(argv: Sequence[str]) -> list[str]:
    """Return arguments as the parser wants them.

    ``--dry-run`` becomes ``--dry_run=true``, ``--no-progress`` becomes ``--progress=false``, and a config
    file goes before the other options, because what comes later wins.
    """
    before: list[str] = []
    config: list[str] = []
    after: list[str] = []
    words = list(argv)
    while words and words[0] not in _VERBS:
        before.append(_spelled(words.pop(0), words))
    before += words[:1]
    words = words[1:]
    while words:
        word = words.pop(0)
        if word == "--":
            after += [word, *words]
            break
        word = _spelled(word, words)
        if word == "--config":
            config += [word, *words[:1]]
            words = words[1:]
        else:
            (config if word.startswith("--config=") else after).append(word)
    return before + config + after


def _spelled(word: str, following: list[str]) -> str:
    match = re.fullmatch(r"--([a-zA-Z][\w-]*)(=.*)?", word, re.DOTALL)
    if match is None:
        return word
    name, value = match[1].replace("-", "_"), match[2] or ""
    if name.startswith("no_") and name[3:] in _FLAGS and not value:
        return f"--{name[3:]}=false"
    if name in _FLAGS and not value and following[:1] not in (["true"], ["false"]):
        return f"--{name}=true"
    return f"--{name}{value}"


def _parse_shape(shape: str | list[int] | None) -> tuple[int, int] | None:
    if shape is None:
        return None
    parts = re.split(r"\s*[,x]\s*", shape.strip().strip("()[]")) if isinstance(shape, str) else shape
    try:
        n, d = (int(part) for part in parts)
    except ValueError:
        raise ValueError(f"shape: got {shape!r}, wanted n,d such as 20000,384") from None
    return n, d


def _describe_estimate(job: Job) -> str:
    rows = job.problem.rows
    found = estimate(job)
    size = budget.format_bytes(rows.nbytes)
    each = f"{found.seconds_per_evaluation * 1e6:,.1f} us each"
    return format_table(
        {
            "embeddings": f"{rows.n:,} x {rows.d} {rows.dtype}, {size}, {rows.source}",
            "run": f"{job.plan.k:,} picks, method {job.plan.method}, {job.threads} threads",
            "memory needed": f"{budget.format_bytes(found.memory_needed)} beside the embeddings",
            "memory for speed": f"up to {budget.format_bytes(found.cache_bytes)} of stored similarities",
            "evaluations": f"about {found.evaluations:,.0f} at {each}",
            "time": f"about {format_seconds(found.seconds)} (an estimate; half or twice that is likely)",
        }
    )


def _describe_selection(selection: Selection, out: str | None) -> str:
    params, stats = selection.params, selection.stats
    n = int(params["n"])
    rows = {
        "picked": f"{len(selection):,} of {n:,} rows, method {params['method']}",
        "coverage": f"{selection.coverage:.6f}",
    }
    if selection.mean_quality is not None:
        rows["mean quality"] = f"{selection.mean_quality:.6f}"
    rows["objective"] = f"{selection.objective:.6f}"
    rows["seconds"] = f"{stats['seconds_total']:.1f}"
    rows["evaluations"] = f"{stats['evaluations']:,} ({stats['evaluations'] / n:.2f} for each row)"
    if stats["resumed_picks"]:
        rows["resumed"] = f"{stats['resumed_picks']:,} picks from the checkpoint"
    engine = [stats["backend"], stats["simd"], f"{stats['threads']} thread" + "s" * (stats["threads"] != 1)]
    rows["engine"] = ", ".join(part for part in engine if part)
    rows["saved"] = out if out is not None else "not saved; pass --out DIR"
    return format_table(rows)


def _complain(message: str) -> None:
    print(f"qdit: {message}", file=sys.stderr)
