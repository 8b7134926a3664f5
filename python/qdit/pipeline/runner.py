"""Running the stages of a file: those whose options and inputs are unchanged are reused."""

from dataclasses import dataclass
from functools import partial

from ..common.optional import check_installed
from ..common.progress import AnyProgressLike
from .config import Config
from .stage import Stage
from .stages import KINDS, Import
from .state import Say, State, silent


@dataclass(frozen=True)
class Step:
    """What a run does about a stage.

    Attributes:
        stage: its name.
        action: "reuse", "run", or "resume" where an unfinished one goes on.
        why: the reason.

    """

    stage: str
    action: str
    why: str


def plan(config: Config) -> list[Step]:
    """Return what a run would do; nothing is written."""
    state = State(config.out)
    steps: list[Step] = []
    stale: dict[str, str] = {}
    for stage in _stages(config, state):
        before = next((name for name in stage.needs if name in stale), None)
        if before is not None:
            step = Step(stage.name, "run", f"{before} runs before it")
        else:
            step = _step(stage, state)
        if step.action != "reuse":
            stale[stage.name] = step.why
        steps.append(step)
    return steps


def run(config: Config, *, progress: AnyProgressLike = None, say: Say = silent) -> list[Step]:
    """Run what has to run. Interrupted, it goes on when it is called again.

    Args:
        config: what `read_config` returned.
        progress: as the stages take it: True for bars on stderr, or a callable.
        say: gets a line for every stage.

    Returns:
        What was done.

    Raises:
        Exception: whatever the stages raise; what they finished is kept.

    """
    state = State(config.out)
    stages = _stages(config, state)
    asked = zip(stages, plan(config), strict=True)
    due = [stage for stage, step in asked if step.action != "reuse"]
    check_installed(package for stage in due for package in stage.packages())
    for stage in due:  # what cannot work is told before anything takes time
        stage.check()
    steps = []
    for stage in stages:
        step = _step(stage, state)
        steps.append(step)
        say(f"{step.stage:<7} {step.action:<8}{step.why}")
        if step.action != "reuse":  # what somebody else made is not replaced: the stage refuses
            work = partial(stage.do, overwrite=state.owns(stage.name), progress=progress)
            state.do(stage.name, stage.key(), stage.result, work)
        if stage.name == Import.name:
            for later in due:
                later.check_rows()
    return steps


def _stages(config: Config, state: State) -> list[Stage]:
    return [kind(config, state) for kind in KINDS if kind.name in config.stages]


def _step(stage: Stage, state: State) -> Step:
    if stage.is_done():
        return Step(stage.name, "reuse", "options and inputs are unchanged")
    return Step(stage.name, *state.next(stage.name, stage.key))
