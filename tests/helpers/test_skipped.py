"""The option --skipped of tests/helpers/skipped.py."""

import pytest

pytest_plugins = ["pytester"]

CHANGING = """
import os
import pytest

@pytest.mark.parametrize("at", [0, 1])
def test_skips(at):
    if at == 1 and "THERE" not in os.environ:
        pytest.skip("THERE is missing")

def test_passes():
    pass

@pytest.mark.xfail(strict=True)
def test_fails():
    raise AssertionError
"""
MODULE = """
import os
import pytest

if "THERE" not in os.environ:
    pytest.skip("THERE is missing", allow_module_level=True)

def test_one():
    pass
"""


def test_only_what_was_skipped_runs_again(pytester, monkeypatch):
    pytester.makeconftest("pytest_plugins = ['helpers.skipped']")
    pytester.makepyfile(test_changing=CHANGING, test_module=MODULE)
    monkeypatch.delenv("THERE", raising=False)
    pytester.runpytest().assert_outcomes(passed=2, skipped=2, xfailed=1)
    monkeypatch.setenv("THERE", "1")
    for _ in range(2):  # it does not overwrite what it reads
        pytester.runpytest("--skipped").assert_outcomes(passed=2, deselected=3)


def test_without_a_run_before_it_says_so(pytester):
    pytester.makeconftest("pytest_plugins = ['helpers.skipped']")
    pytester.makepyfile(MODULE)
    result = pytester.runpytest("--skipped")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*run pytest without it first*"])
