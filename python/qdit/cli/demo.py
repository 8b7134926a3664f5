"""The verb ``qdit demo``."""

from pathlib import Path
from typing import Any

from ..demo.run import DemoOptions, run_demo


def demo_command(out: str = "demo-out", *, progress: bool = True, **options: Any) -> None:
    """Go from text to a report with an instruction set that comes with the project; needs no network.

    Args:
        out: Directory for the instructions, the pool, the selections, the export and the report.
        progress: Show progress bars on stderr (--no-progress: do not).
        options: Those of `DemoOptions`.

    """
    run_demo(Path(out), DemoOptions(**options), progress=progress)
