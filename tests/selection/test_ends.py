"""Shares, smallest numbers of groups, and ends before the k-th pick."""

import numpy as np
import pytest

import qdit
from helpers.oracle import coverage, gains_over, integer_rows, raise_maximum, similarity
from qdit.selection.limits import open_limits
from qdit.selection.options import SelectOptions

N, K = 120, 20
X = integer_rows(N, 6, seed=3)
Q = np.random.default_rng(3).integers(0, 9, N).astype(float)
LANGUAGE = np.random.default_rng(5).choice(["de", "en", "fr"], N, p=[0.2, 0.7, 0.1])
DOT = {"metric": "dot", "threads": 1}
GREEDY = [("exact", "cpu"), ("lazy", "cpu"), ("naive", "cpu"), ("lazy", "reference")]


def fewest_greedy(k, least, most=None, alpha=0.4):
    """Return the picks of greedy in float64 that keeps the smallest numbers possible at every step."""
    sims = similarity(X, metric="dot")
    names = sorted(set(LANGUAGE))
    taken, best, picks = dict.fromkeys(names, 0), None, []
    while len(picks) < k:
        scores = (1 - alpha) * gains_over(sims, best) + alpha * Q
        for row in range(N):
            after = {**taken, LANGUAGE[row]: taken[LANGUAGE[row]] + 1}
            lacking = sum(max(0, least.get(name, 0) - after[name]) for name in names)
            full = most is not None and after[LANGUAGE[row]] > most.get(LANGUAGE[row], N)
            if row in picks or full or lacking > k - len(picks) - 1:
                scores[row] = -np.inf
        row = int(scores.argmax())
        picks.append(row)
        taken[LANGUAGE[row]] += 1
        best = raise_maximum(best, sims[[row]])
    return picks


@pytest.mark.parametrize(("method", "backend"), GREEDY)
@pytest.mark.parametrize(
    "least", [{"fr": 6}, {"de": 5, "fr": 8}, {"de": 10, "fr": 10}, {"en": 3}, {"de": 0}], ids=str
)
def test_at_least_is_greedy_that_keeps_them_possible(method, backend, least):
    options = {"groups": LANGUAGE, "method": method, "backend": backend, **DOT}
    one = qdit.select(X, Q, 0.4, K, quota_least=least, **options)
    assert one.indices.tolist() == fewest_greedy(K, least)
    assert one.params["quota_least"] == {name: count for name, count in least.items() if count}
    assert one.coverage == pytest.approx(coverage(X, one.indices, metric="dot") / N)
    both = qdit.select(X, Q, 0.4, K, quota_least=least, quota={"en": 11}, **options)
    assert both.indices.tolist() == fewest_greedy(K, least, {"en": 11})


def test_at_least_by_stochastic_and_with_given():
    one = qdit.select(X, Q, 0.4, K, groups=LANGUAGE, quota_least={"fr": 8}, method="stochastic", **DOT)
    assert (LANGUAGE[one.indices] == "fr").sum() >= 8
    given = np.flatnonzero(LANGUAGE == "fr")[:2]
    one = qdit.select(X, Q, 0.4, K, groups=LANGUAGE, quota_least={"fr": 8}, given=given, **DOT)
    assert (LANGUAGE[one.indices] == "fr").sum() >= 8
    assert not np.isin(given, one.indices).any()


def test_at_least_that_does_not_bind_changes_nothing():
    plain = qdit.select(X, Q, 0.4, K, **DOT)
    one = qdit.select(X, Q, 0.4, K, groups=LANGUAGE, quota_least={"en": 1}, **DOT)
    assert one.indices.tobytes() == plain.indices.tobytes()
    assert one.upper_bound == plain.upper_bound
    assert "reserved" not in one.stats
    bound = qdit.select(X, Q, 0.4, K, groups=LANGUAGE, quota_least={"fr": 8}, **DOT)
    assert bound.stats["reserved"] > 0
    assert bound.upper_bound is None or bound.upper_bound >= bound.objective


def test_at_least_goes_on_from_any_pick(tmp_path):
    options = {"groups": LANGUAGE, "quota_least": {"fr": 8, "de": 6}, "method": "lazy", **DOT}
    whole = qdit.select(X, Q, 0.4, K, checkpoint=tmp_path / "whole", **options)
    journal = (tmp_path / "whole" / "picks.bin").read_bytes()
    assert len(journal) == 24 * K
    for kept in (0, 5, K - whole.stats["reserved"], K - 3, K):
        folder = tmp_path / str(kept)
        folder.mkdir()
        header = (tmp_path / "whole" / "header.json").read_bytes()
        (folder / "header.json").write_bytes(header)
        (folder / "picks.bin").write_bytes(journal[: 24 * kept])
        again = qdit.select(X, Q, 0.4, K, checkpoint=folder, **options)
        assert again.indices.tolist() == whole.indices.tolist()
        assert again.gains.tobytes() == whole.gains.tobytes()
        assert (folder / "picks.bin").read_bytes() == journal
    with pytest.raises(ValueError, match="quota_least"):
        qdit.select(X, Q, 0.4, K, checkpoint=folder, **(options | {"quota_least": {"fr": 7}}))


@pytest.mark.parametrize(("method", "backend"), GREEDY)
@pytest.mark.parametrize("alpha", [0.0, 0.4])
def test_ends_at_a_gain_or_a_coverage(method, backend, alpha):
    options = {"method": method, "backend": backend, **DOT}
    whole = qdit.select(X, Q, alpha, 60, **options)
    limit = float(np.sort(whole.scores)[20])
    first = int(np.argmax(whole.scores < limit))
    one = qdit.select(X, Q, alpha, 60, min_gain=limit, **options)
    assert one.indices.tolist() == whole.indices[:first].tolist()
    assert one.gains.tobytes() == whole.gains[:first].tobytes()
    assert one.stats["ended_by"] == "min_gain"
    assert one.params["min_gain"] == limit
    assert one.upper_bound is None
    reached = whole[:31].coverage
    one = qdit.select(X, Q, alpha, 60, min_coverage=reached, **options)
    assert one.coverage == reached
    assert len(one) <= 31
    assert one.indices.tolist() == whole.indices[: len(one)].tolist()
    assert one.stats["ended_by"] == "min_coverage"
    never = qdit.select(X, Q, alpha, 60, min_coverage=1e9, min_gain=-1e9, **options)
    assert never.indices.tobytes() == whole.indices.tobytes()
    assert "ended_by" not in never.stats
    assert never.upper_bound == whole.upper_bound


def test_ends_with_quotas_sweeps_checkpoints_and_sparse(tmp_path):
    options = {"groups": LANGUAGE, "quota": {"en": 9}, **DOT}
    whole = qdit.select(X, Q, 0.4, 30, **options)
    one = qdit.select(X, Q, 0.4, 30, min_coverage=whole[:12].coverage, **options)
    assert one.indices.tolist() == whole.indices[: len(one)].tolist()
    found = qdit.sweep(X, Q, [0.0, 0.4, 1.0], 30, min_coverage=whole[:12].coverage, **DOT)
    for alpha, chosen in found.items():
        alone = qdit.select(X, Q, alpha, 30, min_coverage=whole[:12].coverage, **DOT)
        assert chosen.indices.tolist() == alone.indices.tolist()
        assert chosen.coverage >= whole[:12].coverage or len(chosen) == 30
    for _ in range(2):
        again = qdit.select(X, Q, 0.4, 30, min_coverage=one.coverage, checkpoint=tmp_path, **options)
        assert again.indices.tolist() == one.indices.tolist()
    both = qdit.select(
        X, Q, 0.4, 30, quota_least={"fr": 9}, min_coverage=one.coverage, groups=LANGUAGE, **DOT
    )
    assert both.coverage >= one.coverage
    x = np.random.default_rng(5).standard_normal((400, 8)).astype(np.float32)
    whole = qdit.select(x, alpha=0, k=50, method="sparse")
    one = qdit.select(x, alpha=0, k=50, method="sparse", min_coverage=whole[:20].coverage)
    assert one.indices.tolist() == whole.indices[:20].tolist()


@pytest.mark.parametrize(
    ("shares", "k", "want"),
    [
        ({"en": 0.6, "de": 0.3, "fr": 0.1}, 10, {"de": 3, "en": 6, "fr": 1}),
        ({"en": 0.6, "de": 0.4}, 7, {"de": 3, "en": 4}),
        ({"en": 1 / 3, "de": 1 / 3, "fr": 1 / 3}, 10, {"de": 3, "en": 4, "fr": 3}),
        ({"en": 0.5, "fr": 0.25}, 10, {"en": 5, "fr": 2}),
        ({"en": 0.5, "de": 0.5, "fr": 0}, 9, {"de": 4, "en": 5, "fr": 0}),
    ],
    ids=str,
)
def test_shares_are_rows(shares, k, want):
    quotas = qdit.select(X, Q, 0.4, k, groups=LANGUAGE, quota=shares | {"fr": shares.get("fr", 0)}, **DOT)
    recorded = quotas.params["quota"]
    assert {name: recorded[name] for name in want} == want


def test_shares_of_either_kind():
    least = qdit.select(X, Q, 0.4, 15, groups=LANGUAGE, quota_least={"fr": 0.3, "de": 0.25}, **DOT)
    assert least.params["quota_least"] == {"de": 4, "fr": 5}
    exact = qdit.select(
        X, Q, 0.4, 20, groups=LANGUAGE, quota={"en": 0.5, "de": 0.3, "fr": 0.2}, quota_mode="exact"
    )
    assert {name: int((LANGUAGE[exact.indices] == name).sum()) for name in ("en", "de", "fr")} == {
        "en": 10,
        "de": 6,
        "fr": 4,
    }
    same = open_limits(N, SelectOptions(groups=LANGUAGE, quota=0.4), 10)
    assert same.quotas.tolist() == [4, 4, 4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"quota": {"en": 0.5, "de": 3}},
            "quota of 'de': got 3 beside shares, wanted a number",
        ),
        (
            {"quota": {"en": 0.5, "de": 0.2, "fr": 0.1}, "quota_mode": "exact"},
            "shares that add up to 0.8, wanted 1",
        ),
        ({"quota": {"en": 0.5}, "costs": np.ones(N), "budget": 9, "k": None}, "shares with a budget"),
        ({"quota": {"en": 1.5}}, "quota of 'en'"),
        ({"quota_least": {"fr": 90}}, "quota_least: got 90 for group 'fr', wanted at most the"),
        ({"quota_least": {"fr": 5, "en": 30}}, "quota_least: got 35 rows in all, wanted at most k = 20"),
        (
            {"quota_least": {"fr": 5}, "quota": {"fr": 4}},
            "got 5 for group 'fr', wanted at most the 4",
        ),
        ({"quota_least": {"xx": 5}}, "quota_least: got group 'xx', which no row is in"),
        ({"quota_least": {"fr": 5}, "method": "sparse"}, "knows no constraints"),
        (
            {"quota_least": {"fr": 5}, "method": "k_center"},
            "method 'k_center' does not go by gains",
        ),
        ({"quota_least": {"fr": 5}, "costs": np.ones(N), "budget": 9}, "quota_least: got it with a budget"),
        ({"quota_least": {"fr": 5}, "quota": 5, "quota_mode": "exact", "k": None}, "with quota_mode 'exact'"),
        ({"min_gain": 1e9}, "min_gain: got 1e\\+09, wanted at most what the first pick"),
        ({"min_coverage": -1e9, "given": [3]}, "min_coverage: got -1e\\+09, wanted more than the"),
        ({"min_gain": 1.0, "method": "random"}, "min_gain: method 'random' does not go by gains"),
        ({"min_coverage": "x"}, "min_coverage: got 'x'"),
    ],
    ids=str,
)
def test_errors(options, message):
    groups = {"groups": LANGUAGE} if "quota" in options or "quota_least" in options else {}
    with pytest.raises((ValueError, TypeError), match=message):
        qdit.select(X, Q, 0.4, **({"k": K} | groups | options | DOT))
