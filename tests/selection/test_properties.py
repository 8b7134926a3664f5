"""Properties that hold for any pool, searched for counterexamples."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import oracle
from helpers.oracle import clustered_rows, integer_rows

# The fixture only names a backend, nothing that one example could leave behind for the next.
many = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def pools(draw, max_rows=40, max_columns=20):
    """Integer or real rows, alone or with duplicates and opposites, and how many to pick."""
    n, d = draw(st.integers(1, max_rows)), draw(st.integers(1, max_columns))
    seed = draw(st.integers(0, 10_000))
    kind = draw(st.sampled_from(["integer", "clustered", "duplicates", "opposite"]))
    if kind == "integer":
        rows = integer_rows(n, d, seed)
        rows[~rows.any(axis=1)] = 1
    else:
        rows = clustered_rows(n, d, seed, dtype="float32")
        rows[~rows.any(axis=1)] = 1
        rng = np.random.default_rng(seed)
        if kind == "duplicates":
            rows = rows[rng.integers(n, size=n)]
        elif kind == "opposite":
            rows *= rng.choice([-1, 1], size=(n, 1)).astype(np.float32)
    return rows, draw(st.integers(1, n))


def bonuses(n, seed):
    return np.random.default_rng(seed).normal(size=n)


@many
@given(pool=pools(), floor=st.sampled_from([None, -1.0, 0.0, 0.4]))
def test_gains_never_rise_along_the_picks(variant, method, pool, floor):
    """From pick 2 on; from pick 1 too where the set function is submodular at the empty set."""
    rows, k = pool
    fixed = variant.select(rows, k, method, floor=floor).fixed
    submodular = floor is not None or oracle.similarity(rows).min() >= 1e-6
    assert np.all(np.diff(fixed[0 if submodular else 1 :]) <= 0)
    assert np.all(fixed[1:] >= 0)


@many
@given(pool=pools(), seed=st.integers(0, 99))
def test_no_row_is_picked_twice(variant, method, pool, seed):
    rows, k = pool
    picks = variant.select(rows, k, method, weight=0.5, bonus=bonuses(len(rows), seed)).picks
    assert len(set(picks.tolist())) == k
    assert set(picks.tolist()) <= set(range(len(rows)))


@many
@given(pool=pools(), seed=st.integers(0, 99), metric=st.sampled_from(["cosine", "dot"]))
def test_every_exact_method_is_the_same_run(variant, method, pool, seed, metric):
    rows, k = pool
    options = {"weight": 0.7, "bonus": bonuses(len(rows), seed), "metric": metric}
    naive = variant.select(rows, k, "naive", **options)
    assert variant.select(rows, k, method, **options).bits() == naive.bits()


@many
@given(pool=pools(), metric=st.sampled_from(["cosine", "dot"]), floor=st.sampled_from([None, 0.0]))
def test_objective_equals_the_independent_evaluation(variant, method, pool, metric, floor):
    """Sum of the gains, coverage of the engine, and the definition in float64."""
    rows, k = pool
    engine = variant.engine(rows, metric=metric, floor=floor)
    found = variant.run(engine, k, method)
    start = 0 if floor is None else round(floor * engine.scale) * len(rows)
    assert engine.coverage() == start + int(found.fixed.sum())
    # Each of n similarities is rounded to a step and, on cpu, summed over d products in float32.
    largest = oracle.similarity(rows, metric=metric).diagonal().max()
    error = len(rows) * (0.5 / engine.scale + largest * 4 * np.sqrt(rows.shape[1] + 4) * 2.0**-24)
    want = oracle.coverage(rows, found.picks, metric=metric, floor=floor)
    assert abs(engine.coverage() / engine.scale - want) <= error


@many
@given(pool=pools(), seed=st.integers(0, 99), data=st.data())
def test_a_shorter_run_is_the_beginning_of_a_longer_one(variant, method, pool, seed, data):
    rows, k = pool
    shorter = data.draw(st.integers(0, k))
    options = {"weight": 0.5, "bonus": bonuses(len(rows), seed)}
    whole = variant.select(rows, k, method, **options)
    head = variant.select(rows, shorter, method, **options)
    assert head.picks.tolist() == whole.picks[:shorter].tolist()
    assert head.fixed.tolist() == whole.fixed[:shorter].tolist()


@many
@given(n=st.integers(1, 40), d=st.integers(1, 12), seed=st.integers(0, 10_000))
def test_permuted_rows_give_permuted_picks(variant, method, n, d, seed):
    """A bonus of distinct binary fractions below the step of integer gains leaves no ties."""
    rows = integer_rows(n, d, seed)
    bonus = np.random.default_rng(seed).permutation(n) / 64.0
    order = np.random.default_rng(seed + 1).permutation(n)
    found = variant.select(rows, n, method, metric="dot", bonus=bonus)
    permuted = variant.select(rows[order], n, method, metric="dot", bonus=bonus[order])
    assert order[permuted.picks].tolist() == found.picks.tolist()
    assert permuted.fixed.tolist() == found.fixed.tolist()


@many
@given(pool=pools(max_rows=12, max_columns=4), seed=st.integers(0, 99))
def test_integer_rows_are_picked_as_the_oracle_does(variant, method, pool, seed):
    rows, k = pool
    rows = np.rint(rows)
    bonus = np.random.default_rng(seed).integers(-8, 8, size=len(rows)) / 4
    found = variant.select(rows, k, method, metric="dot", weight=0.5, bonus=bonus)
    picks, gains = oracle.naive_greedy(rows, k, metric="dot", weight=0.5, bonus=bonus)
    assert found.picks.tolist() == picks.tolist()
    np.testing.assert_array_equal(found.gains, gains)


@many
@given(pool=pools(), cut=st.floats(0, 1), batch=st.integers(1, 9), threads=st.integers(1, 4))
def test_any_schedule_and_any_cut_give_the_same_run(variant, method, pool, cut, batch, threads):
    rows, k = pool
    whole = variant.select(rows, k)
    bounds = np.full(len(rows), np.iinfo(np.int64).max)
    engine = variant.engine(rows, batch=batch, threads=threads, cache_bytes=len(rows) * 80, block_rows=7)
    head = variant.run(engine, int(cut * k), method, bounds=bounds)
    assert variant.run(engine, k, method, picks=head.picks, bounds=bounds).bits() == whole.bits()
