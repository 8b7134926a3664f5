"""What diversity and quality weigh: the scale "balanced", and what a run says of either side."""

import warnings

import numpy as np
import pytest

import qdit
from helpers.oracle import coverage, integer_rows, naive_greedy
from qdit.cli.tables import describe_estimate, describe_selection
from qdit.engine.shuffle import shuffled
from qdit.selection import run, weighing
from qdit.selection.options import SelectOptions
from qdit.selection.run import prepare

RNG = np.random.default_rng(7)


def clustered(n, d=16, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((max(4, n // 40), d))
    return (centres[rng.integers(0, len(centres), n)] + 0.5 * rng.standard_normal((n, d))).astype(np.float32)


X = clustered(600)
Q = RNG.gamma(2.0, size=600)


def expected_factor(x, scaled, k):
    n = len(x)
    diverse = naive_greedy(x, k)[0]
    random = np.mean([coverage(x, shuffled(np.arange(n), seed)[:k]) for seed in range(4)]) / n
    gain = n / k * (coverage(x, diverse) / n - random)
    return 0.75 * (np.sort(scaled)[-k:].mean() - scaled.mean()) / gain


@pytest.mark.parametrize("quality_scale", ["raw", "rank"])
def test_balanced_is_what_there_is_to_gain(quality_scale):
    k = 30
    chosen = qdit.select(X, Q, 0.5, k, gain_scale="balanced", quality_scale=quality_scale)
    scaled = Q if quality_scale == "raw" else (np.argsort(np.argsort(Q)) / (len(Q) - 1))
    factor = chosen.params["gain_factor"]
    assert factor == pytest.approx(expected_factor(X, scaled, k), rel=1e-6)
    assert chosen.params["gain_scale"] == "balanced"
    picks = naive_greedy(X, k, weight=0.5 * factor, bonus=0.5 * scaled)[0]
    assert chosen.indices.tolist() == list(picks)
    again = qdit.objective(X, chosen, Q, 0.5, gain_scale="balanced", quality_scale=quality_scale)
    assert again == pytest.approx(chosen.objective, rel=1e-14)


@pytest.mark.parametrize("options", [{}, {"given": [3, 9]}, {"floor": 0.0}, {"given": X[:2] + 1}], ids=str)
def test_no_machine_moves_the_scale(options):
    x = integer_rows(300, 8, seed=1)
    q = RNG.random(300)

    def of(**more):
        return qdit.select(x, q, 0.5, 20, gain_scale="balanced", metric="dot", **(options | more))

    if isinstance(options.get("given"), np.ndarray):
        options = {"given": x[:2].copy()}
    first = of(threads=1)
    for more in ({"threads": 2}, {"method": "lazy", "seed": 5}, {"backend": "reference", "method": "naive"}):
        other = of(**more)
        assert other.params["gain_factor"] == first.params["gain_factor"]
        assert other.indices.tolist() == first.indices.tolist()


def test_a_scale_of_scores_does_not_matter():
    picks = [
        qdit.select(X, q, 0.5, 30, gain_scale="balanced").indices.tolist() for q in (Q, 1024 * Q, Q / 1024)
    ]
    assert picks[0] == picks[1] == picks[2]


@pytest.mark.parametrize("k", [50, 150, 400])
@pytest.mark.parametrize("n", [2_400, 5_000])
def test_half_and_half_on_any_pool(n, k):
    x = clustered(n, seed=n)
    q = 100 + 1e-3 * np.random.default_rng(n).standard_normal(n)
    one = qdit.select(x, q, 0.5, k, gain_scale="balanced")
    random = np.mean([qdit.select(x, alpha=0, k=k, method="random", seed=s).coverage for s in range(3)])
    most = qdit.select(x, alpha=0, k=k).coverage
    covered = (one.coverage - random) / (most - random)
    good = (one.mean_quality - q.mean()) / (np.sort(q)[-k:].mean() - q.mean())
    assert abs(covered - good) < 0.2


@pytest.mark.parametrize(
    ("q", "k"), [(np.full(600, 3.0), 30), (Q, 600), (None, 30)], ids=["equal scores", "all rows", "no scores"]
)
def test_where_there_is_nothing_to_balance_the_factor_is_1(q, k):
    alpha = 0.0 if q is None else 0.5
    assert qdit.select(X, q, alpha, k, gain_scale="balanced").params["gain_factor"] == 1.0


def test_what_is_shared_and_spread():
    k = 40
    one = qdit.select(X, Q, 0.3, k)
    balance = one.stats["balance"]
    sets = [set(qdit.select(X, Q, alpha, k).indices.tolist()) for alpha in (0.0, 0.3, 1.0)]
    assert balance["shared"] == {"alpha_0": len(sets[0] & sets[1]), "alpha_1": len(sets[2] & sets[1])}
    assert balance["exact"] == ["alpha_0", "alpha_1"]
    assert balance["sampled_rows"] == 600
    spread = balance["spread"]["picks"]
    assert spread["diversity"] == pytest.approx(np.ptp(np.quantile(0.7 * one.gains, [0.1, 0.9])))
    assert spread["quality"] == pytest.approx(np.ptp(np.quantile(0.3 * one.quality, [0.1, 0.9])))
    rest = np.sort(shuffled(np.setdiff1d(np.arange(600), one.indices), 0)[:128])
    assert balance["spread"]["rest"]["quality"] == pytest.approx(
        np.ptp(np.quantile(0.3 * Q[rest], [0.1, 0.9]))
    )
    base = coverage(X, one.indices)
    gains = [0.7 * (coverage(X, [*one.indices, row]) - base) for row in rest]
    wanted = np.ptp(np.quantile(gains, [0.1, 0.9]))
    assert balance["spread"]["rest"]["diversity"] == pytest.approx(wanted, rel=1e-4)


def test_the_shares_are_those_between_the_two_sides():
    k = 40
    found = [qdit.select(X, Q, alpha, k) for alpha in (0.0, 0.3, 1.0)]
    balance = found[1].stats["balance"]
    covered, good = [s.coverage for s in found], [s.mean_quality for s in found]
    assert balance["coverage"] == pytest.approx((covered[1] - covered[2]) / (covered[0] - covered[2]))
    assert balance["quality"] == pytest.approx((good[1] - good[0]) / (good[2] - good[0]))
    balanced = qdit.select(X, Q, balance["balancing_alpha"], k)
    same = qdit.select(X, Q, 0.5, k, gain_scale="balanced")
    assert balanced.indices.tolist() == same.indices.tolist()
    assert same.stats["balance"]["balancing_alpha"] == pytest.approx(0.5)


def test_telling_changes_no_pick(monkeypatch):
    told = qdit.select(X, Q, 0.3, 40)
    monkeypatch.setattr(run, "weigh", lambda *args, **options: {})
    silent = qdit.select(X, Q, 0.3, 40)
    assert "balance" not in silent.stats
    for name in ("indices", "gains", "scores"):
        assert getattr(told, name).tobytes() == getattr(silent, name).tobytes()
    for name in ("evaluations", "commits"):
        assert told.stats[name] == silent.stats[name]


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 0.0},
        {"alpha": 1.0},
        {"method": "random"},
        {"method": "quality"},
        {"quality": None, "alpha": 0.0},
    ],
    ids=str,
)
def test_one_side_alone_is_not_weighed(options):
    asked = {"quality": Q, "alpha": 0.0 if "quality" in options else 0.5, "k": 20} | options
    assert "balance" not in qdit.select(X, **asked).stats


def test_under_limits_samples_are_without_them():
    groups = np.arange(600) % 3
    one = qdit.select(X, Q, 0.5, 30, groups=groups, quota=10)
    assert one.stats["balance"]["exact"] == []
    assert one.stats["balance"]["spread"]["rest"] is not None
    bought = qdit.select(X, Q, 0.5, costs=np.ones(600), budget=30)
    assert bought.stats["balance"]["spread"]["rest"] is None
    assert bought.stats["balance"]["shared"] == qdit.select(X, Q, 0.5, 30).stats["balance"]["shared"]


def test_a_sweep_counts_what_alpha_0_shares():
    x, q = clustered(2_500, seed=3), RNG.random(2_500)
    found = qdit.sweep(x, q, [0.0, 0.9], 60, gain_scale="per_k")
    balance = found[0.9].stats["balance"]
    assert balance["exact"] == ["alpha_0", "alpha_1"]
    assert balance["shared"]["alpha_0"] == len(np.intersect1d(found[0.0].indices, found[0.9].indices))
    alone = qdit.select(x, q, 0.9, 60, gain_scale="per_k").stats["balance"]
    assert alone["exact"] == ["alpha_1"]
    assert alone["shared"]["alpha_1"] == balance["shared"]["alpha_1"]
    assert abs(alone["shared"]["alpha_0"] - balance["shared"]["alpha_0"]) <= 20


def test_a_graph_counts_what_alpha_0_shares():
    x, q = clustered(2_500, seed=3), RNG.random(2_500)
    graph = qdit.build_graph(x)
    for k in (60, 50):
        one, other = graph.select(q, 0.95, k), graph.select(alpha=0.0, k=k)
        balance = one.stats["balance"]
        assert balance["exact"] == ["alpha_0", "alpha_1"]
        assert balance["shared"]["alpha_0"] == len(np.intersect1d(one.indices, other.indices))
        again = qdit.select(x, q, 0.95, k, method="sparse").stats["balance"]
        assert again["exact"] == ["alpha_1"]  # to make the picks of alpha 0 as well would cost a tenth more
        assert again["spread"] == balance["spread"]


def test_a_side_without_weight_is_told():
    x, q = clustered(3_000, seed=5), RNG.random(3_000)
    with pytest.warns(UserWarning, match="quality has hardly any weight") as told:
        lost = qdit.select(x, q, 0.5, 30, quality_scale="rank")
    text = str(told[0].message)
    assert "quality_scale='rank' at n / k = 100:" in text
    assert "pass gain_scale='balanced', or alpha=0.9" in text
    alpha = lost.stats["balance"]["balancing_alpha"]
    assert lost.stats["balance"]["quality"] < 0.1
    for options in (
        {"alpha": alpha},
        {"alpha": 0.5, "gain_scale": "balanced"},
    ):  # silent: warnings are errors
        mended = qdit.select(x, q, k=30, quality_scale="rank", **options)
        assert mended.stats["balance"]["quality"] > 0.4
    with pytest.warns(UserWarning, match="diversity has hardly any weight"):
        qdit.select(x, 1e6 * q, 0.5, 30)


@pytest.mark.parametrize("alpha", [0.3, 0.5, 0.7, 0.9])
def test_ratings_of_1_to_5_at_a_sixth_are_no_case_for_it(alpha):
    x = clustered(3_000, seed=5)
    q = np.random.default_rng(2).choice([1.0, 2, 3, 4, 5], 3_000, p=[0.05, 0.1, 0.3, 0.4, 0.15])
    assert qdit.select(x, q, alpha, 500).stats["balance"]["coverage"] > 0.2


def test_small_pools_are_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        qdit.select(X, 1e6 * Q, 0.5, 30)


def test_the_command_line_says_it():
    one = qdit.select(X, Q, 0.3, 40)
    text = describe_selection(one, None)
    shared = one.stats["balance"]["shared"]
    assert f"of 40 picks {shared['alpha_0']} with alpha 0, {shared['alpha_1']} with alpha 1" in text
    assert "among picks diversity differs by" in text
    assert "; among rows left diversity differs by" in text
    job = prepare(X, SelectOptions(quality=Q, alpha=0.3, k=40))
    planned = describe_estimate(job)
    told = weighing.describe_shares(one.stats["balance"])["reached"]
    assert told in planned
    assert told in text
    assert "reached" not in describe_estimate(prepare(X, SelectOptions(alpha=0.0, k=40)))


def test_shards_refuse_what_is_measured_on_one_file():
    with pytest.raises(ValueError, match="gain_scale: got 'balanced' for shards"):
        qdit.distributed.select([X[:300], X[300:]], Q, 0.5, 20, gain_scale="balanced", address="in-process")


def test_targets_are_not_balanced():
    for more in ({"represent": np.arange(50)}, {"weights": np.ones(600)}):
        with pytest.raises(ValueError, match="gain_scale: got 'balanced' with represent or weights"):
            qdit.select(X, Q, 0.5, 20, gain_scale="balanced", **more)
        assert "balance" not in qdit.select(X, Q, 0.5, 20, **more).stats
