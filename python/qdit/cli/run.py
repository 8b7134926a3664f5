"""The verb ``qdit run``."""

from ..pipeline.config import read_config
from ..pipeline.runner import plan, run


def run_command(file: str, *, out: str | None = None, progress: bool = True, dry_run: bool = False) -> None:
    """Import, embed, score, select, export and report as a YAML file says; only what changed runs again.

    Args:
        file: YAML file with source, and the options of import, embed, score, dedup, decontaminate,
            select, sweep, export, report.
        out: Directory for the results; null for what the file says.
        progress: Show progress bars on stderr (--no-progress: do not).
        dry_run: Print what would run and why, and stop.

    """
    config = read_config(file, out=out)
    if dry_run:
        for step in plan(config):
            print(f"{step.stage:<7} {step.action:<8}{step.why}")
        return
    run(config, progress=progress, say=print)
    print(f"results are in {config.out}")
