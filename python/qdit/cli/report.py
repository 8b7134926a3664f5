"""The verb ``qdit report``."""

from typing import Any

from ..reporting.options import ReportOptions
from ..reporting.reporter import write_report


def report_command(directory: str, *, progress: bool = True, **options: Any) -> None:
    """Write a page that shows what a selection took, what it left out and how good it is.

    Args:
        directory: A selection, an export or a run.
        progress: Show progress bars on stderr (--no-progress: do not).
        options: Those of the report.

    """
    print(f"report  {write_report(directory, ReportOptions(**options), progress)}")
