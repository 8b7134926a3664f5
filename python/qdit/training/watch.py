"""What is done while a model trains: progress, checkpoints, and a stop where the loss is no number."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.progress import RowTracker
from ..common.types import JSON
from .checkpoints import complete

EVENTS = ("on_substep_end", "on_step_end", "on_save", "on_log")


@dataclass
class Watch:
    """Reacts to the events of transformers' Trainer.

    Attributes:
        tracker: is told of rows, counted from here.
        rows: of a batch over all devices, before they are accumulated.
        total: rows to come; the last batches of epochs are smaller, so it is not met exactly.
        last_step: after which no checkpoint is needed.
        save_steps: steps between checkpoints, 0 for none.
        identity: of the run, for its checkpoints.
        wait: returns when every process has come here.
        saved_step: after which the last checkpoint was written, 0 before.
        done: rows that were counted.

    """

    tracker: RowTracker
    rows: int
    total: int
    last_step: int
    save_steps: int
    identity: JSON
    wait: Callable[[], object]
    saved_step: int = 0
    done: int = 0

    def on_substep_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Count a batch that is accumulated."""
        self._count()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Count a batch; ask for a checkpoint where one is due."""
        self._count()
        due = self.save_steps > 0 and state.global_step % self.save_steps == 0
        control.should_save = due and state.global_step < self.last_step
        return control

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Mark a checkpoint as whole once every process has written its part."""
        self.wait()
        if state.is_world_process_zero:
            complete(Path(args.output_dir) / f"checkpoint-{state.global_step}", self.identity)
        self.wait()
        self.saved_step = state.global_step

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Stop where the loss is no number: no later step would mend it."""
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            raise RuntimeError(
                f"the loss is {loss} after step {state.global_step}; pass a smaller learning_rate, or "
                "dtype='float32'"
            )

    def _count(self) -> None:
        self.done = min(self.done + self.rows, self.total)
        self.tracker.update(self.done)
