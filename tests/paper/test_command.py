"""The commands of the study, from the command line to the files."""

import csv
import json

import numpy as np
import pytest

from helpers.export_pools import K, vectors
from helpers.paper_pools import FirstWords, make_pool, scores, write_study
from qdit.cli import main as command_line
from qdit.cli import paper_figures
from qdit.paper import fig1

pytest.importorskip("matplotlib", reason="figures need matplotlib: pip install 'qdit[plots]'")
PNG = b"\x89PNG"


def run(*arguments: object) -> None:
    """Run ``qdit paper`` with these arguments."""
    command_line.run(["paper", *map(str, arguments)])


def rows(path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_fig1(tmp_path, monkeypatch):
    monkeypatch.setattr(fig1, "load_parser", FirstWords)
    out = tmp_path / "out"
    run("fig1", make_pool(tmp_path), out, f"--k={K}", "--seeds=2", "--progress=false", "--threads=1")
    assert {path.name for path in out.iterdir()} == {
        *("fig1.csv", "fig1-pairs.csv", "fig1.md", "fig1.tex", "fig1.png", "fig1.json", "work"),
    }
    assert (out / "fig1.png").read_bytes()[:4] == PNG
    record = json.loads((out / "fig1.json").read_text())
    assert record["options"]["k"] == K
    assert set(record["inputs"]) == {"embeddings", "quality", "records"}
    assert str(tmp_path) not in (out / "fig1.json").read_text()


def test_fig2_of_files_is_fig2_of_the_pool(tmp_path, capsys):
    pool = make_pool(tmp_path)
    common = [f"--k={K}", "--alpha=0.1,0.9", "--seeds=2", "--progress=false", "--threads=1"]
    run("fig2", pool, tmp_path / "a", *common)
    assert "| QDIT, alpha 0.1 |" in capsys.readouterr().out
    np.save(tmp_path / "q.npy", scores())
    np.save(tmp_path / "e.npy", vectors())
    run(
        "fig2", tmp_path / "e.npy", tmp_path / "b", f"--quality={tmp_path / 'q.npy'}", "--name=small", *common
    )
    assert rows(tmp_path / "a" / "fig2.csv") == rows(tmp_path / "b" / "fig2.csv")
    assert (tmp_path / "a" / "fig2.png").stat().st_size < 300_000


def test_figures_share_their_selections(tmp_path, capsys):
    pool, work = make_pool(tmp_path), tmp_path / "work"
    common = [f"--k={K}", f"--work={work}", "--progress=false", "--threads=1"]
    run("fig2", pool, tmp_path / "out", "--alpha=0.7", "--seeds=1", "--file=fig7", *common)
    made = capsys.readouterr().out
    assert "qdit-0.7" in made
    assert (tmp_path / "out" / "fig7.csv").is_file()
    run("fig2", pool, tmp_path / "again", "--alpha=0.7", "--seeds=1", *common)
    assert "qdit-0.7 " not in capsys.readouterr().out
    assert not (tmp_path / "out" / "work").exists()


def test_fig9_with_and_without_a_pool(tmp_path):
    run("fig9", tmp_path, "--points=80", "--groups=3", "--k=9", "--clusters=3")
    pool = make_pool(tmp_path)
    run("fig9", tmp_path, f"--pool={pool}", f"--k={K}", "--clusters=6", "--progress=false", "--threads=1")
    assert len(rows(tmp_path / "fig9-points.csv")) == 80
    assert (tmp_path / "fig9.png").read_bytes()[:4] == (tmp_path / "fig9-pool.png").read_bytes()[:4] == PNG


def test_cost(tmp_path, capsys):
    pool = make_pool(tmp_path)
    run(
        "cost",
        pool,
        tmp_path / "out",
        "--methods=random,qdit:0.5",
        f"--k=5,{K}",
        "--progress=false",
        "--threads=1",
    )
    assert [row["k"] for row in rows(tmp_path / "out" / "cost.csv")] == ["5", "30", "5", "30"]
    assert "9.42 minutes" in (tmp_path / "out" / "cost-paper.csv").read_text()
    assert "another pool" in capsys.readouterr().out


def test_coverage(tmp_path, monkeypatch):
    pool = make_pool(tmp_path)
    questions = [{"question_id": i, "text": f"Question {i}?", "category": "c"} for i in range(12)]
    (tmp_path / "vicuna.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions))
    embedded = np.random.default_rng(0).standard_normal((12, vectors().shape[1])).astype(np.float32)
    monkeypatch.setattr(paper_figures, "question_vectors", lambda asked, *_: embedded[: len(asked)])
    run(
        *("coverage", pool, tmp_path / "out", f"vicuna={tmp_path / 'vicuna.jsonl'}", f"--k=10,{K}"),
        *("--alpha=0.5", "--seeds=2", "--draws=50", "--progress=false", "--threads=1"),
        f"--model={tmp_path / 'vicuna-model'}",
    )
    table = rows(tmp_path / "out" / "coverage-vicuna.csv")
    assert len(table) == 2 * 8
    record = json.loads((tmp_path / "out" / "coverage.json").read_text())
    assert record["facts"]["encoder"]["name"] == "vicuna-model"  # not where it lies
    assert "has 12 questions, the published set 'vicuna' has 80" in " ".join(record["notes"])


@pytest.mark.parametrize("verb", ["fig3", "fig4", "table1", "table2", "loss"])
def test_a_dry_run_says_what_would_run(tmp_path, capsys, verb):
    file = write_study(tmp_path, benchmarks={"tasks": "mmlu"}, loss={})
    run(verb, file, tmp_path / "out", "--dry_run=true")
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} == {"run"}
    wanted = {"table2": "benchmarks", "loss": "loss"}.get(verb, "hh")
    assert sum(line.split()[1] == wanted for line in lines) == (4 if verb == "fig3" else 6)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cost", "{pool}", "{out}", "--k=0"], "k: got 0"),
        (["cost", "{pool}", "{out}", "--k=many"], "k: got 'many', wanted whole numbers"),
        (["cost", "{pool}", "{out}", "--methods=best"], "method: got 'best'"),
        (["fig2", "{pool}", "{out}", "--seeds=0"], "seeds: got 0"),
        (["fig2", "{pool}", "{out}", "--alpha=2"], "alpha"),
        (["coverage", "{pool}", "{out}", "vicuna"], "wanted SET=FILE"),
        (["coverage", "{pool}", "{out}", "vicuna={pool}/none"], "no such file"),
    ],
)
def test_wrong_arguments_say_what_is_wrong(tmp_path, arguments, message):
    places = {"pool": make_pool(tmp_path), "out": tmp_path / "out"}
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        run(*(text.format(**places) for text in arguments), "--progress=false")
