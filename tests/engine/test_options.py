"""What the engine refuses, with the words it uses."""

import math
import re
import weakref

import numpy as np
import pytest

from helpers.oracle import clustered_rows, integer_rows
from qdit import _core

ROWS = clustered_rows(30, 6, seed=1, dtype="float32")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"backend": "gpu"}, 'backend: got "gpu"'),
        ({"metric": "euclid"}, 'metric: got "euclid"'),
        ({"zero_rows": "drop"}, 'zero_rows: got "drop"'),
        ({"dtype": "int8"}, 'dtype: got "int8"'),
        ({"dtype": "float16"}, "array of float16"),
        ({"threads": 0}, "threads: got 0"),
        ({"threads": -1}, "threads: got -1"),
        ({"cache_bytes": -1}, "cache_bytes: got -1"),
        ({"block_rows": -1}, "block_rows: got -1"),
        ({"batch": -1}, "batch: got -1"),
        ({"floor": math.nan}, "floor: got nan"),
        ({"floor": math.inf}, "floor: got inf"),
        ({"floor": 1.5}, "floor: got 1.5"),
        ({"outside": ROWS[:, :5].copy()}, "got rows of 5 columns, wanted 6"),
        ({"outside": ROWS, "outside_dtype": "float16"}, "array of float16"),
    ],
)
def test_a_bad_option_is_refused_by_name(variant, options, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        variant.engine(ROWS, **options)


@pytest.mark.parametrize("simd", ["sse9", "AVX2", "avx-512"])
def test_an_unknown_instruction_set_is_refused(simd):
    with pytest.raises(ValueError, match=f'simd: got "{simd}", and this processor can run baseline'):
        _core.Engine(ROWS, dtype="float32", simd=simd)


@pytest.mark.parametrize(
    "rows",
    [
        ROWS[:, ::2],
        ROWS[::-1],
        ROWS.T,
        ROWS[0],
        ROWS[None],
        ROWS.astype(">f4"),
        np.zeros((0, 6), np.float32),
        np.zeros((5, 0), np.float32),
        np.frombuffer(bytes(4 * 30 * 6 + 1), np.float32, offset=1).reshape(30, 6),
    ],
    ids=["columns", "reversed", "transposed", "1-D", "3-D", "big-endian", "no rows", "no columns", "odd"],
)
def test_rows_that_would_need_a_copy_are_refused(variant, rows):
    with pytest.raises(ValueError, match="embeddings"):
        variant.engine(rows, dtype="float32")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"k": -1}, "k: got -1, wanted at most the 28 rows"),
        ({"k": 29}, "k: got 29, wanted at most the 28 rows"),
        ({"method": "greedy"}, 'method: got "greedy", wanted "naive", "lazy"'),
        ({"weight": math.nan}, "weight: got nan"),
        ({"weight": math.inf}, "weight: got inf"),
        ({"weight": -0.1}, "weight: got -"),
        ({"bonus": np.zeros(29)}, "wanted 30 values, got 29"),
        ({"bonus": np.r_[np.zeros(12), math.nan, np.zeros(17)]}, "bonus: row 12 is not finite"),
        ({"bonus": np.r_[np.zeros(29), -math.inf]}, "bonus: row 29 is not finite"),
        ({"excluded": [3, 30]}, "excluded: position 1 is row 30, wanted 0 .. 29"),
        ({"excluded": [-1]}, "excluded: position 0 is row -1, wanted 0 .. 29"),
        ({"bounds": np.zeros(29, np.int64)}, "bounds: wanted a writeable, contiguous array of 30 int64"),
        ({"bounds": np.zeros(60, np.int64)[::2]}, "bounds: wanted a writeable, contiguous array"),
        ({"bounds": np.zeros(30)}, "bounds: wanted a writeable, contiguous array of 30 int64"),
        ({"bounds": np.zeros((30, 1), np.int64)}, "bounds: wanted a writeable, contiguous array"),
        ({"bounds": np.broadcast_to(np.int64(1), 30)}, "bounds: wanted a writeable"),
    ],
)
def test_a_bad_run_is_refused_by_name_and_leaves_the_engine_usable(variant, options, text):
    engine = variant.engine(ROWS)
    want = variant.run(engine, 5, excluded=[0, 1]).bits()
    with pytest.raises(ValueError, match=re.escape(text)):
        variant.run(engine, **{"k": 5, "excluded": [0, 1]} | options)
    assert variant.run(engine, 5, excluded=[0, 1]).bits() == want


def test_floating_indices_are_refused(variant):
    engine = variant.engine(ROWS)
    for call in (engine.gains, engine.commit, engine.reset):
        with pytest.raises(TypeError):
            call(np.array([1.0, 2.0]))


def test_the_engine_says_what_it_is(variant):
    engine = variant.engine(ROWS, threads=3)
    assert (engine.n, engine.d, engine.backend) == (30, 6, variant.backend)
    assert engine.simd == (variant.simd or "")
    stats = engine.stats()
    assert (stats["backend"], stats["simd"]) == (engine.backend, engine.simd)
    assert engine.threads == stats["threads"] == (3 if variant.backend == "cpu" else 1)


def test_stats_count_the_work(variant):
    engine = variant.engine(ROWS)
    assert engine.stats()["evaluations"] == engine.stats()["commits"] == 0
    engine.reset()
    engine.select("naive", 3, weight=1.0, bonus=np.zeros(30))
    stats = engine.stats()
    assert stats["evaluations"] == 30 + 29 + 28
    assert stats["commits"] == 3
    assert stats["peak_bytes"] > 0
    assert stats["passes"] >= 3


def test_build_info_names_the_levels():
    info = _core.build_info()
    assert info["simd_built"][0] == "baseline"
    assert info["simd_active"] in info["simd_supported"]
    assert [level for level in info["simd_built"] if level in info["simd_supported"]] == info[
        "simd_supported"
    ]


def test_the_environment_forces_an_instruction_set(monkeypatch):
    for level in _core.build_info()["simd_supported"]:
        monkeypatch.setenv("QDIT_SIMD", level)
        assert _core.build_info()["simd_active"] == level
        assert _core.Engine(ROWS, dtype="float32").simd == level
    monkeypatch.setenv("QDIT_SIMD", "sse9")
    with pytest.raises(ValueError, match='QDIT_SIMD: got "sse9"'):
        _core.build_info()
    with pytest.raises(ValueError, match='QDIT_SIMD: got "sse9"'):
        _core.Engine(ROWS, dtype="float32")


def test_memory_does_not_grow_with_the_square_of_the_pool(cpu):
    """Nothing of size n x n: four times the rows take at most about four times the memory."""
    small, large = (cpu.engine(integer_rows(n, 8, seed=2), metric="dot") for n in (2000, 8000))
    for engine in (small, large):
        cpu.run(engine, 10)
    assert large.stats()["peak_bytes"] < 6 * small.stats()["peak_bytes"] < 8000 * 8000


@pytest.mark.parametrize("bounds", [None, "dropped"])
@pytest.mark.parametrize("method", ["lazy", "exact"])
def test_an_engine_keeps_the_bounds_of_a_selection_until_reset(variant, method, bounds):
    """The backend updates them in every later call, whoever else has let go of them."""
    rows = clustered_rows(150, 12, seed=4)
    engine = variant.engine(rows, floor=0.0)
    options = {"weight": 1 / engine.scale, "bonus": np.zeros(150), "memory": 2**32}
    given = None if bounds is None else np.full(150, np.iinfo(np.int64).max)
    held = None if given is None else weakref.ref(given)
    picks, _ = engine.select(method, 5, bounds=given, **options)
    del given
    assert held is None or held() is not None
    others = [np.full(150, -7) for _ in range(50)]  # in the place of what was given back too early
    fresh = variant.engine(rows, floor=0.0)
    fresh.commit(picks)
    for pick in np.setdiff1d(np.arange(150), picks)[::20]:
        assert engine.commit(np.array([pick])) == fresh.commit(np.array([pick]))
        assert engine.gains(np.arange(150)).tolist() == fresh.gains(np.arange(150)).tolist()
    assert all(np.all(other == -7) for other in others)
    engine.reset()
    assert held is None or held() is None
    assert engine.select(method, 5, **options)[0].shape == (5,)
