"""A disk that is full, as far as anybody can make one without being root."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

LIMIT = 4096


@contextmanager
def small_files(limit: int = LIMIT) -> Iterator[None]:
    """No file may grow beyond so many bytes: a write beyond fails with EFBIG where a full disk has ENOSPC."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
