"""Spherical k-means: clusters of a selection, cells of a similarity graph."""

import numpy as np
import pytest

from helpers.oracle import as_float64, clustered_rows
from qdit._core import Engine
from qdit.engine import kmeans
from qdit.engine.rows import open_embeddings

N = 700
X = clustered_rows(N, 24, seed=40, dtype="float32")


def engine_over(rows):
    return Engine(rows, dtype="float32", threads=2)


def test_kmeans_is_at_rest_or_out_of_iterations():
    """Each row is at its nearest centroid, and each centroid is the mean direction of its rows."""
    found = kmeans.spherical(open_embeddings(X), engine_over(X), 12, 0)
    assert 1 < found.iterations < 25
    unit = as_float64(X) / np.linalg.norm(as_float64(X), axis=1, keepdims=True)
    sums = np.stack([unit[found.labels == cluster].sum(axis=0) for cluster in range(12)])
    centroids = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    similarities = unit @ centroids.T
    own = similarities[np.arange(N), found.labels]
    assert (similarities.max(axis=1) - own).max() < 1e-5
    # twelve true clusters: far better than one
    assert own.mean() > unit.mean(axis=0) @ unit.mean(axis=0) + 0.2


def test_kmeans_gives_an_empty_cluster_new_rows():
    rows = np.repeat(np.eye(4, dtype=np.float32), 10, axis=0)
    rows[0] = [-1, -1, 0, 0]
    found = kmeans.spherical(open_embeddings(rows), engine_over(rows), 5, 1)
    assert len(np.unique(found.labels)) == 5


@pytest.mark.parametrize("length", [1e-6, 0.5, 1 - 1e-6, 1.0, 3.0, 1e9])
@pytest.mark.parametrize("one_hot", [False, True])
def test_kmeans_by_products_of_rows_of_one_length_is_kmeans(length, one_hot):
    """Under "dot" the engine takes no row that is longer than the pool's."""
    rows = X / np.linalg.norm(X, axis=1, keepdims=True)
    if one_hot:
        rows = np.eye(24)[np.arange(N) % 24]
    rows = (rows * length).astype(np.float32)
    want = kmeans.spherical(open_embeddings(rows), engine_over(rows), 7, 2)
    got = kmeans.spherical(open_embeddings(rows), Engine(rows, dtype="float32", metric="dot"), 7, 2)
    assert (got.labels == want.labels).mean() > 0.99


def test_a_cluster_whose_rows_cancel_out_starts_again():
    for rows in ([[1, 0], [-1, 0]], [[3, 4], [-3, -4], [6, 8], [-3, -4]]):
        rows = np.array(rows, np.float32)
        found = kmeans.spherical(open_embeddings(rows), engine_over(rows), 1, 0)
        assert found.labels.tolist() == [0] * len(rows)
        cells = kmeans.cell_centroids(open_embeddings(rows), engine_over(rows), 1, 0)
        assert np.linalg.norm(cells) == pytest.approx(1)


def test_kmeans_in_chunks(monkeypatch):
    want = kmeans.spherical(open_embeddings(X), engine_over(X), 9, 3)
    monkeypatch.setattr(kmeans, "_CHUNK_ROWS", 7)
    got = kmeans.spherical(open_embeddings(X), engine_over(X), 9, 3)
    assert got.labels.tolist() == want.labels.tolist()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_cells_are_means_of_unit_length_whatever_the_threads(dtype):
    rows = X.astype(dtype)
    rows[7] = 0
    engines = [Engine(rows, dtype=dtype, zero_rows="ignore", threads=threads) for threads in (1, 3)]
    found = [kmeans.cell_centroids(open_embeddings(rows), engine, 12, 5) for engine in engines]
    assert found[0].tobytes() == found[1].tobytes()
    assert found[0].shape == (12, 24)
    assert np.allclose(np.linalg.norm(found[0], axis=1), 1, atol=1e-6)
    unit = as_float64(rows[8:]) / np.linalg.norm(as_float64(rows[8:]), axis=1, keepdims=True)
    assert (unit @ found[0].T).max(axis=1).mean() > unit.mean(axis=0) @ unit.mean(axis=0) + 0.2
