"""How a model of sentence-transformers is loaded: by torch, ONNX Runtime or OpenVINO, also as int8."""

import platform
import tempfile
from pathlib import Path
from typing import Any

from .._core import build_info
from ..common.optional import Package, require
from ..common.types import JSON
from .options import EmbedOptions

Model = Any  # a SentenceTransformer

RUNTIMES: dict[str, tuple[str, ...]] = {  # what each backend needs beside torch
    "torch": (),
    "onnx": ("onnxruntime", "optimum"),
    "openvino": ("openvino", "optimum"),
}


def packages(options: EmbedOptions) -> tuple[Package, ...]:
    """Return the packages that a model needs with these options."""
    why = f"to embed with {options.model}"
    more = ((name, options.backend, f"for backend {options.backend}") for name in RUNTIMES[options.backend])
    return ("sentence_transformers", "embed", why), *more


def load_model(options: EmbedOptions, name: str, device: str | None, threads: int | None) -> Model:
    """Return a model with its weights.

    Args:
        options: which runtime, which weights, how many dimensions.
        name: Hub id or folder.
        device: None for the library's choice.
        threads: None for all processors.

    """
    library = require(*packages(options)[0])
    given: JSON = {"device": device, "trust_remote_code": False, "truncate_dim": options.dimensions}
    own = {"revision": options.revision, "local_files_only": options.local_files_only}
    if options.backend == "torch":
        if threads is not None:
            require("torch", "embed", "to run a model").set_num_threads(threads)
        kwargs = None if options.model_dtype is None else {"dtype": options.model_dtype}
        return library.SentenceTransformer(name, **given, **own, model_kwargs=kwargs)
    device = device or "cpu"
    given |= {"device": device, "backend": options.backend}
    kwargs = _openvino(options, threads) if options.backend == "openvino" else _onnx(device, threads)
    model = library.SentenceTransformer(name, **given, **own, model_kwargs=dict(kwargs))
    if options.backend == "openvino" or options.model_dtype != "int8":
        return model
    export = require("sentence_transformers.backend", "onnx", "to quantize a model")
    with tempfile.TemporaryDirectory(prefix="qdit-") as folder:
        model.save_pretrained(folder)
        export.export_dynamic_quantized_onnx_model(model, instructions(), folder)
        file = next(Path(folder).rglob("*_qint8_*.onnx"))
        kwargs["file_name"] = str(file.relative_to(folder))
        return library.SentenceTransformer(folder, **given, local_files_only=True, model_kwargs=kwargs)


def weights_of(options: EmbedOptions, model: Model) -> JSON:
    """Return what the weights are, and what runs them where it is not torch."""
    if options.backend == "torch":
        return {"weights": str(next(model.parameters()).dtype).removeprefix("torch.")}
    name = options.model_dtype or "float32"
    if name == "int8" and options.backend == "onnx":
        name += f" ({instructions()})"  # numbers are rounded as they suit these
    return {"weights": name, "backend": options.backend}


def instructions() -> str:
    """Return the instruction set that ONNX Runtime's int8 products are made for here."""
    if platform.machine() in ("arm64", "aarch64"):
        return "arm64"
    return "avx512_vnni" if "avx512" in build_info()["simd_supported"] else "avx2"


def _onnx(device: str, threads: int | None) -> JSON:
    kind = "CUDAExecutionProvider" if device.startswith("cuda") else "CPUExecutionProvider"
    kwargs: JSON = {"provider": kind}
    if threads is not None:
        kwargs["session_options"] = require("onnxruntime", "onnx", "to run a model").SessionOptions()
        kwargs["session_options"].intra_op_num_threads = threads
    return kwargs


def _openvino(options: EmbedOptions, threads: int | None) -> JSON:
    # left alone, it multiplies in half precision where the processor can
    settings: JSON = {"INFERENCE_PRECISION_HINT": "f32"}
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    return {"ov_config": settings, "load_in_8bit": options.model_dtype == "int8"}
