"""Method "sparse" of select and sweep: a graph that is built on the way."""

import numpy as np
import pytest

import qdit
from helpers.graph_pools import clustered, near_copies
from qdit.selection.forecast import estimate
from qdit.selection.graph import build as graph_build
from qdit.selection.graph import steps
from qdit.selection.options import SelectOptions
from qdit.selection.run import prepare

ROWS = clustered(900)
QUALITY = np.random.default_rng(3).normal(size=900)


class StopRun(Exception):  # noqa: N818
    """Ends a run from its progress callback."""


def stop_in(phase):
    def progress(state):
        if state.phase == phase:
            raise StopRun

    return progress


@pytest.fixture
def builds(monkeypatch):
    """Count the graphs that are built."""
    calls = []
    build = steps.build

    def counted(*args):
        calls.append(args)
        return build(*args)

    monkeypatch.setattr(graph_build.steps, "build", counted)
    return calls


def same(one: qdit.Selection, other: qdit.Selection) -> bool:
    return all(
        getattr(one, name).tobytes() == getattr(other, name).tobytes()
        for name in ("indices", "gains", "scores")
    )


@pytest.mark.parametrize("pool", [clustered, near_copies])
@pytest.mark.parametrize("options", [{}, {"given": [4, 7]}, {"floor": 0.0}, {"metric": "dot"}], ids=str)
def test_is_what_the_graph_selects(graph_variant, pool, options):
    n = 120 if graph_variant.small else 700
    rows, place = pool(n), graph_variant.place
    got = qdit.select(rows, QUALITY[:n], 0.6, 80, method="sparse", seed=5, **options, **place)
    graph = qdit.build_graph(rows, seed=5, metric=options.get("metric", "cosine"), **place)
    options = {name: value for name, value in options.items() if name != "metric"}
    assert same(got, graph.select(QUALITY[:n], 0.6, 80, **options, **place))
    assert got.params["method"] == "sparse"
    assert got.params["backend"] == got.stats["backend"] == graph_variant.backend
    assert ("built_on" in got.stats) == (graph_variant.backend == "cuda")
    assert got.params["graph"] == {name: graph.params[name] for name in got.params["graph"]}


def test_probes_are_those_of_the_graph():
    got = qdit.select(ROWS, QUALITY, 0.6, 80, method="sparse", probes=3)
    assert got.params["graph"]["probes"] == 3
    assert same(got, qdit.build_graph(ROWS, probes=3).select(QUALITY, 0.6, 80))
    assert same(got, qdit.sweep(ROWS, QUALITY, [0.6], 80, method="sparse", probes=3)[0.6])
    with pytest.raises(ValueError, match="probes: got 0, wanted at least 1"):
        qdit.select(ROWS, QUALITY, 0.6, 80, method="sparse", probes=0)


def test_probes_on_the_command_line(tmp_path):
    from qdit.cli.main import main  # the only tests here that need what it is made of

    np.save(tmp_path / "x.npy", ROWS)
    line = ["select", tmp_path / "x.npy", "--alpha=0", "--k=80", "--method=sparse", "--out", tmp_path / "out"]
    assert main([*map(str, line), "--probes=3"]) == 0
    assert qdit.Selection.load(tmp_path / "out").params["graph"]["probes"] == 3


def test_gains_objective_and_coverage_are_exact():
    got = qdit.select(ROWS, QUALITY, 0.6, 80, method="sparse")
    assert got.objective == pytest.approx(qdit.objective(ROWS, got.indices, QUALITY, 0.6), rel=1e-12)
    assert got.coverage == pytest.approx(qdit.coverage(ROWS, got.indices), rel=1e-12)
    assert got.optimality is None
    stats = got.stats
    assert stats["seconds_to_picks"] >= stats["seconds_build"] > 0
    assert stats["seconds_evaluating"] > 0


def test_auto_is_cuda_where_there_is_a_device(cuda):
    got = qdit.select(ROWS[:80], alpha=0, k=9, method="sparse", precision=cuda.precision)
    assert got.params["backend"] == got.stats["backend"] == "cuda"
    assert got.params["precision"] == cuda.precision
    assert qdit.build_graph(ROWS[:80]).params["backend"] == "cuda"


def test_threads_do_not_change_a_byte():
    assert same(*(qdit.select(ROWS, QUALITY, 0.6, 80, method="sparse", threads=t) for t in (1, 2)))


@pytest.mark.parametrize("phase", ["pairs", "picking", "evaluating"])
def test_a_stopped_run_goes_on_to_the_same_picks(tmp_path, builds, phase):
    options = {"method": "sparse", "seed": 2}
    with pytest.raises(StopRun):
        qdit.select(ROWS, QUALITY, 0.6, 80, checkpoint=tmp_path, progress=stop_in(phase), **options)
    got = qdit.select(ROWS, QUALITY, 0.6, 80, checkpoint=tmp_path, **options)
    assert len(builds) == (2 if phase == "pairs" else 1)  # the checkpoint keeps the graph
    assert same(got, qdit.select(ROWS, QUALITY, 0.6, 80, **options))
    assert same(got, qdit.select(ROWS, QUALITY, 0.6, 80, checkpoint=tmp_path, **options))
    larger = qdit.select(ROWS, QUALITY, 0.6, 120, checkpoint=tmp_path, **options)
    assert larger.indices[:80].tolist() == got.indices.tolist()
    with pytest.raises(ValueError, match=r"graph\.seed is"):
        qdit.select(ROWS, QUALITY, 0.6, 80, checkpoint=tmp_path, method="sparse", seed=3)


def test_sweep_builds_one_graph(builds):
    swept = qdit.sweep(ROWS, QUALITY, [0.0, 0.5, 1.0], 40, method="sparse")
    assert len(builds) == 1
    for alpha, selection in swept.items():
        assert same(selection, qdit.select(ROWS, QUALITY, alpha, 40, method="sparse"))
    assert [s.params["method"] for s in swept.values()] == ["sparse", "sparse", "quality"]


def test_auto_takes_it_for_a_large_pool_without_constraints(monkeypatch):
    monkeypatch.setattr("qdit.selection.methods._MOST_ROWS", 500)

    def method(rows, **options):
        options = {"backend": "cpu", **options}
        return qdit.select(ROWS[:rows], alpha=0, k=9, **options).params["method"]

    assert method(500) == "exact"
    assert method(501) == "sparse"
    assert method(501, backend="reference") == "lazy"
    assert method(501, groups=np.arange(501) % 2, quota=5) == "exact"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"costs": np.ones(900), "budget": 9.0}, "costs: method 'sparse' knows no constraints; use 'exact'"),
        ({"groups": np.zeros(900, int), "quota": 99}, "groups: method 'sparse' knows no constraints; use"),
        (
            {"backend": "reference"},
            "method: backend 'reference' does not offer 'sparse'; use 'cpu' or 'cuda'",
        ),
    ],
)
def test_what_it_cannot_do(options, text):
    with pytest.raises(ValueError, match=text):
        qdit.select(ROWS, QUALITY, 0.5, 9, method="sparse", **options)


def test_memory_budget():
    with pytest.raises(MemoryError, match=r"memory_budget: got 100 kB, wanted at least \S+ MB for the graph"):
        qdit.select(ROWS, QUALITY, 0.5, 9, method="sparse", memory_budget="100kB")
    got = qdit.select(ROWS, QUALITY, 0.5, 9, method="sparse", memory_budget="2MB")
    assert got.params["graph"]["keep"] < 900
    assert got.stats["pairs"] <= 900 * got.params["graph"]["keep"]


def test_estimate():
    found = estimate(prepare(ROWS, SelectOptions(quality=QUALITY, alpha=0.5, k=50, method="sparse")))
    assert found.spare_bytes > 0
    assert found.memory_needed > 0
    assert found.evaluations > 0
    assert found.seconds > 0


def test_command_line(tmp_path, capsys):
    from qdit.cli.main import main

    np.save(tmp_path / "x.npy", ROWS)
    np.save(tmp_path / "q.npy", QUALITY)
    words = [
        "select",
        str(tmp_path / "x.npy"),
        "--quality",
        str(tmp_path / "q.npy"),
        "--k",
        "30",
        "--method",
        "sparse",
    ]
    assert main([*words, "--dry-run"]) == 0
    assert "of similar pairs" in capsys.readouterr().out
    assert main([*words, "--out", str(tmp_path / "out"), "--no-progress"]) == 0
    got = qdit.Selection.load(tmp_path / "out")
    assert same(got, qdit.select(ROWS, QUALITY, 0.7, 30, method="sparse"))
    assert not (tmp_path / "out" / "checkpoint").exists()
