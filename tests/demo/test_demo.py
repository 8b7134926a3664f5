"""The demo's instructions, and the demo in small."""

import json
import sys

import pytest

from qdit import Selection
from qdit.cli.main import main
from qdit.demo.instructions import write_instructions
from qdit.demo.texts import DOMAINS


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = write_instructions(tmp_path_factory.mktemp("demo") / "rows.jsonl", 3000)
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_seed_makes_the_same_bytes(tmp_path):
    files = [write_instructions(tmp_path / name, 500, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    one, same, other = (file.read_bytes() for file in files)
    assert one == same != other


def test_the_instructions_have_what_they_promise(rows):
    assert len({row["id"] for row in rows}) == 3000
    assert all(row["instruction"] and row["output"] for row in rows)
    assert not any("{" in row["instruction"] + row["output"] for row in rows)
    counts = {domain.name: 0 for domain in DOMAINS} | {"arithmetic": 0}
    for row in rows:
        counts[row["domain"]] += 1
    assert min(counts.values()) > 40
    assert max(counts.values()) > 5 * min(counts.values())
    assert len({(row["instruction"], row["output"]) for row in rows}) < 2900, "near-duplicates"
    ratings = [row["rating"] for row in rows]
    assert 0 <= min(ratings) < 1
    assert 4.5 < max(ratings) <= 5


def test_the_demo_goes_from_text_to_a_report(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out), "--rows", "400", "--k", "40", "--no-progress"]) == 0
    text = capsys.readouterr().out
    assert "40 of 400 rows" in text
    table = {line[:31].strip(): line[31:].split() for line in text.splitlines() if line[31:32] == " "}
    diverse, best = table["diversity only, alpha 0"], table["quality only, alpha 1"]
    ours, random = table["qdit, alpha 0.7"], table["random, mean of 3"]
    assert float(diverse[1]) > float(random[1])
    assert float(best[0]) >= float(ours[0]) > float(random[0])
    assert float(ours[1]) > float(best[1])
    assert len(Selection.load(out / "selection")) == 40
    assert len((out / "export" / "data.jsonl").read_text().splitlines()) == 40
    assert "<html" in (out / "report" / "report.html").read_text()
    assert main(["demo", "--out", str(out), "--rows", "400", "--k", "40", "--no-progress"]) == 0
    assert capsys.readouterr().out.count("reuse") == 7


def test_without_matplotlib_the_command_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["demo", "--out", str(tmp_path / "demo"), "--rows", "100"]) == 1
    assert "pip install 'qdit[plots]'" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()
