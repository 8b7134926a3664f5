"""Decisions: every row's fate, against plain NumPy."""

import json

import numpy as np
import pytest

import qdit
from helpers.export_pools import K, N, make, unit, vectors
from qdit.exporting import decisions, export, similar
from qdit.selection.options import ObjectiveOptions
from qdit.selection.problem import make_problem


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("decisions"))


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def by_hand(x, chosen):
    """Return similarity to all chosen rows, and the gain of every row at the end."""
    s = unit(x) @ unit(x).T
    covered = s[:, chosen].max(axis=1)
    return s, np.maximum(s - covered[None, :], 0).sum(axis=1)


def test_every_row_against_plain_numpy(made, tmp_path):
    out = export(made.chosen, tmp_path / "out", decisions="jsonl")
    rows = read(out / "decisions.jsonl")
    chosen, sel = made.selection.indices, made.selection
    s, gains = by_hand(made.x, chosen)
    assert [row["row"] for row in rows] == list(range(N))
    assert [row["id"] for row in rows[:2]] == ["rows-0", "rows-1"]
    assert {i for i, row in enumerate(rows) if row["kept"]} == set(chosen.tolist())
    for i, row in enumerate(rows):
        others = chosen[chosen != i]
        assert s[i, row["nearest_row"]] == pytest.approx(s[i, others].max(), abs=1e-6)
        assert row["similarity"] == pytest.approx(s[i, others].max(), abs=1e-6)
        assert chosen[row["nearest_rank"] - 1] == row["nearest_row"] != i
        assert row["quality"] == made.q[i]
        if row["kept"]:
            at = row["rank"] - 1
            assert chosen[at] == i
            assert (row["gain"], row["score"]) == (sel.gains[at], sel.scores[at])
            assert row["final_gain"] is row["final_score"] is None
            assert row["status"] == "chosen"
        else:
            assert row["rank"] is row["gain"] is row["score"] is None
            assert row["final_gain"] == pytest.approx(gains[i], abs=1e-4)
            assert row["final_score"] == pytest.approx(0.4 * gains[i] + 0.6 * made.q[i], abs=1e-4)
            assert row["final_score"] <= sel.scores[-1] + 1e-9
            assert row["status"] == "not chosen"


def test_blocks_change_nothing(made, tmp_path, monkeypatch):
    whole = export(made.chosen, tmp_path / "whole", decisions="jsonl")
    monkeypatch.setattr(similar, "_CENTROIDS", 7)
    monkeypatch.setattr(similar, "_BLOCK", 5)
    monkeypatch.setattr(similar, "_CANDIDATES", 13)
    monkeypatch.setattr(decisions, "_PIECE", 19)
    pieces = export(made.chosen, tmp_path / "pieces", decisions="jsonl")
    name = "decisions.jsonl"
    assert (whole / name).read_bytes() == (pieces / name).read_bytes()


def test_parquet_says_the_same(made, tmp_path, monkeypatch):
    pq = pytest.importorskip("pyarrow.parquet", reason="pip install 'qdit[data]'")
    monkeypatch.setattr(decisions, "_PIECE", 50)
    lines = export(made.chosen, tmp_path / "lines", decisions="jsonl")
    table = export(made.chosen, tmp_path / "table")
    got = pq.read_table(table / "decisions.parquet").to_pylist()
    assert got == read(lines / "decisions.jsonl")


@pytest.mark.parametrize("pair_bytes", [0, 200_000, 10**8])
@pytest.mark.parametrize("options", [{}, {"given": [3, 9, 40]}, {"metric": "dot"}, {"floor": 0.0}], ids=str)
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_gains_of_one_pass_are_those_that_are_evaluated(pair_bytes, options, backend):
    """To the last bit, whatever fits the memory; 2,000 rows have lists that start above the maxima."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((2000 if backend == "cpu" else 200, 24)).astype(np.float16)
    x[[7, 8]] = 0
    problem = make_problem(x, ObjectiveOptions(alpha=0.0, zero_rows="ignore", backend=backend, **options))
    chosen = rng.permutation(np.setdiff1d(np.arange(len(x)), [3, 7, 8, 9, 40]))[:30]
    want = similar.gains_of(similar.covering_engine(problem, chosen, 2), np.arange(len(x)))
    ticks = []
    engine = similar.covering_engine(problem, chosen, 2)
    found = similar.all_gains(engine, int(chosen[0]), ticks.append, pair_bytes)
    assert found.tolist() == want.tolist()
    assert (found[chosen] == 0).all()
    assert ticks[-1] == 1.0


def test_final_gains_can_be_left_out(made, tmp_path, monkeypatch):
    for name, settings in {"none": {"final_gains": "none"}, "auto": {}}.items():
        if name == "auto":
            monkeypatch.setattr(decisions, "_MOST_ROWS", N - 1)
        out = export(made.chosen, tmp_path / name, decisions="jsonl", **settings)
        rows = read(out / "decisions.jsonl")
        assert all(row["final_gain"] is None for row in rows)
        assert all(row["similarity"] is not None for row in rows)


def test_no_decisions(made, tmp_path):
    out = export(made.chosen, tmp_path / "out", decisions="none")
    assert not list(out.glob("decisions*"))
    assert "decisions" not in (out / "README.md").read_text()


def test_given_rows_and_rows_of_zeros(tmp_path):
    x = vectors()
    x[[4, 9]] = 0
    made = make(tmp_path, x=x, zero_rows="ignore", given=[1, 2])
    with pytest.raises(ValueError, match="2 rows were given when this selection was made; pass given"):
        export(made.chosen, tmp_path / "out", decisions="jsonl")
    out = export(made.chosen, tmp_path / "out", decisions="jsonl", given=[1, 2])
    rows = read(out / "decisions.jsonl")
    assert [rows[i]["status"] for i in (1, 2, 4, 9)] == ["given", "given", "zero row", "zero row"]
    assert rows[4]["nearest_row"] is rows[4]["similarity"] is rows[4]["final_gain"] is None
    covered = [*made.selection.indices.tolist(), 1, 2]
    _, gains = by_hand(x, covered)
    left = [i for i, row in enumerate(rows) if row["status"] == "not chosen"]
    assert [rows[i]["final_gain"] for i in left] == pytest.approx(gains[left].tolist(), abs=1e-4)
    with pytest.raises(ValueError, match="given has sha256"):
        export(made.chosen, tmp_path / "other", decisions="jsonl", given=[1, 3])


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_other_dtypes(tmp_path, dtype):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    real = vectors().astype(np.float32).astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    rows = qdit.Rows(real.view(np.uint16) if dtype == "bfloat16" else real, dtype)
    chosen = np.array([3, 77, 12])
    where, similarity = similar.nearest_chosen(rows, chosen, metric="cosine", threads=1)
    s = unit(real.astype(np.float64))
    want = s @ s[chosen].T
    assert similarity == pytest.approx(want.max(axis=1), abs=1e-5)
    assert (want[np.arange(N), where] >= want.max(axis=1) - 1e-6).all()


def test_metric_dot(tmp_path):
    made = make(tmp_path, metric="dot")
    out = export(made.chosen, tmp_path / "out", decisions="jsonl")
    x = made.x.astype(np.float64)
    s = x @ x.T
    for row in read(out / "decisions.jsonl"):
        others = made.selection.indices[made.selection.indices != row["row"]]
        assert row["similarity"] == pytest.approx(s[row["row"], others].max(), rel=1e-4, abs=1e-4)


def test_nearest_earlier_pick_only(made):
    rows = qdit.open_embeddings(made.x)
    chosen = made.selection.indices
    where, similarity = similar.nearest_other(rows, chosen, metric="cosine", threads=1, earlier=True)
    s = unit(made.x)[chosen] @ unit(made.x)[chosen].T
    assert where[0] == -1
    assert np.isnan(similarity[0])
    for i in range(1, K):
        assert similarity[i] == pytest.approx(s[i, :i].max(), abs=1e-6)
        assert where[i] < i


def test_one_pick(tmp_path):
    made = make(tmp_path, k=1)
    out = export(made.chosen, tmp_path / "out", decisions="jsonl")
    row = read(out / "decisions.jsonl")[int(made.selection.indices[0])]
    assert row["kept"]
    assert row["nearest_row"] is row["nearest_rank"] is row["similarity"] is None
