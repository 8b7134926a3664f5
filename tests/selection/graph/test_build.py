"""The similarity graph against brute force: which pairs it has, and in what order."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import qdit
from conftest import Variant
from helpers.graph_pools import clustered, lists_of, near_copies
from qdit import _core


def floors_of(graph: qdit.SimilarityGraph, variant: Variant) -> np.ndarray:
    """Return the maxima that the first picks leave, (n,) in fixed point."""
    problem_engine = variant.engine(graph.rows.array)
    some = np.ascontiguousarray(graph.rows.array[graph.sampled])
    engine = variant.engine(some)
    count = graph.params["first_picks"]
    picks, _ = engine.select(
        "naive", count, weight=len(graph.rows) / len(some) / engine.scale, bonus=np.zeros(len(some))
    )
    problem_engine.commit(graph.sampled[picks])
    return np.rint(problem_engine.row_coverage() * problem_engine.scale).astype(np.int64)


def similarities(rows: np.ndarray, variant: Variant) -> np.ndarray:
    engine = variant.engine(rows)
    every = np.arange(len(rows))
    return engine.similarities(every, every)


@pytest.mark.parametrize("pool", [clustered, near_copies])
@pytest.mark.parametrize("first_picks", [1, 8])
def test_probing_every_cell_finds_every_pair_above_the_floor_of_either_row(graph_variant, pool, first_picks):
    rows = pool(200 if graph_variant.small else 400)
    options = {"cells": 20, "probes": 20, "first_picks": first_picks, "sample": 200, "seed": 3}
    graph = qdit.build_graph(rows, **options, **graph_variant.place)
    if graph.stats["parts"] > 20:
        pytest.skip("a cell was split, so rows see a part of it only")
    sims, floors = similarities(rows, graph_variant), floors_of(graph, graph_variant)
    wanted = sims > np.minimum(floors[:, None], floors[None, :])
    for v, neighbors in enumerate(lists_of(graph)):
        assert sorted(neighbors) == np.flatnonzero(wanted[v]).tolist()
        assert all(sims[v, c] == sim for c, sim in neighbors.items())


@pytest.mark.parametrize("pool", [clustered, near_copies])
@pytest.mark.parametrize("probes", [1, 4])
def test_pairs_are_symmetric_sorted_and_single(graph_variant, pool, probes):
    rows = pool(300 if graph_variant.small else 900)
    graph = qdit.build_graph(rows, cells=30, probes=probes, first_picks=4, sample=300, **graph_variant.place)
    sims, floors, lists = similarities(rows, graph_variant), floors_of(graph, graph_variant), lists_of(graph)
    assert sum(map(len, lists)) == len(graph.pairs)  # nothing twice
    for v, neighbors in enumerate(lists):
        keys = [(-sim, c) for c, sim in neighbors.items()]
        assert keys == sorted(keys)
        assert all(lists[c][v] == sim == sims[v, c] for c, sim in neighbors.items())
        assert (v in neighbors) == (sims[v, v] > floors[v])


def test_a_full_list_keeps_the_most_similar_pairs(graph_variant):
    n = 300 if graph_variant.small else 700
    rows = near_copies(n)
    options = {"cells": 6, "probes": 6, "first_picks": 1, "sample": 100, **graph_variant.place}
    whole = qdit.build_graph(rows, **options)
    assert whole.stats["cut_lists"] == 0
    cut = qdit.build_graph(rows, **options, memory_budget=n * (120 + 12 * 6 + 9 * 40))
    if graph_variant.backend == "cuda":
        assert cut.stats["rounds"] > whole.stats["rounds"] == 1  # the budget holds on the device too
    assert cut.params["keep"] == 40
    assert cut.stats["cut_lists"] > 0
    for all_of, kept in zip(lists_of(whole), lists_of(cut), strict=True):
        assert list(kept.items()) == list(all_of.items())[:40]


@pytest.mark.parametrize("pool", [clustered, near_copies])
@pytest.mark.parametrize("keep", [None, 24])
def test_threads_do_not_change_a_byte(pool, keep):
    rows = pool(3000)
    budget = None if keep is None else 3000 * (120 + 12 * 5 + 9 * keep)
    graphs = [
        qdit.build_graph(rows, probes=5, first_picks=5, sample=500, threads=threads, memory_budget=budget)
        for threads in (1, 2, 3)
    ]
    for graph in graphs[1:]:
        assert graph.offsets.tobytes() == graphs[0].offsets.tobytes()
        assert graph.pairs.tobytes() == graphs[0].pairs.tobytes()
        assert graph.sampled.tobytes() == graphs[0].sampled.tobytes()


def test_two_builds_give_the_same_bytes(graph_variant):
    rows = near_copies(300)
    first, second = (qdit.build_graph(rows, probes=5, **graph_variant.place) for _ in range(2))
    for name in ("offsets", "pairs", "sampled"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()


def test_integer_rows_give_the_same_graph_on_every_backend(graph_variant):
    """All cells are probed: then nothing depends on how centroids, which are no integers, were rounded."""
    rows = np.random.default_rng(4).integers(-3, 4, (250, 12)).astype(np.float32)
    options = {"cells": 5, "probes": 5, "first_picks": 3, "sample": 250, "metric": "dot"}
    graph, want = (qdit.build_graph(rows, **options, **v.place) for v in (graph_variant, Variant("cpu")))
    assert graph.scale == want.scale
    for name in ("offsets", "pairs", "sampled"):
        assert getattr(graph, name).tobytes() == getattr(want, name).tobytes()
    one, other = (graph.select(alpha=0, k=30, **v.place) for v in (graph_variant, Variant("cpu")))
    assert one.indices.tolist() == other.indices.tolist()
    assert one.objective == other.objective


def test_the_graph_records_where_it_was_built(graph_variant):
    graph = qdit.build_graph(clustered(150), **graph_variant.place)
    assert graph.params["backend"] == graph_variant.backend
    if graph_variant.backend == "cuda":
        assert graph.params["precision"] == graph_variant.precision
        assert f"{graph_variant.precision} products" in graph.stats["built_on"]
        assert graph.stats["device_bytes"] > 0


def test_large_cells_are_split_and_work_stays_bounded(graph_variant):
    n, cells = (800, 40) if graph_variant.small else (4000, 200)
    rows = near_copies(n)
    graph = qdit.build_graph(rows, cells=cells, probes=4, first_picks=5, sample=400, **graph_variant.place)
    assert graph.stats["parts"] > cells
    # a part has about 4 averages of members, give or take the chance of a random split; cuda multiplies a
    # pair for either row, and twice: to count and to store
    times = 4 if graph_variant.backend == "cuda" else 1
    assert graph.stats["multiplied"] <= times * n * 4 * (4 * n / cells) * 2


@pytest.mark.skipif("QDIT_PREFIX" in os.environ, reason="bounds change what is multiplied")
def test_products_are_counted_in_every_part():
    n, cells, sample, first = 300, 20, 100, 5
    graph = qdit.build_graph(clustered(n), cells=cells, first_picks=first, sample=sample)
    stats = graph.stats
    assert stats["multiplied_cells"] == pytest.approx(6 * cells * n)
    assert stats["multiplied_assigning"] == n * cells
    assert sample**2 / 2 <= stats["multiplied_sampling"] - first * n <= 2 * sample**2
    picked = graph.select(alpha=0, k=30)
    assert sample**2 / 2 <= picked.stats["multiplied_first"] <= 2 * sample**2


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
def test_dtypes(graph_variant, dtype):
    rows = clustered(150).astype(np.float32)
    if dtype == "bfloat16":
        rows = qdit.open_embeddings((rows.view(np.uint32) >> 16).astype(np.uint16), dtype="bfloat16")
    else:
        rows = rows.astype(dtype)
    graph = qdit.build_graph(rows, cells=10, probes=4, first_picks=2, sample=100, **graph_variant.place)
    assert len(graph.select(alpha=0, k=20, **graph_variant.place)) == 20


def test_rows_of_zeros_are_left_out_where_asked(graph_variant):
    rows = clustered(300)
    rows[[5, 70]] = 0
    with pytest.raises(ValueError, match="row 5"):
        qdit.build_graph(rows, **graph_variant.place)
    graph = qdit.build_graph(rows, zero_rows="ignore", **graph_variant.place)
    lists = lists_of(graph)
    assert not lists[5]
    assert all(70 not in neighbors for neighbors in lists)
    picks = graph.select(alpha=0, k=298, **graph_variant.place).indices
    assert not {5, 70} & set(picks.tolist())


def test_progress_names_phases(graph_variant):
    seen = []
    graph = qdit.build_graph(
        clustered(300), progress=lambda p: seen.append((p.phase, p.share)), **graph_variant.place
    )
    assert list(dict.fromkeys(phase for phase, _ in seen)) == [
        *("reading", "sampling", "cells", "assigning", "pairs", "done")
    ]
    assert all(0 <= share <= 1 for _, share in seen)
    assert {f"seconds_{phase}" for phase, _ in seen} - {"seconds_done"} <= set(graph.stats)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"cells": 0}, ValueError, "cells: got 0"),
        ({"probes": 0}, ValueError, "probes: got 0"),
        ({"first_picks": 2.5}, TypeError, "first_picks: got 2.5"),
        ({"sample": -1}, ValueError, "sample: got -1"),
        ({"metric": "cosin"}, ValueError, "did you mean 'cosine'"),
        ({"memory_budget": "10kB"}, MemoryError, "memory_budget: got 10 kB, wanted at least"),
        ({"seed": -1}, ValueError, "seed: got -1"),
        ({"backend": "reference"}, ValueError, "backend: got 'reference', wanted 'cpu', 'cuda' or 'auto'"),
        ({"device": -1}, ValueError, "device: got -1"),
        ({"precision": "half"}, ValueError, "precision: got 'half'"),
    ],
)
def test_errors_say_what_was_wanted(options, error, message):
    with pytest.raises(error, match=message):
        qdit.build_graph(clustered(200), **options)


def test_an_exception_from_progress_ends_the_build(graph_variant):
    def stop(progress):
        if progress.phase == "pairs":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        qdit.build_graph(clustered(300), progress=stop, **graph_variant.place)


def test_ctrl_c_ends_the_products_within_a_second():
    rows = np.random.default_rng(0).standard_normal((30_000, 256), dtype=np.float32)
    builder = _core.GraphBuilder(rows, dtype="float32", threads=2)
    nearest = np.tile(np.arange(30, dtype=np.int32), (30_000, 1))  # every row with the members of cell 0
    floors = np.full(30_000, 2**26, np.int32)
    sent = []

    def interrupt():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.2, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        builder.pairs(nearest, cells=30, largest=30_000, floors=floors, keep=10)
    assert time.monotonic() - sent[0] < 1.0
    timer.join()
