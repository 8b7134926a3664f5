"""A pool directory: its parts must belong together."""

import json
import math

import numpy as np
import pytest

import qdit
from qdit.cli.import_ import import_command
from qdit.common import files
from qdit.records import import_records
from qdit.records.pool import Pool, attach

ROWS = [{"instruction": f"say {i}", "input": "x" * i, "output": "é" * i} for i in range(12)]
RNG = np.random.default_rng(6)
X = RNG.standard_normal((12, 4)).astype(np.float16)
Q = RNG.random(12).astype(np.float32)


@pytest.fixture
def pool(tmp_path):
    """The folder of a pool with records only; x.npy and q.npy beside it."""
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "q.npy", Q)
    import_records({"a": ROWS[:5], "b": ROWS[5:]}, tmp_path / "pool")
    return tmp_path / "pool"


def full(pool):
    return attach(pool, embeddings=pool.parent / "x.npy", quality=pool.parent / "q.npy")


def test_records_alone(pool):
    opened = Pool.open(str(pool))
    assert (len(opened), opened.embeddings, opened.quality, opened.manifests) == (12, None, None, {})
    opened.check()
    with pytest.raises(FileNotFoundError, match=r"no records\.json, so no complete records"):
        Pool.open(pool.parent)


def test_attached_arrays(pool):
    opened = full(pool)
    assert opened.embeddings.array.tobytes() == X.tobytes()
    assert isinstance(opened.embeddings.array, np.memmap)
    assert (opened.quality.dtype, opened.quality.tolist()) == (np.float64, Q.astype(np.float64).tolist())
    assert set(opened.manifests) == {"embeddings", "quality"}
    want = {"n": 12, "sha256": opened.records.sha256}
    assert all(found["records"] == want for found in opened.manifests.values())
    opened.check()
    with pytest.raises(ValueError, match=r"^embeddings: .* is there already; pass overwrite=True"):
        attach(pool, embeddings=pool.parent / "x.npy")
    np.save(pool.parent / "x.npy", -X)
    assert attach(pool, embeddings=pool.parent / "x.npy", overwrite=True).embeddings.array[0, 0] == -X[0, 0]
    picks = qdit.select(opened.embeddings, opened.quality, 0.5, 3)
    assert len(picks) == 3


def test_a_manifest_beside_an_array_to_attach(pool):
    path = pool.parent / "x.json"
    for text in ('{"text": "qdit-embeddings"}', '["format"'):  # of others
        path.write_text(text)
        attach(pool, embeddings=pool.parent / "x.npy", overwrite=True)
    path.write_text('{"format": "qdit-vectors", ')
    with pytest.raises(ValueError, match=r"x\.json is damaged: "):
        attach(pool, embeddings=pool.parent / "x.npy", overwrite=True)


def test_arrays_put_there_by_hand_have_their_length_checked(pool):
    np.save(pool / "embeddings.npy", X)
    np.save(pool / "quality.npy", Q)
    opened = Pool.open(pool)
    assert opened.embeddings.n == 12
    assert opened.manifests == {}
    np.save(pool / "embeddings.npy", X[:11])
    with pytest.raises(ValueError) as caught:
        Pool.open(pool)
    assert str(caught.value) == (
        f"{pool / 'embeddings.npy'} has 11 rows, the pool has 12 records; row i of one must be row i of the "
        f"other: redo it with: qdit embed {pool} --overwrite"
    )


@pytest.mark.parametrize(
    ("scores", "text"),
    [
        (
            Q[:11],
            r"got float32 of shape \(11,\), wanted \(12,\) numbers, one a record; pass the scores",
        ),
        (Q[:, None], r"got float32 of shape \(12, 1\), wanted \(12,\)"),
        (np.array(["a"] * 12), r"got str\d* of shape \(12,\), wanted \(12,\) numbers"),
        (
            np.where(np.arange(12) == 7, np.nan, Q),
            r"the score of row 7 is nan, wanted a finite number; give it a score or leave the row out$",
        ),
    ],
)
def test_scores_that_cannot_be_used(pool, scores, text):
    np.save(pool.parent / "q.npy", scores)
    with pytest.raises(ValueError, match=rf"q\.npy: {text}"):
        attach(pool, quality=pool.parent / "q.npy")
    np.save(pool / "quality.npy", scores)
    with pytest.raises(ValueError, match=rf"quality\.npy: {text}"):
        Pool.open(pool)


def test_attached_embeddings_of_another_length(pool):
    np.save(pool.parent / "x.npy", X[:3])
    with pytest.raises(
        ValueError, match=r"has 3 rows, the pool has 12 records; .* pass the file of this pool"
    ):
        attach(pool, embeddings=pool.parent / "x.npy")
    assert not (pool / "embeddings.npy").exists()


@pytest.mark.parametrize(("name", "verb"), [("embeddings", "embed"), ("quality", "score")])
def test_stale_arrays(pool, name, verb):
    attach(pool, **{name: pool.parent / f"{name[0].replace('e', 'x')}.npy"})
    other = import_records({"a": ROWS[::-1][:5], "b": ROWS[5:]}, pool, overwrite=True)
    with pytest.raises(ValueError) as caught:
        Pool.open(pool)
    text = str(caught.value)
    assert text.startswith(f"{pool / name}.npy is stale: it was made of other records (12 rows, sha256 ")
    assert text.endswith(f"sha256 {other.sha256[:12]}); redo it with: qdit {verb} {pool} --overwrite")
    import_records({"a": ROWS[:5], "b": ROWS[5:]}, pool, overwrite=True)
    Pool.open(pool)  # the same rows as before: it fits again


@pytest.mark.parametrize("name", ["embeddings", "quality"])
def test_changed_and_missing_arrays(pool, name):
    opened = full(pool)
    path = pool / f"{name}.npy"
    array = np.load(path)
    np.save(path, array[::-1])
    with pytest.raises(ValueError, match=rf"{name}\.npy is damaged or changed: its sha256 is not the one in"):
        opened.check()
    path.unlink()
    with pytest.raises(
        ValueError, match=rf"{name}\.npy is missing though {name}\.json is there; redo it with"
    ):
        Pool.open(pool)


def test_changed_records(pool):
    opened = full(pool)
    path = pool / "records-0.jsonl"
    path.write_bytes(path.read_bytes().replace(b"say 1", b"say 2"))
    with pytest.raises(ValueError, match=r"records-0\.jsonl is damaged or changed"):
        opened.check()


def test_estimated_token_costs(pool):
    opened = Pool.open(pool)
    said = [f"say {i}" + ("\n\n" + "x" * i if i else "") + "\n" + "é" * i for i in range(12)]
    want = [math.ceil(len(text.encode()) / 4) for text in said]
    costs = opened.token_costs()
    assert costs.dtype == np.int64
    assert costs.tolist() == want
    found = json.loads((pool / "costs.json").read_bytes())
    assert (found["estimate"], found["tokenizer"]) == (True, None)
    assert found["files"]["costs.npy"]["sha256"] == files.sha256_file(pool / "costs.npy")
    stamp = (pool / "costs.npy").stat().st_mtime_ns
    assert opened.token_costs().tolist() == want
    assert (pool / "costs.npy").stat().st_mtime_ns == stamp
    import_records(ROWS[:3], pool, overwrite=True)
    assert Pool.open(pool).token_costs().tolist() == want[:3]


def test_token_costs_of_a_tokenizer(pool, tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"say": 0, "?": 1}, unk_token="?"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=made, unk_token="?").save_pretrained(
        tmp_path / "tok"
    )
    costs = Pool.open(pool).token_costs(str(tmp_path / "tok"))
    assert costs.tolist() == [2, *[4] * 11]  # say, number, input and output
    assert json.loads((pool / "costs.json").read_bytes())["estimate"] is False
    assert Pool.open(pool).token_costs().tolist() != costs.tolist()


def test_a_tokenizer_that_is_none(pool, tmp_path, monkeypatch):
    pytest.importorskip("transformers")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    opened = Pool.open(pool)
    with pytest.raises(FileNotFoundError, match=r"^owner/none is no folder here, and no model that .*; "):
        opened.token_costs("owner/none")
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(OSError, match=f"^{tmp_path} cannot be loaded.*; "):
        opened.token_costs(str(tmp_path))


def test_budget_and_quotas(pool):
    opened = full(pool)
    groups = opened.source_groups()
    assert groups.tolist() == ["a"] * 5 + ["b"] * 7
    picks = qdit.select(opened.embeddings, opened.quality, 0.5, 6, groups=groups, quota={"a": 1})
    assert (picks.indices < 5).sum() == 1
    costs = opened.token_costs()
    picks = qdit.select(opened.embeddings, opened.quality, 0.5, costs=costs, budget=20)
    assert costs[picks.indices].sum() <= 20


def test_the_import_verb(pool, tmp_path, capsys):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*ROWS, {"instruction": "a"}]))
    out = tmp_path / "made"
    files = {"embeddings": str(tmp_path / "x.npy"), "quality": str(tmp_path / "q.npy")}
    import_command(str(path), str(out), skip_bad=True, progress=False, **files)
    assert capsys.readouterr().out.splitlines() == [
        "          12 rows  alpaca     rows  (1 left out, mostly: "
        "field 'output' is missing (the row has 'instruction'))",
        f"in {out}",
        "with embeddings and quality as given",
    ]
    Pool.open(out).check()
    import_command({"a": str(path), "b": str(path)}, str(out), limit=3, progress=False, overwrite=True)
    assert capsys.readouterr().out.splitlines() == [
        "           3 rows  alpaca     a",
        "           3 rows  alpaca     b",
        "           6 rows  in all",
        f"in {out}",
    ]


@pytest.mark.parametrize(
    ("name", "array", "text"),
    [
        ("quality", np.full(12, np.nan), r"the score of row 0 is nan.*give it a score or leave the row out"),
        ("quality", np.zeros((12, 2)), r"got float64 of shape \(12, 2\)"),
        ("embeddings", np.zeros((12, 3), np.int32), "got dtype int32, wanted float16"),
    ],
)
def test_the_import_verb_checks_arrays_first(tmp_path, name, array, text):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    np.save(tmp_path / "a.npy", array)
    with pytest.raises((TypeError, ValueError), match=text):
        import_command(
            str(tmp_path / "rows.jsonl"),
            str(tmp_path / "made"),
            progress=False,
            **{name: str(tmp_path / "a.npy")},
        )
    assert not (tmp_path / "made").exists()


def test_the_import_verb_adds_arrays_to_what_it_imported(tmp_path, capsys):
    """The length is known after the import only; the call with a mended file does not read rows again."""
    source, out, scores = tmp_path / "rows.jsonl", tmp_path / "made", tmp_path / "q.npy"
    source.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    np.save(scores, np.arange(len(ROWS) - 1.0))
    with pytest.raises(ValueError, match=f"wanted \\({len(ROWS)},\\) numbers, one a record"):
        import_command(str(source), str(out), progress=False, quality=str(scores))
    before = (out / "records.jsonl").stat().st_mtime_ns
    np.save(scores, np.arange(float(len(ROWS))))
    import_command(str(source), str(out), progress=False, quality=str(scores))
    assert (out / "records.jsonl").stat().st_mtime_ns == before
    assert Pool.open(out).quality.tolist() == list(range(len(ROWS)))
    with pytest.raises(ValueError, match="holds records already"):
        import_command(str(source), str(out), progress=False, quality=str(scores), limit=3)
