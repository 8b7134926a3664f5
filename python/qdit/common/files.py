"""Hashes, files and folders that are whole or not there, and the JSON manifest of a saved result."""

import errno
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from .shape import COMMON, Shape, misfits
from .types import JSON, Array

_BLOCK_BYTES = 1 << 22
_PROBE_BYTES = 1 << 20


def sha256_array(array: Array, label: str = "") -> str:
    """Return the sha256 of an array's dtype, shape and items, read in blocks and never copied whole.

    Args:
        array: C-contiguous.
        label: dtype name to hash instead of the array's own (bfloat16 held as uint16).

    """
    digest = hashlib.sha256(f"{label or array.dtype.name} {array.shape}\n".encode())
    flat = array.reshape(-1)
    step = max(1, _BLOCK_BYTES // array.itemsize)
    for start in range(0, flat.size, step):
        digest.update(flat[start : start + step].view(np.uint8).data)
    return digest.hexdigest()


def sha256_file(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_folder(folder: Path) -> str:
    """Return the sha256 of the names and contents of a folder's files; hidden ones do not count."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            digest.update(f"{sha256_file(path)} {name.as_posix()}\n".encode())
    return digest.hexdigest()


def sync(file: IO[bytes]) -> None:
    """Make what was written to a file durable."""
    with writing(Path(file.name)):
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def writing(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Name what is written in errors of the system: those of a full disk say no path.

    Libraries that hide such an error, in words (those in Rust) or altogether (torch), raise it from here too.

    Args:
        path: file or folder that is written.
        temporary: what is written to in its place.

    """
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            error.filename = str(_named(error.filename, path, temporary))
            error.strerror = os.strerror(error.errno)
            del error.filename2  # of a rename; None would be shown as a name
        raise
    except Exception as error:
        said = re.search(r"\(os error (\d+)\)", str(error))
        number = int(said[1]) if said else _fault(path) if isinstance(error, RuntimeError) else None
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _named(found: Any, path: Path, temporary: Path | None) -> Any:
    """Return the path for an error that names `found`, which may be nothing or a temporary path."""
    if not isinstance(found, str | os.PathLike):
        return path
    inside = temporary is not None and Path(found).is_relative_to(temporary)
    return path / Path(found).relative_to(temporary) if temporary is not None and inside else found


def _fault(path: Path) -> int | None:
    """Return what is wrong with the disk under a path, as an error number; None if it can be written."""
    try:
        with tempfile.TemporaryFile(dir=path if path.is_dir() else path.parent) as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
    except OSError as error:
        return error.errno
    return None


def check_writable(folder: Path) -> None:
    """Raise OSError, with the path, if no folder can be there or nothing written into it; nothing is made."""
    place = folder
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if not place.is_dir():
        number = errno.EEXIST if place == folder else errno.ENOTDIR
    elif os.access(place, os.W_OK | os.X_OK):
        return
    else:
        number = errno.EROFS if os.statvfs(place).f_flag & os.ST_RDONLY else errno.EACCES
    raise OSError(number, os.strerror(number), str(folder))


def sync_path(path: Path) -> None:
    """Make a file durable, or the creations and renames in a directory."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write a file so that at any moment, even after a crash, it is the old one or the new one, whole."""
    with new_file(path) as temporary:
        # not mkstemp: its files are private to the user, results should follow the umask
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(handle, "wb") as file:
            for part in parts:
                file.write(part)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; at the end it becomes `path`, or nothing if the block fails.

    For writers that want a path; `write_atomic` is for bytes.
    """
    temporary = _temporary(path)
    try:
        with writing(path, temporary):
            yield temporary
            sync_path(temporary)
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_path(path.parent)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder to fill; at the end it takes the place of `path`."""
    temporary = _temporary(path)
    try:
        with writing(path, temporary):
            yield temporary
            shutil.rmtree(path, ignore_errors=True)
            temporary.replace(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_path(path.parent)


@contextmanager
def new_files(directory: Path, manifest: str) -> Iterator[Path]:
    """Give a temporary folder to fill; at the end its files take the places of those in `directory`.

    Those that the old manifest lists as "files" are deleted. It is taken away before that and the new one
    comes last, so whenever there is one, all that it lists is there. If the block fails, as on a full disk,
    or is killed, everything is as it was.
    """
    directory.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(directory / manifest)
    try:
        with writing(directory, temporary):
            temporary.mkdir()
            yield temporary
            replaced = directory / f".{manifest}.replaced"  # until they are gone: a kill may come
            if (directory / manifest).exists():
                (directory / manifest).replace(replaced)
            sync_path(directory)
            made = sorted(path.relative_to(temporary) for path in temporary.rglob("*") if path.is_file())
            for name in _listed(replaced, temporary / manifest) - {*made}:
                (directory / name).unlink(missing_ok=True)
                with suppress(OSError):  # not empty, or not there
                    (directory / name).parent.rmdir()
            for name in made:
                if name != Path(manifest):
                    (directory / name).parent.mkdir(parents=True, exist_ok=True)
                    (temporary / name).replace(directory / name)
            for folder in {(directory / name).parent for name in made}:
                sync_path(folder)
            (temporary / manifest).replace(directory / manifest)
            replaced.unlink(missing_ok=True)
            shutil.rmtree(temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_path(directory)


def _listed(manifest: Path, new: Path) -> set[Path]:
    """Return the files below its folder that a manifest lists, if it is of the same kind as a new one."""
    try:
        old, kind = json.loads(manifest.read_bytes()), json.loads(new.read_bytes())["format"]
        names = [Path(name) for name in old["files"] if old["format"] == kind]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {name for name in names if not name.is_absolute() and ".." not in name.parts}


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def remove_temporaries(directory: Path) -> None:
    """Delete what a killed run left of `new_file` and the like; no one may be writing."""
    remove_leftovers(directory, ("*",))


def remove_leftovers(directory: Path, names: Iterable[str]) -> None:
    """Delete what a killed run left of such files, or manifests, of these names; no one may be writing."""
    for name in names:
        for leftover in directory.glob(f".{name}.????????.tmp"):
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink(missing_ok=True)


def describe(path: Path) -> JSON:
    """Return the entry of a file in a manifest: its sha256 and size."""
    return {"sha256": sha256_file(path), "bytes": path.stat().st_size}


def write_npy(path: Path, array: Array) -> JSON:
    """Write a small array atomically; return its file entry for a manifest."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    content = buffer.getvalue()
    write_atomic(path, [content])
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "dtype": array.dtype.name,
        "shape": list(array.shape),
    }


def write_json(path: Path, value: JSON) -> None:
    """Write a JSON object atomically."""
    write_atomic(path, [to_json(value, indent=2, default=plain).encode() + b"\n"])


def to_json(value: object, **how: Any) -> str:
    """Return JSON text, with null for NaN and infinities, which JSON has not; how: of `json.dumps`."""
    try:
        return json.dumps(value, allow_nan=False, **how)
    except ValueError:
        return json.dumps(json.loads(json.dumps(value, **how), parse_constant=lambda name: None), **how)


def plain(value: object) -> object:
    """Return a number of numpy or a path as what JSON has for it."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"cannot write {type(value).__name__} to JSON")


class _Read(dict[str, Any]):
    """An object in a JSON file; an error for a key that it lacks names the file."""

    def __init__(self, found: JSON, path: Path, remedy: str) -> None:
        super().__init__(found)
        self._path, self._remedy = path, remedy

    def __missing__(self, key: str) -> Any:
        raise ValueError(f"{self._path} is damaged: it has no {key!r}; {self._remedy}")


def read_json(
    path: Path,
    kind: str,
    version: int | None = None,
    remedy: str = "make it again",
    shape: Mapping[str, Shape] | None = None,
) -> JSON:
    """Read a JSON object; ValueError says what is wrong with the file, also when a key is missed later.

    Args:
        path: of the file.
        kind: what its "format" must be.
        version: what its "format_version" must be; None for any.
        remedy: what to do about another version, or a key that is missing or of another type, for the error.
        shape: types of values, beside those of `COMMON`.

    """
    try:
        value = json.loads(path.read_bytes(), object_hook=lambda found: _Read(found, path, remedy))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(value, dict) or value.get("format") != kind:
        found = value.get("format") if isinstance(value, dict) else None
        raise ValueError(f"{path}: got format {found!r}, wanted {kind!r}; this file is not qdit's")
    if version is not None and value.get("format_version") != version:
        found = value.get("format_version")
        raise ValueError(f"{path}: got format version {found}, wanted {version}; {remedy}")
    problem = next(misfits(value, {**COMMON, **(shape or {})}), None)
    if problem is not None:
        raise ValueError(f"{path} is damaged: {problem}; {remedy}")
    return value


def load_verified(directory: Path, name: str, entry: JSON, remedy: str) -> Array:
    """Load an array that a manifest lists, checking its hash; remedy: what to do otherwise, for the error."""
    path = directory / name
    if not path.is_file():
        raise ValueError(f"{path} is missing though the manifest lists it; {remedy}")
    found, wanted = sha256_file(path), entry.get("sha256")
    if found != wanted:
        raise ValueError(
            f"{path} is damaged or changed: sha256 is {found}, the manifest says {wanted}; {remedy}"
        )
    return np.asarray(np.load(path, allow_pickle=False))
