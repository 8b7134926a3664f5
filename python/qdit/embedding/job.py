"""A checked call of `embed`: what is embedded with what, what is there already, and the run."""

import logging
import time
from dataclasses import dataclass, field

import numpy as np

from ..common import files
from ..common.identity import check_same
from ..common.progress import RowProgressLike, RowTracker
from ..common.text import shorten
from ..common.types import JSON, Array
from ..engine.rows import Rows, open_embeddings
from ..records.pool import PoolJob, PoolLike
from ..records.templates import make_template
from .encoder import Encoder, Stopped, Tick
from .hashed import HashEncoder
from .options import EmbedOptions
from .runtime import RUNTIMES
from .sentence import SentenceEncoder
from .server import ServerEncoder
from .window import Window
from .writer import REMEDY, ROWS, Writer, partial_rows, remove_finished

_SHOWN = 60  # characters of a text in an error
_SAMPLE = 1000  # rows that an estimate looks at
_BYTES_PER_TOKEN = 4  # of English text, roughly
_NAMED = 5  # rows that an error names
_LISTED = 20  # rows that the manifest lists
_COMPARED = 256  # rows whose vectors are compared with the model's own
_FINITE = "pass dtype float32 (--dtype float32), model_dtype float32, or another model"
KEEP = (
    "pass zero_rows keep (--zero-rows keep; under embed in the file of a run) for rows of zeros, which are "
    "never chosen"
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Embeddings:
    """What `embed` made.

    Attributes:
        rows: (n, d) float16 or float32, mapped from the pool's embeddings.npy.
        manifest: what embeddings.json says.

    """

    rows: Rows
    manifest: JSON = field(repr=False)


def encoder_class(options: EmbedOptions) -> type[Encoder]:
    """Return what encodes with these options; called with them, it loads the model, or makes a client."""
    if options.base_url is not None:
        return ServerEncoder
    return HashEncoder if options.is_builtin else SentenceEncoder


class EmbedJob(PoolJob[Embeddings]):
    """A checked call of `embed`; use it as a context manager."""

    verb, format, array = "embed", "qdit-embeddings", "embeddings"

    def __init__(self, pool: PoolLike, options: EmbedOptions) -> None:
        """Open the pool's records."""
        self.options = options
        self.template = make_template(options.template)
        super().__init__(pool)

    def _identity(self) -> JSON:
        """Return all that decides the rows, rounding aside."""
        return {"records": self.records.sha256, **self.options.identity()}

    def _identity_of(self, manifest: JSON) -> JSON:
        then = {"records": manifest.get("records", {}).get("sha256"), **manifest["settings"]}
        return {name: then.get(name) for name in self.identity}

    def found(self) -> JSON | None:
        """Return the manifest that is there; None without one, or if the rows were made elsewhere."""
        found = super().found()
        return found if found is not None and "settings" in found else None

    def _load(self, manifest: JSON) -> Embeddings | None:
        if files.sha256_file(self.path) != manifest["files"][ROWS]["sha256"]:
            return None
        return Embeddings(open_embeddings(self.path), manifest)

    def _is_stopped(self) -> bool:
        return partial_rows(self.directory) == len(self.records)

    def _tidy(self) -> None:
        remove_finished(self.directory)

    def _how_on(self) -> str:
        done = partial_rows(self.directory)
        return f"go on; {done:,} of {len(self.records):,} rows are done"

    def _libraries(self) -> tuple[str, ...]:
        return *encoder_class(self.options).libraries, *RUNTIMES[self.options.backend]

    def estimate(self) -> JSON:
        """Return rows, rows left, and characters and tokens of those left as the first 1000 rows suggest."""
        n = len(self.records)
        done = n if self.saved() is not None else partial_rows(self.directory)
        sample = [len(self.template(row)) for row in self.records.rows(0, min(n, _SAMPLE))]
        characters = round(sum(sample) / len(sample) * (n - done))
        tokens = round(characters / _BYTES_PER_TOKEN)
        return {"rows": n, "left": n - done, "characters": characters, "tokens": tokens}

    def _make(self, progress: RowProgressLike, overwrite: bool) -> Embeddings:
        identity = {**self.identity, **self.options.layout()}
        dtype, n = self.options.dtype, len(self.records)
        with Writer(self.directory, identity, n, dtype, overwrite=overwrite) as writer:
            if writer.done < n:
                self._check_texts(writer.done)
                with encoder_class(self.options)(self.options) as encoder:
                    self._embed(encoder, writer, progress)
            if writer.state["zero_rows"] == n:
                raise ValueError(f"{self.directory}: no row has a vector; check the template")
            fields = {
                "records": {"n": n, "sha256": self.records.sha256},
                "settings": {**self.options.identity(), **self.options.layout()},
                **writer.state,
            }
            writer.finish(self._record(fields))
        return Embeddings(open_embeddings(self.path), files.read_json(self.manifest_path, self.format))

    def _check_texts(self, first: int) -> None:
        """Raise ValueError before the work if it would come to a text that has no vector."""
        if self.options.zero_rows == "keep":
            return
        has_vector, n = encoder_class(self.options).has_vector, len(self.records)
        texts = ((row, self.template(row)) for row in self.records.rows(first, n))
        without = [(i, row.id, text) for i, (row, text) in enumerate(texts, first) if not has_vector(text)]
        if without:
            named = [f"row {i} ({name}): {shorten(text, _SHOWN)!r}" for i, name, text in without[:_NAMED]]
            named += ["..."] * (len(without) > _NAMED)
            raise ValueError(
                f"{self.directory}: {len(without):,} of {n:,} rows have a text without a word, so no vector: "
                f"{', '.join(named)}; {KEEP}; or use another template"
            )

    def _embed(self, encoder: Encoder, writer: Writer, progress: RowProgressLike) -> None:
        n, before = len(self.records), writer.done
        chunk = self.options.layout()["chunk_rows"] * encoder.lanes
        state = self._state(encoder, writer)
        start, seconds = time.monotonic(), state["seconds"]
        window = self._window(encoder, writer)
        begun = window.worked(before - window.first)
        with RowTracker(progress, "embed", n - before) as tracker:

            def tick(done: int) -> None:  # longer texts come first, so rows do not tell the share of the work
                place = writer.done - window.first + done
                share = (window.worked(place) - begun) / (n - begun)
                tracker.update(window.first + place - before, share)

            while writer.done < n:
                if writer.done == window.stop:
                    window = self._window(encoder, writer)
                place = writer.done - window.first
                texts, numbers = window.part(place, place + chunk)
                rows, stopped = self._rows(encoder, texts, numbers, state, tick)
                numbers = numbers[: len(rows)]
                count(state, "cut_rows", window.cut(place, place + len(rows)))
                if encoder.batch_size != state["batch_sizes"][-1][1]:
                    state["batch_sizes"].append([writer.done, encoder.batch_size])
                state |= {"seconds": seconds + time.monotonic() - start, "details": encoder.details()}
                if len(rows):
                    writer.add(rows, numbers, window.first, state)
                if stopped is not None:
                    raise stopped
            tracker.done(n - before)

    def _window(self, encoder: Encoder, writer: Writer) -> Window:
        """Return the rows that come next, or those among which an earlier run stopped."""
        layout, n, first = self.options.layout(), len(self.records), writer.window
        size = layout.get("window_rows", layout["chunk_rows"])
        if writer.done >= (first // size + 1) * size:
            first = writer.done
        stop = min(n, (first // size + 1) * size)
        return Window(first, [self.template(row) for row in self.records.rows(first, stop)], encoder)

    def _state(self, encoder: Encoder, writer: Writer) -> JSON:
        """Return the state to go on with, after a check that the model is still the same."""
        identity = encoder.identity()
        if "stand_in" in identity:
            _log.warning("%s is a %s", self.options.model, identity["stand_in"])
        if not writer.state:
            sizes = [[0, encoder.batch_size]]
            state: JSON = {"model": identity, "batch_sizes": sizes, "zero_rows": 0, "seconds": 0.0, "runs": 1}
            fidelity = encoder.fidelity(self._sample())
            if fidelity is not None:
                state["fidelity"] = fidelity
                _log.warning("%s", told_fidelity(fidelity))
            return state
        check_same(f"{self.directory}: the model", writer.state["model"], identity, REMEDY)
        encoder.batch_size = writer.state["batch_sizes"][-1][1]
        return {**writer.state, "runs": writer.state["runs"] + 1}

    def _sample(self) -> list[str]:
        """Return texts from all over the pool."""
        n = len(self.records)
        rows = (self.records.row(i) for i in range(0, n, -(-n // _COMPARED)))
        return [text for row in rows if (text := self.template(row)).strip()]

    def _rows(
        self, encoder: Encoder, texts: list[str], numbers: list[int], state: JSON, tick: Tick
    ) -> tuple[Array, BaseException | None]:
        """Return the finished rows of a chunk, (len(texts), d); or those before an error, and the error."""
        filled, stopped = [i for i, text in enumerate(texts) if text.strip()], None
        try:  # a word tells how long a vector is where there is nothing else
            given = [texts[i] for i in filled] or ["word"]
            vectors = encoder.encode(given, [numbers[i] for i in filled] or numbers[:1], tick)[: len(filled)]
        except Stopped as error:
            vectors, stopped = error.rows, error.cause
            if not len(vectors):
                return vectors, stopped
            texts, filled = texts[: filled[len(vectors)]], filled[: len(vectors)]
        rows = finished(vectors, self.options)
        bad = faults(rows, zeros=self.options.zero_rows == "error")
        if bad is not None:
            i, what = bad
            row, text = numbers[filled[i]], texts[filled[i]]
            raise ValueError(f"row {row}: the vector of its text {shorten(text, _SHOWN)!r} {what}")
        if len(filled) < len(texts):
            whole = np.zeros((len(texts), rows.shape[1]), rows.dtype)
            whole[filled] = rows
            rows = whole
        count(state, "zero_rows", [numbers[i] for i in np.flatnonzero(~rows.any(axis=1))])
        count(state, "cut_rows", [row for row in numbers[: len(rows)] if row in encoder.cut])
        encoder.cut.clear()
        return rows, stopped


def count(state: JSON, name: str, rows: list[int]) -> None:
    """Add rows to a count of the manifest, and the first ones to its list."""
    state[name] = state.get(name, 0) + len(rows)
    state[f"first_{name}"] = sorted(state.get(f"first_{name}", []) + rows)[:_LISTED]


def notes(manifest: JSON) -> list[str]:
    """Return what is to be known about some of the rows, a line each."""
    kinds = {"zero_rows": "have no vector; they are zeros and are never chosen", "cut_rows": "were cut"}
    lines = [told_fidelity(manifest["fidelity"])] if "fidelity" in manifest else []
    for name, what in kinds.items():
        if manifest.get(name):
            listed = manifest.get(f"first_{name}", [])
            shown = ", ".join(map(str, listed)) + ", ..." * (manifest[name] > len(listed))
            lines.append(f"{manifest[name]:,} rows {what}: {shown}")
    return lines


def told_fidelity(found: JSON) -> str:
    """Return in words how near vectors come to the model's own."""
    return (
        f"{found['weights']}: cosine to the model's own vectors is {found['mean']:.4f} on average, at least "
        f"{found['least']:.4f}, of {found['rows']} rows from all over the pool"
    )


def finished(vectors: Array, options: EmbedOptions) -> Array:
    """Return vectors (m, d) as rows of the file's dtype, normalized if that is asked for."""
    if options.normalize:
        exact = vectors.astype(np.float64)
        norms = np.sqrt(np.einsum("ij,ij->i", exact, exact))
        vectors = exact / np.where(norms > 0, norms, 1)[:, None]
    with np.errstate(over="ignore"):  # found by `faults`
        return vectors.astype(options.dtype)


def faults(rows: Array, *, zeros: bool) -> tuple[int, str] | None:
    """Return the first row that cannot be used and what is wrong with it; None if all can.

    zeros: whether a row of zeros is a fault.
    """
    for good, what in (
        (np.isfinite(rows).all(axis=1), f"has NaN or infinite numbers; {_FINITE}"),
        (rows.any(axis=1) | (not zeros), f"is zero; {KEEP}"),
    ):
        if not good.all():
            return int(np.argmin(good)), what
    return None
