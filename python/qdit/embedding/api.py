"""`qdit.embed`: a vector for every row of a pool."""

from typing import Any

from ..common.progress import RowProgressLike
from ..records.pool import PoolLike
from .job import Embeddings, EmbedJob
from .options import DEFAULT_MODEL, EmbedOptions


def embed(
    pool: PoolLike,
    model: str = DEFAULT_MODEL,
    *,
    progress: RowProgressLike = None,
    overwrite: bool = False,
    **options: Any,
) -> Embeddings:
    """Embed the text of every row of a pool; write embeddings.npy and embeddings.json into the pool.

    A repeated call goes on where an interrupted one stopped, to the same bytes, and returns what is there
    where nothing changed. Rows go to the file chunk by chunk, so memory does not grow with the pool.

    Args:
        pool: pool directory, or a `qdit.Pool`.
        model: name of a sentence-transformers model on the Hugging Face Hub, or the folder of one (static
            models too); "builtin:hash", a stand-in that needs no download; or, with base_url, the name of a
            server's model.
        progress: None or False for nothing, True for a bar on stderr, or a callable that takes a
            `qdit.records.RowProgress`.
        overwrite: replace embeddings, finished or not, that were made with other options.
        options: those of `EmbedOptions`.

    Returns:
        The rows, mapped from the file, and the manifest.

    Raises:
        ValueError: wrong options, a row without text or vector, or the pool holds other embeddings.
        FileNotFoundError: no pool there, or no such folder.
        OSError: the model cannot be loaded.
        ImportError: a package that the model needs is not installed.
        RuntimeError: the server keeps failing, or another run is at work in the pool; what is done is kept.
        ChildProcessError: one of several processes has ended; what is done is kept.
        MemoryError: not even one text at a time fits the device.

    """
    with prepare(pool, model, **options) as job:
        return job.run(progress=progress, overwrite=overwrite)


def prepare(pool: PoolLike, model: str = DEFAULT_MODEL, **options: Any) -> EmbedJob:
    """Check every argument and return a job to run or estimate; arguments are those of `embed`."""
    return EmbedJob(pool, EmbedOptions.of("embed", {"model": model, **options}))
