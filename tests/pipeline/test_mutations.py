"""Damaged and unusual sources from import to export: each ends right, or with an error that says what to do.

QDIT_MUTATIONS=5000 makes so many variants in place of the short round; -rP shows how they end.
"""

import os
import shutil
from collections import Counter

import pytest

from helpers.good_sources import SOURCES
from helpers.mutation_run import follow
from helpers.openai_server import OpenAIServer, retry_at_once

for package in ("pyarrow", "datasets", "zstandard", "openai"):
    pytest.importorskip(package, reason=f"needs {package}: pip install 'qdit[data,judge]'")

ROUND = -(-int(os.environ.get("QDIT_MUTATIONS", "225")) // len(SOURCES))  # variants of each source


@pytest.fixture(scope="module")
def server():
    with OpenAIServer() as server:
        yield server


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch):
    retry_at_once(monkeypatch)


@pytest.mark.parametrize("name", SOURCES)
def test_every_variant_ends_right_or_with_a_helpful_error(name, server, tmp_path):
    ends, findings = Counter(), []
    for seed in range(ROUND):
        folder = tmp_path / str(seed)
        folder.mkdir()
        found = follow(name, seed, server, folder)
        ends.update(found.stages)
        if found.finding:
            findings.append(
                f"PYTHONPATH=tests python -m helpers.mutation_run {name!r} {seed}\n{found.finding}"
            )
        shutil.rmtree(folder)
    for (stage, end), count in sorted(ends.items()):
        print(f"{count:>6} {stage:<7} {end}")
    assert not findings, "\n\n".join([f"{len(findings)} of {ROUND} variants", *findings[:20]])
