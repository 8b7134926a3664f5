"""The oracle against brute force, and its certificate against selections that greedy could not have made."""

from itertools import combinations

import numpy as np
import pytest

from helpers import oracle
from helpers.oracle import WrongSelectionError, clustered_rows, integer_rows, naive_greedy, replay

ALPHA = 0.7
POOL = clustered_rows(160, 24, seed=5)
QUALITY = np.random.default_rng(6).normal(-2.3, 0.7, size=160)
PICKS, GAINS = naive_greedy(POOL, 40, weight=1 - ALPHA, bonus=ALPHA * QUALITY)


def judge(picks, **changes):
    options = {"quality": QUALITY, "alpha": ALPHA, "k": len(PICKS), "rtol": 1e-9} | changes
    return replay(POOL, picks, **options)


def set_value(sims, chosen, floor=None):
    """Return d(A) by plain loops over the definition."""
    if not chosen:
        return 0.0 if floor is None else floor * len(sims)
    return sum(
        max([sims[a][v] for a in chosen] + ([] if floor is None else [floor])) for v in range(len(sims))
    )


@pytest.mark.parametrize("floor", [None, 0.0, -1.0, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_naive_greedy_follows_the_definition(seed, floor):
    rng = np.random.default_rng(seed)
    rows, bonus = rng.normal(size=(9, 3)), rng.normal(size=9)
    sims = [[float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) for b in rows] for a in rows]
    chosen, gains = [], []
    for _ in range(9):
        value = set_value(sims, chosen, floor)
        steps = {c: set_value(sims, [*chosen, c], floor) - value for c in range(9) if c not in chosen}
        pick = max(steps, key=lambda c: 0.4 * steps[c] + bonus[c])
        chosen.append(pick)
        gains.append(steps[pick])
    picks, picked_gains = naive_greedy(rows, 9, weight=0.4, bonus=bonus, floor=floor)
    assert picks.tolist() == chosen
    np.testing.assert_allclose(picked_gains, gains, rtol=0, atol=1e-13)  # 9 terms of size <= 1 in float64


@pytest.mark.parametrize("seed", range(6))
def test_greedy_reaches_the_guaranteed_share_of_the_optimum(seed):
    rows = np.random.default_rng(seed).uniform(size=(11, 4))  # similarities >= 0: monotone submodular
    optimum = max(oracle.coverage(rows, chosen) for chosen in combinations(range(11), 4))
    picks, gains = naive_greedy(rows, 4)
    assert (1 - 1 / np.e) * optimum <= oracle.coverage(rows, picks) <= optimum
    assert gains.sum() == pytest.approx(oracle.coverage(rows, picks), rel=1e-13)


def test_given_outside_and_floor_lift_the_start():
    rows, outside = POOL[:30], POOL[100:103]
    sims = oracle.similarity(rows)
    beyond = oracle.similarity(outside, rows)
    want = np.maximum(np.maximum(sims[4], sims[9]), np.maximum(beyond.max(axis=0), 0.2))
    start = oracle.start_maximum(rows, floor=0.2, given=[4, 9], outside=outside)
    np.testing.assert_allclose(start, want, rtol=0, atol=1e-15)  # a product's bits follow its shape
    picks, gains = naive_greedy(rows, 3, given=[4, 9], floor=0.2, outside=outside)
    assert not {4, 9} & set(picks.tolist())
    assert gains[0] == pytest.approx(max(np.maximum(row - want, 0).sum() for row in sims), rel=1e-13)


def test_ties_go_to_the_smaller_index():
    rows = np.ones((5, 3))
    assert naive_greedy(rows, 5)[0].tolist() == [0, 1, 2, 3, 4]
    assert naive_greedy(rows, 5, bonus=[0, 1, 0, 1, 0])[0].tolist() == [1, 3, 0, 2, 4]


def test_objective_is_coverage_and_quality_in_proportion():
    sims = oracle.similarity(POOL)
    want = 0.3 * sims[[3, 8]].max(axis=0).sum() + 0.7 * (QUALITY[3] + QUALITY[8])
    assert oracle.objective(POOL, [3, 8], QUALITY, 0.7) == pytest.approx(want, rel=1e-13)
    assert oracle.coverage(POOL, []) == 0.0
    assert oracle.coverage(POOL, [], floor=0.25) == 40.0


def test_bfloat16_bits_are_read_as_numbers():
    bits = np.array([[0x3F80, 0xC000, 0x3EC0]], np.uint16)
    assert oracle.as_float64(bits).tolist() == [[1.0, -2.0, 0.375]]


@pytest.mark.parametrize("dense_rows", [oracle.DENSE_ROWS, 0])
@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_ledger_stays_within_its_own_drift(metric, dense_rows):
    """The bound on rounding that `leaders` relies on holds, with room to spare, and is not vacuous."""
    ledger = oracle._Ledger(oracle._Similarities(POOL, metric, dense_rows), None)
    for pick in PICKS.tolist():
        ledger.commit(pick)
        error = np.abs(ledger.gains - ledger.exact(np.arange(len(POOL)))).max()
        assert error <= ledger.drift <= 1e-9 * max(1.0, ledger.sims.largest)


@pytest.mark.parametrize("dense_rows", [oracle.DENSE_ROWS, 0])
def test_replay_accepts_what_greedy_chose(dense_rows):
    found = judge(PICKS, gains=GAINS, gains_rtol=1e-12, gains_pair_error=1e-14, dense_rows=dense_rows)
    assert found.worst <= 1e-13
    np.testing.assert_allclose(found.gains, GAINS, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.scores, (1 - ALPHA) * GAINS + ALPHA * QUALITY[PICKS], atol=1e-11)


@pytest.mark.parametrize(
    "start",
    [
        {"floor": 0.0},
        {"floor": 0.3, "excluded": [0, 7]},
        {"given": [5, 90]},
        {"outside": POOL[:2] + POOL[2:4], "given": [11]},
        {"metric": "dot"},
    ],
)
def test_replay_accepts_every_kind_of_start_and_refuses_another(start):
    picks, _ = naive_greedy(POOL, 12, **start)
    replay(POOL, picks, k=12, rtol=1e-9, **start)
    with pytest.raises(WrongSelectionError, match="short by"):
        replay(POOL, picks, k=12, rtol=1e-9)


def test_replay_accepts_either_of_two_tied_rows():
    rows = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    for picks in ([0, 2], [1, 2]):
        replay(rows, picks, k=2)
    with pytest.raises(WrongSelectionError, match="step 1: pick 1"):
        replay(rows, [0, 1], k=2)


def test_replay_tolerance_is_relative_to_the_parts_of_the_score():
    """Quality nearly cancels the gain: the score is 5e-7, its parts are 1, and so is what 1e-6 refers to."""
    rows = np.array([[1.0, 0.0], [0.0, 1.0]])
    quality = np.array([-1.0 + 5e-7, -1.0 - 4e-7])
    replay(rows, [1], quality, 0.5, k=1, rtol=1e-6)
    with pytest.raises(WrongSelectionError):
        replay(rows, [1], quality, 0.5, k=1, rtol=4e-7)


def runner_up(step):
    """Return the picks up to `step` with its second best in place of the best, then greedy from there."""
    head = PICKS[:step].tolist()
    scores = (1 - ALPHA) * oracle.gains_over(
        oracle.similarity(POOL), oracle.start_maximum(POOL, given=head)
    ) + ALPHA * QUALITY
    scores[head] = -np.inf
    second = int(np.argsort(-scores, kind="stable")[1])
    rest = naive_greedy(
        POOL, len(PICKS) - step - 1, weight=1 - ALPHA, bonus=ALPHA * QUALITY, given=[*head, second]
    )
    return np.array([*head, second, *rest[0]])


WRONG = {
    "swapped": np.r_[PICKS[:3], PICKS[4], PICKS[3], PICKS[5:]],
    "first two swapped": np.r_[PICKS[1], PICKS[0], PICKS[2:]],
    "reversed": PICKS[::-1],
    "repeated": np.r_[PICKS[:-1], PICKS[0]],
    "truncated": PICKS[:-1],
    "one too many": np.r_[PICKS, np.setdiff1d(np.arange(160), PICKS)[:1]],
    "random": np.random.default_rng(1).permutation(160)[:40],
    "second best at 0": runner_up(0),
    "second best at 20": runner_up(20),
    "second best at the end": runner_up(39),
    "off by one": PICKS + 1,
    "negative": np.r_[PICKS[:-1], -1],
    "past the end": np.r_[PICKS[:-1], 160],
    "a step left out": np.r_[PICKS[:7], PICKS[8:], runner_up(39)[-1]],
    "alpha 0": naive_greedy(POOL, 40)[0],
    "alpha 1": np.argsort(-QUALITY, kind="stable")[:40],
    "other floor": naive_greedy(POOL, 40, weight=1 - ALPHA, bonus=ALPHA * QUALITY, floor=0.5)[0],
    "other metric": naive_greedy(POOL, 40, weight=1 - ALPHA, bonus=ALPHA * QUALITY, metric="dot")[0],
    "floating": PICKS.astype(float),
    "not flat": PICKS[:, None],
}


@pytest.mark.parametrize("name", WRONG)
def test_replay_refuses_a_wrong_selection(name):
    with pytest.raises(WrongSelectionError):
        judge(WRONG[name], rtol=1e-6)


def test_replay_refuses_one_wrong_option():
    for wrong in ({"alpha": 0.6}, {"gain_factor": 1.5}, {"quality": QUALITY[::-1]}, {"quality": None}):
        with pytest.raises(WrongSelectionError, match="short by"):
            judge(PICKS, rtol=1e-6, **wrong)
    with pytest.raises(WrongSelectionError, match=f"pick {PICKS[9]} is given or excluded"):
        judge(PICKS, excluded=[int(PICKS[9])])


@pytest.mark.parametrize("where", ["quality", "embeddings", "gains"])
def test_nan_is_refused(where):
    """A NaN compares false with everything; written the wrong way round, the check would let it pass."""
    quality, rows, gains = QUALITY.copy(), POOL.copy(), GAINS.copy()
    never_picked = np.setdiff1d(np.arange(160), PICKS)[0]
    if where == "quality":
        quality[never_picked] = np.nan
    elif where == "embeddings":
        rows[never_picked, 3] = np.nan
    else:
        gains[39] = np.nan
    with pytest.raises(WrongSelectionError):
        replay(rows, PICKS, quality, ALPHA, k=40, gains=gains)


def test_replay_refuses_wrong_gains():
    wrong = np.r_[GAINS[:7], GAINS[7] * (1 + 2e-6), GAINS[8:]]
    with pytest.raises(WrongSelectionError, match=r"step 7: pick \d+ reports gain"):
        judge(PICKS, gains=wrong, gains_pair_error=0.0)
    judge(PICKS, gains=wrong, gains_rtol=3e-6, gains_pair_error=0.0)


def test_pair_error_forgives_by_the_rows_that_are_raised():
    """Row 1 falls short of row 0 by 1e-4; each raises one row or, with any error, maybe a second one."""
    rows = np.array([[1.0, 0.0, 0.0], [0.0, np.sqrt(1 - 1e-4), 0.0], [0.0, 0.0, 2.0]])
    options = {"metric": "dot", "gains": [4.0, 1.0, 1.0]}
    replay(rows, [2, 1, 0], pair_error=1.3e-5, gains_pair_error=2.6e-5, **options)  # 1e-4 <= 2 * 4 * error
    with pytest.raises(WrongSelectionError, match="step 1: pick 1 has score"):
        replay(rows, [2, 1, 0], pair_error=1.2e-5, gains_pair_error=2.6e-5, **options)
    with pytest.raises(WrongSelectionError, match="step 1: pick 1 reports gain"):
        replay(rows, [2, 1, 0], pair_error=1.3e-5, gains_pair_error=2.4e-5, **options)


def test_replay_holds_stochastic_picks_to_the_draw():
    def draw(step, taken):
        free = np.flatnonzero(~taken)
        return np.sort(np.random.default_rng(step).choice(free, size=30, replace=False))

    picks, _ = naive_greedy(POOL, 25, draw=draw)
    replay(POOL, picks, k=25, rtol=1e-9, draw=draw)
    with pytest.raises(WrongSelectionError):
        replay(POOL, naive_greedy(POOL, 25)[0], k=25, draw=draw)
    with pytest.raises(WrongSelectionError, match="short by"):
        replay(POOL, picks, k=25)


def test_message_names_step_pick_and_best():
    rows = np.diag([1.0, 2.0, 3.0, 4.0]) ** 0.5
    text = r"step 1: pick 1 has score 2, but row 2 has 3: short by 1, allowed 3e-06"
    with pytest.raises(WrongSelectionError, match=text):
        replay(rows, [3, 1], k=2, metric="dot")


def test_integer_pools_are_exact_in_float32():
    rows = integer_rows(50, 40, seed=0)
    assert np.array_equal((rows @ rows.T).astype(float), oracle.similarity(rows, metric="dot"))
    assert rows.min() < 0 < rows.max()
