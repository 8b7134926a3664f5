"""The command line: limits, methods that are not greedy, sweeps."""

import numpy as np
import pytest

import qdit
from helpers.command import Q, X, refused, run
from qdit import Selection
from qdit.cli.main import main


@pytest.fixture
def pool(tmp_path, monkeypatch):
    """The current folder, with x.npy and q.npy."""
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "q.npy", Q)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_limits_reach_select(pool, capsys):
    tokens, sources = np.arange(200) % 9 + 1, np.array(["web", "book"])[np.arange(200) % 2]
    np.save("tokens.npy", tokens)
    np.save("sources.npy", sources)
    command = ["select", "x.npy", "--quality", "q.npy", "--alpha", "0.5", "--no-progress", "--out", "out"]
    limits = ["--costs", "tokens.npy", "--budget", "1e2", "--groups", "sources.npy", "--quota", '{"web": 9}']
    command.append("--overwrite")
    assert main([*command, *limits]) == 0
    text = capsys.readouterr().out
    want = qdit.select(X, Q, 0.5, costs=tokens, budget=100, groups=sources, quota={"web": 9})
    assert Selection.load("out").indices.tolist() == want.indices.tolist()
    assert f"{want.stats['cost']:g} of 100, greedy by " in text
    assert f"at least {want.optimality:.2%} of the best possible objective" in text
    quota = ["--groups", "sources.npy", "--quota", "4", "--quota-mode", "exact"]
    assert main([*command, *quota]) == 0
    assert len(Selection.load("out")) == 8
    (pool / "c.yaml").write_text("groups: sources.npy\nquota: {web: 3, book: 5}\nquota_mode: exact\n")
    assert main([*command, "--config", "c.yaml"]) == 0
    assert dict(Selection.load("out").params)["quota"] == {"book": 5, "web": 3}


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("threshold --tau 0.9 --k 9", "survivors 9 within tau 0.9, 0 filled"),
        ("threshold --tau -0.5 --k 9 --shortfall stop", "within tau -0.5, 0 filled"),
        ("cluster --clusters 7 --seed 3 --k 21", "clusters 7, "),
        ("random --seed 3 --k 5", "picked 5 of 200 rows, method random"),
        ("quality --k 5", "picked 5 of 200 rows, method quality"),
    ],
)
def test_methods_that_are_not_greedy(pool, capsys, line, row):
    assert run(f"select x.npy --quality q.npy --out out --no-progress --method {line}") == 0
    assert row in " ".join(capsys.readouterr().out.split())
    assert run(f"select x.npy --quality q.npy --dry-run --method {line}") == 0


def test_sweep_writes_a_folder_for_each_alpha_and_a_table(pool, capsys):
    line = "sweep x.npy --quality q.npy --alpha 0.1,0.5,1 --k 20 --out out --no-progress"
    assert run(line) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["alpha", "coverage", "mean", "quality", "objective"]
    want = {alpha: qdit.select(X, Q, alpha, 20) for alpha in (0.1, 0.5, 1.0)}
    for row, (alpha, chosen) in zip(table[1:], want.items(), strict=True):
        numbers = f"{chosen.coverage:.6f}", f"{chosen.mean_quality:.6f}", f"{chosen.objective:.6f}"
        assert tuple(row.split()) == (f"{alpha:g}", *numbers)
        assert Selection.load(f"out/alpha-{alpha}").indices.tolist() == chosen.indices.tolist()
    lines = (pool / "out" / "sweep.csv").read_text().splitlines()
    assert lines[0] == "alpha,coverage,mean_quality,objective"
    assert lines[2] == ",".join(
        map(repr, (0.5, want[0.5].coverage, want[0.5].mean_quality, want[0.5].objective))
    )
    assert {path.name for path in (pool / "out").iterdir()} == {
        *("alpha-0.1", "alpha-0.5", "alpha-1.0", "sweep.csv")
    }
    refused(
        capsys, line, "out: out/alpha-0.1 holds a selection already; pass --overwrite or another directory"
    )
    assert run(f"{line} --overwrite --alpha [0.1,0.2]") == 0
    assert run("sweep x.npy --alpha 0 --k 5 --no-progress") == 0
    capsys.readouterr()
    refused(
        capsys,
        "sweep x.npy --quality q.npy --alpha a,b --out out",
        "alpha: got 'a,b', wanted numbers such as 0.1,0.5,0.9",
    )
