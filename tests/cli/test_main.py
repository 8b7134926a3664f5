"""The command line: options in every spelling, exit codes, files, and what is printed."""

import os
import subprocess
import sys

import numpy as np
import pytest

import qdit
from helpers.command import Q, X, refused, run
from qdit import Selection
from qdit.cli import select as select_command
from qdit.cli.main import spelled, split


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with x.npy and q.npy, made the current one."""
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "q.npy", Q)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "want"),
    [
        ("select x --dry-run", "select x --dry_run=true"),
        ("select x --dry_run", "select x --dry_run=true"),
        ("select x --dry-run true", "select x --dry_run true"),
        ("select x --dry-run --k 3", "select x --dry_run=true --k 3"),
        ("select x --memory-budget=2-3", "select x --memory_budget=2-3"),
        ("select x --no-progress", "select x --progress=false"),
        ("select x --progress false", "select x --progress false"),
        ("select x --progress", "select x --progress=true"),
        ("select x --alpha -1", "select x --alpha -1"),
        ("select --k 3 x --config c.yaml", "select --config c.yaml --k 3 x"),
        ("select x --config=c-d.yaml --k 3", "select --config=c-d.yaml x --k 3"),
        ("--config c.yaml select x", "--config c.yaml select x"),
        ("--config a select x --config b", "--config a select --config b x"),
        ("select -- --dry-run", "select -- --dry-run"),
        ("--version", "--version"),
        ("", ""),
    ],
)
def test_spellings(line, want):
    before, verbs, rest = split(line.split())
    assert verbs == [word for word in before if word == "select"]
    assert " ".join(before + spelled(rest, {"dry_run", "progress", "overwrite"})) == want


def test_select_saves_and_prints_a_table(folder, capsys):
    assert run("select x.npy --quality q.npy --alpha 0.5 --k 20 --out out --threads 1 --no-progress") == 0
    captured = capsys.readouterr()
    saved = Selection.load(folder / "out")
    assert saved.indices.tolist() == qdit.select(X, Q, 0.5, 20).indices.tolist()
    rows = dict(line.split(maxsplit=1) for line in captured.out.replace("mean q", "mean-q").splitlines())
    assert rows["picked"] == "20 of 200 rows, method exact"
    assert rows["coverage"] == f"{saved.coverage:.6f}"
    assert rows["mean-quality"] == f"{saved.mean_quality:.6f}"
    assert rows["objective"] == f"{saved.objective:.6f}"
    assert rows["engine"] == f"cpu, {saved.stats['simd']}, 1 thread"
    assert rows["saved"] == "out"
    assert captured.err == ""
    assert not (folder / "out" / "checkpoint").exists()


def test_progress_goes_to_stderr(folder, capsys):
    assert run("select x.npy --alpha 0 --k 0.1") == 0
    captured = capsys.readouterr()
    assert "100%  20/20 picks" in captured.err
    assert "not saved; pass --out DIR" in captured.out


def test_every_option_reaches_select(folder):
    np.save("given.npy", np.array([5, 9]))
    line = (
        "select x.npy --quality=q.npy --alpha 0.4 --k 12 --method stochastic --backend reference "
        "--metric dot --floor 0.1 --gain-scale per_k --quality_scale rank --given given.npy "
        "--epsilon 0.2 --seed 7 --threads 2 --memory-budget 1GB --zero-rows ignore --checkpoint cp "
        "--out out --no-progress"
    )
    assert run(line) == 0
    params = dict(Selection.load("out").params)
    want = {
        **{"n": 200, "d": 16, "dtype": "float16", "k": 12, "alpha": 0.4, "method": "stochastic"},
        **{"backend": "reference", "metric": "dot", "floor": 0.1, "zero_rows": "ignore"},
        **{"gain_scale": "per_k", "quality_scale": "rank", "gain_factor": 0.06, "epsilon": 0.2, "seed": 7},
        **{"given_rows": 2, "ignored_rows": 0},
    }
    assert params == want
    assert (folder / "cp" / "result" / "manifest.json").exists()


def test_raw_files(folder):
    (folder / "x.bin").write_bytes(X.tobytes())
    want = qdit.select(X, alpha=0, k=5).indices.tolist()
    for shape in ("200,16", "-1,16", "200x16", "[200,16]"):
        assert run(f"select x.bin --shape={shape} --dtype float16 --alpha 0 --k 5 --out out --overwrite") == 0
        assert Selection.load("out").indices.tolist() == want


def test_config_file_below_the_command_line(folder):
    (folder / "c.yaml").write_text("embeddings: x.npy\nalpha: 0.0\nk: 7\nout: out\nprogress: false\n")
    both = {"select --config c.yaml": 7, "select --k 5 --overwrite --config c.yaml": 5}
    for line, k in both.items():
        assert run(line) == 0
        assert len(Selection.load("out")) == k


def test_print_config(folder, capsys):
    assert run("select x.npy --k 0.25 --dry-run --print-config") == 0
    text = capsys.readouterr().out
    (folder / "c.yaml").write_text(text)
    assert {"embeddings: x.npy", "k: 0.25", "dry_run: true", "alpha: 0.7"} <= set(text.splitlines())
    assert run("select --config c.yaml --alpha 0") == 0
    assert "50 picks" in capsys.readouterr().out


def test_dry_run_writes_nothing(folder, capsys):
    before = set(folder.iterdir())
    assert run("select x.npy --quality q.npy --k 50 --out out --threads 1 --dry-run") == 0
    text = capsys.readouterr().out
    assert "200 x 16 float16, 6.4 kB, x.npy" in text
    assert "50 picks, method exact, 1 thread" in text
    assert "estimate" in text
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize("method", ["exact", "naive", "stochastic", "lazy"])
@pytest.mark.parametrize("alpha", [0.5, 1])
def test_dry_run_of_every_method(folder, capsys, method, alpha):
    assert run(f"select x.npy --quality q.npy --k 1 --alpha {alpha} --method {method} --dry-run") == 0
    assert f"method {'quality' if alpha == 1 else method}" in capsys.readouterr().out


def test_a_selection_is_not_overwritten_unasked(folder, capsys):
    assert run("select x.npy --alpha 0 --k 5 --out out --no-progress") == 0
    capsys.readouterr()
    text = "out: out holds a selection already; pass --overwrite or another directory"
    refused(capsys, "select x.npy --alpha 0 --k 6 --out out --no-progress", text)
    assert len(Selection.load("out")) == 5
    assert run("select x.npy --alpha 0 --k 6 --out out --no-progress --overwrite") == 0
    assert len(Selection.load("out")) == 6


def test_an_unfinished_run_of_other_options_is_kept_unless_overwritten(folder, capsys):
    qdit.select(X, alpha=0, k=5, checkpoint="out/checkpoint")
    text = (
        "checkpoint out/checkpoint: floor is 0.0 now and was None; "
        "repeat the earlier call to resume it, or pass another directory"
    )
    refused(capsys, "select x.npy --alpha 0 --k 5 --floor 0 --out out --no-progress", text)
    assert run("select x.npy --alpha 0 --k 5 --floor 0 --out out --no-progress --overwrite") == 0
    assert Selection.load("out").params["floor"] == 0.0
    assert not (folder / "out" / "checkpoint").exists()


def test_bad_input_is_one_line_and_exit_2(folder, capsys):
    refused(capsys, "select no.npy", "embeddings: no such file: no.npy")
    refused(
        capsys,
        "select x.npy",
        "quality: got None with alpha 0.7, wanted one score per row; pass quality or alpha=0",
    )
    refused(
        capsys,
        "select x.npy --alpha 0 --k 201",
        "k: got 201, wanted at most 200 (200 rows); pass a smaller k",
    )
    refused(
        capsys,
        "select x.npy --alpha 0 --method lasy",
        "method: got 'lasy', wanted one of 'auto', 'exact', 'lazy', 'naive', 'stochastic', 'sparse', "
        "'quality', 'random', 'threshold', 'cluster', 'k_center', 'kmq', 'mig'; did you mean 'lazy'?",
    )
    refused(
        capsys,
        "select x.npy --shape 5 --dtype float16",
        "shape: got '5', wanted n,d such as 20000,384",
    )


def test_a_run_time_failure_is_exit_1(folder, capsys, monkeypatch):
    refused(
        capsys,
        "select x.npy --alpha 0 --k 5 --method lazy --memory-budget 1kB --threads 1",
        "memory_budget: got 1 kB, wanted at least 2.03 MB for this pool (beside the embeddings); "
        "raise the budget or select from fewer rows",
        code=1,
    )
    (folder / "file").write_text("")
    assert run("select x.npy --alpha 0 --k 5 --out file --no-progress") == 1
    assert capsys.readouterr().err.startswith("qdit: error: ")

    def fail(*args, **options):
        raise MemoryError

    monkeypatch.setattr(select_command, "run_job", fail)
    refused(capsys, "select x.npy --alpha 0 --k 5", "MemoryError", code=1)


@pytest.mark.parametrize(
    "line", ["", "chose", "select x.npy --k many", "select x.npy --nonsense 3", "select", "info extra"]
)
def test_bad_usage_is_exit_2(folder, capsys, line):
    assert run(line) == 2
    assert "error" in capsys.readouterr().err


def test_version_and_help(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"qdit {qdit.__version__}\n"
    assert run("select --help") == 0
    text = capsys.readouterr().out
    assert "Number of rows, or a fraction of them" in text


def test_info(capsys):
    assert run("info") == 0
    lines = capsys.readouterr().out.splitlines()
    names = ["version", "python", "numpy", "compiler", "instruction sets built", "supported here", "in use"]
    assert [line.split("  ")[0] for line in lines] == [*names, "threads", "cuda"]
    assert lines[0].split() == ["version", qdit.__version__]


def test_info_obeys_the_environment(capsys, monkeypatch):
    monkeypatch.setenv("QDIT_SIMD", "baseline")
    assert run("info") == 0
    assert "baseline (forced by QDIT_SIMD=baseline)" in capsys.readouterr().out
    monkeypatch.setenv("QDIT_SIMD", "sse9")
    assert run("info") == 2
    assert 'QDIT_SIMD: got "sse9"' in capsys.readouterr().err


def test_python_dash_m(folder):
    command = [sys.executable, "-W", "error", "-m", "qdit", "select", "x.npy", "--alpha", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    text = "qdit: error: alpha: got 2.0, wanted a number from 0 (diversity only) to 1 (quality only)\n"
    assert done.stderr == text


def test_bars_of_other_packages_obey(folder):
    pytest.importorskip("datasets", reason="needs datasets: pip install 'qdit[data]'")
    code = """
from qdit.cli.main import main
main("select x.npy --alpha 0 --k 5 PROGRESS".split())
import datasets, huggingface_hub, tqdm
libraries = datasets.utils, huggingface_hub.utils
print(tqdm.tqdm([]).disable, *(library.are_progress_bars_disabled() for library in libraries))
"""
    environment = {name: value for name, value in os.environ.items() if "DISABLE" not in name}
    for option, hidden in (("--no-progress", True), ("--progress", False)):
        child = [sys.executable, "-c", code.replace("PROGRESS", option)]
        out = subprocess.run(
            child, capture_output=True, text=True, check=True, cwd=folder, env=environment
        ).stdout
        assert out.splitlines()[-1] == " ".join([str(hidden)] * 3)


def test_errors_of_the_system_name_the_path_and_a_remedy(folder, capsys):
    refused = "qdit: error: x.npy/out: Not a directory; a part of this path is a file; pass another path\n"
    assert run("select x.npy --alpha 0 --k 5 --out x.npy/out --no-progress") == 1
    assert capsys.readouterr().err.replace("/checkpoint", "") == refused


def test_errors_hold_nothing_that_a_terminal_obeys(folder, capsys):
    assert run("select x\x1b[2J.npy --alpha 0 --k 5") == 2
    told = capsys.readouterr().err
    assert "x\N{REPLACEMENT CHARACTER}[2J.npy" in told
    assert "\x1b" not in told


def shell(line, folder, code, **environment):
    """Run a line of bash in which "qdit" is the command line; return what it printed on both streams."""
    line = line.replace("qdit", f"{sys.executable} -m qdit", 1)
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done
    return done.stdout, done.stderr


SELECT = "qdit select x.npy --alpha 0 --k 5 --no-progress"


@pytest.mark.parametrize("line", [f"{SELECT} --out out", "qdit --help", "qdit select x.npy --alpha 0 --k 0"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_ends_early_ends_it_quietly(folder, line, unbuffered):
    usage = "--k 0" in line
    out, err = shell(f"{line} | true", folder, 2 if usage else 141, PYTHONUNBUFFERED=unbuffered)
    assert out == ""
    assert err == ("qdit: error: k: got 0, wanted at least 1\n" if usage else "")
    assert "--out" not in line or len(Selection.load(folder / "out")) == 5


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_is_told(folder, unbuffered):
    _, err = shell(f"{SELECT} >/dev/full", folder, 1, PYTHONUNBUFFERED=unbuffered)
    assert err == (
        "qdit: error: standard output: No space left on device; make room on this disk, or write to another; "
        "repeated, the command goes on\n"
    )


def test_without_the_standard_streams(folder):
    shell(f"{SELECT} --out out >&- 2>&- <&-", folder, 0)
    assert len(Selection.load(folder / "out")) == 5
    shell("qdit select x.npy --alpha 0 --k 0 >&- 2>&-", folder, 2)
    out, _ = shell("qdit select x.npy --alpha 0 --k 0 2>&-", folder, 2)
    assert out == ""  # what is wrong is no output
    shell("qdit select no.npy --alpha 0 2> >(true)", folder, 2)


def test_letters_that_a_terminal_lacks(folder):
    (folder / "x.npy").rename(folder / "x\u00e9.npy")
    np.save(folder / "q.npy", Q)
    line = SELECT.replace("x.npy", "x\u00e9.npy") + " --out out\u00e9"
    out, err = shell(line, folder, 0, PYTHONIOENCODING="ascii", PYTHONUTF8="1")
    assert "out\\xe9" in out
    assert err == ""
