"""The options of `qdit.train`."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..common import checks
from ..common.optional import Package
from ..models.options import CausalModelOptions
from .recipe import Lora, Recipe, RecipeOptions

LIBRARIES = ("torch", "transformers", "trl", "accelerate", "datasets")
WHY = "to train a model"
DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True, kw_only=True)
class TrainOptions(RecipeOptions, CausalModelOptions):
    """Which model is trained, how, and with what.

    Attributes:
        model: Hub id or folder of a causal language model.
        pool: Pool directory of a selection; by default the one that the selection names.
        lora: Train low-rank adapters (Hu et al., arXiv 2106.09685) instead of all weights.
        lora_rank: Rank of the adapters.
        lora_alpha: Adapters are scaled by lora_alpha / lora_rank.
        lora_dropout: Dropout on the input of adapters.
        lora_targets: Modules that get adapters, such as q_proj,v_proj; all-linear for every linear layer but
            the last.
        merge: Save the model with the adapters worked into its weights.
        device: auto, cpu, cuda or mps. Several GPUs: start with accelerate launch or torchrun.
        dtype: Of the arithmetic: auto (float32 on a CPU, bfloat16 where a GPU has it), float32, bfloat16 or
            float16. Weights that are trained are float32 in any case.
        gradient_checkpointing: Keep less for the backward pass and compute it again: slower, less memory.
        save_steps: Steps between checkpoints, 0 for none; by default there are ten.

    """

    pool: str | None = None
    lora: bool = False
    lora_rank: int = Lora.rank
    lora_alpha: int = Lora.alpha
    lora_dropout: float = Lora.dropout
    lora_targets: str | Sequence[str] = Lora.targets
    merge: bool = False
    gradient_checkpointing: bool = False
    save_steps: int | None = None

    def _check(self) -> None:
        checks.check_choice("device", self.device, DEVICES)
        if self.merge and not self.lora:
            raise ValueError("merge: there is nothing to merge without lora; pass lora as well, or neither")
        if self.save_steps is not None:
            checks.check_least("save_steps", self.save_steps, 0)

    def packages(self) -> tuple[Package, ...]:
        """Return what trains, with what makes adapters if there are any."""
        names = (*LIBRARIES, "peft") if self.lora else LIBRARIES
        return tuple((name, "train", WHY) for name in names)

    @property
    def recipe(self) -> Recipe:
        """What decides the weights; ValueError for adapters that cannot be."""
        shared = {name: getattr(self, name) for name in RecipeOptions.names()}
        return Recipe(**shared, lora=self._adapters if self.lora else None)

    @property
    def _adapters(self) -> Lora:
        targets = self.lora_targets
        if isinstance(targets, str) and targets != Lora.targets:
            targets = [name.strip() for name in targets.split(",")]
        names = targets if isinstance(targets, str) else tuple(targets)
        return Lora(self.lora_rank, self.lora_alpha, self.lora_dropout, names)
