"""Models of sentence-transformers: transformers and static (model2vec-style) ones, on one or more devices."""

import logging
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ..common import files
from ..common.failures import check_folder, free_memory, is_out_of_memory, loading, running
from ..common.optional import Package, check_installed, require
from ..common.types import JSON, Array
from ..models.hub import check_device, positions, set_padding
from .encoder import Encoder, Tick
from .options import EmbedOptions, resolve_devices

_SLICE_BATCHES = 4  # batches between two reports of progress; a process of several devices takes as many
_ORGANIZATION = "sentence-transformers"  # on the Hub, of models that are named without one
_FILES = ("modules.json", "config.json")  # a model has one of them
_log = logging.getLogger(__name__)


class SentenceEncoder(Encoder):
    """A model of sentence-transformers, from the Hugging Face Hub or a folder."""

    libraries = ("numpy", "torch", "transformers", "sentence-transformers")

    def __init__(self, options: EmbedOptions) -> None:
        """Load the model.

        Several devices get a process each; none is the library's choice.

        Raises:
            ImportError: without sentence-transformers.
            FileNotFoundError, OSError: if there is no such model.

        """
        super().__init__(options)
        model, revision = options.model, options.revision
        library = require(*_package(model))
        self._folder = _local_folder(model)
        self._name, self._revision, self._prompt = model, revision, options.prompt
        self._slice_of = self.batch_size
        self._devices = [check_device(device) for device in resolve_devices(options.device)]
        with loading(model, folder=self._folder, dtype="model_dtype"):
            self._model = library.SentenceTransformer(
                model if self._folder is None else str(self._folder),
                device=self._devices[0] if len(self._devices) == 1 else "cpu" if self._devices else None,
                revision=revision,
                local_files_only=options.local_files_only,
                trust_remote_code=False,
                truncate_dim=options.dimensions,
                model_kwargs=None if options.model_dtype is None else {"dtype": options.model_dtype},
            )
        self._settle(options.dimensions)
        self._pool = self._model.start_multi_process_pool(self._devices) if len(self._devices) > 1 else None

    @classmethod
    def check(cls, options: EmbedOptions) -> None:
        """Look for the package, and for the model; no weights are loaded."""
        check_installed([_package(options.model)])
        if _local_folder(options.model) is None:
            with loading(options.model):
                _ask_hub(options)

    def close(self) -> None:
        """Stop the processes of several devices."""
        if self._pool is not None:
            self._model.stop_multi_process_pool(self._pool)
            self._pool = None

    def _settle(self, dimensions: int | None) -> None:
        """Fill in what a tokenizer leaves open: a token to pad with, and how long a text may be."""
        size = self._model.get_embedding_dimension()
        if dimensions is not None and size is not None and size < dimensions:
            raise ValueError(f"dimensions: got {dimensions}, wanted at most the {size} of {self._name}")
        tokenizer, config = (getattr(self._model[0], name, None) for name in ("tokenizer", "config"))
        if hasattr(tokenizer, "pad_token_id") and config is not None:
            set_padding(tokenizer, config)
            limit = positions(config)
            if limit is not None and (self._model.max_seq_length or limit + 1) > limit:
                self._model.max_seq_length = limit

    def identity(self) -> JSON:
        """Return a Hub model's commit, or the hash of a folder's files, and what the model consists of."""
        source: JSON
        if self._folder is not None:
            source = {"sha256": files.sha256_folder(self._folder)}
        else:
            source = {"commit": _commit(self._name, self._revision)}
        prompts = self._model.prompts or {}
        default = prompts.get(self._model.default_prompt_name or "", None)
        return {
            "kind": "sentence-transformers",
            "name": self._name,
            **source,
            "modules": [type(module).__name__ for module in self._model],
            "prompt": self._prompt if self._prompt is not None else default,
            "max_tokens": _plain(self._model.max_seq_length),
            "dimension": self._model.get_embedding_dimension(),
            "weights": str(next(self._model.parameters()).dtype).removeprefix("torch."),
            "device": self._device_type(),
        }

    def details(self) -> JSON:
        """Return the devices."""
        return {"devices": self._devices or [str(self._model.device)]}

    def encode(self, texts: Sequence[str], numbers: Sequence[int], tick: Tick) -> Array:
        """Return the vectors, (len(texts), d); when memory runs out, of smaller batches from then on."""
        order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), i))
        ordered = [texts[i] for i in order]
        while True:
            try:
                found = self._encode(ordered, tick)
                break
            except Exception as error:
                if self.batch_size == 1 or not is_out_of_memory(error):
                    where = f"rows {numbers[0]} to {numbers[-1]}"
                    longest = f"the longest has {len(ordered[0]):,} characters"
                    with running(self._name, where, f"{longest}; use another device, model_dtype or model"):
                        raise
            self.batch_size //= 2
            _log.warning("out of memory; going on with batches of %d texts", self.batch_size)
            free_memory()
        rows = np.empty_like(found)
        rows[order] = found
        return rows

    def _encode(self, texts: list[str], tick: Tick) -> Array:
        # stretches of equal composition on one device as on several, so both give the same rows
        step = self._slice_of * _SLICE_BATCHES
        options: JSON = {
            "prompt": self._prompt,
            "batch_size": self.batch_size,
            "show_progress_bar": False,
            "convert_to_numpy": True,
        }
        if self._pool is not None:
            rows = self._model.encode(texts, pool=self._pool, chunk_size=step, **options)
            return np.asarray(rows)
        parts = []
        for start in range(0, len(texts), step):
            parts.append(self._model.encode(texts[start : start + step], **options))
            tick(min(start + step, len(texts)))
        return np.concatenate(parts)

    def _device_type(self) -> str:
        devices = self._devices or [str(self._model.device)]
        return ", ".join(sorted({device.partition(":")[0] for device in devices}))


def _package(model: str) -> Package:
    return "sentence_transformers", "embed", f"to embed with {model}"


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
