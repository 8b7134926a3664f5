"""`qdit run`: import, embed, score, select, export and report as one run that goes on where it was stopped.

In comes a YAML file; out go a pool, a selection, an export, a sweep and a report if they are asked for, and
run.json, which says what each was made of: a repeated run does only what has changed. A module imports only
from those before it.

    keys      YAML files: their keys, and the options under them (those of studies too)
    config    `read_config`: the file of a run, checked
    state     run.json: which stages ran, on what, and what they took
    stage     `Stage`: options, folder, fingerprint, and checks before the work
    stages    a class for each: what it depends on, what is checked, how it is done
    runner    `plan` says what a run would do, as `Step`s; `run` does it
"""

from .config import Config, read_config
from .runner import Step, plan, run

__all__ = ["Config", "Step", "plan", "read_config", "run"]
