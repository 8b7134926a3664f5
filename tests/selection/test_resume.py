"""A run that was stopped goes on from its checkpoint and ends with the same picks."""

import json
import re

import numpy as np
import pytest

import qdit
from qdit._core import build_info
from qdit.selection import picking

RNG = np.random.default_rng(11)
X = RNG.standard_normal((300, 16)).astype(np.float32)
Q = RNG.random(300)
METHODS = [
    "exact",
    "lazy",
    "naive",
    "stochastic",
    "quality",
    "random",
    "threshold",
    "cluster",
    "k_center",
    "kmq",
    "mig",
]


class StopRun(Exception):  # noqa: N818
    """Ends a run from its progress callback."""


def stop_at(picks):
    def progress(state):
        if state.picks >= picks:
            raise StopRun

    return progress


@pytest.fixture
def eager(monkeypatch):
    """Report after every pick, snapshot at every report."""
    monkeypatch.setattr(picking, "_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr("qdit.selection.checkpoint._SNAPSHOT_SECONDS", 0.0)
    monkeypatch.setattr("qdit.selection.checkpoint._SNAPSHOT_SHARE", 0)


@pytest.mark.parametrize("alpha", [0.4, 1.0])
@pytest.mark.parametrize("options", [{}, {"given": [3, 1]}, {"floor": 0.0}], ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_a_stopped_run_goes_on_to_the_same_picks(tmp_path, method, options, alpha, eager):
    options = {"method": method, "threads": 1, **options}
    want = qdit.select(X, Q, alpha, 40, **options)
    for picks in (1, 1, 9, 30):
        with pytest.raises(StopRun):
            qdit.select(X, Q, alpha, 40, checkpoint=tmp_path, progress=stop_at(picks), **options)
    got = qdit.select(X, Q, alpha, 40, checkpoint=tmp_path, **options)
    for name in ("indices", "gains", "scores"):
        assert getattr(got, name).tobytes() == getattr(want, name).tobytes()
    assert (got.objective, got.coverage) == (want.objective, want.coverage)
    assert got.stats["resumed_picks"] >= 16


def test_saved_bounds_save_work(tmp_path, eager):
    options = {"threads": 1, "method": "lazy"}
    unbroken = qdit.select(X, Q, 0.4, 60, **options)
    with pytest.raises(StopRun):
        qdit.select(X, Q, 0.4, 60, checkpoint=tmp_path, progress=stop_at(50), **options)
    resumed = qdit.select(X, Q, 0.4, 60, checkpoint=tmp_path, **options)
    assert resumed.stats["resumed_picks"] >= 50
    assert resumed.stats["evaluations"] < len(X) // 2 < unbroken.stats["evaluations"]


@pytest.mark.parametrize("options", [{}, {"given": [3, 1]}, {"costs": np.ones(300), "budget": 20}], ids=str)
@pytest.mark.parametrize("method", ["exact", "lazy", "naive"])
def test_a_run_with_all_picks_in_the_journal_has_its_certificate(tmp_path, method, options):
    chosen = qdit.select(X, Q, 0.4, 20, method=method, checkpoint=tmp_path, **options)
    assert chosen.upper_bound is not None
    (tmp_path / "result" / "manifest.json").unlink()
    again = qdit.select(X, Q, 0.4, 20, method=method, checkpoint=tmp_path, **options)
    assert again.stats["resumed_picks"] == 20
    exact = qdit.select(X, Q, 0.4, 20, method="exact", **options)
    assert exact.upper_bound == again.upper_bound <= chosen.upper_bound
    assert again.optimality == exact.optimality


def test_a_finished_checkpoint_returns_at_once(tmp_path):
    first = qdit.select(X, Q, 0.4, 20, checkpoint=tmp_path)
    again = qdit.select(X, Q, 0.4, 20, checkpoint=tmp_path, progress=stop_at(0))
    assert again.indices.tolist() == first.indices.tolist()
    assert again.stats == first.stats


def test_a_finished_checkpoint_goes_on_to_a_larger_k(tmp_path):
    qdit.select(X, Q, 0.4, 20, checkpoint=tmp_path)
    for k in (35, 10):
        got = qdit.select(X, Q, 0.4, k, checkpoint=tmp_path)
        assert got.indices.tolist() == qdit.select(X, Q, 0.4, k).indices.tolist()
        assert got.stats["resumed_picks"] == min(20, k)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"alpha": 0.5}, "alpha is 0.5 now and was 0.4"),
        ({"metric": "dot"}, "metric is 'dot' now and was 'cosine'"),
        ({"floor": 0.0}, "floor is 0.0 now and was None"),
        ({"method": "naive"}, "method is 'naive' now and was 'exact'"),
        ({"quality_scale": "rank"}, "quality_scale is 'rank' now and was 'raw'"),
        ({"zero_rows": "ignore"}, "zero_rows is 'ignore' now and was 'error'"),
    ],
)
def test_options_that_decide_picks_must_be_the_same(tmp_path, options, text):
    qdit.select(X, Q, **{"alpha": 0.4, "k": 5}, checkpoint=tmp_path)
    with pytest.raises(ValueError) as caught:
        qdit.select(X, Q, **{"alpha": 0.4, "k": 5} | options, checkpoint=tmp_path)
    end = "repeat the earlier call to resume it, or pass another directory"
    assert str(caught.value) == f"checkpoint {tmp_path}: {text}; {end}"


def test_a_run_that_was_refused_is_in_nobodys_way(tmp_path):
    """Rows are checked once the checkpoint is there; mended ones are another pool."""
    broken = X.copy()
    broken[3] = 0
    with pytest.raises(ValueError, match="row 3 is all zeros"):
        qdit.select(broken, Q, 0.4, 5, checkpoint=tmp_path)
    assert (tmp_path / "header.json").exists()
    got = qdit.select(X, Q, 0.4, 5, checkpoint=tmp_path)
    assert got.indices.tolist() == qdit.select(X, Q, 0.4, 5).indices.tolist()
    with pytest.raises(
        ValueError, match=r"embeddings is '[0-9a-f]{56}\.\.\. now and was '[0-9a-f]{56}\.\.\.;"
    ):
        qdit.select(X * 2, Q, 0.4, 5, checkpoint=tmp_path)


def test_the_instruction_set_may_change_where_it_decides_nothing(tmp_path, monkeypatch):
    """Products of float16 are exact, so fused or not is the same; those of float32 are not."""
    rows = {"float16": X.astype(np.float16), "float32": X}
    for dtype, x in rows.items():
        qdit.select(x, Q, 0.4, 20, checkpoint=tmp_path / dtype)
    if build_info()["simd_active"] == "baseline":
        pytest.skip("this processor runs the baseline only")
    monkeypatch.setenv("QDIT_SIMD", "baseline")
    got = qdit.select(rows["float16"], Q, 0.4, 30, checkpoint=tmp_path / "float16")
    monkeypatch.delenv("QDIT_SIMD")
    assert got.stats["simd"] == "baseline"
    assert got.indices.tolist() == qdit.select(rows["float16"], Q, 0.4, 30).indices.tolist()
    monkeypatch.setenv("QDIT_SIMD", "baseline")
    with pytest.raises(ValueError, match="arithmetic is 'float32 unfused' now and was 'float32 fused';"):
        qdit.select(X, Q, 0.4, 30, checkpoint=tmp_path / "float32")


@pytest.mark.parametrize(
    ("x", "q", "given", "name"),
    [(X + 1, Q, [1], "embeddings"), (X, Q + 1, [1], "quality"), (X, Q, [2], "given"), (X, Q, None, "given")],
)
def test_inputs_must_be_the_same(tmp_path, x, q, given, name):
    qdit.select(X, Q, 0.4, 5, given=[1], checkpoint=tmp_path)
    with pytest.raises(ValueError, match=rf"^checkpoint {re.escape(str(tmp_path))}: {name} is "):
        qdit.select(x, q, 0.4, 5, given=given, checkpoint=tmp_path)


def test_k_matters_where_it_decides_picks(tmp_path):
    for i, options in enumerate(
        ({"method": "stochastic"}, {"gain_scale": "per_k"}, {"gain_scale": "balanced"})
    ):
        path = tmp_path / str(i)
        qdit.select(X, Q, 0.4, 5, checkpoint=path, **options)
        with pytest.raises(ValueError, match="k is 6 now and was 5"):
            qdit.select(X, Q, 0.4, 6, checkpoint=path, **options)


def test_options_that_decide_nothing_may_change(tmp_path):
    first = qdit.select(X, Q, 0.4, 5, checkpoint=tmp_path, threads=1)
    again = qdit.select(
        X, Q, 0.4, 5, checkpoint=tmp_path, threads=2, memory_budget="1GB", epsilon=0.5, seed=9
    )
    assert again.indices.tolist() == first.indices.tolist()


def test_the_header_says_what_ran(tmp_path):
    qdit.select(X, Q, 0.4, 5, checkpoint=tmp_path)
    identity = json.loads((tmp_path / "header.json").read_text())["identity"]
    assert identity["n"] == 300
    assert identity["alpha"] == 0.4
    assert len(identity["embeddings"]) == 64
