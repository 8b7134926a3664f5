"""Chats as trainers get them, from their tokens; runs without qdit, in the environments of trainers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

END, CALLS = "</s>", "<|calls|>"
TEMPLATE = (
    "{% if tools %}<|tools|>{{ tools | tojson }}</s>{% endif %}"
    "{% for message in messages %}<|{{ message['role'] }}|>"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] }}"
    "{% if message['tool_calls'] %}<|calls|>{{ message['tool_calls'] | tojson }}{% endif %}</s>"
    "{% endgeneration %}"
    "{% else %}{{ message['content'] }}</s>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def byte_tokenizer(*, generation: bool):
    """Return a tokenizer with a token for each byte, and a chat template; generation: which marks answers."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    template = TEMPLATE
    if not generation:
        for tag in ("{% generation %}", "{% endgeneration %}"):
            template = template.replace(tag, "")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token="<pad>",
        chat_template=template,
        model_max_length=100_000,
    )


def turns_of(tokenizer, ids: list[int], labels: list[int]) -> list[list]:
    """Return [role, text, calls, whether it is learnt] of every turn; a text without roles is one of each."""
    end = tokenizer.eos_token_id
    turns, start = [], 0
    for stop in [i for i, token in enumerate(ids) if token == end]:
        learnt = [i for i in range(start, stop) if labels[i] != -100]
        text = tokenizer.decode(ids[start:stop])
        if not text.startswith("<|"):
            cut = learnt[0] if learnt else stop
            turns.append(["user", tokenizer.decode(ids[start:cut]), [], False])
            turns.append(["assistant", tokenizer.decode(ids[cut:stop]), [], bool(learnt)])
        else:
            role, text = text[2:].split("|>", 1)
            text, _, calls = text.partition(CALLS)
            turns.append([role, text, calls_of(json.loads(calls or "[]")), bool(learnt)])
        start = stop + 1
    return turns


def calls_of(calls: list[dict]) -> list[list]:
    """Return [name, arguments] of calls in OpenAI's form or LLaMA-Factory's."""
    functions = [call.get("function", call) for call in calls]
    return [[function["name"], function["arguments"]] for function in functions]


def print_rows(read: Callable[[str], list]) -> None:
    """Print what `read` returns of each folder that is given, or the trainer's error, as a line of JSON."""
    for folder in sys.argv[1:]:
        try:
            found = {"rows": read(folder)}
        except Exception as error:  # for the test to show
            found = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(found))
