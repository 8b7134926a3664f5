"""Answers of a tiny Llama that runs here, against one question at a time without padding."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.children import child_environment
from helpers.training_data import WORDS, write_jsonl
from qdit.cli.generate import generate_command
from qdit.generation import generate, prepare
from qdit.generation.questions import Question
from qdit.records import Row
from qdit.records.templates import alpaca_prompt

torch = pytest.importorskip("torch", reason="needs torch: pip install 'qdit[train]'")
transformers = pytest.importorskip("transformers", reason="needs transformers: pip install 'qdit[train]'")

from helpers.smollm import tiny_llama  # noqa: E402

NEW = 24


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return str(tiny_llama(tmp_path_factory.mktemp("llama"), chat=True))


def ask(n):
    return [
        Question("own", str(i), f"Explain {WORDS[i % 8]}" + " and more" * (i * 5 % 7), "c", i % 3, None)
        for i in range(n)
    ]


def answers(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def make(questions, out, llama, **options):
    options = {"max_new_tokens": NEW, "batch_size": 4, "device": "cpu"} | options
    return generate(questions, out, model=llama, **options)


def alone(llama, text, *, special=True, new=NEW):
    """The most likely tokens one after the other, straight from the model."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(llama)
    model = transformers.AutoModelForCausalLM.from_pretrained(llama).eval()
    ids = tokenizer(text, add_special_tokens=special)["input_ids"]
    made = []
    with torch.inference_mode():
        for _ in range(new):
            token = int(model(input_ids=torch.tensor([ids + made])).logits[0, -1].argmax())
            if token == tokenizer.eos_token_id:
                return tokenizer.decode(made, skip_special_tokens=True), "stop"
            made.append(token)
    return tokenizer.decode(made, skip_special_tokens=True), "length"


def prompt(question):
    return alpaca_prompt(Row(0, "", "", question.instruction, "", "", ()))


def test_answers_are_those_of_each_question_alone(tmp_path, llama):
    questions = ask(10)
    made = make(questions, tmp_path / "a.jsonl", llama)
    found = answers(made.path)
    assert [(one["output"], one["finish"]) for one in found] == [
        alone(llama, prompt(question)) for question in questions
    ]
    assert [one["id"] for one in found] == [question.id for question in questions]
    assert list(found[1]) == [
        *("set", "id", "instruction", "category", "difficulty", "reference", "model", "output", "finish")
    ]
    assert (found[1]["set"], found[1]["difficulty"], found[1]["model"]) == ("own", 1, llama)
    record = made.manifest
    assert record["questions"]["n"] == 10
    assert record["by"]["revision"].startswith("sha256:")
    assert record["settings"] == {
        **{"template": "alpaca", "max_new_tokens": NEW, "stop": [], "temperature": 0.0, "top_p": 1.0},
        "seed": 0,
    }
    assert sum(record["finish"].values()) == 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "a.jsonl.json"]


def test_the_chat_template_and_format_strings(tmp_path, llama):
    questions = ask(3)
    chat = answers(make(questions, tmp_path / "chat.jsonl", llama, template="chat").path)
    texts = [f"<s>[user] {question.instruction}</s>[assistant] " for question in questions]
    assert [(one["output"], one["finish"]) for one in chat] == [
        alone(llama, text, special=False) for text in texts
    ]
    own = answers(make(questions, tmp_path / "own.jsonl", llama, template="Q: {instruction}\nA:").path)
    assert [one["output"] for one in own] == [
        alone(llama, f"Q: {question.instruction}\nA:")[0] for question in questions
    ]


def test_presets_of_the_model_do_not_count(tmp_path, llama):
    other = tmp_path / "model"
    model = transformers.AutoModelForCausalLM.from_pretrained(llama)
    model.generation_config = transformers.GenerationConfig(
        do_sample=True, temperature=2.0, repetition_penalty=5.0, eos_token_id=[1, 7], pad_token_id=2
    )
    model.save_pretrained(other)
    transformers.AutoTokenizer.from_pretrained(llama).save_pretrained(other)
    questions = ask(4)
    want = answers(make(questions, tmp_path / "a.jsonl", llama).path)
    found = answers(make(questions, tmp_path / "b.jsonl", str(other)).path)
    for one, of_all_tokens in zip(found, want, strict=True):
        assert of_all_tokens["output"].startswith(one["output"])  # token 7 ends answers there


@pytest.mark.parametrize("stop", ["e", ["ee", "r", "7"]])
def test_stops(tmp_path, llama, stop):
    questions = ask(8)
    drawn = {"temperature": 1.0}  # an untrained model's likeliest tokens are always the same
    plain = answers(make(questions, tmp_path / "plain.jsonl", llama, **drawn).path)
    found = answers(make(questions, tmp_path / "stop.jsonl", llama, stop=stop, **drawn).path)
    hit = 0
    for one, whole in zip(found, plain, strict=True):
        text = min((whole["output"].split(s)[0] for s in stop), key=len)
        assert one["output"] == text
        assert one["finish"] == ("stop" if text != whole["output"] else whole["finish"])
        hit += text != whole["output"]
    assert hit


@pytest.mark.parametrize(
    ("text", "want", "empty"),
    [
        ("<think>hm</think>\n\nyes", "yes", 0),
        ("<think>hm", "<think>hm", 1),
        ("yes <think>", "yes <think>", 0),
    ],
)
def test_reasoning_is_no_part_of_an_answer(tmp_path, llama, monkeypatch, text, want, empty):
    monkeypatch.setattr("qdit.generation.local.LocalModel._text", lambda *_: text)
    made = make(ask(1), tmp_path / "a.jsonl", llama)
    assert [json.loads(line)["output"] for line in made.path.read_text().splitlines()] == [want]
    assert made.manifest["empty"] == empty


def test_draws_depend_on_the_question_alone(tmp_path, llama):
    questions = ask(9)
    options = {"temperature": 1.0, "top_p": 0.9, "seed": 5}
    want = answers(make(questions, tmp_path / "a.jsonl", llama, **options).path)
    others = {
        "one at a time": make(questions, tmp_path / "b.jsonl", llama, batch_size=1, **options),
        "backwards": make(questions[::-1], tmp_path / "c.jsonl", llama, **options),
        "fewer": make(questions[2:5], tmp_path / "d.jsonl", llama, **options),
    }
    texts = {one["id"]: one["output"] for one in want}
    for name, made in others.items():
        found = answers(made.path)
        assert [one["output"] for one in found] == [texts[one["id"]] for one in found], name
    assert len(set(texts.values())) == 9
    other = answers(make(questions, tmp_path / "e.jsonl", llama, **options | {"seed": 6}).path)
    assert all(one["output"] != texts[one["id"]] for one in other)


def test_an_interrupted_run_goes_on(tmp_path, llama, monkeypatch):
    questions = ask(18)
    options = {"temperature": 1.0}
    whole = make(questions, tmp_path / "whole.jsonl", llama, **options)

    def interrupt(progress):
        if progress.phase == "generate" and progress.rows >= 8:
            raise KeyboardInterrupt

    monkeypatch.setattr("qdit.common.progress._SECONDS", 0.0)
    out = tmp_path / "out.jsonl"
    with pytest.raises(KeyboardInterrupt) as caught:
        make(questions, out, llama, progress=interrupt, **options)
    assert caught.value.__notes__ == [f"repeat the call to go on; answers so far are in {out}.partial"]
    partial = Path(f"{out}.partial")
    assert len(partial.read_bytes().splitlines()) == 8
    os.truncate(partial, partial.stat().st_size - 30)  # kill -9 may cut the last line
    seen = []
    resumed = make(questions, out, llama, progress=seen.append, **options)
    assert seen[-1].rows == 14  # the second batch of four again, and what was left
    assert resumed.path.read_bytes() == whole.path.read_bytes()
    assert not partial.exists()


def test_a_repeated_call_does_nothing(tmp_path, llama):
    questions = ask(4)
    out = tmp_path / "a.jsonl"
    first = make(questions, out, llama)
    assert make(questions, out, llama).manifest == first.manifest
    with pytest.raises(
        ValueError, match=r"made otherwise: settings.max_new_tokens is 3 now and was \d+; pass over"
    ):
        make(questions, out, llama, max_new_tokens=3)
    with pytest.raises(ValueError, match=r"made otherwise: questions\.n is 3 now and was 4"):
        make(questions[:3], out, llama)
    assert len(answers(make(questions[:3], out, llama, overwrite=True).path)) == 3
    out.write_text("mine\n")
    with pytest.raises(ValueError, match="was changed since it was made"):
        make(questions[:3], out, llama)
    Path(f"{out}.json").unlink()
    with pytest.raises(ValueError, match="is there already and was not made by generate"):
        make(questions[:3], out, llama)


def test_out_of_memory_halves_the_batch(tmp_path, llama, monkeypatch):
    questions = ask(9)
    want = make(questions, tmp_path / "a.jsonl", llama).path.read_bytes()
    forward = transformers.LlamaForCausalLM.forward

    def small(self, input_ids=None, **others):
        if input_ids is not None and len(input_ids) > 2:
            raise torch.OutOfMemoryError("scripted")
        return forward(self, input_ids=input_ids, **others)

    monkeypatch.setattr(transformers.LlamaForCausalLM, "forward", small)
    assert make(questions, tmp_path / "b.jsonl", llama).path.read_bytes() == want


def test_prompts_that_leave_no_room(tmp_path, llama):
    questions = [*ask(2), Question("own", "long", "word " * 2000)]
    with pytest.raises(ValueError, match=r"question long of own: its prompt has [\d,]+ tokens, which"):
        make(questions, tmp_path / "a.jsonl", llama)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"params": {"x": 1}}, "params: got fields of a request without base_url"),
        ({"batch_size": 0}, "batch_size: got 0"),
        ({"dtype": "float8"}, "dtype: got 'float8'"),
        ({"template": "chat", "model": "plain"}, "has no chat template"),
    ],
)
def test_wrong_options(tmp_path, llama, options, error):
    options = dict(options)
    if options.pop("model", None):
        llama = str(tiny_llama(tmp_path / "plain"))
    with pytest.raises(ValueError, match=error):
        make(ask(2), tmp_path / "a.jsonl", llama, **options)
    with pytest.raises(ValueError, match="questions: got none"):
        make([], tmp_path / "a.jsonl", llama)


def test_a_trained_model_and_its_adapters(tmp_path, llama):
    pytest.importorskip("trl", reason="needs trl: pip install 'qdit[train]'")
    pytest.importorskip("peft", reason="needs peft: pip install 'qdit[train]'")
    from qdit.training import train

    rows = [{"instruction": "Explain rivers", "input": "", "output": "water"}] * 4
    options = {
        "batch_size": 4,
        "learning_rate": 3e-2,
        "epochs": 30,
        "save_steps": 0,
        "device": "cpu",
        "lora": True,
    }
    options |= {"max_length": 256, "lora_rank": 8, "lora_dropout": 0.0}
    adapters = train(rows, tmp_path / "adapters", model=llama, **options)
    merged = train(rows, tmp_path / "merged", model=llama, merge=True, **options)
    question = [Question("own", "0", "Explain rivers")]
    first = make(question, tmp_path / "a.jsonl", str(adapters.model))
    second = make(question, tmp_path / "b.jsonl", str(merged.model))
    assert answers(first.path)[0]["output"] == answers(second.path)[0]["output"] == "water"
    assert answers(first.path)[0]["finish"] == "stop"
    assert len(first.manifest["by"]["adapter_sha256"]) == 64


def test_the_command(tmp_path, llama, capsys):
    rows = [{"instruction": question.instruction, "id": question.id} for question in ask(6)]
    file = write_jsonl(tmp_path / "own.jsonl", rows)
    arguments = {"model": llama, "max_new_tokens": 5, "device": "cpu", "progress": False}
    generate_command(f"jsonl={file}", str(tmp_path / "a.jsonl"), **arguments, dry_run=True)
    shown = capsys.readouterr().out
    assert "questions      6, of which 6 have no answer yet\n" in shown
    assert "answer tokens  at most 30\n" in shown
    generate_command(f"jsonl={file}", str(tmp_path / "a.jsonl"), **arguments)
    shown = capsys.readouterr().out
    assert "answers  6 by " in shown
    assert "6 cut at max_new_tokens" in shown
    generate_command(f"jsonl={file}", str(tmp_path / "a.jsonl"), **arguments, dry_run=True)
    assert "of which 0 have no answer yet" in capsys.readouterr().out
    job = prepare(ask(6), tmp_path / "b.jsonl", model=llama, max_new_tokens=5, device="cpu")
    assert job.estimate()["left"] == 6


CHILD = """
import sys
import torch
torch.set_num_threads(1)
from test_local import ask, make
make(ask(80), sys.argv[1], sys.argv[2], temperature=1.0, max_new_tokens=40)
"""


@pytest.mark.slow
def test_killed_again_and_again(tmp_path, llama):
    environment = child_environment(__file__, OMP_NUM_THREADS="1")

    def start(out):
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen([sys.executable, "-c", CHILD, str(out), llama], env=environment, **silent)

    assert start(tmp_path / "calm.jsonl").wait(300) == 0
    partial = tmp_path / "out.jsonl.partial"
    for lines in (8, 40):
        child = start(tmp_path / "out.jsonl")
        while not partial.exists() or partial.read_bytes().count(b"\n") < lines:
            assert child.poll() is None
            time.sleep(0.001)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert not (tmp_path / "out.jsonl").exists()
    assert start(tmp_path / "out.jsonl").wait(300) == 0
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "calm.jsonl").read_bytes()
