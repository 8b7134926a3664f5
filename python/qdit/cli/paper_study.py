"""What ``qdit paper ...`` does for figures and tables that train models."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..paper.cells import Runner
from ..paper.fig3 import fig3
from ..paper.fig4 import fig4, step_of
from ..paper.losses import losses
from ..paper.results import Result, finish
from ..paper.study import Cell, Study, read_study
from ..paper.table1 import steps_of, table1
from ..paper.table2 import table2
from ..reporting.figures import require_matplotlib


def paper_fig3_command(
    study: str, out: str, *, work: str | None = None, progress: bool = True, dry_run: bool = False
) -> None:
    """Figure 3: performance of models trained on what QDIT chooses, by alpha.

    Args:
        study: YAML file with pools, models, sizes, alphas, seeds, sets, and options of train, generate, hh
            and judge; see docs/paper.
        out: Directory for fig3.png, fig3.csv and so on.
        work: Folder that keeps selections, models, answers and scores; null for work in out. A repeated
            command, or another figure of the study, goes on from what is there.
        progress: Show progress bars on stderr (--no-progress: do not).
        dry_run: Print what would run and what is there already, and stop.

    """
    require_matplotlib()
    _run(study, out, work, progress, dry_run, fig3, steps_of, Study.alpha_cells)


def paper_fig4_command(
    study: str, out: str, *, work: str | None = None, progress: bool = True, dry_run: bool = False
) -> None:
    """Figure 4: every base model of a study trained on every number of rows.

    Args:
        study: YAML file with pools, models, sizes, methods, seeds, sets, and options of train, generate, hh
            (or judge, or loss); see docs/paper.
        out: Directory for fig4.png, fig4.csv and so on.
        work: Folder that keeps selections, models, answers and scores; null for work in out.
        progress: Show progress bars on stderr (--no-progress: do not).
        dry_run: Print what would run and what is there already, and stop.

    """
    require_matplotlib()
    _run(study, out, work, progress, dry_run, fig4, lambda found: [step_of(found)], Study.cells)


def paper_table1_command(
    study: str, out: str, *, work: str | None = None, progress: bool = True, dry_run: bool = False
) -> None:
    """Table 1: winning score and HH score of models trained on what each method chose.

    Args:
        study: YAML file with pools, models, sizes, methods, seeds, sets, and options of train, generate, hh
            and judge; see docs/paper.
        out: Directory for table1.csv, table1.md and so on.
        work: Folder that keeps selections, models, answers and scores; null for work in out.
        progress: Show progress bars on stderr (--no-progress: do not).
        dry_run: Print what would run and what is there already, and stop.

    """
    _run(study, out, work, progress, dry_run, table1, steps_of, Study.cells)


def paper_table2_command(
    study: str, out: str, *, work: str | None = None, progress: bool = True, dry_run: bool = False
) -> None:
    """Table 2: benchmark scores of models trained on what each method chose.

    Args:
        study: YAML file with pools, models, sizes, methods, seeds, and options of train and benchmarks; see
            docs/paper.
        out: Directory for table2.csv, table2.md and so on.
        work: Folder that keeps selections, models and scores; null for work in out.
        progress: Show progress bars on stderr (--no-progress: do not).
        dry_run: Print what would run and what is there already, and stop.

    """
    _run(study, out, work, progress, dry_run, table2, lambda _: ["benchmarks"], Study.cells)


def paper_loss_command(
    study: str, out: str, *, work: str | None = None, progress: bool = True, dry_run: bool = False
) -> None:
    """Loss of models trained on what each method chose, on the references of evaluation questions.

    Args:
        study: YAML file with pools, models, sizes, methods, seeds, sets, and options of train and loss; see
            docs/paper.
        out: Directory for losses.csv, losses-categories.csv and so on.
        work: Folder that keeps selections, models and losses; null for work in out.
        progress: Show progress bars on stderr (--no-progress: do not).
        dry_run: Print what would run and what is there already, and stop.

    """
    _run(study, out, work, progress, dry_run, losses, lambda _: ["loss"], Study.cells)


def _run(
    file: str,
    out: str,
    work: str | None,
    progress: bool,
    dry_run: bool,
    make: Callable[[Runner], Result],
    steps: Callable[[Study], Sequence[str]],
    cells: Callable[[Study], list[Cell]],
) -> None:
    start = time.perf_counter()
    study = read_study(file)
    runner = Runner(study, Path(out) / "work" if work is None else Path(work), progress=progress, say=print)
    if dry_run:
        for step in runner.plan(cells(study), steps(study)):
            print(f"{step.action:<8}{step.stage:<12}{step.cell}")
        return
    finish(make(runner), out, start)
