"""What torch, transformers and the Hub raise while models load and run, as errors that say what to do."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .optional import require
from .text import shorten

_SHOWN = 300  # characters of a library's reason
_MEMORY_SIGNS = (  # how else a lack of memory shows: CPU allocator, cuBLAS, cuDNN
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
# patterns of names and texts of what was raised and its causes; the first that is found decides
_REMEDIES = {
    "trust_remote_code|custom code": "it comes with code of its own, which is not run "
    "here; pass another model",
    "GatedRepo|gated repo": "accept its terms on its page at https://huggingface.co and set HF_TOKEN, "
    "or pass the folder of a copy",
    "RevisionNotFound|valid git identifier": "check the revision",
    "LocalEntryNotFound|OfflineMode|ConnectError|ConnectionError|ConnectTimeout|couldn't connect": "the Hub "
    "cannot be reached and its cache here lacks the model; check the network, or pass the folder of a copy",
    "RepositoryNotFound|HFValidation|valid model identifier": "check the name (for one that is not public, "
    "set HF_TOKEN), or pass the folder of a copy",
    "Safetensor|UnpicklingError|EOFError|PytorchStreamReader|JSONDecodeError": "a file of it is cut off or "
    "damaged; fetch or copy it again",
    "does not recognize this architecture|KeyError": "update transformers, or pass another model",
    "size mismatch|mismatched_sizes": "its weights are not those of its config.json; fetch or copy "
    "both again",
    "no file named|does not appear to have|EntryNotFound": "fetch or copy all of its files",
    "": "check its files, or pass another model",
}
_MISSING = "NotFoundError|HFValidation|valid model identifier|couldn't connect"


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of torch means that a batch, or a model, was too large."""
    torch = require("torch", "score", "to run a model")
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _MEMORY_SIGNS)


def free_memory() -> None:
    """Give back what torch holds of a device for later use."""
    torch = require("torch", "score", "to run a model")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def first_line(error: BaseException) -> str:
    """Return what an error says, without what libraries add for programmers."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return shorten(lines[0] if lines else type(error).__name__, _SHOWN)


def check_folder(folder: Path) -> Path:
    """Return the folder of a model; FileNotFoundError if it holds none."""
    if not any((folder / name).is_file() for name in ("config.json", "modules.json", "adapter_config.json")):
        below = [path.parent.name for path in sorted(folder.glob("*/config.json"))]
        hint = f" (there is one in its folder {below[-1]})" if below else ""
        raise FileNotFoundError(
            f"{folder} has no config.json{hint}; pass a folder as save_pretrained writes it, or the name "
            "of a model on the Hub"
        )
    return folder


@contextmanager
def loading(name: str, *, folder: Path | None = None, dtype: str = "dtype") -> Iterator[None]:
    """Turn what is raised while a model is loaded into one error that says what to do.

    Args:
        name: of the model, for the error.
        folder: where its files are, if that is known.
        dtype: the option for that of its weights.

    Raises:
        MemoryError: the weights are too large.
        ImportError: another package is needed.
        FileNotFoundError: there is no such model.
        OSError: it cannot be loaded.

    """
    try:
        yield
    except Exception as error:  # the libraries raise all kinds, also of each other's
        reason = first_line(error)
        if is_out_of_memory(error):
            raise MemoryError(
                f"{name}: its weights are too much for the memory ({reason}); pass {dtype} bfloat16 "
                f"(--{dtype.replace('_', '-')} bfloat16), another device, or a smaller model"
            ) from error
        if isinstance(error, ImportError) and "trust_remote_code" not in str(error):
            raise ImportError(f"{name}: loading it needs another package: {reason}") from error
        told = " ".join(f"{type(cause).__name__}: {cause}" for cause in _causes(error))
        remedy = next(what for signs, what in _REMEDIES.items() if re.search(signs, told))
        if re.search(_MISSING, told):
            raise FileNotFoundError(
                f"{name} is no folder here, and no model that the Hugging Face Hub or its cache has to "
                f"offer: {reason}; {remedy}"
            ) from error
        damaged = None if folder is None else _damaged(folder)
        where = "" if damaged is None else f" ({damaged})"
        raise OSError(f"{name} cannot be loaded{where}: {reason}; {remedy}") from error


@contextmanager
def running(name: str, where: str, remedy: str) -> Iterator[None]:
    """Turn what torch raises while a model runs into one error that says what to do.

    where: the rows, for the error. remedy: for a lack of memory.
    """
    try:
        yield
    except (RuntimeError, IndexError, AssertionError, MemoryError) as error:
        if isinstance(error, MemoryError) and str(error):
            raise  # it says what to do
        if is_out_of_memory(error):
            raise MemoryError(f"{where}: one text at a time is too much for the memory; {remedy}") from error
        raise RuntimeError(
            f"{name}: it failed at {where}: {first_line(error)}; pass float32 weights or device cpu to see "
            "whether the model's files are at fault"
        ) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _damaged(folder: Path) -> Path | None:
    """Return the first file of a model's folder that cannot be opened."""
    safetensors: Any = None
    with suppress(ImportError):
        safetensors = require("safetensors", "score", "to look at weights")
    for path in sorted(folder.glob("*.*")):
        try:
            if path.suffix == ".json":
                json.loads(path.read_bytes())
            elif path.suffix == ".safetensors" and safetensors is not None:
                with safetensors.safe_open(str(path), "np"):
                    pass
        except Exception:  # safetensors has an error of its own
            return path
    return None
