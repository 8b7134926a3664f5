"""A child of os.fork() has an engine's memory but none of its threads."""

from __future__ import annotations

import os

import numpy as np
import pytest

from qdit import _core


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_an_engine_in_a_forked_child_is_refused_and_does_not_hang():
    rows = np.random.default_rng(0).standard_normal((2000, 16)).astype(np.float32)
    engine = _core.Engine(rows, dtype="float32", threads=3)
    engine.reset(np.array([1]))
    want = engine.gains(np.arange(2000))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            engine.gains(np.arange(2000))
        except RuntimeError as error:
            code = 0 if "forked" in str(error) else 2
        del engine
        again = _core.Engine(rows, dtype="float32", threads=3)
        again.reset(np.array([1]))
        os._exit(code if np.array_equal(again.gains(np.arange(2000)), want) else 3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert np.array_equal(engine.gains(np.arange(2000)), want)
