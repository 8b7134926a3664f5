"""Models of sentence-transformers: transformers and static (model2vec-style) ones, on one or more devices."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ..common import files
from ..common.checks import check_threads
from ..common.failures import check_folder, free_memory, is_out_of_memory, loading, running
from ..common.optional import check_installed, require
from ..common.types import JSON, Array, Ints
from ..models.hub import check_device, positions, set_padding
from .encoder import Encoder, Tick
from .options import EmbedOptions
from .runtime import Model, load_model, packages, weights_of
from .workers import Workers

_SLICE_BATCHES = 4  # batches between two reports of progress; a process of several takes as many
_TOKENIZED = 512  # texts at a time, to be counted: what tokenizers return of each is large
_PLAINLY = {"truncation": False, "padding": False, "return_attention_mask": False, "verbose": False}
_ORGANIZATION = "sentence-transformers"  # on the Hub, of models that are named without one
_FILES = ("modules.json", "config.json")  # a model has one of them
_log = logging.getLogger(__name__)


class SentenceEncoder(Encoder):
    """A model of sentence-transformers, from the Hugging Face Hub or a folder."""

    libraries = ("numpy", "torch", "transformers", "sentence-transformers")

    def __init__(self, options: EmbedOptions, threads: int | None = None) -> None:
        """Load the model.

        Several devices get a process each; none is the library's choice. threads: None for all processors.

        Raises:
            ImportError: without sentence-transformers, or without what the backend needs.
            FileNotFoundError, OSError: if there is no such model.

        """
        super().__init__(options)
        self._options = options
        check_installed(packages(options))
        self._name, self._folder = options.model, _local_folder(options.model)
        self._step = self.batch_size * _SLICE_BATCHES
        self._devices = [check_device(device) for device in options.devices()]
        several = len(self._devices) > 1
        name = self._name if self._folder is None else str(self._folder)
        device = "cpu" if several else self._devices[0] if self._devices else None
        with loading(self._name, folder=self._folder, dtype="model_dtype"):
            self._model = load_model(options, name, device, threads)
        self._settle()
        self._workers = Workers(self._makers()) if several else None
        if several and options.layout()["chunk_rows"] % self._step == 0:
            self.lanes = len(self._devices)

    @classmethod
    def check(cls, options: EmbedOptions) -> None:
        """Look for the package, and for the model; no weights are loaded."""
        check_installed(packages(options))
        if _local_folder(options.model) is None:
            with loading(options.model):
                _ask_hub(options)

    def close(self) -> None:
        """Stop the processes of several devices."""
        if self._workers is not None:
            self._workers.close()

    def _makers(self) -> list[partial[Callable[[list[str], int], Array]]]:
        """Return what each process calls to encode; those on the processors share them."""
        beside = sum(device.startswith("cpu") for device in self._devices)
        threads = max(1, check_threads(None) // max(1, beside))
        alone = replace(self._options, processes=1)
        return [partial(_make, replace(alone, device=device), threads) for device in self._devices]

    def _settle(self) -> None:
        """Fill in what is left open: a token to pad with, how long a text may be, the prompt."""
        asked, model = self._options, self._model
        size = dimension_of(model)
        if asked.dimensions is not None and size is not None and size < asked.dimensions:
            raise ValueError(f"dimensions: got {asked.dimensions}, wanted at most the {size} of {self._name}")
        self._tokenizer = getattr(model[0], "tokenizer", None)
        config = getattr(getattr(model[0], "auto_model", None), "config", None)
        limit = None
        if hasattr(self._tokenizer, "pad_token_id") and config is not None:
            set_padding(self._tokenizer, config)
            limit = positions(config)
            if limit is not None and (model.max_seq_length or limit + 1) > limit:
                model.max_seq_length = limit
        if asked.max_tokens is not None:
            self._cut_at(asked.max_tokens, limit)
        self.longest = _plain(model.max_seq_length) if callable(self._tokenizer) else None
        self._prompt = asked.prompt
        if asked.prompt_name is not None:
            self._prompt = self._prompt_named(asked.prompt_name)
        elif asked.prompt is None and model.default_prompt_name is not None:
            self._prompt = model.prompts.get(model.default_prompt_name)

    def _cut_at(self, tokens: int, limit: int | None) -> None:
        """Set how long a text may be; limit: what the model has positions for, None for any number."""
        if not callable(self._tokenizer) or _plain(self._model.max_seq_length) is None:
            raise ValueError(f"max_tokens: got {tokens}, but {self._name} cuts no texts; leave it out")
        least = self._tokenizer.num_special_tokens_to_add() + 1
        if tokens < least:
            raise ValueError(
                f"max_tokens: got {tokens}, wanted at least {least}: {self._name} adds {least - 1} to a text"
            )
        if limit is not None and tokens > limit:
            raise ValueError(f"max_tokens: got {tokens}, wanted at most the {limit} of {self._name}")
        self._model.max_seq_length = tokens

    def _prompt_named(self, name: str) -> str:
        prompts: dict[str, str] = self._model.prompts or {}
        if name not in prompts:
            there = f"one of {', '.join(map(repr, prompts))}" if prompts else "none: it has no prompts"
            raise ValueError(
                f"prompt_name: got {name!r}, of {self._name} wanted {there}; or pass its text as prompt"
            )
        return prompts[name]

    def identity(self) -> JSON:
        """Return a Hub model's commit, or the hash of a folder's files, and what the model consists of."""
        source: JSON
        if self._folder is not None:
            source = {"sha256": files.sha256_folder(self._folder)}
        else:
            source = {"commit": _commit(self._name, self._options.revision)}
        return {
            "kind": "sentence-transformers",
            "name": self._name,
            **source,
            "modules": [type(module).__name__ for module in self._model],
            "prompt": self._prompt,
            "max_tokens": _plain(self._model.max_seq_length),
            "dimension": dimension_of(self._model),
            **weights_of(self._options, self._model),
            "device": self._device_type(),
        }

    def details(self) -> JSON:
        """Return the devices."""
        return {"devices": self._devices or [str(self._model.device)]}

    def lengths(self, texts: Sequence[str]) -> Ints | None:
        """Return the number of tokens of each text, with prompt and the model's own; none pads, none is cut.

        Of static models None: they add up the vectors of tokens, text by text.
        """
        if not callable(self._tokenizer):
            static = type(self._model[0]).__name__ == "StaticEmbedding"
            return None if static else np.array([len(text) for text in texts], np.int64)
        counts: list[int] = []
        for start in range(0, len(texts), _TOKENIZED):
            part = [f"{self._prompt or ''}{text}" for text in texts[start : start + _TOKENIZED]]
            counts += map(len, self._tokenizer(part, **_PLAINLY)["input_ids"])
        return np.array(counts, np.int64)

    def fidelity(self, texts: Sequence[str]) -> JSON | None:
        """Return cosines of the vectors of int8 weights to those of the model's own."""
        if self._options.model_dtype != "int8":
            return None
        own = replace(self._options, backend="torch", model_dtype=None, processes=1, device="cpu")
        numbers = range(len(texts))
        got = self.encode_sorted(texts, numbers, _unheard).astype(np.float64)
        with SentenceEncoder(own) as plain:
            want = plain.encode_sorted(texts, numbers, _unheard).astype(np.float64)
        cosines = (got * want).sum(axis=1) / np.linalg.norm(got, axis=1) / np.linalg.norm(want, axis=1)
        told = {"weights": weights_of(self._options, self._model)["weights"], "rows": len(texts)}
        return {**told, "least": float(cosines.min()), "mean": float(cosines.mean())}

    def encode(self, texts: Sequence[str], numbers: Sequence[int], tick: Tick) -> Array:
        """Return the vectors, (len(texts), d); when memory runs out, of smaller batches from then on."""
        while True:
            try:
                return self._encode(list(texts), tick)
            except Exception as error:
                if self.batch_size == 1 or not is_out_of_memory(error):
                    where = f"rows {min(numbers)} to {max(numbers)}"
                    longest = f"the longest has {max(map(len, texts)):,} characters"
                    with running(self._name, where, f"{longest}; use another device, model_dtype or model"):
                        raise
            self.batch_size //= 2
            _log.warning("out of memory; going on with batches of %d texts", self.batch_size)
            free_memory()

    def _encode(self, texts: list[str], tick: Tick) -> Array:
        # stretches of equal composition in one process as in several, so both give the same rows
        stretches = [texts[start : start + self._step] for start in range(0, len(texts), self._step)]
        if self._workers is not None:
            return self._workers.encode(stretches, self.batch_size, tick)
        parts, done = [], 0
        for stretch in stretches:
            parts.append(self.vectors(stretch, self.batch_size))
            done += len(stretch)
            tick(done)
        return np.concatenate(parts)

    def vectors(self, texts: list[str], batch_size: int) -> Array:
        """Return the vectors of texts, (len(texts), d), as the library makes them.

        Each batch is a call: of more texts the library would make its own, by numbers of characters.
        """
        how = {"batch_size": batch_size, "show_progress_bar": False, "convert_to_numpy": True}
        size = batch_size if callable(self._tokenizer) else len(texts)
        batches = (texts[start : start + size] for start in range(0, len(texts), size))
        return np.concatenate([self._model.encode(batch, prompt=self._prompt, **how) for batch in batches])

    def _device_type(self) -> str:
        devices = self._devices or [str(self._model.device)]
        return ", ".join(sorted({device.partition(":")[0] for device in devices}))


def _unheard(done: int) -> None:
    pass


def _make(options: EmbedOptions, threads: int) -> Callable[[list[str], int], Array]:
    """Return what encodes in a process of its own."""
    return SentenceEncoder(options, threads).vectors


def dimension_of(model: Model) -> int | None:
    """Return how long the vectors of a model are."""
    ask = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
    size: int | None = ask()
    return size


def _local_folder(model: str) -> Path | None:
    path = Path(model).expanduser()
    if path.is_dir():
        return check_folder(path).resolve()
    if path.is_absolute() or model.startswith((".", "~")):
        raise FileNotFoundError(f"model: no such folder: {model}")
    return None


def _ask_hub(options: EmbedOptions) -> None:
    """Look for a small file of a model, in the cache or on the Hub; the Hub's error if there is none."""
    hub = require("huggingface_hub", "embed", f"to embed with {options.model}")
    named = [options.model] if "/" in options.model else [f"{_ORGANIZATION}/{options.model}", options.model]
    where = {"revision": options.revision, "local_files_only": options.local_files_only}
    for repository, file in product(named, _FILES):
        try:
            hub.hf_hub_download(repository, file, **where)
            return
        except Exception as error:  # of many kinds
            problem = error
    raise problem


def _commit(name: str, revision: str | None) -> str | None:
    """Return the commit that a model's files were taken from; None if the Hub's cache does not tell."""
    hub = require("huggingface_hub", "embed", f"to embed with {name}")
    repository = name if "/" in name else f"{_ORGANIZATION}/{name}"
    for file in _FILES:
        path = hub.try_to_load_from_cache(repository, file, revision=revision)
        if isinstance(path, str):
            parts = Path(path).parts
            return parts[parts.index("snapshots") + 1] if "snapshots" in parts else None
    return None


def _plain(value: Any) -> int | None:
    """Return a limit as a number; static models have none, or infinity."""
    return int(value) if isinstance(value, int) else None
