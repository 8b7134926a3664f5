"""TRL's SFTTrainer, set up for a recipe, and what is done while it runs; only here are its options known."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common import files
from ..common.optional import require
from ..common.progress import RowTracker
from ..common.types import JSON
from ..models.causal import CausalModel
from .options import WHY
from .output import complete
from .recipe import Lora, Recipe, Schedule

EVENTS = ("on_substep_end", "on_step_end", "on_save", "on_log")


def processes() -> int:
    """Return how many processes train together, as accelerate launch and torchrun say."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1


def is_first() -> bool:
    """Return whether this process is the one that writes and talks."""
    return processes() == 1 or int(os.environ.get("RANK", "0")) == 0


def lora_arguments(lora: Lora) -> JSON:
    """Return the arguments of peft.LoraConfig."""
    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    return {
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": targets,
        "task_type": "CAUSAL_LM",
    }


def make_config(
    recipe: Recipe, schedule: Schedule, folder: Path, model: CausalModel, *, recompute: bool
) -> Any:
    """Return a trl.SFTConfig; where several processes train, it waits for all of them.

    Raises:
        RuntimeError: if the batches would not be of the recipe's size.

    """
    trl = require("trl", "train", WHY)
    require("accelerate", "train", WHY)
    # transformers has renamed it, and warns of the old name
    names = ("activation_checkpointing", "gradient_checkpointing")
    recomputing = next(name for name in names if name in trl.SFTConfig.__dataclass_fields__)
    config = trl.SFTConfig(
        **{recomputing: recompute},
        output_dir=str(folder),
        per_device_train_batch_size=recipe.per_device_batch,
        gradient_accumulation_steps=schedule.accumulation,
        num_train_epochs=recipe.epochs,
        max_steps=-1 if recipe.max_steps is None else recipe.max_steps,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=schedule.warmup,
        max_grad_norm=1.0,
        optim="adamw_torch",
        max_length=recipe.max_length,
        dataset_kwargs={"skip_prepare_dataset": True},  # tokens and labels are ready
        packing=False,
        bf16=model.dtype == "bfloat16",
        fp16=model.dtype == "float16",
        use_cpu=model.device == "cpu",
        dataloader_pin_memory=model.device != "cpu",
        seed=recipe.seed,
        data_seed=recipe.seed,
        save_strategy="no",  # `Watch` says when
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        log_level="error",
    )
    size = config.per_device_train_batch_size * config.gradient_accumulation_steps * config.world_size
    if size != recipe.batch_size:
        raise RuntimeError(
            f"batches would have {size} rows, not {recipe.batch_size}: {config.world_size} processes train, "
            f"{processes()} were announced; start with accelerate launch or torchrun"
        )
    return config


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


def make_trainer(
    model: Any, tokenizer: Any, dataset: Any, config: Any, lora: Lora | None, watch: Watch
) -> Any:
    """Return a trainer that writes, prints and sends nothing of its own accord."""
    transformers = require("transformers", "train", WHY)
    trl = require("trl", "train", WHY)

    def save_checkpoint(self: Any, *given: Any, **named: Any) -> None:
        with files.writing(Path(config.output_dir)):
            trl.SFTTrainer._save_checkpoint(self, *given, **named)

    own = {
        "_save_checkpoint": save_checkpoint,
        # trl sends telemetry for each trainer, and writes a model card
        "_send_telemetry": lambda self: None,
        "create_model_card": lambda self, *_, **__: None,
    }
    kind = type("SFTTrainer", (trl.SFTTrainer,), own)
    events = {event: staticmethod(getattr(watch, event)) for event in EVENTS}
    callback = type("Watch", (transformers.TrainerCallback,), events)()
    adapters = None
    if lora is not None:
        adapters = require("peft", "train", "to train adapters").LoraConfig(**lora_arguments(lora))
    transformers.set_seed(config.seed)
    try:
        trainer = kind(
            model=model,
            args=config,
            train_dataset=dataset,
            processing_class=tokenizer,
            peft_config=adapters,
            callbacks=[callback],
        )
    except ValueError as error:
        if lora is None or "Target modules" not in str(error):
            raise
        raise ValueError(
            f"lora_targets: got {lora.targets!r}, which are no modules of {model.config.name_or_path}; pass "
            "all-linear, or names such as q_proj,v_proj"
        ) from error
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


@contextmanager
def memory_errors(recipe: Recipe) -> Iterator[None]:
    """Say what to do when the device has too little memory."""
    torch = require("torch", "train", WHY)
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise RuntimeError(
            f"out of memory with {recipe.per_device_batch} rows on a device at a time; pass a smaller "
            f"--per-device-batch (steps keep their {recipe.batch_size} rows), --gradient-checkpointing, or "
            "--lora"
        ) from error
