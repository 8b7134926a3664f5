"""Options are declared once: `select` has all of them as parameters, commands and sweeps take the same."""

import inspect
import re
from dataclasses import MISSING, fields

import numpy as np
import pytest

import qdit
from qdit.cli.main import main
from qdit.cli.select import SourceOptions
from qdit.selection.options import CoverageOptions, ObjectiveOptions, SelectOptions
from qdit.selection.pool import PoolOptions

FIRST = ("quality", "alpha", "k")  # those that `select` takes by position too


def documented(text, head):
    """Return the names that a docstring describes under a heading."""
    section = text.partition(f"{head}:\n")[2].partition("\n\n")[0]
    indent = re.match(r" *", section)[0]
    return re.findall(rf"^{indent}(\w+)(?=: )", section, re.MULTILINE)


def test_select_has_every_option_with_its_default_and_says_what_it_is():
    parameters = inspect.signature(qdit.select).parameters
    options = [name for name in parameters if name not in ("embeddings", "checkpoint", "progress")]
    assert options == [*FIRST, *(name for name in SelectOptions.names() if name not in FIRST)]
    assert {name: parameters[name].default for name in options} == {
        field.name: field.default for field in fields(SelectOptions)
    }
    assert documented(inspect.getdoc(qdit.select), "Args") == list(parameters)


@pytest.mark.parametrize("kind", [SourceOptions, ObjectiveOptions, CoverageOptions])
def test_every_field_has_a_default_and_is_described_once(kind):
    described = [
        name for base in kind.__mro__[:-1] for name in documented(inspect.getdoc(base) or "", "Attributes")
    ]
    assert sorted(described) == sorted(field.name for field in fields(kind))
    assert all(field.default is not MISSING for field in fields(kind))


def help_of(verb, capsys, monkeypatch):
    """Return the help text of each flag of a command."""
    monkeypatch.setenv("COLUMNS", "10000")
    assert main([verb, "--help"]) == 0
    flags = capsys.readouterr().out.split("\n  --")[1:]
    return {re.match(r"\w+", flag)[0]: " ".join(flag.split()) for flag in flags}


def test_commands_take_every_option_with_one_help_text(capsys, monkeypatch):
    select, sweep = (help_of(verb, capsys, monkeypatch) for verb in ("select", "sweep"))
    options = {*SelectOptions.names(), *PoolOptions.names(), "shape", "dtype"}
    assert options <= set(select)
    assert options <= set(sweep)
    both = (select.keys() & sweep.keys()) - {"alpha", "out", "overwrite"}  # those are not the same options
    assert {name: select[name] for name in both} == {name: sweep[name] for name in both}


def test_a_sweep_on_the_command_line_obeys_options_of_methods(tmp_path, capsys):
    rng = np.random.default_rng(1)
    rows, quality = rng.standard_normal((60, 8)).astype(np.float32), rng.random(60)
    np.save(tmp_path / "x.npy", rows)
    np.save(tmp_path / "q.npy", quality)
    line = ["sweep", str(tmp_path / "x.npy"), "--quality", str(tmp_path / "q.npy"), "--alpha", "0.5"]
    for options in ({"tau": 0.2, "shortfall": "stop"}, {"clusters": 7}):
        method = "threshold" if "tau" in options else "cluster"
        words = [f"--{name}={value}" for name, value in {"method": method, **options}.items()]
        out = tmp_path / method
        assert main([*line, "--k", "20", "--out", str(out), "--no-progress", *words]) == 0
        got = qdit.Selection.load(out / "alpha-0.5")
        want = qdit.select(rows, quality, 0.5, 20, method=method, **options)
        assert got.indices.tolist() == want.indices.tolist()
        assert {name: got.params[name] for name in options} == options


def test_values_of_sets_take_device_and_precision():
    rows = np.eye(4, dtype=np.float32)
    where = {"device": 0, "precision": "split", "threads": 1}
    assert qdit.coverage(rows, [0], **where) == qdit.objective(rows, [0], alpha=0, **where) / 4 == 0.25
    assert qdit.row_coverage(rows, [0], **where).tolist() == [1, 0, 0, 0]
    with pytest.raises(ValueError, match="precision: got 'half', wanted one of"):
        qdit.coverage(rows, [0], precision="half")
    with pytest.raises(TypeError, match=r"coverage: got option 'alpha', wanted one of metric, zero_rows, "):
        qdit.coverage(rows, [0], alpha=0.5)
