"""Saved graphs: the same selections, and clear errors for damaged or foreign files."""

import io
import json

import numpy as np
import pytest

import qdit
from helpers.graph_pools import clustered


@pytest.fixture
def saved(tmp_path):
    rows = clustered(500)
    graph = qdit.build_graph(rows, probes=8)
    return rows, graph, graph.save(tmp_path / "graph")


def test_a_loaded_graph_is_mapped_and_selects_the_same(saved):
    rows, graph, folder = saved
    loaded = qdit.load_graph(folder, rows)
    assert isinstance(loaded.pairs, np.memmap)
    assert loaded.params == graph.params
    one, two = (g.select(alpha=0, k=50) for g in (graph, loaded))
    assert one.indices.tobytes() == two.indices.tobytes()
    assert one.gains.tobytes() == two.gains.tobytes()


def test_saving_again_replaces_the_graph(saved):
    _, _, folder = saved
    other = clustered(300, seed=9)
    qdit.build_graph(other).save(folder)
    assert qdit.load_graph(folder, other).rows.n == 300


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:400].copy(), "shape of embeddings is"),
        (lambda rows: rows.astype(np.float32), "dtype of embeddings is float32"),
        (lambda rows: rows + np.float16(0.25), "sha256 of embeddings is"),
    ],
)
def test_a_graph_of_other_embeddings_is_refused(saved, change, message):
    rows, _, folder = saved
    with pytest.raises(ValueError, match=message):
        qdit.load_graph(folder, change(rows))


def test_no_graph_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no complete graph"):
        qdit.load_graph(tmp_path, clustered(50))


def test_damaged_files_are_refused(saved):
    rows, _, folder = saved
    pairs = (folder / "pairs.npy").read_bytes()
    (folder / "pairs.npy").write_bytes(pairs[:-8])
    with pytest.raises(ValueError, match="truncated"):
        qdit.load_graph(folder, rows)
    (folder / "pairs.npy").write_bytes(pairs + b"12345678")
    with pytest.raises(ValueError, match="goes on after its array"):
        qdit.load_graph(folder, rows)
    np.save(folder / "pairs.npy", np.load(io.BytesIO(pairs))[:-1])
    with pytest.raises(ValueError, match="damaged or changed"):
        qdit.load_graph(folder, rows)
    (folder / "pairs.npy").unlink()
    with pytest.raises(ValueError, match="missing"):
        qdit.load_graph(folder, rows)


def test_a_manifest_of_another_version_is_refused(saved):
    rows, _, folder = saved
    path = folder / "manifest.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"format_version": 99}))
    with pytest.raises(ValueError, match="format version 99"):
        qdit.load_graph(folder, rows)
