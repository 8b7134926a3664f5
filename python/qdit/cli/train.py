"""What ``qdit train`` does."""

from typing import Any

from ..common.text import format_seconds, format_table
from ..common.types import JSON
from ..training.job import Trained, TrainJob
from ..training.options import TrainOptions
from ..training.trainer import is_first

_LAST = 10  # steps whose mean loss is shown as the last


def train_command(
    data: str,
    out: str,
    *,
    resume: bool = True,
    progress: bool = True,
    dry_run: bool = False,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Fine-tune a language model on chosen rows, by the recipe of the paper.

    Several GPUs: accelerate launch -m qdit train ... (a batch stays what batch_size says).

    Args:
        data: File of rows (JSON, JSON Lines, CSV, Parquet), a selection, an export, or a pool.
        out: Directory for the folder final (model and tokenizer) and train.json. A repeated command goes on
            from the newest checkpoint in it.
        resume: Go on from a checkpoint in out (--no-resume: begin anew).
        progress: Show a progress bar on stderr (--no-progress: do not).
        dry_run: Print rows, tokens, steps and memory that the run would take, and stop.
        overwrite: Begin anew, and replace the model in out at the end.
        options: Of the model and its training.

    """
    job = TrainJob(data, out, TrainOptions(**options))
    if dry_run:
        text = _describe_estimate(job.estimate())
    else:
        text = _describe(job.run(progress=progress, resume=resume, overwrite=overwrite))
    if is_first():
        print(text)


def _describe_estimate(estimate: JSON) -> str:
    """Return a table of what `TrainJob.estimate` says."""
    size, accumulation, processes = estimate["batch"]
    memory = estimate["memory"]
    parts = ", ".join(f"{name} {_size(memory[name])}" for name in memory if name != "total")
    saves, each = estimate["save_steps"], _size(estimate["checkpoint_bytes"])
    return format_table(
        {
            **_rows(estimate),
            "batch": f"{size * accumulation * processes} rows = {size} x {accumulation} accumulated x "
            f"{processes} process" + ("es" if processes > 1 else ""),
            "steps": f"{estimate['steps']:,} ({estimate['steps_per_epoch']:,} an epoch, "
            f"{estimate['warmup_steps']:,} of warmup)",
            "parameters": f"{estimate['parameters']:,}, of which {estimate['trained_parameters']:,} "
            "are trained",
            "device": f"{estimate['device']}, {estimate['dtype']}",
            "memory": f"about {_size(memory['total'])} on each device: {parts}",
            "checkpoints": f"every {saves:,} steps, {each}; the newest is kept" if saves else "none",
        }
    )


def _describe(trained: Trained) -> str:
    """Return a table of what was trained."""
    record = trained.manifest
    losses = record["losses"]
    last = losses[-_LAST:]
    rows = _rows(record["data"])
    rows["steps"] = f"{record['steps']:,}"
    if losses:
        rows["loss"] = (
            f"{losses[0]:.4f} at first, {sum(last) / len(last):.4f} over the last {len(last)} steps"
        )
    if record["resumed_from_step"] is not None:
        rows["resumed"] = f"from step {record['resumed_from_step']:,}"
    return format_table(rows | {"time": format_seconds(record["seconds"]), "saved": str(trained.model)})


def _rows(report: JSON) -> dict[str, str]:
    rows = {"rows": f"{report['trained']:,}"}
    if report["left_out"]:
        shown = ", ".join(map(str, report["left_out_rows"][:5]))
        more = ", ..." if report["left_out"] > 5 else ""
        rows["left out"] = f"{report['left_out']:,} rows whose prompt fills max_length (rows {shown}{more})"
    if report["cut"]:
        rows["cut"] = f"{report['cut']:,} rows at max_length"
    if report["first_exchange_only"]:
        rows["chats"] = f"{report['first_exchange_only']:,} rows of which only the first exchange is learnt"
    each, learnt, longest = report["tokens"], report["learnt"], report["longest"]
    rows["tokens"] = f"{each:,} an epoch, {learnt:,} of them learnt, at most {longest:,} a row"
    return rows


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
