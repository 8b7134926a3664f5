"""CUDA devices: whether one can be used, and embeddings that lie in the memory of one."""

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import cuda_device_of, cuda_download, cuda_status, describe_dlpack
from ..common.types import Array, Indices

_WANTED = "float16, bfloat16, float32 or float64"
_ITEM_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
_BLOCK_BYTES = 64 * 2**20
_CUDA = 2  # kDLCUDA
_LEGACY_STREAM = 1  # how the array interface and DLPack write the default stream; 0 would be ambiguous
_DLPACK_CODES = {(2, 16): "float16", (4, 16): "bfloat16", (2, 32): "float32", (2, 64): "float64"}
_TYPESTRS = {"<f2": "float16", "<f4": "float32", "<f8": "float64"}


@dataclass(frozen=True, eq=False)
class DeviceArray:
    """(n, d) C-contiguous rows in the memory of a CUDA device; stands in for the array of `Rows`.

    Attributes:
        pointer: address of the first item on the device.
        shape: (n, d).
        dtype_name: "float16", "bfloat16", "float32" or "float64".
        device: number of the device.
        stream: handle of the stream that the rows are ready on; 0 if they are ready now.
        owner: what keeps the memory.

    """

    pointer: int
    shape: tuple[int, int]
    dtype_name: str
    device: int
    stream: int
    owner: Any = field(repr=False)

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.shape[0] * self.shape[1] * _ITEM_BYTES[self.dtype_name]

    def blocks(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the bytes, copied to CPU memory part by part."""
        for start in range(0, self.nbytes, _BLOCK_BYTES):
            count = min(_BLOCK_BYTES, self.nbytes - start)
            yield cuda_download(self.pointer + start, count, self.device, self.stream)

    def sha256(self) -> str:
        """Return what `files.sha256_array` returns for the same rows in CPU memory."""
        digest = hashlib.sha256(f"{self.dtype_name} {self.shape}\n".encode())
        for block in self.blocks():
            digest.update(block.data)
        return digest.hexdigest()

    def take(self, which: Indices) -> Array:
        """Return some rows in CPU memory; bfloat16 ones as uint16. Copies all parts that hold one of them."""
        item = item_type(self.dtype_name)
        n, d = self.shape
        step = max(1, _BLOCK_BYTES // (d * item.itemsize))
        out = np.empty((len(which), d), item)
        for start in range(0, n, step):
            here = np.flatnonzero((which >= start) & (which < start + step))
            if len(here) == 0:
                continue
            first, count = self.pointer + start * d * item.itemsize, min(step, n - start) * d * item.itemsize
            part = cuda_download(first, count, self.device, self.stream).view(item).reshape(-1, d)
            out[here] = part[which[here] - start]
        return out

    def __getitem__(self, _which: Any) -> Any:
        raise TypeError(
            "embeddings: got rows on a CUDA device, wanted them in CPU memory for this; copy them there"
        )

    def __array__(self, *_args: Any, **_options: Any) -> Any:
        return self[:]


def item_type(dtype: str) -> np.dtype[Any]:
    """Return the type of items in CPU memory: bfloat16 ones are held as their uint16 bits."""
    return np.dtype(np.uint16 if dtype == "bfloat16" else dtype)


def check_shape(name: str, shape: tuple[int, ...]) -> None:
    """Raise ValueError for anything but at least one row and one dimension."""
    if len(shape) != 2:
        count = "1 dimension" if len(shape) == 1 else f"{len(shape)} dimensions"
        raise ValueError(f"{name}: got {count} (shape {shape}), wanted 2: (rows, dimensions)")
    if 0 in shape:
        raise ValueError(f"{name}: got shape {shape}, wanted at least one row and one dimension")


def is_on_device(source: Any) -> bool:
    """Return whether the object's items lie in the memory of a CUDA device."""
    if is_tensor(source):
        return str(source.device.type) == "cuda"
    if hasattr(source, "__dlpack_device__") and not hasattr(source, "__cuda_array_interface__"):
        return int(source.__dlpack_device__()[0]) == _CUDA
    return hasattr(source, "__cuda_array_interface__")


def open_device_array(name: str, source: Any) -> DeviceArray:
    """Return the object's memory as it is; `name` leads every error.

    Args:
        name: what to call it.
        source: a torch tensor on a CUDA device, or anything with `__cuda_array_interface__` (CuPy, Numba) or
            DLPack. It is kept, and used on the stream that it says.

    Raises:
        TypeError: for another dtype.
        ValueError: for anything but C-contiguous rows of 2 dimensions.

    """
    if is_tensor(source):
        return _from_torch(name, source)
    if hasattr(source, "__cuda_array_interface__"):
        return _from_interface(name, source)
    return _from_dlpack(name, source)


def is_tensor(source: Any) -> bool:
    """Return whether the object is a tensor of torch."""
    return type(source).__module__.partition(".")[0] == "torch" and hasattr(source, "data_ptr")


def require_dense(name: str, tensor: Any) -> None:
    """Raise TypeError for a sparse tensor of torch."""
    if str(tensor.layout) != "torch.strided":
        raise TypeError(
            f"{name}: got a {tensor.layout} tensor, wanted a dense one; convert with x.to_dense()"
        )


def _from_torch(name: str, tensor: Any) -> DeviceArray:
    torch: Any = sys.modules["torch"]  # its tensor is here, so it has been imported; qdit itself never does
    require_dense(name, tensor)
    tensor = tensor.detach()
    dtype = str(tensor.dtype).removeprefix("torch.")
    shape = _checked(name, tuple(tensor.shape), dtype, contiguous=bool(tensor.is_contiguous()))
    stream = int(torch.cuda.current_stream(tensor.device).cuda_stream)
    return DeviceArray(
        int(tensor.data_ptr()), shape, dtype, int(tensor.device.index or 0), stream or _LEGACY_STREAM, tensor
    )


def _from_interface(name: str, source: Any) -> DeviceArray:
    what = source.__cuda_array_interface__
    dtype = _TYPESTRS.get(what["typestr"], what["typestr"])
    strides = what.get("strides")
    contiguous = strides is None or _packed(tuple(what["shape"]), strides, _ITEM_BYTES.get(dtype, 0))
    shape = _checked(name, tuple(what["shape"]), dtype, contiguous=contiguous)
    if what.get("mask") is not None:
        raise TypeError(f"{name}: got a masked array, wanted a plain one")
    stream = what.get("stream")
    if stream == 0:
        raise ValueError(f"{name}: got stream 0 in __cuda_array_interface__, which its protocol forbids")
    pointer = int(what["data"][0])
    device = _device_of(name, source, pointer)
    return DeviceArray(pointer, shape, dtype, device, int(stream or 0), source)


def _device_of(name: str, source: Any, pointer: int) -> int:
    said = getattr(getattr(source, "device", None), "id", None)
    if said is not None:
        return int(said)
    if not cuda_status()["usable"]:
        return 0  # whoever wants to read the rows is told why that cannot be
    device = int(cuda_device_of(pointer))
    if device < 0:
        raise ValueError(
            f"{name}: got an address {pointer:#x} in __cuda_array_interface__ that is no device's memory, "
            "wanted that of a CUDA device"
        )
    return device


def _from_dlpack(name: str, source: Any) -> DeviceArray:
    capsule = source.__dlpack__(stream=_LEGACY_STREAM)  # ready for work on the default stream
    tensor = describe_dlpack(capsule)
    dtype = _DLPACK_CODES.get(
        (tensor["code"], tensor["bits"]), f"code {tensor['code']} of {tensor['bits']} bits"
    )
    strides = tensor["strides"]
    contiguous = strides is None or _packed(tensor["shape"], strides, 1)
    shape = _checked(
        name, tensor["shape"], dtype if tensor["lanes"] == 1 else "vector", contiguous=contiguous
    )
    return DeviceArray(tensor["pointer"], shape, dtype, tensor["device"], _LEGACY_STREAM, (source, capsule))


def _packed(shape: tuple[int, ...], strides: Any, item: int) -> bool:
    wanted = item
    for size, stride in zip(reversed(shape), reversed(tuple(strides)), strict=True):
        if size > 1 and stride != wanted:
            return False
        wanted *= size
    return True


def _checked(name: str, shape: tuple[int, ...], dtype: str, *, contiguous: bool) -> tuple[int, int]:
    if dtype not in _ITEM_BYTES:
        raise TypeError(f"{name}: got dtype {dtype} on a device, wanted {_WANTED}; convert it there")
    check_shape(name, shape)
    if not contiguous:
        raise ValueError(
            f"{name}: got strided rows on a device, wanted C-contiguous ones; copy them, "
            "for instance with x.contiguous() or cupy.ascontiguousarray(x)"
        )
    return int(shape[0]), int(shape[1])
