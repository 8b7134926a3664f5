"""Points of a plane with a quality each, for a picture of what the variants of QDIT choose."""

from dataclasses import dataclass

import numpy as np

from ..common.options import Options
from ..common.types import Floats


@dataclass(frozen=True, kw_only=True)
class Toy(Options):
    """A made-up pool.

    Attributes:
        points: Points to draw.
        groups: Gaussian groups of points, each half as large as the one before, so that there are crowded and
            rare regions; the largest has the best quality.
        width: Of the Gaussian that turns distance into similarity: exp(-distance^2 / (2 width^2)).
        seed: Seed of the points.

    """

    points: int = 400
    groups: int = 5
    width: float = 1.0
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Made:
    """The pool of a `Toy`: (n, 2) points, (n,) quality, (n, n) unit rows whose cosines are similarities."""

    points: Floats
    quality: Floats
    rows: Floats


def make(toy: Toy) -> Made:
    """Draw the points.

    The rows are a square root of the Gaussian kernel matrix, so the engine sees exactly the similarities of
    the plane and nothing in it is special to the picture.
    """
    rng = np.random.default_rng(toy.seed)
    shares = 0.5 ** np.arange(toy.groups)
    sizes = np.maximum(1, np.floor(toy.points * shares / shares.sum())).astype(int)
    sizes[0] += toy.points - sizes.sum()
    angle = 2 * np.pi * np.arange(toy.groups) / toy.groups
    centers = 3.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    group = np.repeat(np.arange(toy.groups), sizes)
    points = centers[group] + 0.8 * rng.standard_normal((toy.points, 2))
    quality = 3.0 - 0.5 * group + 0.5 * rng.standard_normal(toy.points)
    return Made(points, quality, kernel_rows(points, toy.width))


def kernel_rows(points: Floats, width: float) -> Floats:
    """Return (n, n) unit rows whose products are exp(-distance^2 / (2 width^2)) of the points, (n, d)."""
    squared = ((points[:, None, :] - points[None, :, :]) ** 2).sum(axis=2)
    values, vectors = np.linalg.eigh(np.exp(-squared / (2 * width**2)))
    rows = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
