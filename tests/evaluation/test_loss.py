"""Held-out loss of a real two-layer Llama, against one row at a time with labels made here."""

import json

import numpy as np
import pytest

from helpers.evaluation_files import question, read_jsonl, write_jsonl
from qdit.cli.evaluate import loss_command
from qdit.evaluation.results import read_values

torch = pytest.importorskip("torch", reason="needs torch: pip install 'qdit[score]'")
transformers = pytest.importorskip("transformers", reason="needs transformers: pip install 'qdit[score]'")

from helpers.tiny_models import LENGTH, make_language_model  # noqa: E402

N = 23
ALPACA = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the "
    "request.\n\n### Instruction:\n{}\n\n### Response:"
)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    torch.set_num_threads(2)
    folder = make_language_model(tmp_path_factory.mktemp("lm"))
    config = json.loads((folder / "config.json").read_text())
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    # room for Alpaca's prompt: rotary positions need no weights
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 512}))
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer | {"model_max_length": 512}))
    return folder


@pytest.fixture
def questions(tmp_path):
    rows = [vars(question(i)) for i in range(N)]
    rows[4] |= {"reference": None}
    return f"jsonl={write_jsonl(tmp_path / 'mine.jsonl', rows)}"


def evaluate(model, questions, out, **options):
    loss_command(str(model), questions, str(out), **({"batch_size": 4, "progress": False} | options))
    return json.loads((out / "loss.json").read_text()), read_jsonl(out / "rows.jsonl")


def alone(folder, pairs, longest=512):
    """Mean loss of the response's tokens, one row at a time: (prompt, response) as texts."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    losses = []
    for prompt, response in pairs:
        before = len(tokenizer(prompt)["input_ids"])
        ids = torch.tensor([tokenizer(prompt + response + tokenizer.eos_token)["input_ids"][:longest]])
        labels = ids.clone()
        labels[:, :before] = -100
        with torch.inference_mode():
            losses.append(model(input_ids=ids, labels=labels).loss.item())
    return np.array(losses)


def test_losses_are_those_of_each_reference_alone(tmp_path, model_folder, questions, capsys):
    result, rows = evaluate(model_folder, questions, tmp_path / "out", name="tiny")
    asked = [question(i) for i in range(N) if i != 4]
    want = alone(model_folder, [(ALPACA.format(one.instruction), one.reference) for one in asked])
    found = np.array([row["loss"] for row in rows])
    np.testing.assert_allclose(found, want, atol=1e-5)
    assert np.std(want) > 1e-3
    assert [row["id"] for row in rows] == [one.id for one in asked]
    values = {(one.set, one.category, one.metric): one.value for one in read_values(tmp_path / "out")}
    ordered = np.sort(found)
    for of_set in (None, "s"):
        assert values[of_set, None, "loss"].mean == pytest.approx(found.mean())
        assert values[of_set, None, "loss, worst 10%"].mean == pytest.approx(ordered[-3:].mean())  # of 22
        assert values[of_set, None, "loss, best 10%"].mean == pytest.approx(ordered[:3].mean())
    chosen = [i for i, one in enumerate(asked) if one.category == "c2"]
    assert values["s", "c2", "loss"].mean == pytest.approx(found[chosen].mean())
    assert values["s", "c2", "loss"].n == len(chosen)
    assert result["questions"]["without_reference"] == 1
    assert result["settings"]["model"]["name"] == "tiny"
    assert result["settings"]["model"]["template"] == "alpaca"
    assert "tiny: 22 references: 1 without a reference" in capsys.readouterr().out


def test_other_templates(tmp_path, model_folder, questions):
    _, rows = evaluate(model_folder, questions, tmp_path / "out", template="Q: {prompt}\nA: ")
    want = alone(model_folder, [(f"Q: {question(0).instruction}\nA: ", question(0).reference)])
    assert rows[0]["loss"] == pytest.approx(want[0], abs=1e-5)
    with pytest.raises(ValueError, match="has no chat template; pass 'alpaca' or a format string"):
        evaluate(model_folder, questions, tmp_path / "out", template="chat")


def test_chat_template(tmp_path, questions):
    folder = make_language_model(tmp_path / "chat", chat=True)
    _, rows = evaluate(folder, questions, tmp_path / "out", template="chat")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    asked = question(0)
    before = f"<s>[user] {asked.instruction}</s>[assistant] "
    ids = tokenizer(f"{before}{asked.reference}</s>", add_special_tokens=False, return_tensors="pt")[
        "input_ids"
    ]
    labels = ids.clone()
    labels[:, : len(tokenizer(before, add_special_tokens=False)["input_ids"])] = -100
    with torch.inference_mode():
        want = model(input_ids=ids, labels=labels).loss.item()
    assert ids.shape[1] <= LENGTH
    assert rows[0]["loss"] == pytest.approx(want, abs=1e-5)


def test_what_does_not_fit_is_null_and_counted(tmp_path, model_folder):
    rows = [vars(question(i)) for i in range(3)]
    rows[0] |= {"instruction": "Why? " * 600}
    rows[1] |= {"reference": "So. " * 600}
    path = write_jsonl(tmp_path / "mine.jsonl", rows)
    result, found = evaluate(model_folder, f"jsonl={path}", tmp_path / "out")
    assert found[0]["loss"] is None
    want = alone(model_folder, [(ALPACA.format(question(1).instruction), "So. " * 600)])
    assert found[1]["loss"] == pytest.approx(want[0], abs=1e-5)
    assert (result["questions"]["too_long"], result["truncated"]) == (1, 1)
    (overall,) = [
        one.value for one in read_values(tmp_path / "out") if one.set is None and one.metric == "loss"
    ]
    assert overall.n == 2
    assert overall.mean == pytest.approx((found[1]["loss"] + found[2]["loss"]) / 2)


def test_nothing_is_scored_twice(tmp_path, model_folder, questions, monkeypatch):
    from qdit.evaluation.loss import ReferenceLoss

    first, _ = evaluate(model_folder, questions, tmp_path / "out")
    monkeypatch.setattr(ReferenceLoss, "score_chunk", None)
    again, _ = evaluate(model_folder, questions, tmp_path / "out")
    assert {**first, "seconds": 0} == {**again, "seconds": 0}


def test_dry_run_and_errors(tmp_path, model_folder, questions, capsys):
    loss_command(str(model_folder), questions, str(tmp_path / "out"), name="m", dry_run=True)
    assert "m                 22 of 22 rows to score" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    path = write_jsonl(tmp_path / "none.jsonl", [vars(question(0, reference=False))])
    with pytest.raises(ValueError, match="none of the 1 has a reference answer"):
        evaluate(model_folder, f"jsonl={path}", tmp_path / "out")


@pytest.mark.filterwarnings(
    "ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"
)  # peft asks for it
def test_adapters(tmp_path, model_folder, questions):
    peft = pytest.importorskip("peft", reason="needs peft: pip install 'qdit[train]'")
    model = transformers.AutoModelForCausalLM.from_pretrained(model_folder)
    torch.manual_seed(0)
    lora = peft.LoraConfig(
        r=4, lora_alpha=64, target_modules=["o_proj"], init_lora_weights=False, task_type="CAUSAL_LM"
    )
    adapted = peft.get_peft_model(model, lora)
    adapted.save_pretrained(tmp_path / "adapter")
    _, plain = evaluate(model_folder, questions, tmp_path / "plain")
    _, found = evaluate(tmp_path / "adapter", questions, tmp_path / "adapted")
    adapted.merge_and_unload().save_pretrained(tmp_path / "merged")
    transformers.AutoTokenizer.from_pretrained(model_folder).save_pretrained(tmp_path / "merged")
    want = alone(tmp_path / "merged", [(ALPACA.format(question(0).instruction), question(0).reference)])
    assert found[0]["loss"] == pytest.approx(want[0], abs=1e-5)
    assert found[0]["loss"] != pytest.approx(plain[0]["loss"], abs=1e-3)
