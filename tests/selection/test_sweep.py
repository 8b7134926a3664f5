"""A sweep over alpha is one select for each alpha, with less work."""

import numpy as np
import pytest

import qdit
from qdit.common import files
from qdit.selection.options import SelectOptions

RNG = np.random.default_rng(60)
X = RNG.standard_normal((400, 16)).astype(np.float16)
Q = RNG.random(400)
OPTIONS = ", ".join(SelectOptions.names())
ALPHAS = [0.0, 0.3, 0.9, 1.0]


@pytest.mark.parametrize("method", ["auto", "lazy", "naive", "stochastic", "threshold"])
@pytest.mark.parametrize("options", [{}, {"given": [3, 9]}, {"floor": 0.0}], ids=str)
def test_it_equals_one_select_each(method, options):
    found = qdit.sweep(X, Q, ALPHAS, 40, method=method, **options)
    assert list(found) == ALPHAS
    for alpha, chosen in found.items():
        want = qdit.select(X, Q, alpha, 40, method=method, **options)
        for name in ("indices", "gains", "scores", "quality"):
            assert getattr(chosen, name).tobytes() == getattr(want, name).tobytes()
        for name in ("objective", "coverage", "mean_quality", "d_start", "inputs"):
            assert getattr(chosen, name) == getattr(want, name)
        assert dict(chosen.params) == dict(want.params)
        assert chosen.stats["commits"] == want.stats["commits"]


def test_limits_apply():
    found = qdit.sweep(X, Q, [0.2, 0.8], costs=np.ones(400), budget=7, groups=np.arange(400) % 2, quota=4)
    for alpha, chosen in found.items():
        assert len(chosen) == 7
        want = qdit.select(X, Q, alpha, costs=np.ones(400), budget=7, groups=np.arange(400) % 2, quota=4)
        assert chosen.indices.tolist() == want.indices.tolist()


def test_the_pool_is_hashed_and_checked_once(monkeypatch):
    hashed = []
    monkeypatch.setattr(files, "sha256_array", lambda array, label="": hashed.append(array.shape) or "0" * 64)
    found = qdit.sweep(X, Q, [0.1, 0.2, 0.3], 20)
    assert sorted(hashed) == [(400,), (400, 16)]
    assert found[0.2].stats["seconds_check"] == 0.0


def test_alive_pairs_are_those_of_one_run():
    alone = qdit.select(X, Q, 0.3, 40, method="lazy")
    found = qdit.sweep(X, Q, [0.2, 0.3], 40, method="lazy")
    for of_run in ("cached_evaluations", "evaluations", "products"):
        assert found[0.3].stats[of_run] == alone.stats[of_run] > 0


@pytest.mark.filterwarnings("ignore:alpha. quality has hardly any weight")
@pytest.mark.parametrize("memory_budget", [None, "4.7MB"])  # with 4.7 MB no list holds all alive pairs
def test_a_pass_is_shared_where_the_first_pick_is_the_same(memory_budget):
    rows = RNG.standard_normal((1500, 16)).astype(np.float16)
    quality = 0.001 * RNG.random(1500)
    options = {"method": "exact", "memory_budget": memory_budget, "threads": 2}
    found = qdit.sweep(rows, quality, [0.0, 0.3, 0.5, 0.5000001], 200, **options)
    first, *others = found.values()
    assert first.stats["products"] > 0.5
    for alpha, chosen in found.items():
        alone = qdit.select(rows, quality, alpha, 200, method="naive")
        assert chosen.indices.tolist() == alone.indices.tolist()
        assert chosen.gains.tobytes() == alone.gains.tobytes()
    assert {int(chosen.indices[0]) for chosen in others} == {int(first.indices[0])}
    if memory_budget:  # the first run could not know that others come, and used what they would need
        assert others[0].stats["products"] > 0.5
        first, *others = others
    assert all(chosen.stats["products"] <= first.stats["products"] - 0.5 for chosen in others)


def test_another_first_pick_needs_a_pass_of_its_own():
    quality = np.zeros(400)
    quality[7] = 1e6
    found = qdit.sweep(X, quality, [0.0, 0.5, 0.0001, 0.6], 50, method="exact")
    assert found[0.5].indices[0] == 7 != found[0.0].indices[0]
    for alpha, chosen in found.items():
        assert chosen.indices.tolist() == qdit.select(X, quality, alpha, 50, method="naive").indices.tolist()


def test_it_goes_on_from_its_checkpoints(tmp_path):
    told = []
    qdit.sweep(X, Q, [0.1, 0.2], 20, checkpoint=tmp_path)
    again = qdit.sweep(X, Q, [0.1, 0.2, 0.5], 20, checkpoint=tmp_path, progress=told.append)
    assert {p.name for p in tmp_path.iterdir()} == {"alpha-0.1", "alpha-0.2", "alpha-0.5"}
    assert again[0.2].indices.tolist() == qdit.select(X, Q, 0.2, 20).indices.tolist()
    assert told[-1].picks == 20
    assert [p.picks for p in told].count(20) == 1


@pytest.mark.parametrize(
    ("alphas", "options", "kind", "text"),
    [
        ([], {}, ValueError, "alphas: got none, wanted at least one"),
        ([0.1, 0.5, 0.1], {}, ValueError, "alphas: got 0.1 twice; drop repeats"),
        (
            [0.1, 2],
            {},
            ValueError,
            "alpha: got 2.0, wanted a number from 0 (diversity only) to 1 (quality only)",
        ),
        ([0.1], {"k": 401}, ValueError, "k: got 401, wanted at most 400 (400 rows); pass a smaller k"),
        (
            [0.1],
            {"metod": 1},
            TypeError,
            f"sweep: got option 'metod', wanted one of {OPTIONS}",
        ),
        ([0.1], {"alpha": 1}, TypeError, "sweep: got option 'alpha', wanted alphas"),
    ],
)
def test_refusals(alphas, options, kind, text):
    with pytest.raises(kind) as caught:
        qdit.sweep(X, Q, alphas, **{"k": 5} | options)
    assert str(caught.value) == text
