"""The model that lm-eval runs, and what it is, exactly."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...common.optional import require
from ...models.causal import CausalModel
from ...models.options import ModelOptions


@dataclass(frozen=True)
class Model:
    """A model for lm-eval.

    Attributes:
        label: its name in results.
        lm: an `lm_eval.api.model.LM`.
        identity: what decides its answers, rounding aside.
        details: what a run may go on without: device, batch size.

    """

    label: str
    lm: Any
    identity: Mapping[str, Any]
    details: Mapping[str, Any]


def open_model(
    model: Any,
    *,
    label: str | None = None,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int = 1,
    max_length: int | None = None,
) -> Model:
    """Load a causal language model for lm-eval.

    Args:
        model: Hub id or folder, of a model or of adapters; or an `lm_eval.api.model.LM`, for which the
            other arguments mean nothing.
        label: its name in results; None for the last part of its path.
        revision: branch, tag or commit of a Hub model.
        device: "auto", or a torch device.
        dtype: "auto" (float32 on a CPU, else bfloat16 or float16), "float32", "bfloat16" or "float16".
        batch_size: requests at a time.
        max_length: tokens of prompt and answer together; None for what the model takes.

    Raises:
        ImportError: without lm-eval, torch or transformers.
        FileNotFoundError: if there is no such model.

    """
    base = require("lm_eval.api.model", "eval", "to run benchmarks")
    if isinstance(model, base.LM):
        name = label or type(model).__name__
        return Model(name, model, {"model": name, "class": type(model).__qualname__}, {})
    hub = CausalModel(
        os.fspath(model),
        ModelOptions(batch_size=batch_size, device=device, dtype=dtype),
        revision=revision,
        extra="eval",
    )
    # what lm-eval would load by its name is loaded here: adapters on their base, missing weights refused
    with _without_advice():
        lm = require("lm_eval.models.huggingface", "eval", "to run benchmarks").HFLM(
            hub.load_causal(), tokenizer=hub.tokenizer, batch_size=batch_size, max_length=max_length
        )
    given = os.fspath(model).rstrip("/")
    name = given.rpartition("/")[2] if Path(given).is_dir() else given
    identity = {**hub.identity(), "model": name, "max_length": lm.max_length}
    identity.pop("adapter", None)  # where it is; its hash is there too
    details = {"path": given, "base": hub.name, "device": hub.device, "batch_size": batch_size}
    return Model(label or given.rpartition("/")[2], lm, identity, details)


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """Spare the user lm-eval's warning that a model it did not load itself ignores its options."""
    log = logging.getLogger("lm_eval.models.huggingface")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
