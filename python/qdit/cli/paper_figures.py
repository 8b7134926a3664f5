"""What ``qdit paper ...`` does for figures and tables that need no trained model."""

import time
from pathlib import Path
from typing import Any

from ..evaluation.coverage.questions import EncoderOptions, EncodingOptions, open_encoding, question_vectors
from ..evaluation.sets import open_questions
from ..paper.cost import CostOptions, cost
from ..paper.coverage import RobustnessOptions, coverage
from ..paper.fig1 import Fig1Options, fig1
from ..paper.fig2 import Fig2Options, fig2
from ..paper.fig9 import Fig9Options, fig9_pool, fig9_toy
from ..paper.results import finish
from ..paper.shelf import open_shelf
from ..reporting.figures import require_matplotlib
from ..selection.pool import is_pool


def paper_fig1_command(pool: str, out: str, *, progress: bool = True, **options: Any) -> None:
    """Figure 1: verbs and objects of instructions chosen at random, by quality and by QDIT.

    Args:
        pool: Pool directory, or .npy file of (n, d) embeddings with --quality and --records.
        out: Directory for fig1.png, fig1.csv, fig1-pairs.csv and so on.
        progress: Show progress bars on stderr (--no-progress: do not).
        options: Those of `Fig1Options`.

    """
    start, asked = time.perf_counter(), Fig1Options(**options)
    require_matplotlib()
    shelf = open_shelf(pool, out, asked, records=asked.records, progress=progress)
    finish(fig1(shelf, asked), out, start)


def paper_fig2_command(pool: str, out: str, *, progress: bool = True, **options: Any) -> None:
    """Figures 2 and 6 to 8: coverage d/n against mean quality by alpha, and of random choices.

    Args:
        pool: Pool directory, or .npy file of (n, d) embeddings with --quality.
        out: Directory for fig2.png, fig2.csv, fig2-runs.csv and so on.
        progress: Show progress bars on stderr (--no-progress: do not).
        options: Those of `Fig2Options`.

    """
    start, asked = time.perf_counter(), Fig2Options(**options)
    require_matplotlib()
    finish(fig2(open_shelf(pool, out, asked, progress=progress), asked), out, start)


def paper_fig9_command(out: str, *, progress: bool = True, **options: Any) -> None:
    """Figure 9: what QDIT, QDIT:Threshold and QDIT:Cluster choose, of made-up points or of a pool.

    Args:
        out: Directory for fig9.png, or fig9-pool.png with --pool, and so on.
        progress: Show progress bars on stderr (--no-progress: do not).
        options: Those of `Fig9Options`.

    """
    start, asked = time.perf_counter(), Fig9Options(**options)
    require_matplotlib()
    if asked.pool is None:
        result = fig9_toy(asked)
    else:
        result = fig9_pool(open_shelf(asked.pool, out, asked, progress=progress), asked)
    finish(result, out, start)


def paper_cost_command(pool: str, out: str, *, progress: bool = True, **options: Any) -> None:
    """Appendix on cost: seconds of selecting by method and k, beside what the paper reports.

    Args:
        pool: Pool directory, or .npy file of (n, d) embeddings with --quality.
        out: Directory for cost.csv, cost.md and so on.
        progress: Show progress bars on stderr (--no-progress: do not).
        options: Those of `CostOptions`.

    """
    start, asked = time.perf_counter(), CostOptions(**options)
    finish(cost(open_shelf(pool, out, asked, progress=progress), asked), out, start)


def paper_coverage_command(
    pool: str, out: str, questions: str | list[str] | dict[str, str], *, progress: bool = True, **options: Any
) -> None:
    """How near the chosen instructions come to evaluation questions: a robustness that needs no model.

    Args:
        pool: Pool directory, or .npy file of (n, d) embeddings with --quality.
        out: Directory for coverage.csv, coverage-<set>.csv, coverage.png and so on.
        questions: Files by set, such as vicuna=vicuna.jsonl,koala=koala.jsonl.
        progress: Show progress bars on stderr (--no-progress: do not).
        options: Those of `RobustnessOptions`.

    """
    start, asked = time.perf_counter(), RobustnessOptions(**options)
    require_matplotlib()
    found = open_questions(questions)
    shelf = open_shelf(pool, out, asked, progress=progress)
    place = {"pool" if is_pool(pool) else "embeddings": pool}
    _, encoding = open_encoding(EncodingOptions(**vars(asked.only(EncoderOptions)) | place))
    assert encoding is not None
    vectors = question_vectors(found, encoding, shelf.work / "questions", progress)
    described = encoding.describe()
    described["name"] = Path(str(described.get("name", ""))).name  # not where it lies on this machine
    finish(coverage(shelf, found, vectors, asked, encoder=described), out, start)
