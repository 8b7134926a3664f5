"""bench/gpu_check.sh ends early on no machine for want of a package that it does not ask for.

`bench/gpu_check.sh --dry-run` goes through all of it; this is the part that takes seconds.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import qdit

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "bench" / "gpu_check.sh"


def on_a_bare_machine(*words):
    paths = [ROOT / "bench" / "bare_machine", Path(qdit.__file__).parents[1]]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    return subprocess.run(
        [sys.executable, *words], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_bare_machine_has_what_is_listed_and_nothing_else():
    found = on_a_bare_machine("-c", "import numpy, yaml, qdit, hypothesis.strategies; import jsonargparse")
    assert found.returncode != 0
    assert "No module named 'jsonargparse' (bare machine)" in found.stderr


def test_its_tests_are_collected_on_a_bare_machine():
    files = sorted(set(re.findall(r"tests/\w+[\w/]*\.py", SCRIPT.read_text())))
    assert len(files) > 10
    options = ["-p", "no:cacheprovider", "-o", "addopts=", "--import-mode=importlib", "-W", "ignore", "-q"]
    found = on_a_bare_machine("-m", "pytest", *options, "--collect-only", *files)
    assert found.returncode == 0, found.stdout[-2000:]
