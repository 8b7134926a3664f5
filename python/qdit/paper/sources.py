"""The pool that a figure is made of: a pool directory, or files that were made elsewhere."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..common import files
from ..common.progress import AnyProgressLike
from ..common.types import Floats, StrPath
from ..engine.rows import Rows, open_embeddings
from ..records import Records, import_records, open_records
from ..records.importing import is_imported
from ..records.pool import Pool
from ..selection.options import Column
from ..selection.pool import is_pool
from ..selection.quality import open_quality

_RECORDS = "records"  # the folder in the working folder that holds records made of a file


@dataclass(frozen=True, eq=False)
class Source:
    """A pool for the figures.

    Attributes:
        name: for titles.
        rows: (n, d) embeddings.
        quality: (n,) float64 scores, or None.
        records: the texts, or None.

    """

    name: str
    rows: Rows
    quality: Floats | None
    records: Records | None

    @cached_property
    def hashes(self) -> dict[str, str]:
        """The sha256 of each part."""
        found = {"embeddings": files.sha256_array(self.rows.array, self.rows.dtype)}
        if self.quality is not None:
            found["quality"] = files.sha256_array(self.quality)
        if self.records is not None:
            found["records"] = self.records.sha256
        return found

    @property
    def scores(self) -> Floats:
        """The quality; ValueError if there is none."""
        if self.quality is None:
            raise ValueError(
                f"quality: {self.name} has no scores; make them with qdit score, or pass --quality scores.npy"
            )
        return self.quality

    def instructions(self, rows: Iterable[int]) -> list[str]:
        """Return the instructions of rows; ValueError if there are no records."""
        if self.records is None:
            raise ValueError(
                f"records: {self.name} has no texts; pass a pool directory, or --records with the file "
                "that the embeddings were made of"
            )
        return [self.records.row(int(i)).instruction for i in rows]


def open_source(
    pool: StrPath,
    *,
    quality: Column | None = None,
    records: StrPath | None = None,
    work: StrPath | None = None,
    name: str | None = None,
    progress: AnyProgressLike = None,
) -> Source:
    """Open a pool.

    Args:
        pool: a pool directory, or a .npy file of (n, d) embeddings.
        quality: (n,) scores or a .npy file of them; None takes those of the pool, if it has any.
        records: with a .npy file: a pool directory with the texts, or a source such as alpaca_data.json.gz
            that is imported into `work`, once.
        work: folder for that.
        name: for titles; None takes the pool's own.
        progress: as `import_records` takes it.

    Raises:
        FileNotFoundError, TypeError, ValueError: if a file is missing, damaged, or of another length.

    """
    if is_pool(pool):
        opened = Pool.open(pool)
        if opened.embeddings is None:
            raise FileNotFoundError(f"{opened.directory}: no embeddings.npy; make them with qdit embed")
        scores = opened.quality if quality is None else open_quality(quality, opened.embeddings.n)
        title = name or opened.directory.resolve().name
        return Source(title, opened.embeddings, scores, opened.records)
    path = Path(pool)
    if path.is_dir():
        raise FileNotFoundError(
            f"pool: {path} is a folder without records.json, so no pool; make one: qdit import"
        )
    rows = open_embeddings(path)
    texts = None if records is None else _open_texts(Path(records), work, progress)
    if texts is not None and len(texts) != rows.n:
        raise ValueError(
            f"records: {records} has {len(texts):,} rows, {path} has {rows.n:,}; row i of one must be row i "
            "of the other"
        )
    return Source(name or path.stem, rows, open_quality(quality, rows.n), texts)


def _open_texts(path: Path, work: StrPath | None, progress: AnyProgressLike) -> Records:
    if is_pool(path):
        return open_records(path)
    if not path.exists():
        raise FileNotFoundError(f"records: no such file or folder: {path}")
    if work is None:
        raise ValueError(f"records: {path} is no pool, and there is no working folder to import it into")
    folder = Path(work) / _RECORDS
    if not is_imported(str(path), folder):
        folder.mkdir(parents=True, exist_ok=True)
        import_records(str(path), folder, overwrite=True, progress=progress).close()
    return open_records(folder)
