"""Selections from a similarity graph: against a plain greedy on it, and against exact greedy."""

import numpy as np
import pytest

import qdit
from conftest import Variant
from helpers.graph_pools import clustered, greedy_on, lists_of, near_copies
from qdit import _core
from qdit.engine.blocks import fixed_coverage


@pytest.fixture(scope="module")
def rows(graph_variant) -> np.ndarray:
    return clustered(300 if graph_variant.small else 600)


@pytest.fixture(scope="module")
def graph(rows, graph_variant) -> qdit.SimilarityGraph:
    return qdit.build_graph(rows, probes=10, first_picks=5, sample=200, **graph_variant.place)


@pytest.fixture(scope="module")
def quality(rows) -> np.ndarray:
    return np.random.default_rng(7).normal(size=len(rows))


def coverage_by(variant: Variant, rows: np.ndarray, picks: np.ndarray) -> float:
    """Return the coverage of picks as an engine of this backend computes it anew."""
    engine = variant.engine(rows)
    engine.commit(picks)
    return engine.coverage() / engine.scale


def share(selection, exact, rows, quality=None, alpha=0.0):
    """Return the part of exact's gain over random picks that the selection keeps."""
    rng = np.random.default_rng(0)
    random = np.mean(
        [
            qdit.objective(rows, rng.permutation(len(rows))[: len(exact)], quality, alpha, backend="cpu")
            for _ in range(5)
        ]
    )
    return (selection.objective - random) / (exact.objective - random)


@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_picks_and_gains_are_those_of_a_plain_greedy_on_the_graph(rows, graph, quality, graph_variant, alpha):
    engine = graph_variant.engine(rows)
    engine.commit(np.array([3, 50]))
    row_max = fixed_coverage(engine)
    weight, bonus = (1 - alpha) / graph.scale, alpha * quality
    raised = row_max.copy()
    picks, gains = _core.graph_select(
        graph.offsets, graph.pairs, raised, 60, weight=weight, bonus=bonus, open=np.ones(len(rows), bool)
    )
    wanted, wanted_gains = greedy_on(lists_of(graph), row_max, 60, weight, bonus)
    assert picks.tolist() == wanted
    assert gains.tolist() == wanted_gains
    assert (raised >= row_max).all()


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.7])
def test_the_whole_graph_gives_what_exact_greedy_gives_after_the_first_picks(
    rows, quality, graph_variant, alpha
):
    place = graph_variant.place
    graph = qdit.build_graph(rows, cells=4, probes=4, first_picks=1, sample=600, **place)
    selection = graph.select(quality, alpha, 80, **place)
    exact = qdit.select(rows, quality, alpha, 80, method="exact", **place)
    # the sample is the pool; only pairs below the floor that the first pick of alpha=0 sets are not there
    assert share(selection, exact, rows, quality, alpha) > 0.999


@pytest.mark.parametrize("pool", [clustered, near_copies])
@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_keeps_nearly_all_of_the_gain_of_exact_greedy_over_random(graph_variant, pool, alpha):
    n, k = (250, 20) if graph_variant.small else (5000, 300)
    rows = pool(n)
    quality = np.random.default_rng(1).normal(size=n)
    graph = qdit.build_graph(rows, **graph_variant.place)
    selection = graph.select(quality, alpha, k, **graph_variant.place)
    exact = qdit.select(rows, quality, alpha, k, method="exact", backend="cpu")
    least = 0.99
    if graph_variant.small:  # so few rows lose more: as much as on the CPU
        on_cpu = qdit.build_graph(rows, backend="cpu").select(quality, alpha, k, backend="cpu")
        least = share(on_cpu, exact, rows, quality, alpha) - 0.002
    assert share(selection, exact, rows, quality, alpha) >= least


def test_near_copies_within_a_small_budget(graph_variant):
    n, k, keep = (250, 20, 20) if graph_variant.small else (6000, 400, 150)
    rows = near_copies(n)
    budget = n * (120 + 12 * 12 + 9 * keep)
    graph = qdit.build_graph(rows, probes=12, memory_budget=budget, **graph_variant.place)
    assert graph.params["keep"] == keep
    assert len(graph.pairs) <= n * keep
    selection = graph.select(alpha=0, k=k, **graph_variant.place)
    exact = qdit.select(rows, alpha=0, k=k, method="exact", backend="cpu")
    assert share(selection, exact, rows) >= (0.85 if graph_variant.small else 0.97)


def test_gains_objective_and_coverage_are_exact(rows, graph, quality, graph_variant):
    selection = graph.select(quality, 0.7, 50, **graph_variant.place)
    assert len(np.unique(selection.indices)) == 50
    covered = coverage_by(graph_variant, rows, selection.indices)
    assert selection.coverage == pytest.approx(covered / len(rows), rel=1e-12)
    objective = 0.3 * covered + 0.7 * quality[selection.indices].sum()
    assert selection.objective == pytest.approx(objective, rel=1e-12)
    assert selection.params["method"] == "sparse"
    assert selection.stats["seconds_to_picks"] > 0
    assert selection.params["backend"] == selection.stats["backend"] == graph_variant.backend


def test_a_graph_of_either_backend_serves_the_other(rows, graph, quality, graph_variant):
    here, there = (graph.select(quality, 0.7, 50, **v.place) for v in (graph_variant, Variant("cpu")))
    assert here.objective == pytest.approx(there.objective, rel=max(1e-12, graph_variant.rtol))


def test_threads_do_not_change_the_picks(graph, quality, graph_variant):
    one, two = (graph.select(quality, 0.5, 100, threads=threads, **graph_variant.place) for threads in (1, 2))
    assert one.indices.tobytes() == two.indices.tobytes()
    assert one.gains.tobytes() == two.gains.tobytes()


@pytest.mark.parametrize("given", [[4, 9, 200], "outside"])
def test_given_rows_count_as_covered_and_are_not_picked(rows, graph, quality, graph_variant, given):
    place = graph_variant.place
    outside = given == "outside"
    given = clustered(3, seed=5) if outside else given
    selection = graph.select(quality, 0.5, 60, given=given, **place)
    exact = qdit.select(rows, quality, 0.5, 60, given=given, method="exact", **place)
    assert outside or not set(given) & set(selection.indices.tolist())
    assert selection.d_start == exact.d_start
    assert selection.objective >= 0.99 * exact.objective


def test_all_sampled_rows_given(rows, graph, graph_variant):
    selection = graph.select(alpha=0, k=30, given=graph.sampled, **graph_variant.place)
    assert not set(graph.sampled.tolist()) & set(selection.indices.tolist())


def test_quality_alone_takes_the_best_scores(graph, quality, graph_variant):
    selection = graph.select(quality, 1.0, 40, **graph_variant.place)
    assert selection.indices.tolist() == np.argsort(-quality, kind="stable")[:40].tolist()


def test_dot_products(rows, graph_variant):
    graph = qdit.build_graph(rows, metric="dot", probes=20, **graph_variant.place)
    selection = graph.select(alpha=0, k=40, **graph_variant.place)
    exact = qdit.select(rows, alpha=0, k=40, metric="dot", method="exact", backend="cpu")
    assert selection.objective >= 0.99 * exact.objective


def test_all_rows_can_be_picked(rows, graph, graph_variant):
    n = len(rows)
    assert sorted(graph.select(alpha=0, k=n, **graph_variant.place).indices.tolist()) == list(range(n))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 0.5}, "quality: got None with alpha 0.5"),
        ({"alpha": 0, "k": 301}, "k: got 301, wanted at most 300"),
        ({"alpha": 0, "k": 299, "given": [1, 2]}, "wanted at most 298"),
        ({"alpha": 2}, "alpha: got 2"),
        ({"alpha": 0, "backend": "reference"}, "backend: got 'reference', wanted 'cpu', 'cuda' or 'auto'"),
    ],
)
def test_errors_say_what_was_wanted(arguments, message):
    graph = qdit.build_graph(clustered(300), backend="cpu")
    arguments = {"backend": "cpu", **arguments}
    with pytest.raises(ValueError, match=message):
        graph.select(**arguments)


def test_a_damaged_graph_is_an_error_not_a_crash():
    graph = qdit.build_graph(clustered(600), backend="cpu")
    pairs = graph.pairs.copy()
    pairs["row"][0] = 600
    full = np.zeros(600)
    arguments = {"weight": 1.0, "bonus": full, "open": np.ones(600, bool)}
    low = np.full(600, -(2**26), np.int32)
    with pytest.raises(ValueError, match="neighbor 600 is no row"):
        _core.graph_select(graph.offsets, pairs, low, 3, **arguments)
    with pytest.raises(ValueError, match="offsets"):
        _core.graph_select(graph.offsets[::-1].copy(), graph.pairs, low, 3, **arguments)
