"""`qdit.measure` against every number written out in float64 NumPy."""

import json
import math

import numpy as np
import pytest

import qdit
from helpers.oracle import clustered_rows, unit_rows
from qdit.cli.main import main
from qdit.engine.shuffle import shuffled
from qdit.measuring import MEASURES, within
from qdit.measuring.intervals import prediction_interval, t_quantile
from qdit.records import import_records

N = 330
X = clustered_rows(N, 20, seed=70, dtype="float32")
Q = np.random.default_rng(71).normal(size=N)


def by_hand(x, chosen, quality, neighbors=10):
    """Return all numbers but "cells"."""
    u = unit_rows(x, "cosine")
    s, mine = u @ u.T, u[chosen]
    k = len(chosen)
    nearest = np.sort(s[:, chosen].max(axis=1))
    between = 1 - mine @ mine.T
    others = between[~np.eye(k, dtype=bool)].reshape(k, k - 1)
    values = np.linalg.eigvalsh(mine @ mine.T / k)
    values = values[values > 1e-12]
    novelty = []
    for i in range(k):
        order = sorted((j for j in range(k) if j != i), key=lambda j: (between[i, j], j))
        weights = [1 / rank for rank in range(1, k)]
        total = 0.0
        for weight, j in zip(weights, order, strict=True):
            apart = np.sort(1 - np.delete(s[chosen[j]], chosen[j]))
            apart = apart[apart > 1e-6][:neighbors]
            total += weight * (1 / apart.mean()) ** 0.5 * between[i, j]
        novelty.append(total / sum(weights))
    return {
        "coverage": nearest.mean(),
        "coverage_worst": nearest[: math.ceil(0.1 * len(x))].mean(),
        "pairwise_distance": others.mean(),
        "nearest_distance": others.min(axis=1).mean(),
        "least_distance": max(0, others.min()),
        "vendi": math.exp(-(values * np.log(values)).sum()),
        "log_determinant": np.linalg.slogdet(np.eye(k) + mine @ mine.T)[1],
        "novelsum": np.mean(novelty),
        "quality": quality[chosen].mean(),
    }


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("k", [2, 37, 150])
def test_every_number_is_what_it_says(dtype, k):
    rows = X.astype(dtype)
    chosen = shuffled(np.arange(N), 3)[:k]
    found = qdit.measure(rows, chosen, quality=Q, threads=2, random_sets=2)
    assert list(found.readings) == list(MEASURES)
    want = by_hand(rows, chosen, Q)
    for name, value in want.items():
        assert found[name].value == pytest.approx(value, rel=2e-5, abs=2e-6), name
    for number in (0, 1):
        other = by_hand(rows, shuffled(np.arange(N), number)[:k], Q)
        for name, value in other.items():
            assert found[name].random[number] == pytest.approx(value, rel=2e-5, abs=2e-6), name
    assert found["coverage"].value == pytest.approx(qdit.coverage(rows, chosen), rel=1e-12)


def test_blocks_and_threads_change_nothing(monkeypatch):
    chosen = shuffled(np.arange(N), 3)[:150]
    runs = [qdit.measure(X, chosen, threads=threads, random_sets=1) for threads in (1, 3)]
    monkeypatch.setattr(within, "_PAIRS", 7)
    monkeypatch.setattr(within, "_BLOCK_ROWS", 11)
    monkeypatch.setattr("qdit.measuring.beside._BLOCK", 13)
    runs.append(qdit.measure(X, chosen, random_sets=1))
    for run in runs[1:]:
        for name, one in run.readings.items():
            assert one.value == pytest.approx(runs[0][name].value, rel=1e-12)


def test_cells_are_counted():
    """Rows around as many centres as there are cells, far apart."""
    centres = np.eye(8, dtype=np.float32)
    rows = centres[np.arange(400) % 8] + 0.01 * np.random.default_rng(0).standard_normal((400, 8)).astype(
        "f4"
    )
    assert qdit.measure(rows, [0, 8, 16, 1], cells=1, random_sets=0)["cells"].value == 1
    found = qdit.measure(rows, [0, 8, 16], cells=40, random_sets=0)
    assert 1 <= found["cells"].value <= 3
    assert qdit.measure(rows, np.arange(400), random_sets=0)["cells"].value == 40  # a tenth of the rows


def test_copies_of_a_row():
    rows = X.copy()
    rows[100:130] = rows[7]
    found = qdit.measure(rows, [7, 100, 101, 5], random_sets=0)
    assert found["least_distance"].value == pytest.approx(0, abs=1e-6)
    assert math.isfinite(found["novelsum"].value)
    same = qdit.measure(np.ones((30, 4), np.float32), [1, 2, 3], random_sets=2)
    assert same["vendi"].value == pytest.approx(1)
    assert (same["novelsum"].value, same["pairwise_distance"].value) == (0, pytest.approx(0, abs=1e-9))


def test_one_row_has_no_distances():
    found = qdit.measure(X, [4], random_sets=3)
    assert [name for name, one in found.readings.items() if math.isnan(one.value)] == [
        "pairwise_distance",
        "nearest_distance",
        "least_distance",
        "novelsum",
    ]
    assert found["vendi"].value == pytest.approx(1)
    assert "quality" not in found.readings
    assert found["novelsum"].json()["value"] is None


def test_a_sample_of_a_set_is_near_the_whole():
    chosen = shuffled(np.arange(N), 3)[:200]
    whole = qdit.measure(X, chosen, random_sets=0)
    part = qdit.measure(X, chosen, random_sets=0, sample=120)
    assert part["coverage"].value == whole["coverage"].value
    assert part["nearest_distance"].value == pytest.approx(whole["nearest_distance"].value, rel=0.15)
    assert part["novelsum"].value == pytest.approx(whole["novelsum"].value, rel=0.3)


def test_rows_of_zeros_count_nowhere():
    rows = X.copy()
    rows[[3, 9]] = 0
    found = qdit.measure(rows, [0, 1, 2], random_sets=1)
    others = np.delete(np.arange(N), [3, 9])
    nearest = (unit_rows(X, "cosine") @ unit_rows(X, "cosine")[:3].T).max(axis=1)[others]
    assert found["coverage"].value == pytest.approx(nearest.mean(), rel=1e-5)
    with pytest.raises(ValueError, match="rows: position 1 is row 9, which is all zeros"):
        qdit.measure(rows, [0, 9])


def test_a_random_set_is_inside_and_a_narrow_one_outside():
    near = np.argsort(-(unit_rows(X, "cosine") @ unit_rows(X, "cosine")[0]))[:60]
    found = qdit.measure(X, near, random_sets=8)
    assert found["coverage"].value < found["coverage"].low
    assert found["vendi"].value < found["vendi"].low
    spread = qdit.measure(X, qdit.select(X, alpha=0, k=60), random_sets=8)
    assert spread["coverage"].value > spread["coverage"].high


@pytest.mark.parametrize(
    ("level", "degrees", "want"),
    [(0.95, 1, 12.7062), (0.95, 2, 4.30265), (0.95, 4, 2.77645), (0.99, 7, 3.49948), (0.9, 30, 1.69726)],
)
def test_quantiles_of_t(level, degrees, want):
    assert t_quantile(level, degrees) == pytest.approx(want, rel=1e-5)


def test_intervals_hold_as_often_as_they_say():
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(2000):
        *known, new = rng.normal(size=6)
        low, high = prediction_interval(known, 0.9)
        hits += low <= new <= high
    assert abs(hits / 2000 - 0.9) < 0.025
    assert all(map(math.isnan, prediction_interval([1.0], 0.9)))


def test_the_command_measures_pools_and_files(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [{"instruction": f"Say {i}", "output": "x"} for i in range(N)]
    import_records(rows, "pool").close()
    np.save("pool/embeddings.npy", X)
    np.save("pool/quality.npy", Q)
    np.save("few.npy", np.arange(9))
    qdit.select(X, Q, 0.5, 9).save("chosen")
    assert main(["measure", "pool", "few.npy,best=chosen", "--out", "out", "--no-progress"]) == 0
    text = capsys.readouterr().out
    assert "few: 9 rows, beside 5 random sets of as many" in text
    found = json.loads((tmp_path / "out" / "measures.json").read_text())
    want = qdit.measure(X, np.arange(9), quality=Q)
    assert found["sets"]["few"]["measures"]["novelsum"]["value"] == want["novelsum"].value
    assert (
        found["sets"]["best"]["measures"]["quality"]["value"] == Q[qdit.select(X, Q, 0.5, 9).indices].mean()
    )
    assert (
        found["sets"]["best"]["measures"]["vendi"]["random"]
        == found["sets"]["few"]["measures"]["vendi"]["random"]
    )
    assert main(["measure", "pool/embeddings.npy", "few.npy", "--random-sets", "0", "--no-progress"]) == 0
    assert "novelsum" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"rows": []}, "rows: got no rows, wanted at least one"),
        ({"rows": [1, 1]}, "selections: position 1 is row 1 again, it was at position 0; drop repeats"),
        ({"level": 1.0}, "level: got 1.0, wanted a number between 0 and 1, both excluded"),
        ({"neighbors": 0}, "neighbors: got 0, wanted at least 1"),
    ],
)
def test_refusals(options, text):
    rows = options.pop("rows", [1, 2])
    with pytest.raises(ValueError) as caught:
        qdit.measure(X, rows, **options)
    assert str(caught.value) == text
