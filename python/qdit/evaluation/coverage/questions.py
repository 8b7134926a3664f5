"""Questions embedded by the model that embedded the pool, once for each set."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...common import files, npy
from ...common.identity import check_same, digest
from ...common.options import Options
from ...common.progress import RowProgressLike, RowTracker
from ...common.text import file_name
from ...common.types import JSON, Array, StrPath
from ...embedding.encoder import Encoder
from ...embedding.job import EmbedJob, encoder_class, finished
from ...embedding.options import EmbedOptions
from ...embedding.writer import MANIFEST, ROWS
from ...engine.rows import Rows, open_embeddings
from ...generation.questions import Question
from ...records.pool import Pool

_KEPT = (
    *("revision", "prompt", "prompt_name", "max_tokens", "normalize", "backend", "model_dtype", "dimensions"),
    "base_url",
)


@dataclass(frozen=True, kw_only=True)
class EncoderOptions(Options):
    """What embeds questions: the model that embedded the pool.

    Attributes:
        model: Hub id or folder of the model that embedded the pool; by default the one that the pool's
            embeddings.json names.
        device: auto, or a torch device such as cuda:1 or cpu.
        local_files_only: Do not ask the Hub; the model must be in its cache.
        key_env: Name of the environment variable with the endpoint's key, which goes nowhere else.

    """

    model: str | None = None
    device: str = "auto"
    local_files_only: bool = False
    key_env: str = "OPENAI_API_KEY"


@dataclass(frozen=True, kw_only=True)
class EncodingOptions(EncoderOptions):
    """What embeds questions, and the pool that is embedded by it.

    Attributes:
        pool: Pool directory that the selections were made from.
        embeddings: Instead of a pool, its (n, d) embeddings, or their .npy file; an embeddings.json beside
            embeddings.npy is read too.

    """

    pool: StrPath | None = None
    embeddings: Any = None

    def _check(self) -> None:
        if (self.pool is None) == (self.embeddings is None):
            raise ValueError("pool: wanted either a pool directory or embeddings, one of the two")


@dataclass(frozen=True)
class Encoding:
    """How questions become vectors.

    Attributes:
        options: as for `qdit.embed`.
        model: the identity of the pool's model by its embeddings.json, None where there is none.
        d: dimensions of the pool.

    """

    options: EmbedOptions
    model: JSON | None
    d: int

    def open(self) -> Encoder:
        """Load the model, or make a client."""
        return encoder_class(self.options)(self.options)

    def describe(self) -> JSON:
        """Return what a manifest says of it."""
        model = self.model or {"name": self.options.model}
        return {**model, "checked": self.model is not None}

    def check(self, encoder: Encoder) -> None:
        """Raise ValueError if the loaded model is not the one of the pool."""
        if self.model is not None:
            where = f"model: {self.options.model} is not the model of the pool"
            remedy = "pass the model that embedded the pool, or embed the pool again"
            check_same(where, essence(self.model), essence(encoder.identity()), remedy)


def open_encoding(options: EncodingOptions, *, needed: bool = True) -> tuple[Rows, Encoding | None]:
    """Return the pool's rows, and how to embed questions like them; None if that is not needed."""
    found: JSON | None
    if options.pool is not None:
        opened = Pool.open(options.pool)
        opened.records.close()
        if opened.embeddings is None:
            raise ValueError(f"pool: {opened.directory} has no embeddings; make them with qdit embed")
        rows, found = opened.embeddings, opened.manifests.get("embeddings")
    else:
        rows = open_embeddings(options.embeddings)
        beside = Path(rows.source).with_name(MANIFEST)
        there = Path(rows.source).name == ROWS and beside.is_file()
        found = files.read_json(beside, EmbedJob.format) if there else None
    if not needed:
        return rows, None
    then = (found or {}).get("settings", {})
    if options.model is None and "model" not in then:
        raise ValueError(
            f"model: nothing says which model made {rows.source}; pass its name or folder, it "
            "embeds the questions"
        )
    kept = {name: then[name] for name in _KEPT if then.get(name) is not None}
    kept["model"] = str(then["model"]) if options.model is None else options.model
    own = {"device": options.device, "local_files_only": options.local_files_only, "key_env": options.key_env}
    encoding = EmbedOptions.of("coverage", {**kept, **own, "dtype": "float32"})
    return rows, Encoding(encoding, (found or {}).get("model"), rows.d)


def question_vectors(
    questions: Sequence[Question], encoding: Encoding, kept: StrPath | None, progress: RowProgressLike = None
) -> NDArray[np.float32]:
    """Return the vectors of questions in order, (m, d) float32.

    The text that is embedded is instruction and input with an empty line between. Each set is kept in a file
    of the folder `kept`, named by a hash of texts and model; None keeps nothing.
    """
    vectors = np.empty((len(questions), encoding.d), np.float32)
    with loaded_once(encoding) as encoder:
        for name in dict.fromkeys(question.set for question in questions):
            places = [i for i, question in enumerate(questions) if question.set == name]
            texts = [questions[i].instruction for i in places]
            vectors[places] = kept_vectors(name, texts, encoding, encoder, kept, progress)[0]
    return vectors


@contextmanager
def loaded_once(encoding: Encoding) -> Iterator[Callable[[], Encoder]]:
    """Hand out what returns the model, which is loaded when it is first wanted, and checked."""
    with ExitStack() as stack:

        @cache
        def encoder() -> Encoder:
            opened = stack.enter_context(closing(encoding.open()))
            encoding.check(opened)
            return opened

        yield encoder


def kept_vectors(
    name: str,
    texts: list[str],
    encoding: Encoding,
    encoder: Callable[[], Encoder],
    kept: StrPath | None,
    progress: RowProgressLike = None,
) -> tuple[Array, Path | None]:
    """Return the vectors of texts, (len(texts), d) float32, and the file in the folder `kept` that has them.

    name: what the file's name begins with.
    """
    # where no file says which model the pool's is, only the model itself does
    identity = encoding.model or encoder().identity()
    key = digest([essence(identity), encoding.options.normalize, texts])
    path = None if kept is None else Path(kept) / f"{file_name(name)}-{key[:16]}.npy"
    if path is not None and path.exists():
        return _kept(path, (len(texts), encoding.d)), path
    vectors = _encode(name, texts, encoding, encoder(), progress)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_npy(path, vectors)
    return vectors, path


def essence(identity: JSON) -> JSON:
    """Return what a model is, whatever device it runs on and wherever its folder is now."""
    place = {"device", "name"} if "sha256" in identity else {"device"}
    return {name: value for name, value in identity.items() if name not in place}


def _encode(
    name: str, texts: list[str], encoding: Encoding, encoder: Encoder, progress: RowProgressLike
) -> NDArray[np.float32]:
    with RowTracker(progress, f"embed {name}", len(texts)) as tracker:
        found = encoder.encode_sorted(texts, range(len(texts)), tracker.update)
        tracker.done(len(texts))
    if found.shape[1] != encoding.d:
        raise ValueError(
            f"model: {encoding.options.model} gives {found.shape[1]} dimensions, the pool has {encoding.d}; "
            "pass the model that embedded the pool"
        )
    rows = finished(found, encoding.options)
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise ValueError(f"question {bad[0]} of {name}: its vector has NaN or infinite numbers")
    return np.asarray(rows, np.float32)


def _kept(path: Path, shape: tuple[int, int]) -> Array:
    found = npy.open_npy("cache", path)
    if found.shape != shape:
        raise ValueError(f"cache: {path} has shape {found.shape}, wanted {shape}; delete it")
    return found
