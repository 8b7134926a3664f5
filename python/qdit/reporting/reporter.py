"""`qdit.report`: a selection as one HTML page, with its figures beside it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ..common import files
from ..common.optional import check_installed
from ..common.progress import Phases, ProgressLike, open_phases
from ..common.types import Indices, StrPath
from ..engine.shuffle import shuffled
from ..exporting.choice import Choice, open_choice
from ..selection.tables import covered, is_of_pool
from . import analysis, evidence, page
from .analysis import Numbers
from .options import ReportOptions
from .sections import Builder
from .verbs import Verbs, count_pairs, load_parser

PAGE, NUMBERS = "report.html", "numbers.json"
_VERB_ROWS = 2_000


def report(directory: StrPath, *, progress: ProgressLike = None, **options: Any) -> Path:
    """Write a page that shows what a selection took, what it left out and how good it is.

    The page needs no other file and loads nothing; all text from the data is escaped.

    Args:
        directory: a selection, an export or a run.
        progress: True for a bar on stderr, or a callable that takes a `qdit.Progress`.
        options: those of `qdit.reporting.ReportOptions`.

    Returns:
        The path of the page.

    Raises:
        ImportError: without matplotlib.
        FileNotFoundError, ValueError: if files are missing, damaged or do not belong together.

    """
    return write_report(directory, ReportOptions.of("report", options), progress)


def write_report(directory: StrPath, options: ReportOptions, progress: ProgressLike = None) -> Path:
    """Do what `report` says."""
    check_installed(options.packages())
    folder = Path(directory) / "report" if options.out is None else Path(options.out)
    files.check_writable(folder)
    with open_choice(directory, options) as choice:
        choice.check_rows()
        with open_phases(progress, choice.rows.n, len(choice.selection)) as phases:
            numbers = analysis.work_out(choice, options, phases)
            verbs, missing = _verbs(choice, options, phases)
            phases.enter("figures")
            text, pictures = _page(choice, numbers, verbs, missing, options)
            values = _json(choice, numbers, verbs)
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        files.write_atomic(folder / name, [picture])
    files.write_atomic(folder / NUMBERS, [values])
    files.write_atomic(folder / PAGE, [text.encode("utf-8", "replace")])
    return folder / PAGE


def _verbs(choice: Choice, options: ReportOptions, phases: Phases) -> tuple[tuple[Verbs, Verbs] | None, str]:
    """Return the verbs of picks and of as many random rows, or why there are none."""
    if not options.verbs:
        return None, "not asked for."
    try:
        parser = load_parser()
    except ImportError as error:
        return None, str(error)
    phases.enter("verbs")
    records = choice.pool.records
    count = min(_VERB_ROWS, len(choice.selection))

    def counted(rows: Indices) -> Verbs:
        some = shuffled(rows, options.seed)[:count].tolist()
        return count_pairs(parser, (records.row(row).instruction for row in some))

    return (counted(choice.selection.indices), counted(np.arange(choice.rows.n))), ""


def _page(
    choice: Choice, numbers: Numbers, verbs: tuple[Verbs, Verbs] | None, missing: str, options: ReportOptions
) -> tuple[str, dict[str, bytes]]:
    selection = choice.selection
    params = selection.params
    builder = Builder(choice, numbers)
    sections = [
        builder.map(),
        builder.coverage(),
        builder.quality(),
        builder.balance(),
        evidence.measures(choice, numbers),
        builder.sweep(),
        builder.sources(),
        builder.verbs(verbs, missing),
        evidence.worst(choice, numbers),
        evidence.duplicates(choice, numbers, options.near),
        evidence.certificate(choice),
        evidence.provenance(choice),
    ]
    heading = options.title or f"{len(selection):,} rows chosen from {choice.pool.directory.resolve().name}"
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
    random = numbers.random_coverage
    beside = "mean similarity to the nearest pick"
    if not is_of_pool(selection):
        beside = f"of {covered(selection)}; of the pool: {numbers.chosen.coverage[-1]:.4f}"
    elif len(random):
        beside = f"random rows: {random.mean():.4f}"
    found.append(("coverage", f"{selection.coverage:.4f}", beside))
    if selection.mean_quality is not None:
        scores = choice.scores
        mean = "" if scores is None else f"pool: {scores.mean():.4g}"
        found.append(("mean quality", f"{selection.mean_quality:.4g}", mean))
    if selection.optimality is not None:
        share = f"{selection.optimality:.1%}"
        found.append(("optimality", f"≥ {share}", "of the best objective"))
    return found


def _json(choice: Choice, numbers: Numbers, verbs: tuple[Verbs, Verbs] | None) -> bytes:
    """Return the numbers behind the figures, for other programs."""
    selection = choice.selection
    value = {
        "rows": len(selection),
        "pool_rows": choice.rows.n,
        "sampled_rows": len(numbers.sample),
        "coverage": selection.coverage,
        "mean_quality": selection.mean_quality,
        "optimality": selection.optimality,
        "balance": selection.stats.get("balance"),
        "curve": {
            "rows_taken": numbers.chosen.ks.tolist(),
            "chosen": numbers.chosen.coverage.tolist(),
            "random": {str(seed): curve.coverage.tolist() for seed, curve in numbers.random.items()},
        },
        "measures": None if numbers.measured is None else numbers.measured.json()["measures"],
        "sweep": [point.__dict__ for point in numbers.sweep],
        "near_duplicates": {f"{level:g}": count for level, count in numbers.duplicates.above.items()},
        "worst_regions": [region.__dict__ for region in numbers.regions],
        "verb_noun_pairs": None if verbs is None else [len(found.pairs) for found in verbs],
    }
    return files.to_json(value, indent=2).encode() + b"\n"
