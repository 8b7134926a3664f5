"""What is learnt of each row, token by token, against an independent version of Stanford Alpaca's code."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

import qdit
from helpers.export_pools import vectors, write_pool
from helpers.training_data import WORDS, alpaca_rows, stanford_alpaca, write_jsonl
from qdit.exporting import export
from qdit.records import Row, open_records

transformers = pytest.importorskip("transformers", reason="needs transformers: pip install 'qdit[train]'")
pytest.importorskip("datasets", reason="needs datasets: pip install 'qdit[train]'")

from helpers.smollm import smollm_dir, tiny_llama  # noqa: E402
from qdit.models.prompts import check_template  # noqa: E402
from qdit.training.data import open_data  # noqa: E402
from qdit.training.tokens import IGNORED, encode_chat, tokenize  # noqa: E402

LIMIT = 160


def grown_together():
    """A tokenizer whose tokens reach from the prompt's last colon into the answer, and that begins texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<s>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    lines = [f"### Response:{mark}{word} " for mark in ('"', "-", "(", ":") for word in WORDS]
    tokenizer.train_from_iterator(lines * 3, trainer)
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 0)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


@pytest.fixture(scope="module")
def tokenizer():
    return grown_together()


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    folder = tiny_llama(tmp_path_factory.mktemp("chat"), chat=True)
    return transformers.AutoTokenizer.from_pretrained(folder)


def made(data, tokenizer, template="alpaca", limit=LIMIT, **options):
    with open_data(data, **options) as rows:
        return tokenize(rows, len(rows), tokenizer, template, limit)


def pairs(tokens):
    """(ids, labels) of each row, as lists."""
    spans = zip(tokens.offsets[:-1], tokens.offsets[1:], strict=True)
    return [(tokens.ids[a:b].tolist(), tokens.labels[a:b].tolist()) for a, b in spans]


def assert_as_stanford(rows, tokenizer, tokens, limit):
    want = stanford_alpaca(rows, tokenizer, limit)
    learnable = [pair for pair in want if any(label != IGNORED for label in pair[1])]
    assert pairs(tokens) == learnable
    assert tokens.report["rows"] == len(rows)
    assert tokens.report["left_out"] == len(rows) - len(learnable)
    return want


def test_tokens_and_labels_are_those_of_stanford_alpaca(tmp_path, tokenizer):
    rows = alpaca_rows(120)
    tokens = made(write_jsonl(tmp_path / "rows.jsonl", rows), tokenizer)
    want = assert_as_stanford(rows, tokenizer, tokens, LIMIT)
    # the cases that matter are there: cut rows, and tokens that hold the end of the prompt and more
    assert 0 < tokens.report["cut"] < len(rows)
    prompts = [
        tokenizer.decode([a for a, b in zip(ids, labels, strict=True) if b == IGNORED])
        for ids, labels in want
    ]
    assert any(not text.endswith("Response:") for text in prompts)
    assert any(text.endswith("Response:") for text in prompts)


def test_the_end_is_learnt_unless_it_is_cut_off(tmp_path, tokenizer):
    rows = alpaca_rows(60)
    tokens = made(write_jsonl(tmp_path / "rows.jsonl", rows), tokenizer)
    ends = [labels[-1] == tokenizer.eos_token_id for _, labels in pairs(tokens)]
    assert sum(ends) == tokens.report["trained"] - (tokens.report["cut"] - tokens.report["left_out"])
    assert tokens.report["learnt"] == sum(label != IGNORED for _, labels in pairs(tokens) for label in labels)
    assert tokens.report["tokens"] == len(tokens.ids)


def test_rows_without_room_for_an_answer_are_left_out_and_named(tmp_path, tokenizer):
    rows = alpaca_rows(10)
    for i in (2, 7):
        rows[i]["instruction"] = "rivers " * 200
    tokens = made(write_jsonl(tmp_path / "rows.jsonl", rows), tokenizer, limit=400)
    assert_as_stanford(rows, tokenizer, tokens, 400)
    assert tokens.report["left_out_rows"] == [2, 7]
    with pytest.raises(ValueError, match=r"the prompts of all 10 rows fill max_length \(20 tokens\)"):
        made(tmp_path / "rows.jsonl", tokenizer, limit=20)


def test_an_end_token_in_the_text_is_no_end(tmp_path, tokenizer):
    row = {"instruction": "Say it.", "input": "", "output": "It ends with </s>"}
    (found,) = pairs(made(write_jsonl(tmp_path / "rows.jsonl", [row]), tokenizer))
    assert found == stanford_alpaca([row], tokenizer, LIMIT)[0]
    assert found[1][-2:] == [tokenizer.eos_token_id] * 2


def test_the_data_set_is_what_was_tokenized(tmp_path, tokenizer):
    tokens = made(write_jsonl(tmp_path / "rows.jsonl", alpaca_rows(30)), tokenizer)
    dataset = tokens.dataset()
    assert dataset.column_names == ["input_ids", "labels"]
    assert [(row["input_ids"], row["labels"]) for row in dataset] == pairs(tokens)


def test_prompts_that_are_written_out_are_taken_as_they_are(tmp_path, tokenizer):
    rows = alpaca_rows(20)
    x = vectors(len(rows))
    pool = write_pool(tmp_path, write_jsonl(tmp_path / "rows.jsonl", rows), x, None)
    chosen = qdit.select(str(pool / "embeddings.npy"), alpha=0, k=6, threads=1)
    chosen.save(tmp_path / "chosen")
    out = export(tmp_path / "chosen", tmp_path / "out", decisions="none")
    picked = [rows[i] for i in chosen.indices]
    want = pairs(made(write_jsonl(tmp_path / "picked.jsonl", picked), tokenizer, limit=500))
    assert want == stanford_alpaca(picked, tokenizer, 500)
    # of the export's own files, of the export, of the selection: the same rows in the same order
    for data in (out / "sft.jsonl", out / "data.jsonl", out, tmp_path / "chosen"):
        assert pairs(made(data, tokenizer, limit=500)) == want
    assert pairs(made(pool, tokenizer, limit=500)) == stanford_alpaca(rows, tokenizer, 500)
    assert pairs(made(tmp_path / "chosen", tokenizer, limit=500, pool=pool)) == want
    assert pairs(made(picked, tokenizer, limit=500)) == want


def test_prompts_of_turns_are_chats(tmp_path, chat):
    turns = [{"role": role, "content": text} for role, text in TURNS[:2]]
    data = write_jsonl(tmp_path / "rows.jsonl", [{"prompt": turns[:1], "completion": turns[1:]}])
    row = {"instruction": TURNS[0][1], "input": "", "output": TURNS[1][1]}
    assert pairs(made(data, chat, limit=500)) == stanford_alpaca([row], chat, 500)


def test_answers_in_a_prompt_of_turns_are_not_learnt(tmp_path, chat):
    turns = [{"role": role, "content": text} for role, text in TURNS]
    rows = [{"prompt": turns[:-1], "completion": turns[-1:]}, {"messages": turns}]
    learnt = []
    for i, row in enumerate(rows):
        ((ids, labels),) = pairs(made(write_jsonl(tmp_path / f"{i}.jsonl", [row]), chat, "chat", 500))
        kept = [one for one, label in zip(ids, labels, strict=True) if label != IGNORED]
        learnt.append(chat.decode(kept).split("</s>")[:-1])
    assert [text.strip() for text in learnt[0]] == [TURNS[-1][1]]
    assert [text.strip() for text in learnt[1]] == [text for role, text in TURNS if role == "assistant"]


def test_the_origin_of_the_rows(tmp_path):
    rows = alpaca_rows(5)
    with open_data(write_jsonl(tmp_path / "rows.jsonl", rows)) as data:
        assert data.origin["kind"] == "file"
        assert len(data.origin["sha256"]) == 64
    with open_data(rows) as data:
        assert data.origin["kind"] == "memory"
        assert len(data) == 5
    with (
        pytest.raises(FileNotFoundError, match="nope does not exist; pass a file, a selection"),
        open_data(tmp_path / "nope"),
    ):
        pass


def test_format_strings(tmp_path, tokenizer):
    rows = alpaca_rows(4)
    tokens = made(write_jsonl(tmp_path / "rows.jsonl", rows), tokenizer, "Q: {prompt}\nA:")
    ids, labels = pairs(tokens)[0]
    asked = tokenizer(f"Q: {rows[0]['instruction']}\n\n{rows[0]['input']}\nA:")["input_ids"]
    assert ids[: len(asked)] == asked
    assert labels == [IGNORED] * len(asked) + ids[len(asked) :]


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ("alpacca", "got 'alpacca', wanted 'alpaca', 'chat' or a format string"),
        ("{question}", "got field 'question'"),
        ("{instruction} {output}", r"wanted a prompt without \{output\}"),
    ],
)
def test_wrong_templates(template, error):
    with pytest.raises(ValueError, match=error):
        check_template(template)


TURNS = (
    ("user", "What do bees eat?"),
    ("assistant", "Nectar and pollen."),
    ("user", "And bread?"),
    ("assistant", "No. [assistant] they do not!"),
)


def test_every_answer_of_a_chat_is_learnt(chat):
    row = Row(0, "a", "s", TURNS[0][1], "", TURNS[1][1], TURNS)
    example = encode_chat(chat, row, 500)
    want = "".join(f"[{role}] {text}</s>" for role, text in TURNS)
    assert chat.decode(example.ids) == "<s>" + want
    learnt = [i for i, label in enumerate(example.labels) if label != IGNORED]
    assert [example.labels[i] for i in learnt] == [example.ids[i] for i in learnt]
    runs = np.split(learnt, np.flatnonzero(np.diff(learnt) > 1) + 1)
    assert [chat.decode([example.ids[i] for i in run]) for run in runs] == [
        "Nectar and pollen.</s>",
        "No. [assistant] they do not!</s>",
    ]
    assert encode_chat(chat, row, 20).ids == example.ids[:20]
    assert encode_chat(chat, row, 20).cut


def test_chats_with_another_template_give_their_first_exchange(tmp_path, chat):
    messages = [{"role": role, "content": text} for role, text in TURNS]
    data = write_jsonl(tmp_path / "chats.jsonl", [{"messages": messages}, {"messages": messages[:2]}])
    tokens = made(data, chat, limit=500)
    row = {"instruction": TURNS[0][1], "input": "", "output": TURNS[1][1]}
    assert pairs(tokens) == stanford_alpaca([row, row], chat, 500)
    assert tokens.report["first_exchange_only"] == 1
    assert made(data, chat, "chat", 500).report["first_exchange_only"] == 0


def test_templates_that_rewrite_earlier_turns_are_refused(chat):
    row = Row(3, "a", "s", TURNS[0][1], "", TURNS[1][1], TURNS)
    before = chat.chat_template
    chat.chat_template = "{% for m in messages %}{{ loop.length }}{{ m['content'] }}{% endfor %}"
    try:
        with pytest.raises(ValueError, match="row 3: the chat template does not write turn 1 in the same"):
            encode_chat(chat, row, 500)
    finally:
        chat.chat_template = before


@pytest.mark.slow
def test_a_real_tokenizer(tmp_path):
    tokenizer = transformers.AutoTokenizer.from_pretrained(smollm_dir())
    rows = alpaca_rows(300)
    for limit in (512, 60):
        tokens = made(write_jsonl(tmp_path / "rows.jsonl", rows), tokenizer, limit=limit)
        assert_as_stanford(rows, tokenizer, tokens, limit)


@pytest.mark.slow
@pytest.mark.real_data
def test_real_alpaca_rows(tmp_path):
    file = Path(os.environ.get("QDIT_DATA", ".")) / "alpaca_data.json.gz"
    if not file.is_file():
        pytest.skip("QDIT_DATA names no folder with alpaca_data.json.gz")
    rows = json.loads(gzip.decompress(file.read_bytes()))[::13]
    qdit.import_records(rows, tmp_path / "pool").close()
    with open_records(tmp_path / "pool") as records:
        assert len(records) == len(rows)
    tokenizer = transformers.AutoTokenizer.from_pretrained(smollm_dir())
    tokens = made(tmp_path / "pool", tokenizer, limit=512)
    assert_as_stanford(rows, tokenizer, tokens, 512)
