"""Models of sentence-transformers: tiny ones made here."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from helpers.embedding_pools import cosines, sample_rows, texts_of, write_pool
from qdit.embedding import OtherRunError, embed
from qdit.embedding.job import notes
from qdit.embedding.options import EmbedOptions
from qdit.embedding.sentence import SentenceEncoder

torch = pytest.importorskip("torch", reason="needs qdit[embed]")
library = pytest.importorskip("sentence_transformers", reason="needs qdit[embed]")
from helpers.tiny_models import make_language_model  # noqa: E402

WORDS = ["[UNK]", "describe", "explain", "number", "nan", "zero", *(f"{i}" for i in range(100))]


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


@pytest.fixture
def pool(tmp_path):
    return write_pool(tmp_path, sample_rows(60))


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


def tokens_of(folder, texts):
    from transformers import AutoTokenizer

    return [len(ids) for ids in AutoTokenizer.from_pretrained(folder)(texts)["input_ids"]]


def test_texts_are_encoded_by_tokens_longest_first(pool, tmp_path, monkeypatch):
    folder = make_language_model(tmp_path / "model")
    seen, encode = [], library.SentenceTransformer.encode

    def watched(model, texts, **options):
        seen.extend(texts)
        return encode(model, texts, **options)

    monkeypatch.setattr(library.SentenceTransformer, "encode", watched)
    embed(pool, str(folder), batch_size=2, chunk_rows=16, window_rows=30)
    for first in (0, 30):
        counts = tokens_of(folder, seen[first : first + 30])
        assert counts == sorted(counts, reverse=True)
        assert set(seen[first : first + 30]) == set(texts_of(pool)[first : first + 30])


def test_longest_text_in_tokens(pool, tmp_path):
    folder = make_language_model(tmp_path / "model")
    counts = tokens_of(folder, [f"bees: {text}" for text in texts_of(pool)])
    most = int(np.median(counts))
    made = embed(pool, str(folder), max_tokens=most, prompt="bees: ", dtype="float32")
    long = [i for i, count in enumerate(counts) if count > most]
    assert made.manifest["cut_rows"] == len(long) > 20
    assert made.manifest["first_cut_rows"] == long[:20]
    assert f"{len(long)} rows were cut: " in "".join(notes(made.manifest))
    assert made.manifest["model"]["max_tokens"] == made.manifest["settings"]["max_tokens"] == most
    model = library.SentenceTransformer(str(folder))
    model.tokenizer.pad_token = model.tokenizer.eos_token  # masked
    model.max_seq_length = most
    want = model.encode(texts_of(pool), prompt="bees: ", normalize_embeddings=True)
    np.testing.assert_allclose(made.rows.array, want, atol=1e-5)


@pytest.mark.parametrize(
    ("tokens", "message"), [(1, "max_tokens: got 1, wanted at least 2"), (97, "wanted at most the 96 of")]
)
def test_numbers_of_tokens_that_a_model_does_not_take(pool, tmp_path, tokens, message):
    with pytest.raises(ValueError, match=message):
        embed(pool, str(make_language_model(tmp_path / "model")), max_tokens=tokens)


def test_a_static_model_cuts_no_texts(static, pool):
    with pytest.raises(ValueError, match=r"max_tokens: got 8, but .* cuts no texts"):
        embed(pool, static, max_tokens=8)


def test_prompts_by_name(static, pool, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(static, folder)
    with pytest.raises(ValueError, match=r"prompt_name: got 'bees', of .* wanted one of 'query', 'document'"):
        embed(pool, str(folder), prompt_name="bees")
    prompts = {"prompts": {"bees": "explain ", "other": "number "}, "default_prompt_name": None}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    made = embed(pool, str(folder), prompt_name="bees")
    assert made.manifest["settings"]["prompt_name"] == "bees"
    assert made.manifest["model"]["prompt"] == "explain "
    got = made.rows.array.tobytes()
    assert embed(pool, str(folder), prompt="explain ", overwrite=True).rows.array.tobytes() == got
    embed(pool, str(folder), prompt_name="bees", overwrite=True)
    with pytest.raises(OtherRunError, match="prompt_name is 'other' now and was 'bees'"):
        embed(pool, str(folder), prompt_name="other")


@pytest.mark.parametrize(
    ("backend", "more", "want"),
    [
        ("torch", {}, {"model_kwargs": None}),
        ("torch", {"model_dtype": "bfloat16"}, {"model_kwargs": {"dtype": "bfloat16"}}),
        ("onnx", {}, {"backend": "onnx", "model_kwargs": {"provider": "CPUExecutionProvider"}}),
        (
            "openvino",
            {"model_dtype": "int8"},
            {
                "backend": "openvino",
                "model_kwargs": {
                    "ov_config": {"INFERENCE_PRECISION_HINT": "f32"},
                    "load_in_8bit": True,
                },
            },
        ),
    ],
)
def test_backends_reach_the_library(static, monkeypatch, backend, more, want):
    given = {}

    def stand_in(name, **options):
        given.update(options)
        raise RuntimeError("stop here")

    monkeypatch.setattr(library, "SentenceTransformer", stand_in)
    monkeypatch.setattr("qdit.embedding.sentence.check_installed", lambda packages: None)
    with pytest.raises(OSError, match="stop here"):
        SentenceEncoder(EmbedOptions(model=static, backend=backend, **more))
    assert {name: value for name, value in given.items() if name in ("backend", "model_kwargs")} == want


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_a_backend_that_is_not_installed_is_named(static, pool, backend, monkeypatch):
    find_spec, missing = importlib.util.find_spec, ("onnxruntime", "optimum", "openvino")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in missing else find_spec(name))
    with pytest.raises(ImportError, match=rf"for backend {backend}: pip install 'qdit\[{backend}\]'"):
        embed(pool, static, backend=backend)


def test_int8_is_compared_with_the_models_own_vectors(static, pool, monkeypatch, caplog):
    """Here the same model takes the place of the one in int8, with vectors that are a little off."""

    def load(options, name, device, threads):
        model = library.SentenceTransformer(name, device="cpu")
        if options.model_dtype == "int8":
            weights = next(model.parameters())
            weights.data += 0.1 * torch.sign(weights)
        return model

    monkeypatch.setattr("qdit.embedding.sentence.load_model", load)
    monkeypatch.setattr("qdit.embedding.sentence.check_installed", lambda packages: None)
    made = embed(pool, static, backend="onnx", model_dtype="int8", dtype="float32")
    want = cosines(made.rows.array, library.SentenceTransformer(static).encode(texts_of(pool)))
    found = made.manifest["fidelity"]
    assert found["rows"] == 60
    assert found["least"] == pytest.approx(want.min(), abs=1e-5)
    assert found["least"] < 0.9999
    assert found["mean"] == pytest.approx(want.mean(), abs=1e-5)
    assert "cosine to the model's own vectors is 0.9" in caplog.text
    assert "int8" in notes(made.manifest)[0]
    assert made.manifest["model"]["backend"] == "onnx"
    assert made.manifest["model"]["weights"].startswith("int8 (")


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


def test_the_end_of_a_process_is_told_as_it_is(static, monkeypatch):
    def gone(texts, tick):
        raise ChildProcessError("process 7 was killed")

    with SentenceEncoder(EmbedOptions(model=static)) as encoder:
        monkeypatch.setattr(encoder, "_encode", gone)
        with pytest.raises(ChildProcessError, match="process 7 was killed"):
            encoder.encode(["explain 1"], [0], lambda done: None)


def test_a_changed_model_does_not_go_on(static, pool, tmp_path, monkeypatch):
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
