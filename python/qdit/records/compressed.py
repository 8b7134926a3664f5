"""Compressed files, told by their first bytes whatever they are called; and files that are no text."""

import bz2
import gzip
import io
import lzma
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from ..common.optional import require

BUFFER_BYTES = 1 << 20
TEXT = "JSON or CSV"
COMPRESSED = (".gz", ".zst", ".xz", ".bz2")
# bz2 raises a bare OSError: `is_damage` tells it from one of the operating system
DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError)

PARQUET_MAGIC = b"PAR1"
_GZIP, _ZSTD, _XZ, _BZ2 = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"BZh"
_ZSTD_SKIPPED = b"\x2a\x4d\x18"  # after the first byte of a frame that holds no data
_MOST_TIMES = 2  # a file is compressed
_ZSTD_WINDOW = 1 << 31  # the longest that there is: of zstd --long=31
_UNPACK = "unpack it, or pack each file by itself as .gz, .zst, .xz or .bz2"
_OTHERS = {
    b"version https://git-lfs": ("a pointer of Git LFS and not the file itself", "get it with git lfs pull"),
    PARQUET_MAGIC: ("a Parquet file", "call it .parquet"),
    b"PK\x03\x04": ("a zip archive", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", _UNPACK),
    b"<!DOCTYPE": ("a web page", "fetch the file itself"),
    b"<html": ("a web page", "fetch the file itself"),
    b"\xff\xfe\0\0": ("UTF-32 text", "convert it to UTF-8: iconv -f UTF-32 -t UTF-8"),
    b"\xff\xfe": ("UTF-16 text", "convert it to UTF-8: iconv -f UTF-16 -t UTF-8"),
    b"\xfe\xff": ("UTF-16 text", "convert it to UTF-8: iconv -f UTF-16 -t UTF-8"),
}


def expand(path: Path, file: io.BufferedReader) -> io.BufferedReader:
    """Return what a file holds, decompressed if it is; ValueError if that is no text."""
    stream = file
    for _ in range(_MOST_TIMES):
        opened = _decompressed(stream, stream.peek(16))
        if opened is None:
            break
        stream = io.BufferedReader(opened, BUFFER_BYTES)
    start = stream.peek(512)[:512]
    check_contents(path, start)
    if start[257:262] == b"ustar":
        raise ValueError(f"{path} is a tar archive, wanted {TEXT}; {_UNPACK}")
    if path.suffix.lower() in COMPRESSED and stream is file and any(byte < 9 for byte in start):
        raise EOFError(f"it does not begin as a {path.suffix} file does")
    if b"\0" in start[:4]:
        raise ValueError(f"{path} is no UTF-8 text: it has zero bytes; convert it, or fetch it again")
    return stream


def _decompressed(file: io.BufferedReader, start: bytes) -> Any:
    """Return a stream of what is compressed in a file that begins so, None if nothing is."""
    if start.startswith(_GZIP):
        return gzip.GzipFile(fileobj=file, mode="rb")
    if start.startswith(_XZ):
        return lzma.LZMAFile(file)
    if start.startswith(_BZ2):
        return bz2.BZ2File(file)
    if start.startswith(_ZSTD) or start[1:4] == _ZSTD_SKIPPED:
        return _WholeZst(require("zstandard", "data", "to read what is compressed as .zst"), file)
    return None


def check_contents(path: Path, start: bytes, wanted: str = TEXT) -> None:
    """Raise ValueError if a file begins as another kind of file does."""
    for magic, (what, remedy) in _OTHERS.items():
        if start.startswith(magic):
            raise ValueError(f"{path} is {what}, wanted {wanted}; {remedy}")


def is_damage(error: BaseException) -> bool:
    """Return whether an error of `DAMAGE` is of the data, and not of the operating system."""
    return not isinstance(error, OSError) or error.errno is None


class _WholeZst(io.RawIOBase):
    """A .zst file that says so when it is cut off, where zstandard itself just ends."""

    def __init__(self, zstandard: Any, file: BinaryIO) -> None:
        self._zstandard = zstandard
        self._file = file
        self._frame: Any = None
        self._rest = b""  # decompressed, not yet handed out
        self._next = b""  # compressed, of the frames to come

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            data = self._next or self._file.read(BUFFER_BYTES)
            self._next = b""
            if not data:
                if self._frame is not None:
                    raise EOFError("the compressed data ends early")
                return 0
            if self._frame is None:
                made = self._zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
                self._frame = made.decompressobj()
            try:
                self._rest = self._frame.decompress(data)
            except self._zstandard.ZstdError as error:
                raise EOFError(str(error)) from error
            if self._frame.eof:
                self._next, self._frame = self._frame.unused_data, None
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
