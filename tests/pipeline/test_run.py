"""`qdit run`: what runs, what is reused, what a kill leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

import qdit
from helpers.training_data import write_jsonl
from qdit.cli.main import main
from qdit.demo.instructions import write_instructions
from qdit.pipeline import plan, read_config, run

FILES = ("pool/embeddings.npy", "pool/quality.npy", "selection/indices.npy", "export/data.jsonl")


@pytest.fixture
def folder(tmp_path):
    write_instructions(tmp_path / "rows.jsonl", 400)
    return tmp_path


def write(folder: Path, **changes) -> Path:
    content = {
        "source": "rows.jsonl",
        "out": "out",
        "embed": {"model": "builtin:hash"},
        "score": {"by": "column", "column": "rating"},
        "select": {"alpha": 0.6, "k": 40},
    }
    for name, value in changes.items():
        content[name] = {**content[name], **value} if isinstance(content.get(name), dict) and value else value
    (folder / "run.yaml").write_text(yaml.safe_dump(content))
    return folder / "run.yaml"


def actions(file: Path) -> dict[str, str]:
    """Return what a run does; plan must have said the same."""
    config = read_config(file)
    planned = {step.stage: step.action for step in plan(config)}
    done = {step.stage: step.action for step in run(config)}
    assert {name: action != "reuse" for name, action in planned.items()} == {
        name: action != "reuse" for name, action in done.items()
    }
    return done


def contents(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


@pytest.mark.parametrize(
    "options",
    [
        {"method": "k_center", "distance_weight": "quality"},
        {"method": "kmq", "clusters": 7, "cell_share": "equal"},
        {"method": "mig", "label_field": "domain"},
    ],
    ids=str,
)
def test_a_run_takes_any_method_and_measures_in_its_report(folder, options):
    pytest.importorskip("matplotlib", reason="a report needs matplotlib")
    file = write(folder, select=options, report={"verbs": False, "random_seeds": 1})
    assert actions(file)["report"] == "run"
    want = qdit.select_pool(folder / "out" / "pool", 0.6, 40, **options)
    assert np.load(folder / "out" / "selection" / "indices.npy").tolist() == want.indices.tolist()
    found = json.loads((folder / "out" / "report" / "numbers.json").read_text())["measures"]
    assert found["novelsum"]["value"] > 0
    assert set(actions(file).values()) == {"reuse"}


def test_from_text_to_chosen_rows(folder):
    assert actions(write(folder)) == dict.fromkeys(("import", "embed", "score", "select", "export"), "run")
    lines = (folder / "rows.jsonl").read_bytes().splitlines()
    selection = qdit.Selection.load(folder / "out" / "selection")
    chosen = (folder / "out" / "export" / "data.jsonl").read_bytes().splitlines()
    assert chosen == [lines[i] for i in selection.indices]
    quality = np.array([json.loads(line)["rating"] for line in lines])
    embeddings = folder / "out" / "pool" / "embeddings.npy"
    want = qdit.select(embeddings, quality, 0.6, 40)
    assert selection.indices.tolist() == want.indices.tolist()
    stages = json.loads((folder / "out" / "run.json").read_bytes())["stages"]
    assert all(entry["seconds"] > 0 and entry["peak_rss_bytes"] > 0 for entry in stages.values())


def test_what_trainers_leave_out_is_said(tmp_path, capsys):
    turns = [{"from": name, "value": "Bees."} for name in ("gpt", "human", "gpt")]
    write_jsonl(tmp_path / "rows.jsonl", [{"conversations": turns}] * 20)
    run(read_config(write(tmp_path, score=False, select={"alpha": 0, "k": 5, "method": "random"})))
    assert "LLaMA-Factory leaves out 5 rows: the assistant begins (such as " in capsys.readouterr().out


def test_texts_without_a_word_are_asked_about_once(folder, capsys):
    lines = (folder / "rows.jsonl").read_text().splitlines()
    lines[7] = json.dumps({**json.loads(lines[7]), "instruction": "...", "input": ""})
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    stages = {"sweep": {"alphas": [0.2, 0.8], "k": 9}, "select": {"k": 399, "method": "random"}, "report": {}}
    with pytest.raises(ValueError, match=r"1 of 400 rows .*row 7 .*under embed in the file of a run"):
        run(read_config(write(folder, **stages)))
    run(read_config(write(folder, **stages, embed={"zero_rows": "keep"})))
    assert "1 rows have no vector; they are zeros and are never chosen: 7" in capsys.readouterr().out
    selection = qdit.Selection.load(folder / "out" / "selection")
    assert sorted(selection.indices) == [i for i in range(400) if i != 7]
    assert selection.params["ignored_rows"] == 1


@pytest.mark.parametrize(
    ("changes", "again"),
    [
        ({}, ()),
        ({"select": {"k": 41}}, ("select", "export")),
        ({"embed": {"template": "instruction"}}, ("embed", "select", "export")),
        ({"score": {"by": "response-words", "column": None}}, ("score", "select", "export")),
        ({"import": {"limit": 390}}, ("import", "embed", "score", "select", "export")),
        ({"export": {"columns": True}}, ("export",)),
        ({"sweep": {"alphas": [0.2, 1.0], "k": 9}}, ("sweep",)),
    ],
    ids=str,
)
def test_only_what_changed_runs_again(folder, changes, again):
    actions(write(folder))
    changes = {name: {k: v for k, v in value.items() if v is not None} for name, value in changes.items()}
    if "score" in changes:
        write(folder, score=None)
    file = write(folder)
    content = yaml.safe_load(file.read_text())
    for name, value in changes.items():
        content[name] = value if name == "score" else {**content.get(name, {}), **value}
    file.write_text(yaml.safe_dump(content))
    done = actions(file)
    assert tuple(name for name, action in done.items() if action == "run") == again
    assert set(actions(file).values()) == {"reuse"}


def test_a_changed_source_runs_everything_again(folder):
    file = write(folder)
    actions(file)
    write_instructions(folder / "rows.jsonl", 400, seed=1)
    assert set(actions(file).values()) == {"run"}


def test_a_damaged_result_is_made_again(folder):
    file = write(folder)
    actions(file)
    before = contents(folder / "out")
    (folder / "out" / "selection" / "manifest.json").write_text("{}")
    (folder / "out" / "export" / "manifest.json").unlink()
    assert {name for name, action in actions(file).items() if action == "run"} == {"select", "export"}
    assert contents(folder / "out") == before


def test_arrays_that_were_made_elsewhere(folder):
    rng = np.random.default_rng(0)
    np.save(folder / "x.npy", rng.standard_normal((400, 8)).astype(np.float32))
    np.save(folder / "q.npy", rng.random(400))
    file = write(folder, embed=None, score=None)
    content = yaml.safe_load(file.read_text()) | {"embed": {"file": "x.npy"}, "score": {"file": "q.npy"}}
    file.write_text(yaml.safe_dump(content))
    actions(file)
    want = qdit.select(folder / "x.npy", folder / "q.npy", 0.6, 40)
    got = qdit.Selection.load(folder / "out" / "selection")
    assert got.indices.tolist() == want.indices.tolist()
    assert set(actions(file).values()) == {"reuse"}
    np.save(folder / "q.npy", rng.random(400))
    assert {name for name, action in actions(file).items() if action == "run"} == {
        "score",
        "select",
        "export",
    }


def test_embeddings_of_somebody_else_are_not_replaced(folder):
    file = write(folder)
    pool = folder / "out" / "pool"
    qdit.records.import_records(folder / "rows.jsonl", pool).close()
    qdit.embed(pool, "builtin:hash", template="instruction")
    before = (pool / "embeddings.npy").read_bytes()
    with pytest.raises(ValueError, match="overwrite"):
        run(read_config(file))
    assert (pool / "embeddings.npy").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "package"),
    [
        ({"embed": {"model": "owner/model"}}, "sentence_transformers"),
        ({"embed": {"model": "m", "base_url": "http://localhost:1/v1"}}, "openai"),
        ({"score": {"by": "reward"}}, "torch"),
        ({"score": {"by": "alpagasus", "judge_model": "m"}}, "openai"),
        ({"select": {"budget_tokens": 99, "tokenizer": "gpt2"}}, "transformers"),
        ({"sweep": {"budget_tokens": 99, "tokenizer": "gpt2"}}, "transformers"),
        ({"export": {"format": "parquet"}}, "pyarrow"),
        ({"export": {"format": ["jsonl", "hf"]}}, "datasets"),
        ({"export": {"push_to_hub": "user/data"}}, "huggingface_hub"),
        ({"report": {}}, "matplotlib"),
    ],
    ids=str,
)
def test_missing_packages_are_told_before_the_first_stage(folder, monkeypatch, changes, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"^{package} is needed .*: pip install 'qdit"):
        run(read_config(write(folder, **changes)))
    assert not (folder / "out").exists()


def test_all_missing_packages_are_told_at_once(folder, monkeypatch):
    for package in ("pyarrow", "matplotlib"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        ImportError, match=r"^pyarrow is needed .*\[data\]'; matplotlib is needed .*\[plots\]'$"
    ):
        run(read_config(write(folder, export={"format": "parquet"}, report={})))


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"embed": {"file": "none.npy"}}, FileNotFoundError, "embed: file: .*none.npy does not exist"),
        ({"embed": {"model": "./none"}}, FileNotFoundError, "model: no such folder: ./none"),
        ({"embed": {"model": "owner/none"}}, FileNotFoundError, "owner/none is no folder here"),
        ({"embed": {"model": "none-such"}}, FileNotFoundError, "none-such is no folder here"),
        (
            {"select": {"budget_tokens": 99, "tokenizer": "owner/none"}},
            FileNotFoundError,
            "owner/none is no folder here",
        ),
        ({"score": {"file": "none.npy"}}, FileNotFoundError, "score: file: .*none.npy does not exist"),
        ({"score": {"by": "reward", "reward_model": "owner/none"}}, FileNotFoundError, "owner/none is no"),
        ({"select": {"given": "none.npy"}}, FileNotFoundError, "select: given: none.npy does not exist"),
        ({"score": False}, ValueError, "select: alpha 0.6 needs scores and score is false"),
        ({"out": "rows.jsonl/out"}, NotADirectoryError, "rows.jsonl/out"),
    ],
    ids=str,
)
def test_what_cannot_work_is_told_before_the_first_stage(folder, monkeypatch, changes, kind, message):
    if "reward_model" in str(changes) or "tokenizer" in str(changes):
        pytest.importorskip("transformers", reason="needs transformers: pip install 'qdit[score]'")
    pytest.importorskip("sentence_transformers", reason="needs sentence-transformers")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    content = yaml.safe_load(write(folder).read_text())
    for name, value in changes.items():
        content[name] = {**content[name], **value} if name == "select" else value
    (folder / "run.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(kind, match=message):
        run(read_config(folder / "run.yaml"))
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("selection/manifest.json", "selection was made by another run; move it away, or pass another out"),
        ("export/manifest.json", "wanted 'qdit-export'"),
    ],
)
def test_what_others_made_is_found_before_the_first_stage(folder, place, message):
    file = folder / "out" / place
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    with pytest.raises(ValueError, match=message):
        run(read_config(write(folder)))
    assert file.read_text() == "{}"
    assert not (folder / "out" / "pool").exists()


@pytest.mark.parametrize("stage", ["select", "sweep"])
def test_more_rows_than_there_are_is_told_once_they_are_counted(folder, stage):
    with pytest.raises(ValueError, match="k: got 500, wanted at most 400"):
        run(read_config(write(folder, **{stage: {"k": 500}})))
    assert not (folder / "out" / "pool" / "embeddings.npy").exists()


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_results(folder):
    file = write(folder, embed={"chunk_rows": 64})
    config = read_config(file)
    run(read_config(file, out=folder / "unbroken"))
    want = contents(folder / "unbroken")
    command = [sys.executable, "-m", "qdit", "run", str(file), "--no-progress"]
    start = time.monotonic()
    subprocess.run([*command, "--out", str(folder / "timed")], check=True, stdout=subprocess.DEVNULL)
    whole = time.monotonic() - start
    for share in np.linspace(0.3, 0.95, 8):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        time.sleep(share * whole)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    run(config)
    assert contents(config.out) == want
    assert set(actions(file).values()) == {"reuse"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source: [", "run.yaml, line 1: this is no YAML: [^\n]*$"),
        ("out: 2020-13-45", "run.yaml: this is no YAML: month must be in 1..12$"),
        ("[" * 9999, "run.yaml: this is no YAML: maximum recursion depth"),
        ("- 1", "got list, wanted keys such as source"),
        ("out: x", "no key source, with a file, a folder, a data set on the Hub or a named pool"),
        ("source: a\nselct: {}", "got 'selct', wanted some of source, .*; did you mean 'select'"),
        (
            "source: a\nselect: {alpa: 1}",
            "select: got 'alpa', wanted some of alpha, .*; did you mean 'alpha'",
        ),
        ("source: a\nembed: 3", "embed: got 3, wanted a mapping of options"),
        ("source: a\nembed: false", "embed: got False, wanted a mapping of options"),
        ("source: a\nselect: {alpha: 2}", r"run.yaml: select: alpha: got 2.0, wanted a number from 0"),
        ("source: a\nreport: {sample: 0}", r"run.yaml: report: sample: got 0, wanted at least 1"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, text, message):
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_config(tmp_path / "run.yaml")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"file: .*nothing.yaml does not exist"):
        read_config(tmp_path / "nothing.yaml")


def test_the_command(folder, capsys):
    file = str(write(folder))
    assert main(["run", file, "--dry-run"]) == 0
    assert not (folder / "out").exists()
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["run"] * 5
    assert main(["run", file, "--no-progress"]) == 0
    assert f"results are in {folder / 'out'}" in capsys.readouterr().out
    assert main(["run", file, "--dry-run"]) == 0
    assert capsys.readouterr().out.count("reuse") == 5
