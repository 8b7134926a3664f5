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
MODEL_DTYPES = ("float32", "float16", "bfloat16", "int8")
BACKENDS = ("torch", "onnx", "openvino")
ZERO_ROWS = ("error", "keep")
BUILTIN_ROWS = 16384  # in a batch, and in a chunk, of the built-in model
_BATCH_SIZE = 32
_CHUNK_BATCHES = 64  # batches in a chunk: what a kill may lose
_WINDOW_ROWS = 16384  # enough for batches of nearly equal length, and a few tens of MB of text
_DECIDING = (
    *("model", "revision", "template", "prompt", "prompt_name", "normalize", "dtype", "model_dtype"),
    *("dimensions", "max_tokens"),
)
_SERVER_UNUSED = (
    *("revision", "device", "processes", "backend", "model_dtype", "prompt_name", "max_tokens"),
    *("window_rows", "local_files_only"),
)
_BUILTIN_UNUSED = (*_SERVER_UNUSED, "prompt", "dimensions", "truncate")


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
        prompt_name: One of the prompts that come with a model, such as query or document, by its name.
        max_tokens: Longest text in tokens, those of the prompt and of the model's own included; what is
            longer is cut, and counted. None for the model's own limit.
        normalize: Scale rows to length 1.
        dtype: Of the file, float16 or float32.
        batch_size: Texts that are encoded together, or sent in one request; None for 32. Halved when memory
            runs out.
        chunk_rows: Rows that each process does before any is written, what a kill may lose; None for 64
            batches.
        window_rows: Rows whose texts are sorted by their number of tokens together, so that a batch holds
            texts of one length; their texts are in memory. None for 16384.
        device: auto, a torch device such as cuda:1, several as cuda:0,cuda:1 or a list (a process each), or
            all for every CUDA device.
        processes: Processes that share the work, and the processors, on device cpu; each loads the model.
            The vectors are the same.
        backend: What runs the model: torch, onnx or openvino.
        model_dtype: Of the weights, float32, float16 or bfloat16; with backend onnx or openvino float32 or
            int8, which is faster and less exact: how near its vectors come to the model's own is measured on
            some rows and said. None for the model's own.
        dimensions: Cut vectors to the first so many, for models that are trained for it (Matryoshka).
        local_files_only: Do not ask the Hub; the model must be in its cache.
        zero_rows: What becomes of rows without a vector (blank texts, those whose vector is zero, those that
            a server refuses as too long): error, or keep for rows of zeros, which are never chosen.
        truncate: Cut texts that a server refuses as too long until it takes them. Models that run here cut
            texts at their own limit, or at max_tokens.

    """

    model: str = DEFAULT_MODEL
    revision: str | None = None
    template: str = "with_input"
    prompt: str | None = None
    prompt_name: str | None = None
    max_tokens: int | None = None
    normalize: bool = True
    dtype: str = "float16"
    batch_size: int | None = None
    chunk_rows: int | None = None
    window_rows: int | None = None
    device: str | Sequence[str] = "auto"
    processes: int = 1
    backend: str = "torch"
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
        checks.check_choice("backend", self.backend, BACKENDS)
        if self.model_dtype is not None:
            checks.check_choice("model_dtype", self.model_dtype, MODEL_DTYPES)
            taken = MODEL_DTYPES[:3] if self.backend == "torch" else ("float32", "int8")
            if self.model_dtype not in taken:
                raise ValueError(
                    f"model_dtype: got {self.model_dtype!r}, wanted {', '.join(taken)} or none with backend "
                    f"{self.backend} (int8 is for onnx and openvino)"
                )
        for name in ("batch_size", "chunk_rows", "window_rows", "processes", "dimensions", "max_tokens"):
            if getattr(self, name) is not None:
                checks.check_least(name, getattr(self, name), 1)
        if self.prompt is not None and self.prompt_name is not None:
            raise ValueError("prompt_name: a prompt is given too; leave one of the two out")
        self.devices()
        if self.base_url is not None:
            self._refuse(_SERVER_UNUSED, "a server (base_url)")
        elif self.is_builtin:
            self._refuse(_BUILTIN_UNUSED, f"model {BUILTIN!r}")
        else:
            self._refuse(("truncate",), "a model that runs here (pass max_tokens, or leave its own limit)")

    @property
    def is_builtin(self) -> bool:
        """Whether the model is the built-in one."""
        return self.model == BUILTIN and self.base_url is None

    def identity(self) -> JSON:
        """Return what decides the rows, rounding aside; backend None is torch, as in older manifests."""
        backend = None if self.backend == "torch" else self.backend
        return {name: getattr(self, name) for name in (*_DECIDING, "base_url")} | {"backend": backend}

    def layout(self) -> dict[str, int]:
        """Return what decides the rounding, as numbers; "window_rows" only where texts are sorted."""
        batch = self.batch_size or (BUILTIN_ROWS if self.is_builtin else _BATCH_SIZE)
        chunk = self.chunk_rows or (BUILTIN_ROWS if self.is_builtin else batch * _CHUNK_BATCHES)
        sizes = {"batch_size": batch, "chunk_rows": chunk}
        if self.is_builtin or self.base_url is not None:
            return sizes
        return sizes | {"window_rows": self.window_rows or _WINDOW_ROWS}

    def devices(self) -> list[str]:
        """Return the torch devices, one for each process; none for the library's choice."""
        found = resolve_devices(self.device)
        if self.processes == 1:
            return found
        if len(found) > 1 or not all(device.startswith("cpu") for device in found):
            raise ValueError(
                f"processes: got {self.processes} with device {self.device!r}, wanted device cpu; several "
                "devices have a process each (device cuda:0,cuda:1)"
            )
        return ["cpu"] * self.processes

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
