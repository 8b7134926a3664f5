"""`embed` on a pool: the file and its manifest, what is reused, what is refused, faulty rows."""

import json
import logging

import numpy as np
import pytest

import qdit
from helpers.embedding_pools import sample_rows, write_pool
from qdit import distributed
from qdit.cli.embed import embed_command
from qdit.cli.select import select_command
from qdit.common.files import sha256_file
from qdit.distributed.sources import split
from qdit.embedding import OtherRunError, embed, prepare
from qdit.embedding.hashed import HashEncoder
from qdit.embedding.job import faults, finished
from qdit.embedding.options import BUILTIN, EmbedOptions
from qdit.records import Row
from qdit.records.pool import Pool, attach
from qdit.records.templates import make_template

ROW = Row(3, "r-3", "mine", "Add {these}", "1 2", "3", (("user", "Add"), ("assistant", "3")))
BLANK = Row(4, "r-4", "mine", "Go", " \n", "", ())


@pytest.fixture
def pool(tmp_path):
    return write_pool(tmp_path, sample_rows(100))


def test_file_and_manifest(pool):
    made = embed(pool, "builtin:hash", chunk_rows=16)
    opened = Pool.open(pool)
    opened.check()
    assert opened.embeddings.shape == made.rows.shape == (100, 384)
    assert made.rows.dtype == "float16"
    texts = [make_template("with_input")(row) for row in opened.records.rows()]
    want = HashEncoder(EmbedOptions(model=BUILTIN)).encode(texts, range(100), lambda done: None)
    want = (want / np.linalg.norm(want, axis=1, keepdims=True)).astype(np.float16)
    np.testing.assert_array_equal(made.rows.array, want)
    found = json.loads((pool / "embeddings.json").read_text())
    assert found == made.manifest
    assert found["records"] == {"n": 100, "sha256": opened.records.sha256}
    assert found["files"]["embeddings.npy"]["sha256"] == sha256_file(pool / "embeddings.npy")
    assert found["settings"]["template"] == "with_input"
    assert found["model"]["name"] == "builtin:hash (stand-in)"
    assert set(found["versions"]) == {"qdit", "numpy"}
    assert not (pool / "embeddings.partial").exists()
    opened.records.close()
    assert qdit.select(pool / "embeddings.npy", alpha=0, k=5).indices.shape == (5,)


def test_float32_without_normalization(pool):
    made = embed(pool, "builtin:hash", dtype="float32", normalize=False)
    assert made.rows.dtype == "float32"
    assert (made.rows.array == np.rint(made.rows.array)).all()


def test_the_stand_in_takes_whole_chunks(pool):
    made = embed(pool, "builtin:hash", batch_size=7)
    assert made.manifest["batch_sizes"] == [[0, 16384]]


def test_the_stand_in_says_so(pool, caplog, capsys):
    with caplog.at_level(logging.WARNING):
        embed_command(str(pool), model="builtin:hash", progress=False)
    assert "builtin:hash is a stand-in for a trained model" in caplog.text
    assert "stand-in" in capsys.readouterr().out


def test_what_is_there_is_reused(pool):
    first = embed(pool, "builtin:hash")
    stamp = (pool / "embeddings.npy").stat().st_mtime_ns
    again = embed(pool, "builtin:hash", chunk_rows=7, overwrite=True)  # chunks decide no more than rounding
    assert again.manifest == first.manifest
    assert (pool / "embeddings.npy").stat().st_mtime_ns == stamp


def test_other_settings_are_refused(pool):
    embed(pool, "builtin:hash")
    with pytest.raises(OtherRunError, match=r"template is 'instruction' now and was 'with_input'.*overwrite"):
        embed(pool, "builtin:hash", template="instruction")
    made = embed(pool, "builtin:hash", template="instruction", overwrite=True)
    assert made.manifest["settings"]["template"] == "instruction"


def test_other_records_are_refused(tmp_path):
    pool = write_pool(tmp_path, sample_rows(20))
    embed(pool, "builtin:hash")
    kept = {name: (pool / name).read_bytes() for name in ("embeddings.npy", "embeddings.json")}
    for path in sorted(pool.iterdir()):
        path.unlink()
    write_pool(tmp_path, sample_rows(20, seed=1))
    for name, content in kept.items():
        (pool / name).write_bytes(content)
    with pytest.raises(OtherRunError, match=r"records is '.* now and was"):
        embed(pool, "builtin:hash")


def test_a_file_made_otherwise_is_not_replaced(pool):
    np.save(pool / "embeddings.npy", np.ones((100, 4), np.float16))
    with pytest.raises(OtherRunError, match="not made by embed"):
        embed(pool, "builtin:hash")
    assert embed(pool, "builtin:hash", overwrite=True).rows.d == 384


def test_a_changed_file_is_found(pool):
    embed(pool, "builtin:hash")
    with (pool / "embeddings.npy").open("r+b") as file:
        file.seek(-2, 2)
        file.write(b"\x00\x3c")
    with pytest.raises(ValueError, match="was changed since it was made"):
        embed(pool, "builtin:hash")
    embed(pool, "builtin:hash", overwrite=True)
    opened = Pool.open(pool)
    opened.check()
    opened.records.close()


def test_texts_without_a_vector_are_told_before_the_work(tmp_path, monkeypatch):
    pool = write_pool(tmp_path, [("a", "b" if i in (0, 9) else "?!" * i) for i in range(30)])
    monkeypatch.setattr(HashEncoder, "encode", None)
    named = r"28 of 30 rows .*: row 1 \(.*'\?!', row 2 .*, \.\.\.; .*--zero-rows keep"
    with pytest.raises(ValueError, match=named):
        embed(pool, "builtin:hash", template="{input}", chunk_rows=8)
    assert not (pool / "embeddings.npy").exists()


@pytest.mark.parametrize("chunk_rows", [1, 8, 30])
def test_texts_without_a_vector_are_zeros_and_left_out_from_then_on(tmp_path, chunk_rows, capsys):
    without = [0, 17, 23, 29]
    texts = [text for text, _ in sample_rows(30)]
    for i, text in zip(without, (" ", "?!", "...", ""), strict=True):
        texts[i] = text
    pool = write_pool(tmp_path, [("a", text) for text in texts])
    how = {"template": "{input}", "chunk_rows": chunk_rows, "zero_rows": "keep"}
    embed_command(str(pool), model="builtin:hash", progress=False, **how)
    assert (
        "4 rows have no vector; they are zeros and are never chosen: 0, 17, 23, 29" in capsys.readouterr().out
    )
    found = json.loads((pool / "embeddings.json").read_text())
    assert (found["zero_rows"], found["first_zero_rows"]) == (4, without)
    with pytest.raises(ValueError, match="row 0 is all zeros"):
        qdit.select(np.load(pool / "embeddings.npy"), alpha=0, k=5)  # an array: nothing is known of it
    want = qdit.select(np.load(pool / "embeddings.npy"), alpha=0, k=26, zero_rows="ignore").indices
    assert not set(want) & set(without)
    for shards in ([pool / "embeddings.npy"], split(pool / "embeddings.npy", 2)):
        found = distributed.select(shards, alpha=0, k=26, address="in-process")
        assert found.indices.tolist() == want.tolist()
    for source in (pool / "embeddings.npy", Pool.open(pool).embeddings):
        assert qdit.select(source, alpha=0, k=26).indices.tolist() == want.tolist()
        assert not qdit.row_coverage(source, want)[without].any()
    assert qdit.select_pool(pool, alpha=0, k=26).indices.tolist() == want.tolist()
    for source in (pool, pool / "embeddings.npy"):
        select_command(str(source), alpha=0, k=26, progress=False, out=str(tmp_path / source.name))
        assert "4 rows of zeros" in capsys.readouterr().out
        assert np.load(tmp_path / source.name / "indices.npy").tolist() == want.tolist()
    (tmp_path / "other").mkdir()
    other = write_pool(tmp_path / "other", [("a", text) for text in texts])
    attach(other, embeddings=pool / "embeddings.npy")
    assert qdit.select_pool(other, alpha=0, k=26).indices.tolist() == want.tolist()


def test_a_pool_in_which_no_row_has_a_vector(tmp_path):
    blank = write_pool(tmp_path, [("a", " "), ("b", "")])
    for _ in range(2):  # the second time all rows are there
        with pytest.raises(ValueError, match="no row has a vector; check the template"):
            embed(blank, "builtin:hash", template="{input}", zero_rows="keep")


def test_letters_are_those_that_are_hashed():
    texts = [chr(code) for code in range(1, 0x3100) if not 0xD800 <= code < 0xE000]
    made = HashEncoder(EmbedOptions(model=BUILTIN)).encode(texts, range(len(texts)), lambda done: None)
    assert made.any(axis=1).tolist() == [HashEncoder.has_vector(text) for text in texts]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_numbers_that_do_not_fit_are_faults(value):
    vectors = np.ones((4, 3), np.float32)
    vectors[2, 1] = value
    rows = finished(vectors, EmbedOptions(model="m", normalize=False))
    assert faults(rows, zeros=True)[0] == 2
    assert faults(np.ones((4, 3)), zeros=True) is None


def test_normalized_rows_have_length_one():
    vectors = np.random.default_rng(0).standard_normal((5, 64)).astype(np.float32) * 1e20
    rows = finished(vectors, EmbedOptions(model="m", dtype="float32"))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-6)


def test_progress_has_an_eta(pool, monkeypatch):
    monkeypatch.setattr("qdit.common.progress._SECONDS", 0)
    seen = []
    embed(pool, "builtin:hash", chunk_rows=10, progress=seen.append)
    assert [p.rows for p in seen] == [*range(10, 101, 10), 100]
    assert seen[3].total == 100
    assert seen[3].eta > 0
    assert seen[-1].phase == "done"


def test_dry_run(pool, capsys):
    embed_command(str(pool), model="builtin:hash", dry_run=True)
    assert "100 of 100 rows left" in capsys.readouterr().out
    assert not (pool / "embeddings.npy").exists()
    embed(pool, "builtin:hash")
    with prepare(pool, "builtin:hash") as job:
        assert job.estimate()["left"] == 0


@pytest.mark.parametrize(
    ("template", "text", "blank"),
    [
        ("instruction", "Add {these}", "Go"),
        ("with_input", "Add {these}\n1 2", "Go"),
        ("{source}/{id}: {instruction} -> {output}", "mine/r-3: Add {these} -> 3", "mine/r-4: Go -> "),
        ("{{{instruction}}}", "{Add {these}}", "{Go}"),
    ],
)
def test_templates(template, text, blank):
    assert make_template(template)(ROW) == text
    assert make_template(template)(BLANK) == blank


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("instructions", "did you mean 'instruction'"),
        ("{question}", "field 'question'.*{instruction}"),
        ("{instruction.__class__}", "field 'instruction.__class__'"),
        ("{instruction!r}", "field 'instruction'"),
        ("{instruction:>9}", "field 'instruction'"),
        ("{}", "field ''"),
        ("{instruction", "braces"),
        ("no fields", "wanted 'instruction'"),
    ],
)
def test_wrong_templates(template, message):
    with pytest.raises(ValueError, match=message):
        make_template(template)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "builtin:hsah"}, "did you mean 'builtin:hash'"),
        ({"model": ""}, "model: got ''"),
        ({"dtype": "float64"}, "dtype: got 'float64'"),
        ({"batch_size": 0}, "batch_size: got 0, wanted at least 1"),
        ({"chunk_rows": 0}, "chunk_rows: got 0, wanted at least 1"),
        ({"concurrency": 0}, "concurrency"),
        ({"retries": -1}, "retries"),
        ({"timeout": 0}, "timeout"),
        ({"dimensions": 0}, "dimensions"),
        ({"zero_rows": "drop"}, "zero_rows: got 'drop'"),
        ({"model_dtype": "int4"}, "model_dtype: got 'int4'"),
        ({"device": "cuda:0,"}, "device: got 'cuda:0,'"),
        ({"device": "cpu"}, "'builtin:hash' has no use for it"),
        ({"prompt": "query: "}, "'builtin:hash' has no use for it"),
        ({"prompt_name": "query"}, "'builtin:hash' has no use for it"),
        ({"processes": 2}, "'builtin:hash' has no use for it"),
        ({"max_tokens": 0}, "max_tokens: got 0, wanted at least 1"),
        ({"window_rows": 0}, "window_rows: got 0, wanted at least 1"),
        ({"model": "m", "prompt": "a", "prompt_name": "b"}, "leave one of the two out"),
        ({"model": "m", "backend": "tensorrt"}, "backend: got 'tensorrt'"),
        ({"model": "m", "model_dtype": "int8"}, r"wanted .* with backend torch \(int8 is for onnx"),
        ({"model": "m", "model_dtype": "float16", "backend": "onnx"}, "wanted float32, int8 or none"),
        ({"model": "m", "processes": 2, "device": "cuda:0"}, "processes: got 2 with device 'cuda:0'"),
        ({"model": "m", "processes": 2, "device": "cpu,cpu"}, "processes: got 2 with device 'cpu,cpu'"),
        ({"base_url": "http://host/v1", "max_tokens": 9}, "a server .* has no use for it"),
        ({"base_url": "localhost:8000"}, "base_url: got 'localhost:8000'"),
        ({"base_url": "http://user:pass@host/v1"}, "base_url: wanted a URL without user"),
        ({"base_url": "http://host/v1", "revision": "main"}, "a server .* has no use for it"),
        ({"key_env": "sk-123"}, "never the key itself"),
    ],
)
def test_wrong_options(pool, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        prepare(pool, **({"model": "builtin:hash"} | options))


def test_no_pool(tmp_path):
    with pytest.raises(FileNotFoundError):
        embed(tmp_path / "nothing", "builtin:hash")
