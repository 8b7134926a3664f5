"""What ``qdit evaluate coverage``, ``benchmarks`` and ``humaneval`` do."""

from pathlib import Path
from typing import Any

from ..evaluation.benchmarks.api import run_benchmarks
from ..evaluation.benchmarks.model import BenchmarkOptions
from ..evaluation.coverage.api import CoverageOptions, evaluate_coverage
from ..evaluation.execution import REFUSAL
from ..evaluation.humaneval.api import HumanEvalOptions, run_humaneval
from ..evaluation.results import ROWS
from ..evaluation.tables import Table


def evaluate_coverage_command(
    selections: str | list[str] | dict[str, str],
    questions: str | list[str] | dict[str, str],
    out: str,
    *,
    progress: bool = True,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Measure how near chosen training instructions come to evaluation questions; no trained model is needed.

    Args:
        selections: Directory of a selection, an export or a run, or .npy file of row numbers; several as a,b
            or label=a,other=b.
        questions: SET=FILE, or several such as wizardlm=a.jsonl,vicuna=b.jsonl; sets: self-instruct,
            wizardlm, vicuna, koala, lima, alpaca-eval, sharegpt, jsonl.
        out: Directory for coverage.json, rows.jsonl and the tables.
        progress: Show progress bars on stderr (--no-progress: do not).
        overwrite: Replace results of other selections or questions.
        options: Those of `CoverageOptions`.

    """
    given = vars(CoverageOptions(**options))
    found = evaluate_coverage(selections, questions, out, progress=progress, overwrite=overwrite, **given)
    shown = ("mean", "worst", "difference")
    print("\n".join(found.tables[name].markdown() for name in shown if name in found.tables))
    print(f"in {Path(out)}")


def evaluate_benchmarks_command(
    model: str, out: str, *, progress: bool = True, overwrite: bool = False, **options: Any
) -> None:
    """Run benchmarks on a model with lm-eval: its own tasks, and tasks by the protocol of InstructEval.

    Args:
        model: Hub id or folder of a causal language model, or of adapters.
        out: Directory with a folder for each benchmark; those that are done there are not run again.
        progress: Show lm-eval's progress bars on stderr (--no-progress: do not).
        overwrite: Replace results that were made with other settings.
        options: Those of `BenchmarkOptions`.

    """
    given = vars(BenchmarkOptions(**options))
    found = run_benchmarks(model, out, progress=progress, overwrite=overwrite, **given)
    print(found.table.markdown())
    print(f"in {Path(out)}")


def evaluate_humaneval_command(
    model: str, out: str, *, progress: bool = True, overwrite: bool = False, **options: Any
) -> None:
    """Have a model complete the problems of HumanEval, and run what it wrote if that is allowed.

    Args:
        model: Hub id or folder of a causal language model (what qdit train wrote, adapters too), or with
            base_url its name there.
        out: Directory for texts, verdicts, rows and score; a repeated command goes on there.
        progress: Show progress bars on stderr (--no-progress: do not).
        overwrite: Replace texts and a result that were made with other settings.
        options: Those of `HumanEvalOptions`.

    """
    given = vars(HumanEvalOptions(**options))
    found = run_humaneval(model, out, progress=progress, overwrite=overwrite, **given)
    if found.record is None:
        print(f"{len(found.rows):,} completions in {Path(out) / ROWS}; no score yet: {REFUSAL}")
        return
    rows = [[value.metric, value.value, len(found.rows)] for value in found.values]
    print(Table(["metric", "score", "samples"], rows, f"HumanEval, {given['protocol']} protocol").markdown())
    print(f"in {Path(out)}")
