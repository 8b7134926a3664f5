"""The options of `qdit.embed`."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from ..common import checks
from ..common.optional import require
from ..common.types import JSON
from ..models.options import Endpoint
from ..records.templates import make_template

BUILTIN = "builtin:hash"
DEFAULT_MODEL = "sentence-transformers/all-mpnet-base-v2"
DTYPES = ("float16", "float32")
MODEL_DTYPES = ("float32", "float16", "bfloat16")
ZERO_ROWS = ("error", "keep")
BUILTIN_ROWS = 16384  # in a batch, and in a chunk, of the built-in model
_BATCH_SIZE = 32
_CHUNK_BATCHES = 64  # batches in a chunk: what a kill may lose, and what is sorted by length together
_DECIDING = ("model", "revision", "template", "prompt", "normalize", "dtype", "model_dtype", "dimensions")
_BUILTIN_UNUSED = (
    "revision",
    "prompt",
    "device",
    "model_dtype",
    "dimensions",
    "local_files_only",
    "truncate",
)
_SERVER_UNUSED = ("revision", "device", "model_dtype", "local_files_only")


@dataclass(frozen=True, kw_only=True)
class EmbedOptions(Endpoint):
    r"""What is embedded with what.

    Attributes:
        model: Hub id or folder of a sentence-transformers model (static models too); builtin:hash, a
            stand-in that needs no download; or, with base_url, the name of a server's model.
        revision: Branch, tag or commit of a model on the Hub.
        template: instruction; with_input, the instruction and, where there is one, a newline and the input;
            or a format string such as "{instruction}\n{output}" with {instruction}, {input}, {output},
            {source} and {id}.
        prompt: Text put before each row's, as some models want ("query: "); None for the model's own.
        normalize: Scale rows to length 1.
        dtype: Of the file, float16 or float32.
        batch_size: Texts that are encoded together, or sent in one request; None for 32. Halved when memory
            runs out.
        chunk_rows: Rows that are done before any is written, what a kill may lose; None for 64 batches.
            Texts are sorted by length within a chunk.
        device: auto, a torch device such as cuda:1, several as cuda:0,cuda:1 or a list (a process each; a
            script then needs ``if __name__ == "__main__"``), or all for every CUDA device.
        model_dtype: Of the weights, float32, float16 or bfloat16; None for the model's own.
        dimensions: Cut vectors to the first so many, for models that are trained for it (Matryoshka).
        local_files_only: Do not ask the Hub; the model must be in its cache.
        zero_rows: What becomes of rows without a vector (blank texts, those whose vector is zero, those that
            a server refuses as too long): error, or keep for rows of zeros, which are never chosen.
        truncate: Cut texts that a server refuses as too long until it takes them. Models that run here cut
            texts at their own limit.

    """

    model: str = DEFAULT_MODEL
    revision: str | None = None
    template: str = "with_input"
    prompt: str | None = None
    normalize: bool = True
    dtype: str = "float16"
    batch_size: int | None = None
    chunk_rows: int | None = None
    device: str | Sequence[str] = "auto"
    model_dtype: str | None = None
    dimensions: int | None = None
    local_files_only: bool = False
    zero_rows: str = "error"
    truncate: bool = False
    timeout: float = 60.0

    def _check(self) -> None:
        if not isinstance(self.model, str) or not self.model:
            raise TypeError(f"model: got {self.model!r}, wanted a name, a folder, or {BUILTIN!r}")
        if self.model.startswith("builtin:") and self.base_url is None:
            checks.check_choice("model", self.model, (BUILTIN,))
        checks.check_choice("dtype", self.dtype, DTYPES)
        checks.check_choice("zero_rows", self.zero_rows, ZERO_ROWS)
        make_template(self.template)
        if self.model_dtype is not None:
            checks.check_choice("model_dtype", self.model_dtype, MODEL_DTYPES)
        for name in ("batch_size", "chunk_rows", "dimensions"):
            if getattr(self, name) is not None:
                checks.check_least(name, getattr(self, name), 1)
        resolve_devices(self.device)
        if self.base_url is not None:
            self._refuse(_SERVER_UNUSED, "a server (base_url)")
        elif self.is_builtin:
            self._refuse(_BUILTIN_UNUSED, f"model {BUILTIN!r}")
        else:
            self._refuse(("truncate",), "a model that runs here (it cuts texts at its own limit)")

    @property
    def is_builtin(self) -> bool:
        """Whether the model is the built-in one."""
        return self.model == BUILTIN and self.base_url is None

    def identity(self) -> JSON:
        """Return what decides the rows, rounding aside."""
        return {name: getattr(self, name) for name in (*_DECIDING, "base_url")}

    def layout(self) -> dict[str, int]:
        """Return what decides the rounding: "batch_size" and "chunk_rows", as numbers."""
        batch = self.batch_size or (BUILTIN_ROWS if self.is_builtin else _BATCH_SIZE)
        chunk = self.chunk_rows or (BUILTIN_ROWS if self.is_builtin else batch * _CHUNK_BATCHES)
        return {"batch_size": batch, "chunk_rows": chunk}

    def _refuse(self, unused: Sequence[str], what: str) -> None:
        """Refuse options that the encoder would ignore."""
        defaults = {field.name: field.default for field in fields(self)}
        for name in unused:
            value = getattr(self, name)
            if value != defaults[name]:
                raise ValueError(f"{name}: got {value!r}, but {what} has no use for it; leave it out")


def resolve_devices(device: str | Sequence[str]) -> list[str]:
    """Return the torch devices of "cuda:0,cuda:1", ["cpu", "cpu"] or "all" (CUDA); none for "auto"."""
    if device == "auto":
        return []
    if device == "all":
        count = require("torch", "embed", "to use all devices").cuda.device_count()
        if count == 0:
            raise ValueError("device: got 'all', but there is no CUDA device; pass 'auto' or 'cpu'")
        return [f"cuda:{i}" for i in range(count)]
    names = device.split(",") if isinstance(device, str) else device
    found = [str(name).strip() for name in names]
    if not found or not all(found):
        raise ValueError(f"device: got {device!r}, wanted auto, all, or names such as cpu or cuda:0,cuda:1")
    return found
