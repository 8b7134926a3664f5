"""`qdit.report`: a selection as one HTML page, with its figures beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..common import checks, files
from ..common.progress import Phases, Progress, open_sink
from ..engine.shuffle import shuffled
from ..exporting.choice import Choice, open_choice
from . import analysis, evidence, page
from .analysis import Numbers
from .figures import require_matplotlib
from .sections import Builder
from .verbs import Verbs, count_pairs, load_parser

PAGE, NUMBERS = "report.html", "numbers.json"
_VERB_ROWS = 2_000


def report(
    directory: str | os.PathLike[str],
    *,
    pool: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    sweep: str | os.PathLike[str] | None = None,
    title: str | None = None,
    sample: int = 20_000,
    random_seeds: int = 5,
    near: float = 0.95,
    verbs: bool = True,
    seed: int = 0,
    quality: Any = None,
    given: Any = None,
    threads: int | None = None,
    progress: bool | Callable[[Progress], Any] | None = None,
) -> Path:
    """Write a page that shows what a selection took, what it left out and how good it is.

    The page needs no other file and loads nothing; all text from the data is escaped.

    Args:
        directory: a selection, an export or a run.
        pool: the pool directory; None takes the one that the selection names.
        out: directory for report.html, the figures as PNG and numbers.json; None for the folder "report" in
            `directory`.
        sweep: folder of a `qdit sweep` to show the trade-off of; None looks beside the selection.
        title: of the page.
        sample: rows of the pool that map, curves and worst regions are worked out on.
        random_seeds: random selections to compare with.
        near: similarity from which two picks count as nearly the same.
        verbs: parse instructions for verbs and nouns (up to 2,000), if spaCy is installed.
        seed: of the sample and the random selections.
        quality: scores that the selection was made with, if not the pool's own.
        given: rows that were given to select; the curves leave them out.
        threads: None for all processors that this process may use.
        progress: True for a bar on stderr, or a callable that takes a `qdit.Progress`.

    Returns:
        The path of the page.

    Raises:
        ImportError: without matplotlib.
        FileNotFoundError, ValueError: if files are missing, damaged or do not belong together.

    """
    require_matplotlib()
    threads = checks.check_threads(threads)
    sample = _at_least("sample", sample, 1)
    random_seeds = _at_least("random_seeds", random_seeds, 0)
    near, seed = checks.check_float("near", near), checks.check_seed(seed)
    folder = Path(directory) / "report" if out is None else Path(out)
    sink, bar = open_sink(progress)
    try:
        with open_choice(directory, pool, quality=quality, given=given) as choice:
            choice.check_rows()
            phases = Phases(sink, choice.rows.n, len(choice.selection))
            phases.picks = len(choice.selection)
            points = analysis.read_sweep(choice, None if sweep is None else Path(sweep))
            numbers = _numbers(choice, points, sample, random_seeds, near, seed, threads, phases)
            found, missing = _verbs(choice, verbs, seed, phases)
            phases.enter("figures")
            text, pictures = _page(choice, numbers, found, missing, near, title)
            values = _json(choice, numbers, found)
            phases.enter("done")
    finally:
        if bar is not None:
            bar.close()
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        files.write_atomic(folder / name, [picture])
    files.write_atomic(folder / NUMBERS, [values])
    files.write_atomic(folder / PAGE, [text.encode("utf-8", "replace")])
    return folder / PAGE


def _numbers(
    choice: Choice,
    points: tuple[analysis.Point, ...],
    sample: int,
    random_seeds: int,
    near: float,
    seed: int,
    threads: int,
    phases: Phases,
) -> Numbers:
    rows, chosen, params = choice.rows, choice.selection.indices, choice.selection.params
    metric, floor = str(params.get("metric", "cosine")), params.get("floor")
    some = analysis.sample_rows(rows, sample, seed)

    def curve(order: NDArray[np.int64]) -> analysis.Curve:
        return analysis.curve(
            rows, some, order, metric=metric, floor=floor, threads=threads, tick=phases.tick
        )

    phases.enter("coverage")
    own = curve(chosen)
    random, free = {}, analysis.rows_to_take(choice, threads)
    for i in range(seed, seed + random_seeds):
        phases.enter(f"random {i}")
        random[i] = curve(shuffled(free, i)[: len(chosen)])
    phases.enter("map")
    place = analysis.project(rows, some, chosen, seed)
    phases.enter("worst rows")
    regions = analysis.worst_regions(choice, some, own, threads)
    phases.enter("duplicates")
    near_picks = analysis.duplicates(choice, near, threads, phases.tick)
    return Numbers(some, own, random, place, regions, near_picks, points)


def _verbs(choice: Choice, wanted: bool, seed: int, phases: Phases) -> tuple[tuple[Verbs, Verbs] | None, str]:
    if not wanted:
        return None, "not asked for."
    try:
        parser = load_parser()
    except ImportError as error:
        return None, str(error)
    phases.enter("verbs")
    count = min(_VERB_ROWS, len(choice.selection))
    picks = shuffled(choice.selection.indices, seed)[:count]
    others = shuffled(np.arange(choice.rows.n), seed)[:count]
    found = [count_pairs(parser, (_instruction(choice, int(i)) for i in part)) for part in (picks, others)]
    return (found[0], found[1]), ""


def _instruction(choice: Choice, row: int) -> str:
    return choice.pool.records.row(row).instruction


def _page(
    choice: Choice,
    numbers: Numbers,
    found: tuple[Verbs, Verbs] | None,
    missing: str,
    near: float,
    title: str | None,
) -> tuple[str, dict[str, bytes]]:
    selection = choice.selection
    params = selection.params
    builder = Builder(choice, numbers)
    chosen, pool = found if found is not None else (None, None)
    sections = [
        builder.map(),
        builder.coverage(),
        builder.quality(),
        builder.sweep(),
        builder.sources(),
        builder.verbs(chosen, pool, missing),
        evidence.worst(choice, numbers),
        evidence.duplicates(choice, numbers, near),
        evidence.certificate(choice),
        evidence.provenance(choice),
    ]
    heading = title or f"{len(selection):,} rows chosen from {choice.pool.directory.resolve().name}"
    lead = (
        f"{len(selection):,} of {params['n']:,} rows, method {params['method']}, alpha {params['alpha']:g} "
        "(0 is diversity only, 1 is quality only)."
    )
    made = datetime.now(UTC).isoformat(timespec="minutes")
    foot = f"Made by qdit {__version__} on {made}. The page holds all it shows; it loads nothing."
    text = page.render(
        heading, lead, page.tiles(_tiles(choice, numbers)), [s for s in sections if s is not None], foot
    )
    return text, builder.pictures


def _tiles(choice: Choice, numbers: Numbers) -> list[tuple[str, str, str]]:
    selection = choice.selection
    n = int(selection.params["n"])
    found = [("rows chosen", f"{len(selection):,}", f"{len(selection) / n:.1%} of {n:,}")]
    random = [curve.coverage[-1] for curve in numbers.random.values()]
    beside = f"random rows: {np.mean(random):.4f}" if random else "mean similarity to the nearest pick"
    found.append(("coverage", f"{selection.coverage:.4f}", beside))
    if selection.mean_quality is not None:
        scores = choice.scores
        mean = "" if scores is None else f"pool: {scores.mean():.4g}"
        found.append(("mean quality", f"{selection.mean_quality:.4g}", mean))
    if selection.optimality is not None:
        share = f"{selection.optimality:.1%}"
        found.append(("optimality", f"≥ {share}", "of the best objective"))
    return found


def _json(choice: Choice, numbers: Numbers, found: tuple[Verbs, Verbs] | None) -> bytes:
    """Return the numbers behind the figures, for other programs."""
    selection = choice.selection
    value = {
        "rows": len(selection),
        "pool_rows": choice.rows.n,
        "sampled_rows": len(numbers.sample),
        "coverage": selection.coverage,
        "mean_quality": selection.mean_quality,
        "optimality": selection.optimality,
        "curve": {
            "rows_taken": numbers.chosen.ks.tolist(),
            "chosen": numbers.chosen.coverage.tolist(),
            "random": {str(seed): curve.coverage.tolist() for seed, curve in numbers.random.items()},
        },
        "sweep": [point.__dict__ for point in numbers.sweep],
        "near_duplicates": {f"{level:g}": count for level, count in numbers.duplicates.above.items()},
        "worst_regions": [region.__dict__ for region in numbers.regions],
        "verb_noun_pairs": None if found is None else [len(verbs.pairs) for verbs in found],
    }
    return json.dumps(value, indent=2, allow_nan=False).encode() + b"\n"


def _at_least(name: str, value: object, least: int) -> int:
    number = checks.check_int(name, value)
    if number < least:
        raise ValueError(f"{name}: got {number}, wanted at least {least}")
    return number
