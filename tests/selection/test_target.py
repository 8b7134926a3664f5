"""`represent` and `weights`: what is covered in place of the pool, as users ask for it."""

import itertools

import numpy as np
import pytest

import qdit
from helpers.oracle_targeted import targeted_certificate, targeted_greedy, targeted_rows
from qdit.cli.main import main
from qdit.selection.memory import memory_needed
from qdit.selection.methods import EXACT, LAZY, METHODS, resolve

RNG = np.random.default_rng(11)
ROWS = RNG.standard_normal((120, 16)).astype(np.float32)
QUALITY = RNG.uniform(1, 5, 120)
ASKED = RNG.standard_normal((31, 16)).astype(np.float16)
WEIGHTS = RNG.lognormal(size=31)
TARGET = {"represent": ASKED, "weights": WEIGHTS}
PARTS = ("indices", "gains", "scores")


def same(a, b):
    """Return whether two selections are alike to the last bit."""
    numbers = ("objective", "coverage", "d_start")
    return all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in PARTS) and all(
        getattr(a, name) == getattr(b, name) for name in numbers
    )


def test_objective_coverage_and_bound_are_those_of_the_represented_rows(method):
    sel = qdit.select(ROWS, QUALITY, 0.3, 10, method=method, **TARGET)
    bonus = 0.3 * QUALITY
    picks, gains = targeted_greedy(ROWS, ASKED, 10, weights=WEIGHTS, weight=0.7, bonus=bonus)
    assert sel.indices.tolist() == picks.tolist()
    np.testing.assert_allclose(sel.gains, gains, rtol=1e-5, atol=1e-5)
    near = targeted_rows(ROWS, ASKED, picks)
    assert sel.coverage == pytest.approx(near @ WEIGHTS / WEIGHTS.sum(), rel=1e-6)
    assert sel.objective == pytest.approx(0.7 * (near @ WEIGHTS) + bonus[picks].sum(), rel=1e-6)
    assert sel.params["represented_rows"] == 31
    assert sel.params["total_weight"] == pytest.approx(WEIGHTS.sum())
    assert sel.objective <= sel.upper_bound
    assert qdit.objective(ROWS, sel, QUALITY, 0.3, **TARGET) == pytest.approx(sel.objective)
    assert qdit.coverage(ROWS, sel, **TARGET) == pytest.approx(sel.coverage)
    np.testing.assert_allclose(qdit.row_coverage(ROWS, sel, represent=ASKED), near, atol=1e-6)


def test_no_set_exceeds_the_upper_bound():
    rows, asked = ROWS[:12], ASKED[:9]
    sel = qdit.select(rows, None, 0.0, 3, represent=asked, weights=WEIGHTS[:9])
    best = max(
        targeted_rows(rows, asked, chosen) @ WEIGHTS[:9] for chosen in itertools.combinations(range(12), 3)
    )
    assert sel.objective * (1 - 1e-6) <= best <= sel.upper_bound * (1 + 1e-6)


def test_the_pool_itself_and_weights_of_one_are_as_without(any_method):
    plain = qdit.select(ROWS, QUALITY, 0.5, 15, method=any_method)
    bound = (plain.upper_bound, plain.optimality)
    ones = np.ones(len(ROWS))
    for target in (
        {"represent": ROWS.copy()},
        {"represent": np.arange(len(ROWS))},
        {"weights": ones},
        {"represent": ROWS.copy(), "weights": ones},
    ):
        sel = qdit.select(ROWS, QUALITY, 0.5, 15, method=any_method, **target)
        assert same(sel, plain)
        assert (sel.upper_bound, sel.optimality) == bound


def test_row_numbers_stand_for_their_rows(tmp_path):
    numbers = np.array([5, 3, 99, 40])
    np.save(tmp_path / "numbers.npy", numbers)
    np.save(tmp_path / "rows.npy", ROWS[numbers])
    by_rows = qdit.select(ROWS, QUALITY, 0.2, 8, represent=tmp_path / "rows.npy")
    for represent in (numbers, numbers.tolist(), tmp_path / "numbers.npy"):
        assert same(qdit.select(ROWS, QUALITY, 0.2, 8, represent=represent), by_rows)
    assert by_rows.inputs["represent"]["source"] == str(tmp_path / "rows.npy")


def test_weights_of_pool_rows_count_like_copies_of_them():
    counts = RNG.integers(1, 4, len(ROWS))
    weighted = qdit.select(ROWS, QUALITY, 0.4, 12, weights=counts.astype(np.float64))
    copies = qdit.select(ROWS, QUALITY, 0.4, 12, represent=np.repeat(ROWS, counts, axis=0))
    assert weighted.indices.tolist() == copies.indices.tolist()
    np.testing.assert_allclose(weighted.gains, copies.gains, rtol=1e-6)
    assert weighted.coverage == pytest.approx(copies.coverage)


def test_per_k_divides_by_what_is_represented():
    sel = qdit.select(ROWS, QUALITY, 0.5, 6, gain_scale="per_k", **TARGET)
    assert sel.params["gain_factor"] == pytest.approx(6 / WEIGHTS.sum())


def test_baselines_by_quality_and_by_chance_report_the_target():
    for name in ("quality", "random"):
        sel = qdit.select(ROWS, QUALITY, 0.5, 6, method=name, **TARGET)
        near = targeted_rows(ROWS, ASKED, sel.indices)
        assert sel.coverage == pytest.approx(near @ WEIGHTS / WEIGHTS.sum())


@pytest.mark.parametrize("k", [20, 40])
def test_limits_hold_and_greedy_methods_agree_under_them(k):
    groups = RNG.integers(0, 4, len(ROWS))
    costs = RNG.uniform(1, 9, len(ROWS))
    for limits in ({"groups": groups, "quota": 10}, {"costs": costs, "budget": 50.0}):
        found = [
            qdit.select(ROWS, QUALITY, 0.2, k, method=name, **limits, **TARGET)
            for name in ("naive", "lazy", "exact")
        ]
        assert all(same(found[0], other) for other in found[1:])
        chosen = found[0].indices
        assert np.bincount(groups[chosen]).max() <= 10 or "costs" in limits
        assert costs[chosen].sum() <= 50.0 or "groups" in limits


@pytest.mark.parametrize("given", [[3, 7], np.asarray(ROWS[:2] + 0.1)], ids=["rows of the pool", "others"])
def test_given_rows_cover_represented_ones(given):
    sel = qdit.select(ROWS, None, 0.0, 8, given=given, **TARGET)
    start = {"given": given} if isinstance(given, list) else {"outside": given}
    short = targeted_certificate(ROWS, ASKED, sel.indices.tolist(), weights=WEIGHTS, **start)
    assert short <= 1e-6


def test_a_sweep_is_one_selection_for_each_alpha():
    swept = qdit.sweep(ROWS, QUALITY, [0.0, 0.2, 0.6], 9, **TARGET)
    for alpha, sel in swept.items():
        assert same(sel, qdit.select(ROWS, QUALITY, alpha, 9, **TARGET))


@pytest.mark.parametrize("name", ["naive", "lazy", "exact"])
def test_a_checkpoint_goes_on_and_tells_targets_apart(tmp_path, name):
    options = {"method": name, "checkpoint": tmp_path / "c"}
    qdit.select(ROWS, QUALITY, 0.2, 5, **options, **TARGET)
    longer = qdit.select(ROWS, QUALITY, 0.2, 12, **options, **TARGET)
    assert longer.stats["resumed_picks"] == 5
    assert same(longer, qdit.select(ROWS, QUALITY, 0.2, 12, method=name, **TARGET))
    for other in ({"represent": ASKED}, {**TARGET, "weights": WEIGHTS + 1}, {"represent": ASKED[:30]}):
        with pytest.raises(ValueError, match=r"represent|weights"):
            qdit.select(ROWS, QUALITY, 0.2, 12, **options, **other)


def test_a_selection_and_its_prefixes_keep_their_mean(tmp_path):
    sel = qdit.select(ROWS, QUALITY, 0.2, 10, **TARGET)
    loaded = qdit.Selection.load(sel.save(tmp_path / "s"))
    assert same(loaded, sel)
    near = targeted_rows(ROWS, ASKED, sel.indices[:4])
    assert loaded[:4].coverage == pytest.approx(near @ WEIGHTS / WEIGHTS.sum())


def test_rows_of_zeros_are_left_out_of_what_is_represented():
    asked = np.concatenate([ASKED, np.zeros((2, 16), np.float16)])
    with pytest.raises(ValueError, match="represent: row 31 is all zeros"):
        qdit.select(ROWS, QUALITY, 0.2, 5, represent=asked)
    sel = qdit.select(ROWS, QUALITY, 0.2, 5, represent=asked, zero_rows="ignore")
    plain = qdit.select(ROWS, QUALITY, 0.2, 5, represent=ASKED)
    assert sel.gains.tobytes() == plain.gains.tobytes()


def test_auto_takes_no_graph_where_it_is_not_the_pool_that_is_covered():
    asked = {"n": 10**6, "alpha": 0.5, "backend": "cpu", "limited": False, "targeted": True}
    assert resolve("auto", **asked, fits=lambda method: True) is EXACT
    assert resolve("auto", **asked, fits=lambda method: False) is LAZY


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if not method.targets])
def test_methods_that_cover_the_pool_say_so(name):
    for target, which in (({"represent": ASKED}, "represent"), ({"weights": np.ones(120)}, "weights")):
        with pytest.raises(ValueError, match=f"{which}: method '{name}' covers the pool.*'stochastic'"):
            qdit.select(ROWS, QUALITY, 0.5, 5, method=name, **target)


def test_shards_refuse_a_target():
    with pytest.raises(ValueError, match="represent: shards cover all rows alike"):
        qdit.distributed.select([ROWS], QUALITY, 0.5, 5, represent=ASKED, address="in-process")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"represent": ASKED[:, :8].copy()},
            "represent: got rows of 8 dimensions, wanted 16",
        ),
        ({"represent": [3, 3]}, "represent: position 1 is row 3 again"),
        ({"represent": [3, 120]}, "represent: position 1 is row 120, wanted 0 to 119"),
        ({"represent": []}, "represent: got no rows, wanted at least one"),
        (
            {"represent": ASKED, "weights": np.ones(30)},
            r"weights: got shape \(30,\), wanted \(31,\), one for each row of represent",
        ),
        (
            {"weights": np.ones(31)},
            r"weights: got .*\(120,\), one for each row of emb",
        ),
        ({"represent": ASKED, "weights": -WEIGHTS}, "weights: row 0 is -.*wanted a finite number above 0"),
        ({"weights": np.full(120, np.nan)}, "weights: row 0 is nan, wanted a finite number above 0"),
        ({"represent": ASKED, "backend": "cuda"}, r"represent|cuda"),
    ],
)
def test_bad_targets_are_named(options, message):
    with pytest.raises((ValueError, RuntimeError), match=message):
        qdit.select(ROWS, QUALITY, 0.5, 5, **options)


def test_represented_rows_are_counted_in_the_memory_that_a_run_needs():
    assert memory_needed(1000, 64, represented_rows=500) > memory_needed(1000, 64)


def test_the_command_says_what_is_covered_and_what_it_takes(tmp_path, capsys):
    np.save(tmp_path / "x.npy", ROWS)
    np.save(tmp_path / "asked.npy", ASKED)
    np.save(tmp_path / "w.npy", WEIGHTS)
    line = ["select", str(tmp_path / "x.npy"), "--alpha", "0", "--k", "7", "--no-progress"]
    line += ["--represent", str(tmp_path / "asked.npy")]
    assert main([*line, "--dry-run"]) == 0
    assert "memory" in capsys.readouterr().out
    assert main([*line, "--weights", str(tmp_path / "w.npy"), "--out", str(tmp_path / "s")]) == 0
    told = capsys.readouterr().out
    assert "31 represented rows, weighted" in told
    assert same(qdit.Selection.load(tmp_path / "s"), qdit.select(ROWS, None, 0.0, 7, **TARGET))
