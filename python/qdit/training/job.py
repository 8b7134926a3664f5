"""A checked call of `train`: what is trained on what, what is there already, and the run."""

import math
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..common import files
from ..common.job import Job
from ..common.lock import Lock
from ..common.optional import check_installed, require
from ..common.progress import RowProgressLike, RowTracker
from ..common.types import JSON, StrPath
from ..common.versions import library_versions, versions
from ..models.causal import CausalModel, quiet
from ..models.prompts import check_tokenizer
from . import trainer as _trainer
from .data import DataLike, open_data
from .estimate import checkpoint_bytes, estimate_memory
from .options import LIBRARIES, WHY, TrainOptions
from .output import Output, newest, step_of
from .recipe import Schedule, make_schedule
from .tokens import Tokens, tokenize

_SAVES = 10  # checkpoints of a run, by default
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True, eq=False)
class Trained:
    """What `train` made.

    Attributes:
        model: folder with model (or adapters) and tokenizer, for from_pretrained.
        manifest: what train.json says: model, recipe, data, tokens, steps, losses, versions, seconds.

    """

    model: Path
    manifest: JSON = field(repr=False)

    @property
    def losses(self) -> list[float]:
        """The mean loss over the learnt tokens of each step, in nats."""
        return list(self.manifest["losses"])


def open_model(options: TrainOptions) -> CausalModel:
    """Return the model, without its weights; ValueError if it cannot be trained like that here."""
    if options.device == "auto" and os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("true", "1"):
        options = replace(options, device="cpu")  # accelerate launch --cpu
    name, revision, longest = options.model, options.revision, options.max_length
    model = CausalModel(name, options, revision=revision, max_length=longest)
    if options.dtype == "auto" and model.device == "mps":
        return open_model(replace(options, dtype="float32"))
    if model.adapter is not None:
        raise ValueError(f"model: {name} holds adapters, wanted a whole model: train with merge=True first")
    device, dtype = model.device, model.dtype
    if dtype == "float16" and not device.startswith("cuda"):
        raise ValueError(f"dtype: got 'float16' on {device}, wanted 'float32' there")
    if dtype == "bfloat16" and not model.has_bfloat16:
        raise ValueError("dtype: got 'bfloat16', which this GPU lacks; pass 'float16' or 'float32'")
    return model


class TrainJob(Job[Trained]):
    """A checked call of `train`; rows and weights are looked at when they are first needed."""

    verb, format, dated = "train", "qdit-training", True
    redoes = True

    def __init__(self, data: DataLike, out: StrPath, options: TrainOptions) -> None:
        """Look at the model, without its weights; see `train` for the arguments."""
        check_installed(options.packages())
        self.output = Output(out)
        self.path, self.manifest_path = self.output.final, self.output.manifest
        self.options = options
        self.model = open_model(options)
        self.processes = _trainer.processes()
        self.recipe = options.recipe.settled(self.processes)
        self._data = data
        self._first = _trainer.is_first()
        self._progress: RowProgressLike = None
        self._resume, self._overwrites = True, False
        self._checkpoint: Path | None = None
        self._saved_step = 0

    @cached_property
    def _read(self) -> tuple[Tokens, JSON]:
        """The rows as tokens, and where they come from."""
        tokenizer, template = self.model.tokenizer, self.recipe.template
        check_tokenizer(template, tokenizer, self.model.name)
        if tokenizer.eos_token is None:
            raise ValueError(f"{self.model.name}: the tokenizer has no token that ends a text")
        with open_data(self._data, self.options.pool) as rows:
            limit = self.model.max_length
            tokens = tokenize(rows, len(rows), tokenizer, template, limit, self._progress)
            return tokens, rows.origin

    @property
    def tokens(self) -> Tokens:
        """The rows, as tokens."""
        return self._read[0]

    @cached_property
    def schedule(self) -> Schedule:
        """The steps."""
        return make_schedule(self.recipe, len(self.tokens), self.processes)

    @property
    def save_steps(self) -> int:
        """Steps between checkpoints; 0 for none."""
        given = self.options.save_steps
        return math.ceil(self.schedule.total / _SAVES) if given is None else given

    @property
    def _weights(self) -> str:
        """The dtype that weights are loaded in: those that are trained need all of float32."""
        return "float32" if self.recipe.lora is None else self.model.dtype

    def _identity(self) -> JSON:
        """Return all that decides the weights."""
        return {
            "model": self.model.revision,
            "recipe": self.recipe.describe(),
            "tokens_sha256": self.tokens.sha256,
            "merge": self.options.merge,
            "device": self.model.device.partition(":")[0],
            "dtype": self.model.dtype,
            "processes": self.processes,
        }

    def _identity_of(self, manifest: JSON) -> JSON:
        return dict(manifest["identity"])

    def _load(self, manifest: JSON) -> Trained | None:
        for name, entry in manifest["files"].items():
            file = self.output.directory / name
            if not file.is_file() or files.sha256_file(file) != entry["sha256"]:
                return None
        return Trained(self.path, manifest)

    def _is_stopped(self) -> bool:
        return self.output.checkpoints.exists()

    def _hold(self) -> AbstractContextManager[Any]:
        if not self._first:
            return nullcontext()
        directory = self.output.directory
        directory.mkdir(parents=True, exist_ok=True)
        return Lock(directory, "training there", name=f"out: {directory}")

    def _how_on(self) -> str:
        step = self._saved_step
        without = " (without overwrite, which begins again)" if self._overwrites else ""
        return f"go on from step {step}{without}" if step else "begin again: there was no checkpoint yet"

    def _versions(self) -> dict[str, str]:
        # peft is not there where no adapters are trained
        found = library_versions((*LIBRARIES, "peft", "tokenizers"))
        return versions() | {name: version for name, version in found.items() if version != "unknown"}

    def estimate(self) -> JSON:
        """Return rows, tokens, steps, and memory and disk in bytes; no weights are loaded."""
        recipe, lora, schedule = self.recipe, self.recipe.lora, self.schedule
        sizes = self.model.sizes(None if lora is None else _trainer.lora_arguments(lora))
        assert recipe.per_device_batch is not None
        memory = estimate_memory(
            sizes,
            weight_bytes=_BYTES[self._weights],
            compute_bytes=_BYTES[self.model.dtype],
            tokens=recipe.per_device_batch * self.tokens.report["longest"],
            recompute=self.options.gradient_checkpointing,
        )
        return {
            **self.tokens.report,
            "steps": schedule.total,
            "steps_per_epoch": schedule.per_epoch,
            "warmup_steps": schedule.warmup,
            "batch": [recipe.per_device_batch, schedule.accumulation, self.processes],
            "save_steps": self.save_steps,
            "checkpoint_bytes": checkpoint_bytes(sizes, adapters=lora is not None),
            "device": self.model.device,
            "dtype": self.model.dtype,
            "memory": memory,
            "parameters": sizes["parameters"],
            "trained_parameters": sizes["trained"],
        }

    def run(
        self, *, progress: RowProgressLike = None, resume: bool = True, overwrite: bool = False
    ) -> Trained:
        """Train, and write the folder final and train.json; see `Job.run`.

        resume: go on from the newest whole checkpoint.

        Raises:
            ValueError: if the directory holds another run's model and overwrite is not set, or another run's
                checkpoint and resume is.
            RuntimeError: if memory runs out, or the loss is no number any more.

        """
        self._progress = progress if self._first else None
        self._resume, self._overwrites = resume and not overwrite, overwrite
        return super().run(progress=progress, overwrite=overwrite)

    def check_new(self, *, overwrite: bool = False) -> None:
        """Raise OtherRunError for a model that may not be replaced, or a checkpoint of another run."""
        self._checkpoint = newest(self.output.checkpoints, self.identity) if self._resume else None
        super().check_new(overwrite=overwrite or self._checkpoint is not None)  # it was allowed to begin

    def _make(self, progress: RowProgressLike, overwrite: bool) -> Trained:
        output = self.output
        recompute = self.options.gradient_checkpointing
        config = _trainer.make_config(
            self.recipe, self.schedule, output.checkpoints, self.model, recompute=recompute
        )
        wait = config.distributed_state.wait_for_everyone
        with quiet(require("transformers", "train", WHY)):
            if self._first:
                output.clear(self._checkpoint)
            wait()
            trainer = self._train(config, wait)
            with files.writing(output.unfinished):
                trainer.save_model(str(output.unfinished))  # every process has a part in this
            if self._first:
                record = self._record(self._report(trainer))
                output.publish(record, self.model.merge if self.options.merge else None)
            wait()
        return Trained(self.path, files.read_json(self.manifest_path, self.format))

    def _train(self, config: Any, wait: Callable[[], Any]) -> Any:
        recipe, schedule = self.recipe, self.schedule
        assert recipe.per_device_batch is not None
        checkpoint = self._checkpoint
        self._saved_step = 0 if checkpoint is None else step_of(checkpoint)
        left = math.ceil(len(self.tokens) * (schedule.total - self._saved_step) / schedule.per_epoch)
        with RowTracker(self._progress, "train", left) as tracker:
            watch = _trainer.Watch(
                tracker,
                recipe.per_device_batch * self.processes,
                left,
                last_step=schedule.total,
                save_steps=self.save_steps,
                identity=self.identity,
                wait=wait,
            )
            model = self.model.load_for_training(self._weights)
            cached = model.config.use_cache
            try:
                with _trainer.memory_errors(recipe):
                    trainer = _trainer.make_trainer(
                        model, self.model.tokenizer, self.tokens.dataset(), config, recipe.lora, watch
                    )
                    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
            finally:
                self._saved_step = watch.saved_step or self._saved_step
            tracker.done(left)
        model.config.use_cache = cached  # training turns it off, and answers without it are slow
        return trainer

    def _report(self, trainer: Any) -> JSON:
        """Return what the manifest says of a run."""
        torch = require("torch", "train", WHY)
        tokens, origin = self._read
        return {
            "model": {"name": self.model.name, "revision": self.model.revision},
            "identity": self.identity,
            "data": {**origin, **tokens.report},
            "steps": trainer.state.global_step,
            "steps_per_epoch": self.schedule.per_epoch,
            "warmup_steps": self.schedule.warmup,
            "accumulation": self.schedule.accumulation,
            "losses": [entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
            **self.model.count(trainer.model),
            "device": str(trainer.args.device),
            "threads": torch.get_num_threads(),
            "resumed_from_step": None if self._checkpoint is None else step_of(self._checkpoint),
        }
