"""What turns texts into vectors: the interface of all encoders."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from ..common.closing import Closing
from ..common.types import JSON, Array, Indices, Ints
from .options import EmbedOptions

Tick = Callable[[int], object]  # told how many texts of a call are done


class Stopped(Exception):  # noqa: N818 - no error of its own
    """Encoding ended early: `cause` says why, `rows` are the vectors of the texts before."""

    def __init__(self, cause: BaseException, rows: Array) -> None:
        super().__init__(str(cause))
        self.cause, self.rows = cause, rows


class Encoder(Closing, ABC):
    """Turns texts into vectors; use it as a context manager.

    Attributes:
        batch_size: texts that are encoded together. It shrinks when memory runs out, and a run that goes on
            starts with what it had shrunk to.
        cut: numbers of the rows whose texts were cut because a server refused them whole.
        longest: length (by `lengths`) beyond which texts are cut, None where none is, or nothing is known.
        lanes: parts of the work that are done at the same time.
        libraries: names of the packages whose versions matter to the vectors.

    """

    libraries: tuple[str, ...] = ("numpy",)

    def __init__(self, options: EmbedOptions) -> None:
        """Load the model, or make a client.

        Raises:
            ImportError: for a package that is not installed.
            OSError: if there is no such model.

        """
        self.batch_size = options.layout()["batch_size"]
        self.cut: list[int] = []
        self.longest: int | None = None
        self.lanes = 1

    @staticmethod
    def has_vector(text: str) -> bool:
        """Return whether a text can have a vector that is not zero."""
        return bool(text.strip())

    @classmethod
    def check(cls, options: EmbedOptions) -> None:
        """Raise for what cannot be loaded with these options, as far as that is found out fast."""
        cls(options).close()

    @abstractmethod
    def identity(self) -> JSON:
        """Return JSON values that must be the same when a run goes on: what the model is, exactly."""

    def details(self) -> JSON:
        """Return JSON values for the manifest that a run may go on without: devices, requests."""
        return {}

    def lengths(self, texts: Sequence[str]) -> Ints | None:
        """Return how long texts are, where those of one length are better encoded together."""
        return None

    def fidelity(self, texts: Sequence[str]) -> JSON | None:
        """Return how near the vectors of some texts come to the model's own, None where they are these."""
        return None

    def encode_sorted(self, texts: Sequence[str], numbers: Sequence[int], tick: Tick) -> Array:
        """Return the vectors of all texts, which are encoded longest first."""
        order = longest_first(self.lengths(texts), len(texts))
        found = self.encode([texts[i] for i in order], [numbers[i] for i in order], tick)
        rows = np.empty_like(found)
        rows[order] = found
        return rows

    @abstractmethod
    def encode(self, texts: Sequence[str], numbers: Sequence[int], tick: Tick) -> Array:
        """Return the vectors of a chunk, (len(texts), d) float32 or float64, not normalized.

        numbers: the texts' row numbers, for errors. The vectors may depend on the chunk as a whole and on
        `batch_size`, on nothing else; only if they depend on neither, `Stopped` may be raised.
        """


def longest_first(lengths: Ints | None, n: int) -> Indices:
    """Return the places of n texts by falling length, or as they are where no lengths are known."""
    return np.arange(n) if lengths is None else np.argsort(-lengths, kind="stable")
