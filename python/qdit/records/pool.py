"""A pool directory: records, their embeddings and their quality, checked to belong together.

    records.jsonl or records.arrow, records.json    what `import_records` wrote
    embeddings.npy, embeddings.json                 (n, d) float16, float32, ...
    quality.npy, quality.json                       (n,) float64, larger is better
    costs.npy, costs.json                           (n,) int64 tokens

Each .json names the records its array was made of ("records": {"n", "sha256"}) and the array's own hash
("files": {"embeddings.npy": {"sha256", "bytes", ...}}). An array without one was put there by hand; then only
its length can be checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..common import files, npy
from ..common.closing import Closing
from ..common.job import Job
from ..common.progress import RowProgressLike
from ..common.shape import ENTRIES, Shape
from ..common.types import JSON, Array, Floats, Ints, StrPath
from ..engine.rows import Rows, kept_zeros, open_embeddings
from . import Records, open_records
from .tokens import count_tokens

SHAPE: Shape = {"files": ENTRIES, "records": {"sha256": str}, "settings": {}, "results": list}
FORMATS = {"embeddings": "qdit-embeddings", "quality": "qdit-quality"}
_COPY_BYTES = 1 << 22
_MAKERS = {"embeddings": "embed", "quality": "score"}


@dataclass(frozen=True, eq=False)
class Pool:
    """An opened pool directory.

    Attributes:
        directory: where it is.
        records: the rows, see `qdit.records.Records`.
        embeddings: (n, d) rows mapped from embeddings.npy, or None.
        quality: (n,) float64 scores, or None.
        manifests: what embeddings.json and quality.json say, by "embeddings" and "quality", where they exist.

    """

    directory: Path
    records: Records
    embeddings: Rows | None
    quality: Floats | None
    manifests: Mapping[str, JSON] = field(default_factory=dict)

    @classmethod
    def open(cls, directory: StrPath) -> Pool:
        """Open a pool; nothing large is read.

        Raises:
            FileNotFoundError: if there are no complete records in the directory.
            ValueError: if an array is of other records than those there, or of another length; says which
                file is stale and what makes it anew.

        """
        path = Path(directory)
        records = open_records(path)
        manifests = {name: found for name in FORMATS if (found := _read_manifest(path, name, records))}
        embeddings = quality = None
        if (file := path / "embeddings.npy").is_file():
            embeddings = open_embeddings(file)
            _check_length(file, embeddings.n, len(records), _redo(path, "embeddings"))
        if (file := path / "quality.npy").is_file():
            quality = _check_scores(file, npy.open_npy("quality", file), len(records))
        return cls(path, records, embeddings, quality, manifests)

    def __len__(self) -> int:
        return len(self.records)

    def check(self) -> None:
        """Read every file and compare its hash; ValueError says which one was changed."""
        self.records.check()
        for name, found in self.manifests.items():
            entry = found.get("files", {}).get(f"{name}.npy", {})
            path = self.directory / f"{name}.npy"
            if "sha256" in entry and files.sha256_file(path) != entry["sha256"]:
                raise ValueError(
                    f"{path} is damaged or changed: its sha256 is not the one in {name}.json; "
                    + _redo(self.directory, name)
                )

    def token_costs(
        self, tokenizer: str | None = None, *, revision: str | None = None, progress: RowProgressLike = None
    ) -> Ints:
        """Return how many tokens the turns of each row have, (n,) int64, at least 1.

        The counts are kept in costs.npy, so a second call with the same tokenizer reads them.

        Args:
            tokenizer: name or path of a tokenizer for transformers; None estimates a token for every 4 bytes
                of UTF-8 text, rounded up, which needs no package and is within some 20% for English.
            revision: commit, tag or branch of the tokenizer.
            progress: True for a bar on stderr, or a callable that takes a `RowProgress`.

        Raises:
            ImportError: if a tokenizer is named and transformers is missing.

        """
        return count_tokens(self.directory, self.records, tokenizer, revision, progress)

    def source_groups(self) -> NDArray[np.str_]:
        """Return the label of each row's source, (n,); what `select` takes as groups for quotas by source."""
        codes, names = self.records.sources()
        labels: NDArray[np.str_] = np.array(names, np.str_)
        return labels[codes]

    def field(self, name: str) -> list[Any]:
        """Return what each row has under a name, None where it has nothing; ValueError if no row has any."""
        found = [value.get(name) for value in self.records.values()]
        if all(value is None for value in found):
            some = ", ".join(self.records.value(0))
            raise ValueError(f"{self.directory}: no row has a field {name!r}; the first has {some}")
        return found


PoolLike = StrPath | Pool
Made = TypeVar("Made")


def pool_directory(pool: PoolLike) -> Path:
    """Return the directory of a pool, which may be one itself."""
    return pool.directory if isinstance(pool, Pool) else Path(pool)


class PoolJob(Closing, Job[Made]):
    """A job that makes an array with a row for each record of a pool; use it as a context manager.

    Attributes:
        array: name of the array, "embeddings" or "quality".
        directory: of the pool.
        records: the pool's, opened.

    """

    array: ClassVar[str]
    shape = SHAPE

    def __init__(self, pool: PoolLike) -> None:
        """Open the pool's records."""
        self.directory = pool_directory(pool)
        self.path = self.directory / f"{self.array}.npy"
        self.manifest_path = self.directory / f"{self.array}.json"
        self.records: Records = open_records(self.directory)

    def close(self) -> None:
        """Close the records."""
        self.records.close()


def attach(
    directory: StrPath,
    *,
    embeddings: StrPath | None = None,
    quality: StrPath | None = None,
    overwrite: bool = False,
) -> Pool:
    """Copy arrays that were made elsewhere into a pool; row i must be that of record i.

    Args:
        directory: the pool.
        embeddings: .npy file of (n, d) float16, float32 or float64.
        quality: .npy file of n scores, larger is better.
        overwrite: replace arrays that are there.

    Returns:
        The pool, opened.

    Raises:
        FileNotFoundError: if there are no records or no such file.
        TypeError: for a dtype that cannot be used.
        ValueError: for another length, scores that are not finite, or an array that is there already.

    """
    path = Path(directory)
    with open_records(path) as records:
        if embeddings is not None:
            source = Path(embeddings)
            with _replaced(path / "embeddings.npy", records, source, overwrite) as target:
                _check_length(source, open_embeddings(source).n, len(records), "pass the file of this pool")
                with source.open("rb") as file:
                    files.write_atomic(target, iter(lambda: file.read(_COPY_BYTES), b""))
        if quality is not None:
            source = Path(quality)
            with _replaced(path / "quality.npy", records, source, overwrite) as target:
                files.write_npy(target, _check_scores(source, npy.open_npy("quality", source), len(records)))
    return Pool.open(path)


def check_arrays(*, embeddings: StrPath | None = None, quality: StrPath | None = None) -> None:
    """Raise the errors of `attach` that can be told without records."""
    n = None if embeddings is None else open_embeddings(Path(embeddings)).n
    if quality is not None:
        scores = npy.open_npy("quality", Path(quality))
        _check_scores(Path(quality), scores, scores.size if n is None else n)


@contextmanager
def _replaced(target: Path, records: Records, source: Path, overwrite: bool) -> Iterator[Path]:
    """Give the path for a copy of an array, which takes the place of an old one with its manifest."""
    if target.exists() and not overwrite:
        raise ValueError(
            f"{target.stem}: {target} is there already; pass overwrite=True (--overwrite) to replace it"
        )
    manifest = target.with_suffix(".json").name
    with files.new_files(target.parent, manifest) as folder:
        yield folder / target.name
        record: JSON = {
            "format": FORMATS[target.stem],
            "format_version": 1,
            "records": {"n": len(records), "sha256": records.sha256},
            "attached": str(source),
            "files": {target.name: files.describe(folder / target.name)},
            "versions": {"qdit": __version__},
        }
        if target.stem == "embeddings":
            record["zero_rows"] = kept_zeros(source)
        else:
            record |= {"scorers": [{"by": "attached file"}], "results": []}
        files.write_json(folder / manifest, record)


def _read_manifest(directory: Path, name: str, records: Records) -> JSON | None:
    path = directory / f"{name}.json"
    if not path.is_file():
        return None
    found, array = files.read_json(path, FORMATS[name], shape=SHAPE), path.with_suffix(".npy")
    wanted = {"n": len(records), "sha256": records.sha256}
    if found.get("records") != wanted:
        had = found.get("records") or {}
        raise ValueError(
            f"{array} is stale: it was made of other records ({had.get('n')} rows, "
            f"sha256 {str(had.get('sha256'))[:12]}) than those there ({len(records)} rows, sha256 "
            f"{records.sha256[:12]}); {_redo(directory, name)}"
        )
    if not array.is_file():
        raise ValueError(f"{array} is missing though {name}.json is there; {_redo(directory, name)}")
    return found


def _redo(directory: Path, name: str) -> str:
    return f"redo it with: qdit {_MAKERS[name]} {directory} --overwrite"


def _check_length(path: Path, got: int, wanted: int, remedy: str) -> None:
    if got != wanted:
        raise ValueError(
            f"{path} has {got:,} rows, the pool has {wanted:,} records; row i of one must be row i of the "
            f"other: {remedy}"
        )


def _check_scores(path: Path, array: Array, n: int) -> Floats:
    if array.ndim != 1 or len(array) != n or array.dtype.kind not in "fiu":
        raise ValueError(
            f"{path}: got {array.dtype.name} of shape {array.shape}, wanted ({n},) numbers, one a record; "
            "pass the scores of this pool"
        )
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise ValueError(
            f"{path}: the score of row {row} is {values[row]}, wanted a finite number; "
            "give it a score or leave the row out"
        )
    return values
