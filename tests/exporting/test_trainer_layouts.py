"""Every trainer gets every chosen row, with roles, system prompt, history, calls of tools and completion.

By rules of the trainers stated anew (helpers/trainer_rules.py), and by their own readers: trl's where it is
installed, LLaMA-Factory's and axolotl's where QDIT_LLAMA_FACTORY and QDIT_AXOLOTL name a python with them.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.export_pools import export_rows
from helpers.trainer_layouts import INSTRUCTIONS, LAYOUTS
from helpers.trainer_rules import READERS
from qdit.cli.export import export_command

N, K = 12, 5
HELPERS = Path(__file__).parents[1] / "helpers"
OWN = {"LLaMA-Factory": "read_llama_factory.py", "axolotl": "read_axolotl.py", "TRL": "read_trl.py"}
FILES = {"LLaMA-Factory": "dataset_info.json", "axolotl": "axolotl.yaml", "TRL": "trl-sft.yaml"}
# chats that are no exchanges in turn -> what is said of them, and who leaves them out
ODD_CHATS = {
    "gpt human gpt": ("the assistant begins", ["LLaMA-Factory"]),
    "human human gpt": ("two turns of one side follow each other", ["LLaMA-Factory"]),
    "system human gpt gpt": ("two turns of one side follow each other", ["LLaMA-Factory"]),
    "human gpt human": ("the last turn is no answer", ["LLaMA-Factory"]),
    "human system gpt": ("a system turn is not the first", ["LLaMA-Factory"]),
    "human empty": ("no answer has a text", ["axolotl"]),
}


def odd_chat(names):
    """Return a row with turns of these names, the answer of "empty" being that."""
    turns = [{"from": name.replace("empty", "gpt"), "value": name.replace("empty", "")} for name in names]
    return {"conversations": turns}


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """Every layout, and every odd chat, exported: the folder and which rows were chosen."""
    rows = {name: [layout.row(i) for i in range(N)] for name, layout in LAYOUTS.items()}
    rows |= {names: [odd_chat(names.split())] * N for names in ODD_CHATS}
    options = {name: layout.options for name, layout in LAYOUTS.items()}
    return {
        name: export_rows(tmp_path_factory.mktemp("layout"), {"a": some}, K, options.get(name))
        for name, some in rows.items()
    }


def run_own(trainer, exports, cache):
    """Return what a trainer's own code makes of exports."""
    python = sys.executable
    if trainer == "TRL":
        if importlib.util.find_spec("trl") is None:
            pytest.skip("needs trl: pip install 'qdit[train]'")
    else:
        variable = f"QDIT_{trainer.upper().replace('-', '_')}"
        if variable not in os.environ:
            pytest.skip(f"{variable} names no python that has {trainer}")
        python = os.environ[variable]
    environment = os.environ | {
        "PYTHONPATH": str(HELPERS),
        "HF_DATASETS_CACHE": str(cache),
        "HF_HUB_OFFLINE": "1",
    }
    environment |= {"HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [python, str(HELPERS / OWN[trainer]), *(str(out) for out, _ in exports)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]


def check(name, trainer, got, chosen, learnt=None):
    """Compare the turns that a trainer gets with those that it must get."""
    layout = LAYOUTS[name]
    for turns, row in zip(got, chosen, strict=True):
        want = layout.want(row)
        for place in (layout.learnt if learnt is None else learnt).get(trainer, ()):
            want[place][3] = True
        assert turns is not None, want
        if trainer == "LLaMA-Factory":
            want = one_result(want)
        if name.startswith(INSTRUCTIONS) and len(want) == 2:  # a text around the instruction
            text = layout.row(row).get("input") or layout.row(row).get("context") or ""
            assert want[0][1] in turns[0][1]
            assert text in turns[0][1]
            want[0] = turns[0]
        assert [without_tools(turn) for turn in turns] == [without_tools(turn) for turn in want]


def one_result(turns):
    """Return turns with results of several tools in one, as LLaMA-Factory's OpenAI converter joins them."""
    made = []
    for turn in turns:
        if made and turn[0] == made[-1][0] == "tool":
            made[-1] = ["tool", f"{made[-1][1]}\n</tool_response>\n<tool_response>\n{turn[1]}", [], False]
        else:
            made.append(turn)
    return made


def without_tools(turn):
    return ["tools", json.loads(turn[1])] if turn[0] == "tools" else turn


@pytest.mark.parametrize("trainer", READERS)
@pytest.mark.parametrize("name", LAYOUTS)
def test_every_row_arrives_by_the_rules(exports, name, trainer):
    out, chosen = exports[name]
    check(name, trainer, READERS[trainer](out), chosen)


@pytest.mark.parametrize("names", ODD_CHATS)
def test_what_a_trainer_leaves_out_is_counted(exports, names):
    out, chosen = exports[names]
    problem, left_out = ODD_CHATS[names]
    told = json.loads((out / "manifest.json").read_text())["trainers"]
    count = {"rows": K, "such_as": f"a-{chosen[0]}"}
    for trainer, read in READERS.items():
        dropped = trainer in left_out
        assert read(out).count(None) == (K if dropped else 0)
        assert told[trainer].get("left_out", {}) == ({problem: count} if dropped else {})
        if left_out == ["LLaMA-Factory"] and not dropped:
            assert told[trainer]["notes"] == {f"{problem}, which some chat templates refuse": count}
    assert f"{problem} (such as a-{chosen[0]})" in (out / "README.md").read_text()


def test_export_says_what_trainers_leave_out(exports, capsys, tmp_path):
    out, chosen = exports["gpt human gpt"]
    export_command(str(out.parent / "chosen"), str(tmp_path / "out"), progress=False, decisions="none")
    lines = capsys.readouterr().out.splitlines()
    told = f"leaves out {K} rows: the assistant begins (such as a-{chosen[0]})"
    assert f"LLaMA-Factory  {told}" in lines


@pytest.mark.parametrize(("name", "deaf"), [("tools", []), ("prompt", ["axolotl"])])
def test_tools_that_are_no_json_are_left_out_and_said(tmp_path, name, deaf):
    """deaf: trainers that read no tools in such rows."""
    rows = [{**LAYOUTS[name].row(i), "tools": "weather(city)"} for i in range(N)]
    out, chosen = export_rows(tmp_path, {"a": rows}, K)
    told = json.loads((out / "manifest.json").read_text())["trainers"]
    for trainer, read in READERS.items():
        assert all("tools" not in [turn[0] for turn in turns] for turns in read(out))
        count = {"rows": K, "such_as": f"a-{chosen[0]}"}
        notes = {} if trainer in deaf else {"tools that are no JSON are left out": count}
        assert told[trainer].get("notes", {}) == notes


def test_an_empty_completion_is_said(tmp_path):
    rows = [{**LAYOUTS["prompt of turns"].row(i), "completion": []} for i in range(N)]
    for row in rows:
        row["prompt"].append({"role": "assistant", "content": "Here."})
    out, _ = export_rows(tmp_path, {"a": rows}, K)
    told = json.loads((out / "manifest.json").read_text())["trainers"]
    for trainer, problem in (("axolotl", "no answer has a text"), ("TRL", "the completion is empty")):
        assert READERS[trainer](out).count(None) == told[trainer]["left_out"][problem]["rows"] == K


def test_a_call_that_is_no_json_is_an_answer(tmp_path):
    turns = [("human", "Weather?"), ("function_call", "call it"), ("observation", "sun"), ("gpt", "Sunny.")]
    rows = [{"conversations": [{"from": name, "value": text} for name, text in turns]}] * N
    out, _ = export_rows(tmp_path, {"a": rows}, K)
    for read in READERS.values():
        assert [turn[:3] for turn in read(out)[0]][1:3] == [["assistant", "call it", []], ["tool", "sun", []]]


@pytest.mark.parametrize("trainer", OWN)
def test_every_row_arrives_by_the_trainers_own_reader(exports, trainer, tmp_path):
    found = dict(zip(exports, run_own(trainer, exports.values(), tmp_path), strict=True))
    assert {name: made["error"] for name, made in found.items() if "error" in made} == {}
    for name in LAYOUTS:
        check(name, trainer, found[name]["rows"], exports[name][1])
    for names, (_, left_out) in ODD_CHATS.items():
        assert found[names]["rows"].count(None) == (K if trainer in left_out else 0), names


@pytest.mark.parametrize("name", LAYOUTS)
def test_rows_are_written_anew_only_where_a_trainer_needs_it(exports, name):
    out, _ = exports[name]
    found = {trainer for trainer in OWN if "data.jsonl" in (out / FILES[trainer]).read_text()}
    assert found == {*LAYOUTS[name].own}


@pytest.mark.parametrize("format", ["json", "parquet", "hf"])
@pytest.mark.parametrize("name", ["system column", "alpaca with system and history", "tools"])
def test_other_formats_are_read_too(tmp_path, name, format):
    pytest.importorskip({"parquet": "pyarrow", "hf": "datasets"}.get(format, "json"))
    rows = [LAYOUTS[name].row(i) for i in range(N)]
    out, chosen = export_rows(tmp_path, {"a": rows}, K, format=format)
    for trainer, read in READERS.items():
        check(name, trainer, read(out), chosen)


def test_sources_of_several_layouts_arrive_as_chats(tmp_path):
    names = ["system column", "tools", "prompt with answers", "alpaca"]
    sources = {name: [LAYOUTS[name].row(i) for i in range(N)] for name in names}
    out, chosen = export_rows(tmp_path, sources, len(names) * N)
    for trainer, read in READERS.items():
        got = dict(zip(chosen, read(out), strict=True))
        for i, name in enumerate(names):
            turns = [got[i * N + j] for j in range(N)]
            answers = {} if trainer == "axolotl" else {1: True}
            learnt = {trainer: tuple(answers)} if name == "prompt with answers" else {}
            check(name, trainer, turns, range(N), learnt)
    told = json.loads((out / "manifest.json").read_text())["trainers"]
    assert [trainer for trainer, entry in told.items() if "notes" in entry] == ["LLaMA-Factory", "TRL"]


def test_columns_of_several_types_are_no_obstacle(exports):
    out, _ = exports["odd columns"]
    types = {type(json.loads(line)["note"]) for line in (out / "data.jsonl").read_text().splitlines()}
    assert types == {int, str}  # which the table that a trainer makes of a file cannot hold
    assert not (out / "sft-sharegpt.jsonl").exists()
