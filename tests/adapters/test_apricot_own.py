"""apricot's own tests of facility location, run on the class that takes its place.

They are in apricot's repository and in no package: QDIT_APRICOT_TESTS names its folder "tests" (of version
0.6.1 or newer). What they publish for first picks is in test_adapters_apricot.py, which always runs.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("apricot", reason="needs apricot-select")
FOLDER = os.environ.get("QDIT_APRICOT_TESTS")
FILES = ["test_functions/test_facility_location.py", "test_optimizers/test_knapsack_facility_location.py"]
# GreeDi and sieve streaming are refused by name
NOT_HERE = re.compile("greedi|sieve")
HELPERS = Path(__file__).parents[1] / "helpers"


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER, reason="QDIT_APRICOT_TESTS does not name the tests of apricot's repository")
@pytest.mark.parametrize("file", FILES)
def test_apricots_own_tests_pass(file, tmp_path):
    tests = Path(FOLDER).resolve()
    words = [sys.executable, "-m", "pytest", "-p", "apricot_by_qdit", "-p", "no:cacheprovider", "-rA"]
    done = subprocess.run(
        [*words, "--tb=short", "-o", "addopts=", "--rootdir", str(tests), str(tests / file)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(HELPERS), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    outcomes = {name: what for what, name in re.findall(r"^([A-Z]+) \S+::(\w+)", done.stdout, re.MULTILINE)}
    assert len(outcomes) > 10, done.stdout + done.stderr
    applicable = {name: what for name, what in outcomes.items() if not NOT_HERE.search(name)}
    failed = {name for name, what in applicable.items() if what != "PASSED"}
    assert not failed, done.stdout
    for kind in ("naive", "lazy", "two_stage"):
        assert any(kind in name for name in applicable)
    # the others fail for the one reason, and none passes unseen
    others = set(outcomes) - set(applicable)
    assert all(outcomes[name] == "FAILED" for name in others)
    assert done.stdout.count("is not here") >= len(others)
