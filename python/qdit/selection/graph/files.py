"""A similarity graph on disk: .npy files that are mapped, and a manifest."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...common import files, npy
from ...common.types import JSON, Array

FORMAT = "qdit-graph"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
PAIR = np.dtype([("row", "<u4"), ("sim", "<i4")])
_DTYPES = {"offsets": np.dtype(np.int64), "pairs": PAIR, "sampled": np.dtype(np.int64)}
_BLOCK_ITEMS = 1 << 20


def write(directory: Path, arrays: dict[str, Array], record: JSON) -> Path:
    """Write the arrays, block by block, and then the manifest."""
    entries = {}
    with files.new_files(directory, MANIFEST) as folder:
        for name, array in arrays.items():
            path = folder / f"{name}.npy"
            files.write_atomic(path, _npy_parts(array))
            entries[path.name] = files.describe(path) | {"shape": list(array.shape)}
        head = {"format": FORMAT, "format_version": FORMAT_VERSION}
        files.write_json(folder / MANIFEST, {**head, **record, "files": entries})
    return directory


def _npy_parts(array: Array) -> Iterator[bytes | memoryview]:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    yield header.getvalue()
    for start in range(0, len(array), _BLOCK_ITEMS):
        yield array[start : start + _BLOCK_ITEMS].view(np.uint8).data


def read(directory: Path) -> tuple[JSON, dict[str, Array]]:
    """Return the manifest and the arrays, mapped.

    Sizes, shapes and dtypes are checked, not the hashes: reading gigabytes is what mapping is there to avoid.
    Damaged numbers cannot do more than give a wrong selection or an error.
    """
    path = directory / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f"{directory}: no {MANIFEST}, so no complete graph; save or build it again")
    record = files.read_json(path, FORMAT, FORMAT_VERSION, "build the graph again")
    entries = {name: record["files"][f"{name}.npy"] for name in _DTYPES}
    for name in ("scale", "params", "stats", "inputs"):
        record[name]
    return record, {name: _open(directory / f"{name}.npy", name, entry) for name, entry in entries.items()}


def _open(path: Path, name: str, entry: JSON) -> Array:
    if not path.is_file():
        raise ValueError(f"{path} is missing though the manifest lists it; build the graph again")
    array = npy.open_npy(name, path)
    size = path.stat().st_size
    if size != entry["bytes"] or array.dtype != _DTYPES[name] or list(array.shape) != entry["shape"]:
        raise ValueError(
            f"{path} is damaged or changed: got {size} bytes of {array.dtype}, shape {array.shape}; "
            f"the manifest says {entry['bytes']} bytes, shape {tuple(entry['shape'])}"
        )
    return array
