"""How a model is trained: the paper's settings as defaults, and the steps that follow from them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace

from ..common import checks
from ..common.options import Options
from ..common.types import JSON
from ..models.prompts import ALPACA, check_template

SCHEDULES = ("cosine", "linear", "constant", "constant_with_warmup")
_MICRO_BATCH = 4  # rows on a device at a time, by default: what Stanford Alpaca used


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters instead of all weights (Hu et al., arXiv 2106.09685).

    Attributes:
        rank: of each adapter.
        alpha: adapters are scaled by alpha / rank.
        dropout: probability with which an adapter's input is dropped.
        targets: names of the modules that get one; "all-linear" is every linear layer but the last.

    """

    rank: int = 8
    alpha: int = 16
    dropout: float = 0.05
    targets: str | tuple[str, ...] = "all-linear"

    def __post_init__(self) -> None:
        """Check the values; ValueError says what is wrong."""
        checks.check_least("lora_rank", self.rank, 1)
        checks.check_least("lora_alpha", self.alpha, 1)
        if not 0 <= checks.check_float("lora_dropout", self.dropout) < 1:
            raise ValueError(f"lora_dropout: got {self.dropout}, wanted a number from 0 to below 1")
        if not self.targets or not all(self.targets):
            raise ValueError(
                f"lora_targets: got {self.targets!r}, wanted 'all-linear' or names such as q_proj,v_proj"
            )


@dataclass(frozen=True, kw_only=True)
class RecipeOptions(Options):
    r"""How weights are trained, adapters aside.

    Defaults are those of Bukharin & Zhao (arXiv 2311.14736): batches of 128, learning rate 2e-5, 3 epochs, at
    most 512 tokens, no weight decay, Alpaca's prompt, loss on the response. The paper leaves schedule and
    warmup open: cosine and 3% are Stanford Alpaca's.

    Attributes:
        template: alpaca (Stanford Alpaca's prompt; rows of prompt and completion are taken as they are, of a
            chat the first exchange counts), chat (the model's chat template, every answer is learnt), or a
            format string such as "Q: {prompt}\nA:" with {instruction}, {input} and {prompt} (instruction and
            input).
        epochs: Passes over the rows.
        batch_size: Rows of an optimizer step, over all devices and accumulation steps.
        per_device_batch: Rows on a device at a time, a divisor; by default the largest of at most 4.
        learning_rate: Highest learning rate of AdamW (betas 0.9 and 0.999, gradients clipped to norm 1).
        weight_decay: Weight decay of AdamW.
        schedule: Of the learning rate, after the warmup: cosine, linear, constant or constant_with_warmup.
        warmup: Share of the steps in which the learning rate rises.
        max_length: Tokens beyond which a row is cut. Rows whose prompt alone fills it have nothing to learn:
            they are left out and counted.
        seed: Of the order of rows, of adapters and of dropout.
        max_steps: Stop after so many steps, with the schedule of a run of that length; by default after all
            epochs.

    """

    template: str = ALPACA
    epochs: float = 3.0
    batch_size: int = 128
    per_device_batch: int | None = None
    learning_rate: float = 2e-5
    weight_decay: float = 0.0
    schedule: str = "cosine"
    warmup: float = 0.03
    max_length: int = 512
    seed: int = 0
    max_steps: int | None = None

    def _check(self) -> None:
        check_template(self.template)
        checks.check_choice("schedule", self.schedule, SCHEDULES)
        for name in ("epochs", "learning_rate"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: got {getattr(self, name)}, wanted a number above 0")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay: got {self.weight_decay}, wanted 0 or more")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup: got {self.warmup}, wanted a share of the steps, from 0 to below 1")
        checks.check_least("batch_size", self.batch_size, 1)
        checks.check_least("max_length", self.max_length, 8)
        for name in ("per_device_batch", "max_steps"):
            if getattr(self, name) is not None:
                checks.check_least(name, getattr(self, name), 1)
        if checks.check_seed(self.seed) >= 2**32:
            raise ValueError(f"seed: got {self.seed}, wanted an integer below 2**32")


@dataclass(frozen=True, kw_only=True)
class Recipe(RecipeOptions):
    """Everything that decides the weights beside model, rows and number of processes.

    Attributes:
        lora: Adapters, or None for all weights.

    """

    lora: Lora | None = None

    def settled(self, processes: int) -> Recipe:
        """Return this with a number for `per_device_batch`.

        Raises:
            ValueError: if no whole number of accumulation steps makes up `batch_size`.

        """
        share, rest = divmod(self.batch_size, processes)
        if rest:
            raise ValueError(
                f"batch_size: got {self.batch_size}, wanted a multiple of the {processes} processes, so that "
                "each has the same number of rows"
            )
        if self.per_device_batch is None:
            fitting = [i for i in range(1, _MICRO_BATCH + 1) if share % i == 0]
            return replace(self, per_device_batch=fitting[-1])
        if share % self.per_device_batch:
            raise ValueError(
                f"per_device_batch: got {self.per_device_batch}, wanted a divisor of {share} "
                f"(batch_size {self.batch_size} on {processes} processes)"
            )
        return self

    def describe(self) -> JSON:
        """Return the values as JSON."""
        values = asdict(self)
        last = {name: values.pop(name) for name in ("seed", "max_steps")}  # in the order of older manifests
        return values | last


@dataclass(frozen=True)
class Schedule:
    """The steps of a run.

    Attributes:
        accumulation: batches on a device for each optimizer step.
        per_epoch: optimizer steps of an epoch; the last one may have fewer rows.
        total: optimizer steps.
        warmup: those of them in which the learning rate rises.

    """

    accumulation: int
    per_epoch: int
    total: int
    warmup: int


def make_schedule(recipe: Recipe, rows: int, processes: int) -> Schedule:
    """Return the steps of a settled recipe over so many rows."""
    size = recipe.per_device_batch
    assert size is not None, "the recipe is not settled"
    accumulation = recipe.batch_size // (size * processes)
    batches = math.ceil(math.ceil(rows / size) / processes)
    per_epoch = math.ceil(batches / accumulation)
    total = math.ceil(recipe.epochs * per_epoch) if recipe.max_steps is None else recipe.max_steps
    return Schedule(accumulation, per_epoch, total, math.ceil(recipe.warmup * total))
