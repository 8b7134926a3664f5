"""What ``qdit paper ...`` does for figures and tables that train models."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.files import check_writable
from ..common.options import Options
from ..paper.cells import Runner
from ..paper.fig3 import fig3
from ..paper.fig4 import evaluation_of, fig4
from ..paper.losses import losses
from ..paper.results import Result, finish
from ..paper.study import Cell, Study, read_study
from ..paper.table1 import evaluations_of, table1
from ..paper.table2 import table2
from ..reporting.figures import require_matplotlib


@dataclass(frozen=True, kw_only=True)
class StudyOptions(Options):
    """How a study runs.

    Attributes:
        work: Folder that keeps selections, models, answers and scores; none for work in out. A repeated
            command, or another figure of the study, goes on from what is there.
        progress: Show progress bars on stderr (--no-progress: do not).
        dry_run: Print what would run and what is there already, and stop.

    """

    work: str | Path | None = None
    progress: bool = True
    dry_run: bool = False


def paper_fig3_command(study: str, out: str, **options: Any) -> None:
    """Figure 3: performance of models trained on what QDIT chooses, by alpha.

    Args:
        study: YAML file with pools, models, sizes, alphas, seeds, sets, and options of train, generate, hh
            and judge; see docs/paper.
        out: Directory for fig3.png, fig3.csv and so on.
        options: Those of `StudyOptions`.

    """
    require_matplotlib()
    _run(study, out, StudyOptions(**options), fig3, evaluations_of, Study.alpha_cells)


def paper_fig4_command(study: str, out: str, **options: Any) -> None:
    """Figure 4: every base model of a study trained on every number of rows.

    Args:
        study: YAML file with pools, models, sizes, methods, seeds, sets, and options of train, generate, hh
            (or judge, or loss); see docs/paper.
        out: Directory for fig4.png, fig4.csv and so on.
        options: Those of `StudyOptions`.

    """
    require_matplotlib()
    _run(study, out, StudyOptions(**options), fig4, lambda found: [evaluation_of(found)])


def paper_table1_command(study: str, out: str, **options: Any) -> None:
    """Table 1: winning score and HH score of models trained on what each method chose.

    Args:
        study: YAML file with pools, models, sizes, methods, seeds, sets, and options of train, generate, hh
            and judge; see docs/paper.
        out: Directory for table1.csv, table1.md and so on.
        options: Those of `StudyOptions`.

    """
    _run(study, out, StudyOptions(**options), table1, evaluations_of)


def paper_table2_command(study: str, out: str, **options: Any) -> None:
    """Table 2: benchmark scores of models trained on what each method chose.

    Args:
        study: YAML file with pools, models, sizes, methods, seeds, and options of train and benchmarks; see
            docs/paper.
        out: Directory for table2.csv, table2.md and so on.
        options: Those of `StudyOptions`.

    """
    _run(study, out, StudyOptions(**options), table2, lambda _: ["benchmarks"])


def paper_loss_command(study: str, out: str, **options: Any) -> None:
    """Loss of models trained on what each method chose, on the references of evaluation questions.

    Args:
        study: YAML file with pools, models, sizes, methods, seeds, sets, and options of train and loss; see
            docs/paper.
        out: Directory for losses.csv, losses-categories.csv and so on.
        options: Those of `StudyOptions`.

    """
    _run(study, out, StudyOptions(**options), losses, lambda _: ["loss"])


def _run(
    file: str,
    out: str,
    options: StudyOptions,
    make: Callable[[Runner], Result],
    evaluations: Callable[[Study], Sequence[str]],
    cells: Callable[[Study], list[Cell]] = Study.cells,
) -> None:
    """Make a figure or table of a study; evaluations, cells: what it needs, for a dry run."""
    start = time.perf_counter()
    study = read_study(file)
    work = Path(out) / "work" if options.work is None else Path(options.work)
    runner = Runner(study, work, progress=options.progress, say=print)
    if not options.dry_run:
        check_writable(Path(out))
        finish(make(runner), out, start)
        return
    for step in runner.steps(cells(study), evaluations(study)):
        print(f"{step.action:<8}{step.stage:<12}{step.cell}")
