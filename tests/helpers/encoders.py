"""Encoders without a model, also for processes of their own, and what happens to these."""

import os
import signal
from collections.abc import Callable, Sequence

import numpy as np

from qdit.common.types import JSON, Array, Ints
from qdit.embedding.encoder import Encoder, Tick
from qdit.embedding.options import EmbedOptions

Encode = Callable[[list[str], int], Array]


class LengthEncoder(Encoder):
    """Vectors that tell their text, and the company it was encoded in.

    Attributes:
        calls: the texts of each call of `encode`.
        windows: how many texts were measured at a time.

    """

    calls: list[list[str]]
    windows: list[int]

    def __init__(self, options: EmbedOptions) -> None:
        super().__init__(options)
        self.longest = 40

    def identity(self) -> JSON:
        return {"kind": "test", "name": "lengths"}

    def lengths(self, texts: Sequence[str]) -> Ints:
        type(self).windows.append(len(texts))
        return np.array([len(text) for text in texts], np.int64)

    def encode(self, texts: Sequence[str], numbers: Sequence[int], tick: Tick) -> Array:
        type(self).calls.append(list(texts))
        tick(len(texts))
        return np.array([[len(text), int(text.split()[-1]), len(texts), len(texts[0])] for text in texts])


def counting(sign: int) -> Encode:
    """Return what encodes texts as their length."""
    return lambda texts, batch_size: np.array([[sign * len(text), batch_size] for text in texts], float)


def failing() -> Encode:
    """Return what fails at a text of one letter, and ends its process at an empty one."""

    def encode(texts: list[str], batch_size: int) -> Array:
        if "" in texts:
            os.kill(os.getpid(), signal.SIGKILL)
        if any(len(text) == 1 for text in texts):
            raise FailedError(texts)
        return counting(1)(texts, batch_size)

    return encode


def broken() -> Encode:
    """Fail before anything is encoded."""
    raise FileNotFoundError("no such model")


class FailedError(Exception):
    """One that does not survive pickling."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__(f"cannot take {texts}")
        self.lock = __import__("threading").Lock()
