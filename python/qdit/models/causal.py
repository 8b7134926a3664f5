"""Causal language models, also those that are adapters of another."""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..common.failures import loading
from ..common.files import sha256_folder
from ..common.optional import require
from ..common.types import JSON
from .hub import HubModel, Network
from .options import ModelOptions

ADAPTER = "adapter_config.json"


@contextmanager
def quiet(transformers: Any) -> Iterator[None]:
    """Keep the libraries' own bars, and their warnings of each other's old names, off the terminal."""
    logging = transformers.utils.logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*gradient_checkpointing", category=FutureWarning)
            yield
    finally:
        if shown:
            logging.enable_progress_bar()


class CausalModel(HubModel):
    """A causal language model; its folder may hold low-rank adapters, whose base is loaded too."""

    def __init__(
        self,
        name: str,
        options: ModelOptions,
        *,
        revision: str | None = None,
        max_length: int | None = None,
        extra: str = "train",
    ) -> None:
        """As of `HubModel`; name: also a folder of adapters."""
        path = Path(name)
        self.adapter = path if (path / ADAPTER).is_file() else None
        if self.adapter is not None:
            with loading(name, folder=path):
                base = json.loads((path / ADAPTER).read_bytes())
                name, revision = base.get("base_model_name_or_path"), base.get("revision")
            if not isinstance(name, str) or not name:
                raise ValueError(f"{path / ADAPTER}: names no base model; merge the adapters into one")
        super().__init__(name, options, revision=revision, max_length=max_length, extra=extra)
        self._extra = extra

    @property
    def has_bfloat16(self) -> bool:
        """Whether the device computes in bfloat16."""
        return not self.device.startswith("cuda") or bool(self._torch.cuda.is_bf16_supported())

    @cached_property
    def adapter_sha256(self) -> str | None:
        """The hash of the adapter's files."""
        return None if self.adapter is None else sha256_folder(self.adapter)

    def identity(self) -> JSON:
        """Return what decides an answer: model, revision, dtype, length limit, and an adapter's hash."""
        if self.adapter is None:
            return super().identity()
        return super().identity() | {"adapter": str(self.adapter), "adapter_sha256": self.adapter_sha256}

    def load(self, auto_class: str) -> Network:
        """As in `HubModel`, without a bar."""
        with quiet(self._transformers):
            return super().load(auto_class)

    def load_causal(self) -> Network:
        """Return the model with its weights, in evaluation mode on its device."""
        model = self.load("AutoModelForCausalLM")
        if self.adapter is None:
            return model
        peft = require("peft", self._extra, "to run a model with adapters")
        with quiet(self._transformers), loading(str(self.adapter), folder=self.adapter):
            return peft.PeftModel.from_pretrained(model, str(self.adapter)).eval()

    def load_for_training(self, dtype: str) -> Network:
        """Return the model with weights in `dtype`, in main memory: the trainer moves it."""
        folder = Path(self.name)  # adapters name their base: it must be found from everywhere
        name = str(folder.resolve()) if folder.is_dir() else self.name
        options = replace(self._options, device="cpu", dtype=dtype)
        model = CausalModel(name, options, revision=self._wanted_revision, extra=self._extra)
        return model.load("AutoModelForCausalLM")

    def merge(self, adapters: Path, folder: Path) -> None:
        """Save this model with the adapters of a folder worked into its weights, in float32."""
        peft = require("peft", self._extra, "to merge adapters")
        base = self.load_for_training("float32")
        with quiet(self._transformers), loading(str(adapters), folder=adapters):
            model = peft.PeftModel.from_pretrained(base, str(adapters))
            model.merge_and_unload().save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    @staticmethod
    def count(model: Network) -> dict[str, int]:
        """Return how many parameters a loaded model has, and how many of them are trained."""
        counts = [(p.numel(), p.requires_grad) for p in model.parameters()]
        return {
            "parameters": sum(count for count, _ in counts),
            "trained": sum(count for count, trained in counts if trained),
        }

    def sizes(self, lora: JSON | None = None) -> dict[str, int]:
        """Return parameters, how many of them are trained, layers and width; no weights are loaded.

        lora: arguments of peft.LoraConfig, or None if all parameters are trained.
        """
        with self._torch.device("meta"), quiet(self._transformers):
            model = self._transformers.AutoModelForCausalLM.from_config(self.config)
            if lora is not None:
                peft = require("peft", self._extra, "to train adapters")
                model = peft.get_peft_model(model, peft.LoraConfig(**lora))
        config = self.config.get_text_config()
        shape = {"layers": int(config.num_hidden_layers), "width": int(config.hidden_size)}
        return self.count(model) | shape
