"""Duplicates of embeddings and of pools, against a product of all rows with all rows."""

import json

import numpy as np
import pytest

import qdit
from qdit.cleaning import Duplicates
from qdit.cleaning.duplicates import MANIFEST
from qdit.cleaning.pairs import find_pairs
from qdit.engine.backend import open_engine
from qdit.records.pool import attach

RNG = np.random.default_rng(17)
X = RNG.standard_normal((240, 24)).astype(np.float32)
X[120:180] = X[:60] + RNG.standard_normal((60, 24)).astype(np.float32) * 0.1
X[180:200] = X[120:140] + RNG.standard_normal((20, 24)).astype(np.float32) * 0.1
X[7] = 0
Q = RNG.random(240).round(1)
WORDS = RNG.integers(0, 4000, (240, 12))


def similarities(rows):
    exact = rows.astype(np.float64)
    norms = np.linalg.norm(exact, axis=1)
    exact /= np.where(norms > 0, norms, 1)[:, None]
    return exact @ exact.T


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("threshold", [0.95, 0.99])
def test_pairs_are_all_there_are(backend, threshold):
    found = qdit.dedup(X, threshold, Q, backend=backend)
    s = np.triu(similarities(X), 1)
    want = np.argwhere(s >= threshold)
    assert found.pairs.tolist() == want.tolist()
    assert np.allclose(found.pair_similarity, s[want[:, 0], want[:, 1]], atol=1e-6)
    assert len(want) > 20


def test_nothing_kept_is_similar_and_all_that_goes_is():
    found = qdit.dedup(X, 0.95, Q, threads=2)
    s = similarities(X)
    kept = s[np.ix_(found.kept, found.kept)]
    assert (kept - np.diag(np.diag(kept))).max() < 0.95
    assert np.allclose(s[found.dropped, found.keeper], found.similarity, atol=1e-6)
    assert found.similarity.min() >= 0.95 - 1e-6
    assert set(found.keeper.tolist()) <= set(found.kept.tolist())
    assert sorted([*found.kept.tolist(), *found.dropped.tolist()]) == list(range(240))
    assert 7 in found.kept
    assert sum(map(len, found.groups)) == len(found.dropped) + len(found.groups)
    for group in found.groups:
        assert (np.diff(s[group[0], group[1:]]) <= 1e-6).all()


def test_what_is_kept():
    pair = np.array([[1, 0], [1, 0.01], [0, 1]], np.float32)
    assert qdit.dedup(pair).kept.tolist() == [0, 2]
    assert qdit.dedup(pair, quality=[0, 1, 0]).kept.tolist() == [1, 2]
    assert qdit.dedup(pair, quality=[0, 1, 0], keep="first").kept.tolist() == [0, 2]
    assert qdit.dedup(pair, quality=[1, 1, 0]).kept.tolist() == [0, 2]
    with pytest.raises(ValueError, match="keep: got 'quality' without scores"):
        qdit.dedup(pair, keep="quality")
    with pytest.raises(ValueError, match="keep: got 'longest' for embeddings"):
        qdit.dedup(pair, keep="longest")


def test_chains():
    angles = np.deg2rad([0, 15, 30, 45])
    rows = np.stack([np.cos(angles), np.sin(angles)], 1)
    assert qdit.dedup(rows).groups[0].tolist() == [0, 1]
    assert len(qdit.dedup(rows).kept) == 2
    chained = qdit.dedup(rows, grouping="components")
    assert [group.tolist() for group in chained.groups] == [[0, 1, 2, 3]]
    assert chained.similarity.tolist() == pytest.approx(np.cos(angles[1:]))


def test_equal_rows_at_one():
    rows = np.repeat(RNG.standard_normal((5, 700)).astype(np.float16), 3, axis=0)
    assert [group.tolist() for group in qdit.dedup(rows, 1.0).groups] == [
        [i, i + 1, i + 2] for i in range(0, 15, 3)
    ]


def test_too_many_pairs():
    with pytest.raises(ValueError, match=r"threshold: more than 10 pairs of rows have a similarity of 0\.9"):
        qdit.dedup(X, 0.9, max_pairs=10)


@pytest.mark.parametrize(
    "options", [{"threshold": 0}, {"threshold": 1.5}, {"grouping": "x"}, {"max_pairs": 0}]
)
def test_options(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        qdit.dedup(X, **options)


def test_saved_and_loaded(tmp_path):
    found = qdit.dedup(X, 0.95)
    again = Duplicates.load(found.save(tmp_path / "groups"))
    assert again.params == found.params
    for name, array in found.arrays().items():
        assert np.array_equal(getattr(again, name), array)
    np.save(tmp_path / "groups" / "kept.npy", found.kept[1:])
    with pytest.raises(ValueError, match="is damaged or changed"):
        Duplicates.load(tmp_path / "groups")


def test_a_stopped_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("qdit.cleaning.pairs._WIDTH", 16)
    monkeypatch.setattr("qdit.cleaning.pairs._PART_PAIRS", 1)
    want = qdit.dedup(X, 0.95)

    def stop(moment):
        if moment.phase == "pairs" and moment.share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        qdit.dedup(X, 0.95, threads=1, checkpoint=tmp_path / "c", progress=stop)
    with (tmp_path / "c" / "pairs.bin").open("ab") as file:
        file.write(b"cut off")  # as a kill leaves it
    state = json.loads((tmp_path / "c" / "pairs.json").read_text())
    assert 50 < state["done"] < 240
    compared = []

    class Counting:
        def __init__(self, engine):
            self._engine = engine

        def __getattr__(self, name):
            return getattr(self._engine, name)

        def similar_pairs(self, begin, end, least, most):
            compared.append(begin)
            return self._engine.similar_pairs(begin, end, least, most)

    monkeypatch.setattr(
        "qdit.cleaning.duplicates.open_engine", lambda *a, **k: Counting(open_engine(*a, **k))
    )
    found = qdit.dedup(X, 0.95, threads=1, checkpoint=tmp_path / "c")
    assert min(compared) == state["done"]
    assert found.pairs.tolist() == want.pairs.tolist()
    with pytest.raises(ValueError, match=r"threshold is 0\.9 now and was 0\.95"):
        qdit.dedup(X, 0.9, checkpoint=tmp_path / "c")


@pytest.fixture
def pool(tmp_path):
    """240 rows of two sources, of which rows 200 to 219 have the texts of rows 0 to 19 in other case."""
    texts = [" ".join(f"w{word}" for word in row) for row in WORDS]
    texts[200:220] = [f"  {text.upper()}\n" for text in texts[:20]]
    texts[225] = texts[30] + " and more"
    rows = [{"instruction": text, "input": "", "output": "o" * (i % 7)} for i, text in enumerate(texts)]
    rows = [{**row, "id": f"own-{i}"} if i >= 100 else row for i, row in enumerate(rows)]
    qdit.import_records({"a": rows[:100], "b": rows[100:]}, tmp_path / "pool").close()
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "q.npy", Q)
    attach(tmp_path / "pool", embeddings=tmp_path / "x.npy", quality=tmp_path / "q.npy")
    return tmp_path / "pool"


def test_texts_leave_first(pool):
    found = qdit.dedup_pool(pool, by="text", keep="first")
    assert found.dropped.tolist() == list(range(200, 220))
    assert found.keeper.tolist() == list(range(20))
    assert set(found.by.tolist()) == {"text"}
    lines = [json.loads(line) for line in (pool / "dedup" / "duplicates.jsonl").read_text().splitlines()]
    assert [line["kept"]["row"] for line in lines] == list(range(20))
    assert lines[3]["dropped"][0]["row"] == 203
    assert lines[3]["dropped"][0]["id"] == "own-203"
    both = qdit.dedup_pool(pool, keep="first", overwrite=True)
    s = np.triu(similarities(X), 1) >= 0.95
    s[200:220] = s[:, 200:220] = False
    assert both.pairs.tolist() == np.argwhere(s).tolist()
    assert (both.by == "text").sum() == 20


def test_the_smaller_pool_is_a_pool(pool, tmp_path):
    source = qdit.Pool.open(pool)
    source.token_costs()
    found = qdit.dedup_pool(source, tmp_path / "small")
    small = qdit.Pool.open(tmp_path / "small")
    small.check()
    kept = found.kept.tolist()
    assert len(small) == len(kept) < 240
    assert [small.records.row(i).id for i in range(len(kept))] == [source.records.row(i).id for i in kept]
    assert list(small.records.raws()) == [source.records.raw(i) for i in kept]
    assert np.array_equal(small.embeddings.array, source.embeddings.array[kept])
    assert np.array_equal(small.quality, source.quality[kept])
    assert small.token_costs().tolist() == source.token_costs()[kept].tolist()
    assert small.source_groups().tolist() == source.source_groups()[kept].tolist()
    assert small.records.sha256 != source.records.sha256
    assert [step["verb"] for step in small.records.manifest["cleaned"]] == ["dedup"]
    assert len(qdit.select_pool(small, 0.5, 10)) == 10
    again = qdit.dedup_pool(tmp_path / "small", tmp_path / "smaller")
    assert again.dropped.tolist() == []
    twice = qdit.Pool.open(tmp_path / "smaller").records.manifest["cleaned"]
    assert [step["rows"] for step in twice] == [240, len(kept)]


def test_what_is_there(pool, tmp_path):
    out = tmp_path / "small"
    first = qdit.dedup_pool(pool, out)
    before = (out / MANIFEST).stat().st_mtime_ns
    assert qdit.dedup_pool(pool, out).kept.tolist() == first.kept.tolist()
    assert (out / MANIFEST).stat().st_mtime_ns == before
    with pytest.raises(ValueError, match=r"threshold is 0\.9 now and was 0\.95"):
        qdit.dedup_pool(pool, out, threshold=0.9)
    assert len(qdit.dedup_pool(pool, out, threshold=0.9, overwrite=True).kept) <= len(first.kept)
    (out / "notes.txt").write_text("mine")
    qdit.dedup_pool(pool, out, overwrite=True)
    assert (out / "notes.txt").read_text() == "mine"  # what others put there stays
    qdit.Pool.open(out).check()
    (out / MANIFEST).rename(out / f".{MANIFEST}.replaced")  # killed while files were moved
    assert qdit.dedup_pool(pool, out).kept.tolist() == first.kept.tolist()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(ValueError, match="is there already and was not made by dedup"):
        qdit.dedup_pool(pool, tmp_path / "other")
    with pytest.raises(ValueError, match="the pool itself"):
        qdit.dedup_pool(pool, pool)
    assert not list(tmp_path.glob("*.partial"))


def test_longest_and_no_embeddings(pool):
    (pool / "embeddings.npy").unlink()
    (pool / "embeddings.json").unlink()
    with pytest.raises(FileNotFoundError, match="make them with: qdit embed"):
        qdit.dedup_pool(pool)
    found = qdit.dedup_pool(pool, by="text", keep="longest")
    records = qdit.open_records(pool)
    length = [len(records.row(i).instruction + records.row(i).output) for i in range(240)]
    assert [keeper for keeper, _ in found.members()] == sorted(
        max(i, i + 200, key=lambda row: (length[row], -row)) for i in range(20)
    )


def test_minhash(pool):
    pytest.importorskip("datasketch")
    found = qdit.dedup_pool(pool, by="minhash", jaccard=0.6, keep="first")
    assert [30, 225] in found.pairs.tolist()
    assert {(0, 200), (19, 219)} <= set(map(tuple, found.pairs.tolist()))
    assert set(found.by.tolist()) == {"minhash"}
    all_ways = qdit.dedup_pool(
        pool, by=["minhash", "text", "embedding"], jaccard=0.6, keep="first", overwrite=True
    )
    assert {"text", "embedding", "minhash"} == set(all_ways.by.tolist())


def test_pairs_of_one_row():
    engine = open_engine(qdit.open_embeddings(X[:1]), zero_rows="ignore")
    assert len(find_pairs(engine, 0.5, by="embedding", most=5)) == 0
