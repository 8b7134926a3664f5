"""The README's example runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import qdit

README = Path(__file__).parents[2] / "README.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)


def test_there_is_an_example():
    assert EXAMPLES


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_runs(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(example, str(README), "exec"), names)
    loaded = qdit.Selection.load(tmp_path / "chosen")
    assert loaded.indices.tolist() == names["sel"].indices.tolist()
