"""A seeded pool of its own making: clusters of uneven size, near-duplicates, outliers, skewed quality."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TOPICS = 12
_NOISE_RANK = 64
_DUPLICATES = 0.08
_OUTLIERS = 0.005
_LARGEST_CLUSTER = 0.02
_BLOCK = 4096


@dataclass(frozen=True)
class SamplePool:
    """Where a sample pool lies, and what each of its rows is.

    Attributes:
        embeddings: path of the (n, d) float16 .npy file.
        quality: path of the (n,) float32 .npy file, ratings from 1 to 5.
        topic: (n,) int64 topic of every row, -1 for outliers.

    """

    embeddings: Path
    quality: Path
    topic: NDArray[np.int64]


def write_sample(directory: Path, n: int = 20_000, d: int = 384, seed: int = 0) -> SamplePool:
    """Write embeddings.npy and quality.npy of a pool that looks like an instruction data set.

    Topics hold clusters of very uneven size; some rows are near-copies of others, a few belong nowhere.
    Ratings are skewed, and high ones are concentrated in some topics, so that choosing by rating alone
    misses the rest.
    The same arguments write the same files.
    """
    rng = np.random.default_rng(seed)
    clusters = max(_TOPICS, n // 30)
    topic_of = rng.integers(_TOPICS, size=clusters)
    share = np.minimum(rng.pareto(1.1, clusters) + 0.3, _LARGEST_CLUSTER * clusters)
    cluster = rng.choice(clusters, size=n, p=share / share.sum())
    outlier = rng.random(n) < _OUTLIERS
    quality = _ratings(rng, topic_of, cluster, outlier)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "embeddings.npy"
    pool = np.lib.format.open_memmap(path, "w+", np.float16, (n, d))
    _write_rows(rng, pool, topic_of, cluster, outlier)
    copies = np.flatnonzero(rng.random(n) < _DUPLICATES)
    sources = rng.integers(n, size=len(copies))
    noise = rng.standard_normal((len(copies), d), np.float32) * np.float32(0.1 / np.sqrt(d))
    originals = np.asarray(pool[sources], np.float32)
    pool[copies] = _unit(originals + noise).astype(np.float16)
    topic = np.where(outlier, -1, topic_of[cluster])
    topic[copies] = topic[sources]
    quality[copies] = np.clip(quality[sources] + rng.normal(0, 0.2, len(copies)), 1, 5)
    pool.flush()
    np.save(directory / "quality.npy", quality.astype(np.float32))
    return SamplePool(path, directory / "quality.npy", topic.astype(np.int64))


def _ratings(
    rng: np.random.Generator, topic_of: NDArray[Any], cluster: NDArray[Any], outlier: NDArray[Any]
) -> NDArray[np.float64]:
    # neighbours on the ring of topics have like ratings: one side of it is good, the other poor
    topic_mean = 2.6 + 0.55 * np.cos(np.arange(_TOPICS) * (2 * np.pi / _TOPICS))
    cluster_mean = topic_mean[topic_of] + rng.normal(0, 0.3, len(topic_of))
    quality = cluster_mean[cluster] + rng.gamma(2.0, 0.3, len(cluster)) - 0.6
    quality[outlier] = rng.uniform(1, 3, int(outlier.sum()))
    return np.asarray(np.clip(quality, 1.0, 5.0))


def _write_rows(
    rng: np.random.Generator,
    pool: NDArray[np.float16],
    topic_of: NDArray[Any],
    cluster: NDArray[Any],
    outlier: NDArray[Any],
) -> None:
    n, d = pool.shape
    common = 0.5 * _unit(rng.standard_normal((1, d)))
    # topics lie on a ring of two directions plus one of their own, so that a plane shows them apart
    angle = np.arange(_TOPICS) * (2 * np.pi / _TOPICS)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ _unit(rng.standard_normal((2, d)))
    topics = 0.45 * ring + 0.35 * _unit(rng.standard_normal((_TOPICS, d)))
    centers = topics[topic_of] + 0.6 * _unit(rng.standard_normal((len(topic_of), d)))
    spread = rng.uniform(0.5, 1.0, len(topic_of))
    basis = rng.standard_normal((_NOISE_RANK, d)) / np.sqrt(d)
    scale = 1.0 / np.sqrt(np.arange(1, _NOISE_RANK + 1))  # a falling spectrum, as text embeddings have
    scale /= np.linalg.norm(scale)
    for start in range(0, n, _BLOCK):
        part = slice(start, min(n, start + _BLOCK))
        rows = cluster[part]
        local = (rng.standard_normal((len(rows), _NOISE_RANK)) * scale) @ basis
        vectors = common + centers[rows] + spread[rows, None] * local
        strange = outlier[part]
        vectors[strange] = 0.5 * common + _unit(rng.standard_normal((int(strange.sum()), d)))
        pool[part] = _unit(vectors).astype(np.float16)


def _unit(rows: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))
