"""Files that are whole or not there."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..common import files


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; at the end it becomes `path`, or nothing if the block fails.

    For writers that want a path; `manifest.write_atomic` is for bytes.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        handle = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    files.sync_directory(path.parent)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder to fill; at the end it takes the place of `path`."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        temporary.replace(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    files.sync_directory(path.parent)


def remove_temporaries(directory: Path) -> None:
    """Delete what a killed run left of `new_file` and `new_folder`; no one may be writing."""
    for found in directory.glob(".*.????????.tmp"):
        if found.is_dir():
            shutil.rmtree(found)
        else:
            found.unlink(missing_ok=True)


def describe(directory: Path, names: list[str]) -> dict[str, Any]:
    """Return size and sha256 of files in a directory, by name."""
    return {
        name: {"sha256": files.sha256_file(directory / name), "bytes": (directory / name).stat().st_size}
        for name in names
    }
