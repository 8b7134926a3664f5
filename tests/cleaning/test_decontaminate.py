"""Rows that evaluation sets have too: planted ones are found, with their evidence, and others are not."""

import json

import numpy as np
import pytest

import qdit
from qdit.cleaning.overlaps import OverlapIndex
from qdit.cleaning.texts import normalized, words
from qdit.records.pool import attach

RNG = np.random.default_rng(23)


def text_of(count):
    return " ".join(f"w{word}" for word in RNG.integers(0, 3000, count))


POOL = [text_of(30) for _ in range(400)]
ASKED = [text_of(28) for _ in range(30)] + [text_of(9), "short question here", text_of(28)]
ANSWER = 200  # a row that has an evaluation row in its answer


@pytest.fixture
def pool(tmp_path):
    """400 rows of random words, with evaluation rows in some: verbatim, re-cased, cut, in an answer."""
    texts = list(POOL)
    texts[0] = f"Please answer: {ASKED[0]}!"
    texts[10] = ASKED[1].upper().replace(" ", ",  ")
    texts[20] = "begin " + " ".join(ASKED[2].split()[5:18]) + " end"
    texts[30] = "begin " + " ".join(ASKED[3].split()[5:17]) + " end"  # twelve words are no overlap
    texts[40] = "say " + ASKED[30]
    texts[50] = "Short, question: HERE"
    texts[60] = "a short question here is a longer one"
    rows = [{"instruction": text, "output": "fine"} for text in texts]
    rows[ANSWER]["output"] = "you mean " + ASKED[4]
    qdit.import_records(rows, tmp_path / "pool").close()
    return tmp_path / "pool"


@pytest.fixture
def against(tmp_path):
    path = tmp_path / "eval.jsonl"
    path.write_text("".join(json.dumps({"id": i, "Question": text}) + "\n" for i, text in enumerate(ASKED)))
    return path


def test_words_in_common(pool, against):
    found = qdit.decontaminate(pool, str(against), by="ngram")
    assert found.flagged.tolist() == [0, 10, 20, 40, 50, ANSWER]
    assert found.kept.tolist() == sorted({*range(400)} - {*found.flagged.tolist()})
    said = {line["row"]: line["overlaps"] for line in found.evidence}
    assert {row: [one["row"] for one in mine] for row, mine in said.items()} == {
        **{0: [0], 10: [1], 20: [2], 40: [30], 50: [31], ANSWER: [4]}
    }
    assert said[0][0]["words"] == 28
    assert said[0][0]["overlap"].startswith(ASKED[0][:40])
    assert said[20][0]["words"] == 13
    assert said[20][0]["overlap"] == " ".join(ASKED[2].split()[5:18])
    assert said[40][0]["words"] == 9
    assert said[50][0] == {
        **{"set": "eval", "row": 31, "text": "short question here", "by": "ngram", "words": 3},
        "overlap": "short question here",
    }
    assert found.step["against"] == [{"set": "eval", "rows": 33, "found": 6, "in_rows": 6}]
    shorter = qdit.decontaminate(pool, against, by="ngram", ngram=12, overwrite=True)
    assert set(shorter.flagged.tolist()) == {*found.flagged.tolist(), 30}


def test_dropped(pool, against, tmp_path):
    found = qdit.decontaminate(pool, against, tmp_path / "clean", by="ngram")
    clean = qdit.Pool.open(tmp_path / "clean")
    clean.check()
    assert [row.id for row in clean.records.rows()] == [f"rows-{i}" for i in found.kept.tolist()]
    step = clean.records.manifest["cleaned"][0]
    assert (step["verb"], step["rows"], step["kept"], step["dropped"]) == ("decontaminate", 400, 394, True)
    assert qdit.decontaminate(clean, against, by="ngram").flagged.tolist() == []
    again = qdit.decontaminate(pool, against, tmp_path / "clean", by="ngram")
    assert again.evidence == found.evidence
    against.write_text(against.read_text() + json.dumps({"question": "another one"}) + "\n")
    with pytest.raises(ValueError, match="against"):
        qdit.decontaminate(pool, against, tmp_path / "clean", by="ngram")


def test_similar_embeddings_by_the_pools_own_model(pool, against):
    qdit.embed(pool, "builtin:hash")
    found = qdit.decontaminate(pool, against, threshold=0.9)
    assert set(found.flagged.tolist()) >= {0, 10, 20, 40, 50, ANSWER}
    near = {
        line["row"]: one for line in found.evidence for one in line["overlaps"] if one["by"] == "embedding"
    }
    assert near[10]["row"] == 1
    assert near[10]["similarity"] > 0.9
    rows = qdit.Pool.open(pool).embeddings.array.astype(np.float64)
    asked = pool.parent / "asked"
    qdit.import_records([{"instruction": text, "output": ""} for text in ASKED], asked).close()
    others = qdit.embed(asked, "builtin:hash").rows.array.astype(np.float64)
    want = rows @ others.T
    assert set(near) == set(np.flatnonzero(want.max(axis=1) >= 0.9).tolist())
    assert all(one["row"] == want[row].argmax() for row, one in near.items())


def test_vectors_that_were_made_elsewhere(pool, against, tmp_path):
    x = RNG.standard_normal((400, 16)).astype(np.float32)
    vectors = RNG.standard_normal((33, 16)).astype(np.float32)
    x[333] = vectors[12] * 3 + 0.1
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "v.npy", vectors)
    attach(pool, embeddings=tmp_path / "x.npy")
    with pytest.raises(ValueError, match="were not made by qdit embed, so evaluation rows"):
        qdit.decontaminate(pool, against)
    found = qdit.decontaminate(pool, against, by="embedding", vectors=tmp_path / "v.npy", threshold=0.95)
    assert found.flagged.tolist() == [333]
    assert found.evidence[0]["overlaps"][0]["row"] == 12
    x[334] = x[333]
    np.save(pool / "embeddings.npy", x)  # by hand
    (pool / "embeddings.json").unlink()
    with pytest.raises(ValueError, match="embeddings is"):
        qdit.decontaminate(pool, against, by="embedding", vectors=tmp_path / "v.npy", threshold=0.95)
    np.save(tmp_path / "v.npy", vectors[1:])
    with pytest.raises(
        ValueError, match=r"vectors: .* has float32 of shape \(32, 16\), wanted floats of \(33, 16\)"
    ):
        qdit.decontaminate(pool, against, by="embedding", vectors=str(tmp_path / "v.npy"), overwrite=True)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([{"Instruction": "say it", "input": "this"}], "say it\nthis"),
        ([{"prompt": "say it"}], "say it"),
        (
            [{"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "say it"}]}],
            "say it",
        ),
        ([{"conversations": ["say it", "answer"]}], "say it"),
        ([{"conversations": [{"from": "human", "value": "say it"}]}], "say it"),
        ([{"instruction": "say it", "instances": [{"input": "this", "output": "x"}]}], "say it\nthis"),
        ([{"problem": "say it", "answer": "4", "text": "another"}], "say it"),
    ],
)
def test_layouts_of_evaluation_sets(tmp_path, rows, text):
    from qdit.cleaning.against import find_sets, read_sets
    from qdit.cleaning.options import DecontaminateOptions

    path = tmp_path / "e.json"
    path.write_text(json.dumps(rows))
    found = read_sets(find_sets(DecontaminateOptions(against=str(path))), None)
    assert [(one.set, one.row, one.text) for one in found] == [("e", 0, text)]


def test_parquet_columns_and_several_sets(pool, against, tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"q": [ASKED[0], "x"], "choices": ["a", "b"]}), tmp_path / "more.parquet")
    given = f"{against},{tmp_path / 'more.parquet'}"
    with pytest.raises(
        ValueError, match=r"more, row 0: no column that looks like a question among q, choices"
    ):
        qdit.decontaminate(pool, given, by="ngram")
    found = qdit.decontaminate(pool, tmp_path / "more.parquet", by="ngram", columns=["q", "choices"])
    assert found.flagged.tolist() == [0]
    with pytest.raises(ValueError, match="row 0: no column 'q'"):
        qdit.decontaminate(pool, against, by="ngram", columns="q", overwrite=True)
    named = {"mine": str(against)}
    assert qdit.decontaminate(pool, named, by="ngram", overwrite=True).step["against"][0]["set"] == "mine"


def test_words_that_all_evaluation_rows_have_are_no_evidence():
    form = "answer the following question and choose one of the four options that are given below"
    asked = [f"{form} {text_of(14)}" for _ in range(12)]
    index = OverlapIndex([*asked, form], 13, 8, 10)
    assert index.indistinct == [12]
    assert list(index.find([[form], [asked[3]], [f"{form} to this"]])) == [
        [],
        index_of(index, asked[3], 3),
        [],
    ]


def index_of(index, text, other):
    found = next(index.find([[text]]))
    assert [one.other for one in found] == [other]
    return found


def shared(one, other):
    """Return how many words two lists begin with in common."""
    return next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def test_overlaps_against_loops():
    texts = [" ".join(RNG.choice(list("abc"), RNG.integers(1, 14))) for _ in range(40)]
    index = OverlapIndex(texts, 6, 4, 1000)
    for _ in range(60):
        parts = [" ".join(RNG.choice(list("abcd"), RNG.integers(0, 20))) for _ in range(2)]
        want = {}
        for other, text in enumerate(texts):
            q = text.split()
            need = min(6, len(q))
            for part in (part.split() for part in parts):
                if len(q) < 4:
                    run = len(q) if q == part else 0
                else:
                    runs = [shared(part[i:], q[j:]) for i in range(len(part)) for j in range(len(q))]
                    run = max(runs, default=0)
                if run >= need and run > want.get(other, 0):
                    want[other] = run
        found = next(index.find([parts]))
        assert {one.other: one.words for one in found} == want
        assert [one.words for one in found] == sorted(want.values(), reverse=True)


def test_texts_as_they_are_compared():
    assert normalized("  Two\n\tWORDS ") == "two words"
    assert normalized("\ufb01ne \uff12 Straße") == "fine 2 strasse"
    assert normalized("2 + 2") != normalized("2 - 2")
    assert words("Don't stop-me, at 3.5!") == ["don", "t", "stop", "me", "at", "3", "5"]
    assert words("日本語 text ไทย") == [*"日本語", "text", *"ไทย"]
    assert words("...") == []


@pytest.mark.parametrize(
    "options", [{"ngram": 1}, {"shortest": 14}, {"threshold": 0}, {"by": "x"}, {"common": 0}]
)
def test_options(pool, against, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        qdit.decontaminate(pool, against, **options)


def test_no_such_set(pool):
    with pytest.raises(FileNotFoundError):
        qdit.decontaminate(pool, "./nothing.jsonl", by="ngram")
