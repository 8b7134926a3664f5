"""The verb ``qdit demo``."""

from __future__ import annotations

from pathlib import Path

from ..demo.run import MODEL, run_demo


def demo_command(
    out: str = "demo-out",
    *,
    rows: int = 3_000,
    k: int = 300,
    model: str = MODEL,
    seed: int = 0,
    progress: bool = True,
) -> None:
    """Go from text to a report with an instruction set that comes with the project; needs no network.

    Args:
        out: Directory for the instructions, the pool, the selections, the export and the report.
        rows: Instructions to write.
        k: Instructions to choose.
        model: What embeds them: builtin:hash, a stand-in, or a sentence-transformers model.
        seed: Seed of the instructions.
        progress: Show progress bars on stderr (--no-progress: do not).

    """
    run_demo(Path(out), rows=rows, k=k, model=model, seed=seed, progress=progress)
