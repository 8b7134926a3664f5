"""The options of `embed`, checked, and the encoder they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..common import checks
from ..models.client import check_url, read_key
from .encoder import Encoder
from .hashed import CHUNK_ROWS, HashEncoder
from .hashed import NAME as BUILTIN
from .sentence import BATCH_SIZE, SentenceEncoder, resolve_devices
from .server import ServerEncoder

DTYPES = ("float16", "float32")
MODEL_DTYPES = ("float32", "float16", "bfloat16")
ZERO_ROWS = ("error", "keep")
_CHUNK_BATCHES = 64  # batches in a chunk: what a kill may lose, and what is sorted by length together
_DECIDING = ("model", "revision", "template", "prompt", "normalize", "dtype", "model_dtype", "dimensions")


@dataclass(frozen=True)
class Settings:
    """The arguments of `qdit.embed`; batch_size and chunk_rows are numbers here, device is names."""

    model: str
    revision: str | None = None
    template: str = "with_input"
    prompt: str | None = None
    normalize: bool = True
    dtype: str = "float16"
    batch_size: int = BATCH_SIZE
    chunk_rows: int = BATCH_SIZE * _CHUNK_BATCHES
    device: tuple[str, ...] = ()
    model_dtype: str | None = None
    dimensions: int | None = None
    local_files_only: bool = False
    base_url: str | None = None
    key_env: str = "OPENAI_API_KEY"
    concurrency: int = 8
    retries: int = 5
    timeout: float = 60.0
    zero_rows: str = "error"

    def identity(self) -> dict[str, Any]:
        """Return what decides the rows, rounding aside."""
        return {name: getattr(self, name) for name in (*_DECIDING, "base_url")}

    def layout(self) -> dict[str, Any]:
        """Return what decides the rounding: how rows are put together."""
        return {"batch_size": self.batch_size, "chunk_rows": self.chunk_rows}

    def encoder_class(self) -> type[Encoder]:
        """Return what encodes with these settings."""
        if self.base_url is not None:
            return ServerEncoder
        return HashEncoder if self.model == BUILTIN else SentenceEncoder

    def make_encoder(self) -> Encoder:
        """Load the model, or make a client.

        Raises:
            ImportError: for a package that is not installed.
            OSError: if there is no such model.

        """
        if self.base_url is not None:
            return ServerEncoder(
                self.model,
                self.base_url,
                prompt=self.prompt,
                batch_size=self.batch_size,
                dimensions=self.dimensions,
                key_env=self.key_env,
                concurrency=self.concurrency,
                retries=self.retries,
                timeout=self.timeout,
            )
        if self.model == BUILTIN:
            return HashEncoder()
        return SentenceEncoder(
            self.model,
            revision=self.revision,
            prompt=self.prompt,
            devices=self.device,
            batch_size=self.batch_size,
            model_dtype=self.model_dtype,
            dimensions=self.dimensions,
            local_files_only=self.local_files_only,
        )


def make_settings(
    model: str,
    *,
    batch_size: int | None,
    chunk_rows: int | None,
    device: str | Sequence[str],
    base_url: str | None,
    **given: Any,
) -> Settings:
    """Check the arguments of `qdit.embed`; they and the errors are described there."""
    if not isinstance(model, str) or not model:
        raise TypeError(f"model: got {model!r}, wanted a name, a folder, or 'builtin:hash'")
    builtin = model == BUILTIN and base_url is None
    if model.startswith("builtin:") and base_url is None:
        checks.check_choice("model", model, (BUILTIN,))
    checks.check_choice("dtype", given["dtype"], DTYPES)
    checks.check_choice("zero_rows", given["zero_rows"], ZERO_ROWS)
    if given["model_dtype"] is not None:
        checks.check_choice("model_dtype", given["model_dtype"], MODEL_DTYPES)
    batch = CHUNK_ROWS if builtin else BATCH_SIZE
    batch = _at_least_one("batch_size", batch if batch_size is None else batch_size)
    chunk = CHUNK_ROWS if builtin else batch * _CHUNK_BATCHES
    chunk = _at_least_one("chunk_rows", chunk if chunk_rows is None else chunk_rows)
    for name in ("concurrency", "dimensions"):
        if given[name] is not None:
            _at_least_one(name, given[name])
    if checks.check_int("retries", given["retries"]) < 0:
        raise ValueError(f"retries: got {given['retries']}, wanted at least 0")
    if checks.check_float("timeout", given["timeout"]) <= 0:
        raise ValueError(f"timeout: got {given['timeout']}, wanted seconds above 0")
    read_key(given["key_env"])  # refuses what is no name of a variable
    settings = Settings(
        model,
        batch_size=batch,
        chunk_rows=chunk,
        device=resolve_devices(device),
        base_url=None if base_url is None else check_url(base_url),
        **given,
    )
    _check_applies(settings)
    return settings


def _check_applies(settings: Settings) -> None:
    """Refuse options that the encoder would ignore."""
    kind = settings.encoder_class()
    unused = {
        HashEncoder: ("revision", "prompt", "device", "model_dtype", "dimensions", "local_files_only"),
        ServerEncoder: ("revision", "device", "model_dtype", "local_files_only"),
    }.get(kind, ())
    default = Settings(settings.model)
    for name in unused:
        if getattr(settings, name) != getattr(default, name):
            what = f"model {BUILTIN!r}" if kind is HashEncoder else "a server (base_url)"
            raise ValueError(
                f"{name}: got {getattr(settings, name)!r}, but {what} has no use for it; leave it out"
            )


def _at_least_one(name: str, value: object) -> int:
    number = checks.check_int(name, value)
    if number < 1:
        raise ValueError(f"{name}: got {number}, wanted at least 1")
    return number
