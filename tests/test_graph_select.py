"""Selections from a similarity graph: against a plain greedy on it, and against exact greedy."""

import numpy as np
import pytest

import qdit
from graph_pools import clustered, greedy_on, lists_of, near_copies
from qdit import _core
from qdit.graph_steps import fixed_coverage


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return clustered(600)


@pytest.fixture(scope="module")
def graph(rows) -> qdit.SimilarityGraph:
    return qdit.build_graph(rows, probes=10, first_picks=5, sample=200)


QUALITY = np.random.default_rng(7).normal(size=600)


def share(selection, exact, rows, quality=None, alpha=0.0):
    """Return the part of exact's gain over random picks that the selection keeps."""
    rng = np.random.default_rng(0)
    random = np.mean(
        [qdit.objective(rows, rng.permutation(len(rows))[: len(exact)], quality, alpha) for _ in range(5)]
    )
    return (selection.objective - random) / (exact.objective - random)


@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_picks_and_gains_are_those_of_a_plain_greedy_on_the_graph(rows, graph, alpha):
    engine = _core.Engine(rows, dtype="float16")
    engine.commit(np.array([3, 50]))
    row_max = fixed_coverage(engine)
    weight, bonus = (1 - alpha) / graph.scale, alpha * QUALITY
    raised = row_max.copy()
    picks, gains = _core.graph_select(
        graph.offsets, graph.pairs, raised, 60, weight=weight, bonus=bonus, open=np.ones(600, bool)
    )
    wanted, wanted_gains = greedy_on(lists_of(graph), row_max, 60, weight, bonus)
    assert picks.tolist() == wanted
    assert gains.tolist() == wanted_gains
    assert (raised >= row_max).all()


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.7])
def test_the_whole_graph_gives_what_exact_greedy_gives_after_the_first_picks(rows, alpha):
    graph = qdit.build_graph(rows, cells=4, probes=4, first_picks=1, sample=600)
    selection = graph.select(QUALITY, alpha, 80)
    exact = qdit.select(rows, QUALITY, alpha, 80, method="exact")
    # the sample is the pool; only pairs below the floor that the first pick of alpha=0 sets are not there
    assert share(selection, exact, rows, QUALITY, alpha) > 0.999


@pytest.mark.parametrize("pool", [clustered, near_copies])
@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_keeps_nearly_all_of_the_gain_of_exact_greedy_over_random(pool, alpha):
    rows = pool(5000)
    quality = np.random.default_rng(1).normal(size=5000)
    graph = qdit.build_graph(rows)
    selection = graph.select(quality, alpha, 300)
    exact = qdit.select(rows, quality, alpha, 300, method="exact")
    assert share(selection, exact, rows, quality, alpha) >= 0.99


def test_near_copies_within_a_small_budget():
    rows = near_copies(6000)
    graph = qdit.build_graph(rows, probes=12, memory_budget=6000 * (120 + 12 * 12 + 9 * 150))
    assert graph.params["keep"] == 150
    assert len(graph.pairs) <= 6000 * 150
    selection = graph.select(alpha=0, k=400)
    assert share(selection, qdit.select(rows, alpha=0, k=400, method="exact"), rows) >= 0.97


def test_gains_objective_and_coverage_are_exact(rows, graph):
    selection = graph.select(QUALITY, 0.7, 50)
    assert len(np.unique(selection.indices)) == 50
    assert selection.objective == pytest.approx(
        qdit.objective(rows, selection.indices, QUALITY, 0.7), rel=1e-12
    )
    assert selection.coverage == pytest.approx(qdit.coverage(rows, selection.indices), rel=1e-12)
    assert selection.params["method"] == "sparse"
    assert selection.stats["seconds_to_picks"] > 0


def test_threads_do_not_change_the_picks(graph):
    one, two = (graph.select(QUALITY, 0.5, 100, threads=threads) for threads in (1, 2))
    assert one.indices.tobytes() == two.indices.tobytes()
    assert one.gains.tobytes() == two.gains.tobytes()


@pytest.mark.parametrize("given", [[4, 9, 200], "outside"])
def test_given_rows_count_as_covered_and_are_not_picked(rows, graph, given):
    outside = given == "outside"
    given = clustered(3, seed=5) if outside else given
    selection = graph.select(QUALITY, 0.5, 60, given=given)
    exact = qdit.select(rows, QUALITY, 0.5, 60, given=given, method="exact")
    assert outside or not set(given) & set(selection.indices.tolist())
    assert selection.d_start == exact.d_start
    assert selection.objective >= 0.99 * exact.objective


def test_all_sampled_rows_given(rows, graph):
    selection = graph.select(alpha=0, k=30, given=graph.sampled)
    assert not set(graph.sampled.tolist()) & set(selection.indices.tolist())


def test_quality_alone_takes_the_best_scores(graph):
    selection = graph.select(QUALITY, 1.0, 40)
    assert selection.indices.tolist() == np.argsort(-QUALITY, kind="stable")[:40].tolist()


def test_dot_products(rows):
    graph = qdit.build_graph(rows, metric="dot", probes=20)
    selection = graph.select(alpha=0, k=40)
    exact = qdit.select(rows, alpha=0, k=40, metric="dot", method="exact")
    assert selection.objective >= 0.99 * exact.objective


def test_all_rows_can_be_picked(rows, graph):
    assert sorted(graph.select(alpha=0, k=600).indices.tolist()) == list(range(600))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 0.5}, "quality: got None with alpha 0.5"),
        ({"alpha": 0, "k": 601}, "k: got 601, wanted at most 600"),
        ({"alpha": 0, "k": 599, "given": [1, 2]}, "wanted at most 598"),
        ({"alpha": 2}, "alpha: got 2"),
    ],
)
def test_errors_say_what_was_wanted(graph, arguments, message):
    with pytest.raises(ValueError, match=message):
        graph.select(**arguments)


def test_a_damaged_graph_is_an_error_not_a_crash(graph):
    pairs = graph.pairs.copy()
    pairs["row"][0] = 600
    full = np.zeros(600)
    arguments = {"weight": 1.0, "bonus": full, "open": np.ones(600, bool)}
    low = np.full(600, -(2**26), np.int32)
    with pytest.raises(ValueError, match="neighbor 600 is no row"):
        _core.graph_select(graph.offsets, pairs, low, 3, **arguments)
    with pytest.raises(ValueError, match="offsets"):
        _core.graph_select(graph.offsets[::-1].copy(), graph.pairs, low, 3, **arguments)
