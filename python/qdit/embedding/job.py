"""A checked call of `embed`: what is embedded with what, what is there already, and the run."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..common import files
from ..common.identity import REPLACE, OtherRunError, check_same
from ..common.partial import MANIFEST, REMEDY, ROWS, Writer, partial_rows, remove_finished
from ..engine.rows import Rows, open_embeddings
from ..records import Records, open_records
from ..records.progress import RowTracker
from ..records.templates import make_template
from .encoder import Encoder
from .settings import Settings

FORMAT = "qdit-embeddings"
FORMAT_VERSION = 1
_SHOWN = 60  # characters of a text in an error
_SAMPLE = 1000  # rows that an estimate looks at
_BYTES_PER_TOKEN = 4  # of English text, roughly

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Embeddings:
    """What `embed` made.

    Attributes:
        rows: (n, d) float16 or float32, mapped from the pool's embeddings.npy.
        manifest: what embeddings.json says.

    """

    rows: Rows
    manifest: dict[str, Any] = field(repr=False)


class EmbedJob:
    """A checked call of `embed`; use it as a context manager."""

    def __init__(self, pool: Any, settings: Settings) -> None:
        """Open the pool's records.

        pool: a pool directory, or an object whose `directory` is one.
        """
        self.settings = settings
        self.template = make_template(settings.template)
        self.directory = Path(os.fspath(getattr(pool, "directory", pool)))
        self.records: Records = open_records(self.directory)

    def __enter__(self) -> EmbedJob:
        return self

    def __exit__(self, *_: object) -> None:
        self.records.close()

    def identity(self) -> dict[str, Any]:
        """Return all that decides the rows, rounding aside."""
        return {"records": self.records.sha256, **self.settings.identity()}

    def saved(self) -> Embeddings | None:
        """Return what an earlier run of this very job made; None if there is nothing or something else."""
        path = self.directory / MANIFEST
        if not path.exists() or not (self.directory / ROWS).exists():
            return None
        found = files.read_json(path, FORMAT)
        settings = found.get("settings", {})
        then = {"records": found.get("records", {}).get("sha256"), **settings}
        if {name: then.get(name) for name in self.identity()} != self.identity():
            return None
        if files.sha256_file(self.directory / ROWS) != found["files"][ROWS]["sha256"]:
            return None
        return Embeddings(open_embeddings(self.directory / ROWS), found)

    def estimate(self) -> dict[str, Any]:
        """Return rows, rows left, and characters and tokens of those left as the first 1000 rows suggest."""
        n = len(self.records)
        done = n if self.saved() is not None else partial_rows(self.directory)
        sample = [len(self.template(row)) for row in self.records.rows(0, min(n, _SAMPLE))]
        characters = round(sum(sample) / len(sample) * (n - done))
        tokens = round(characters / _BYTES_PER_TOKEN)
        return {"rows": n, "left": n - done, "characters": characters, "tokens": tokens}

    def run(self, *, progress: Any = None, overwrite: bool = False) -> Embeddings:
        """Embed, and write embeddings.npy and embeddings.json; nothing is done twice.

        Raises:
            OtherRunError: if the pool holds other embeddings and overwrite is not set.

        """
        earlier = self.saved()
        if earlier is not None:
            remove_finished(self.directory)
            return earlier
        if not overwrite:
            self._check_new()
        identity = {**self.identity(), **self.settings.layout()}
        with Writer(
            self.directory, identity, len(self.records), self.settings.dtype, overwrite=overwrite
        ) as writer:
            if writer.done < len(self.records):
                with self.settings.make_encoder() as encoder:
                    self._embed(encoder, writer, progress)
            writer.finish(self._record(writer.state))
        found = files.read_json(self.directory / MANIFEST, FORMAT)
        return Embeddings(open_embeddings(self.directory / ROWS), found)

    def _check_new(self) -> None:
        path = self.directory / ROWS
        if not path.exists() or partial_rows(self.directory) == len(self.records):
            return  # the latter: a run that was killed between its last two steps
        if (self.directory / MANIFEST).exists():
            found = files.read_json(self.directory / MANIFEST, FORMAT)
            if "settings" in found:
                now = self.identity()
                then = {"records": found.get("records", {}).get("sha256"), **found["settings"]}
                check_same(f"{path} was made otherwise", {name: then.get(name) for name in now}, now, REPLACE)
                raise ValueError(f"{path} was changed since it was made; {REPLACE}")
        raise OtherRunError(f"{path} is there already and was not made by embed; {REPLACE}")

    def _embed(self, encoder: Encoder, writer: Writer, progress: Any) -> None:
        n, chunk, before = len(self.records), self.settings.chunk_rows, writer.done
        state = self._state(encoder, writer)
        tracker = RowTracker(progress, "embed", n - before)
        start, seconds = time.monotonic(), state["seconds"]
        try:
            while writer.done < n:
                first = writer.done
                texts = [self.template(row) for row in self.records.rows(first, min(n, first + chunk))]
                tick = partial(_tick, tracker, first - before)
                rows = self._rows(encoder, texts, first, state, tick)
                if encoder.batch_size != state["batch_sizes"][-1][1]:
                    state["batch_sizes"].append([first, encoder.batch_size])
                state |= {"seconds": seconds + time.monotonic() - start, "details": encoder.details()}
                writer.append(rows, state)
            tracker.done(n - before)
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(f"repeat the call to go on; {writer.done:,} of {n:,} rows are done")
            raise
        finally:
            tracker.close()

    def _state(self, encoder: Encoder, writer: Writer) -> dict[str, Any]:
        """Return the state to go on with, after a check that the model is still the same."""
        identity = encoder.identity()
        if "stand_in" in identity:
            _log.warning("%s is a %s", self.settings.model, identity["stand_in"])
        if not writer.state:
            sizes = [[0, encoder.batch_size]]
            return {"model": identity, "batch_sizes": sizes, "zero_rows": 0, "seconds": 0.0, "runs": 1}
        check_same(f"{self.directory}: the model", writer.state["model"], identity, REMEDY)
        encoder.batch_size = writer.state["batch_sizes"][-1][1]
        return {**writer.state, "runs": writer.state["runs"] + 1}

    def _rows(
        self, encoder: Encoder, texts: list[str], first: int, state: dict[str, Any], tick: Any
    ) -> NDArray[Any]:
        """Return the finished rows of a chunk, (len(texts), d)."""
        keep = self.settings.zero_rows == "keep"
        filled = [i for i, text in enumerate(texts) if text.strip()]
        if len(filled) < len(texts) and not keep:
            row = first + next(i for i, text in enumerate(texts) if not text.strip())
            raise ValueError(
                f"row {row} ({self.records.row(row).id}): its text is blank, so it has no vector; use "
                "another template, leave the row out at import, or pass zero_rows='keep' for a row of zeros"
            )
        if not filled:
            raise ValueError(
                f"rows {first} to {first + len(texts) - 1}: all texts are blank; check the template"
            )
        vectors = encoder.encode([texts[i] for i in filled], [first + i for i in filled], tick)
        rows = finished(vectors, self.settings)
        bad = faults(rows, zeros=not keep)
        if bad is not None:
            i, what = bad
            row, text = first + filled[i], texts[filled[i]]
            shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
            raise ValueError(f"row {row}: the vector of its text {shown!r} {what}")
        state["zero_rows"] += len(texts) - len(filled) + int((~rows.any(axis=1)).sum())
        if len(filled) == len(texts):
            return rows
        whole = np.zeros((len(texts), rows.shape[1]), rows.dtype)
        whole[filled] = rows
        return whole

    def _record(self, state: dict[str, Any]) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "records": {"n": len(self.records), "sha256": self.records.sha256},
            "settings": {**self.settings.identity(), **self.settings.layout()},
            **state,
            "versions": _versions(self.settings.encoder_class().libraries),
        }


def finished(vectors: NDArray[Any], settings: Settings) -> NDArray[Any]:
    """Return vectors (m, d) as rows of the file's dtype, normalized if that is asked for."""
    if settings.normalize:
        exact = vectors.astype(np.float64)
        norms = np.sqrt(np.einsum("ij,ij->i", exact, exact))
        vectors = exact / np.where(norms > 0, norms, 1)[:, None]
    with np.errstate(over="ignore"):  # found by `faults`
        return vectors.astype(settings.dtype)


def faults(rows: NDArray[Any], *, zeros: bool) -> tuple[int, str] | None:
    """Return the first row that cannot be used and what is wrong with it; None if all can.

    zeros: whether a row of zeros is a fault.
    """
    for good, what in (
        (np.isfinite(rows).all(axis=1), "has NaN or infinite numbers; check the model, or use float32"),
        (rows.any(axis=1) | (not zeros), "is zero; leave the row out, or pass zero_rows='keep'"),
    ):
        if not good.all():
            return int(np.argmin(good)), what
    return None


def _tick(tracker: RowTracker, before: int, done: int) -> None:
    tracker.update(before + done)


def _versions(libraries: tuple[str, ...]) -> dict[str, str]:
    versions = {"qdit": __version__}
    for name in libraries:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "unknown"
    return versions
