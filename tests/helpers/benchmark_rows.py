"""Small made-up benchmarks as local files, and a model for lm-eval whose answers are known."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

MMLU_DEV = [
    {
        "subject": subject,
        "question": f"{subject} example {i}?",
        "choices": [f"{i}0", f"{i}1", f"{i}2", f"{i}3"],
        "answer": "ABCDA"[i],
    }
    for subject in ("abstract_algebra", "virology")
    for i in range(5)
]
MMLU_TEST = [
    {
        "subject": "abstract_algebra",
        "question": "What is 1 + 1?",
        "choices": ["1", "2", "3", "4"],
        "answer": "B",
    },
    {"subject": "virology", "question": "Is it small?", "choices": ["no", "so", "yes", "maybe"], "answer": 2},
    {"subject": "virology", "question": "Is it big?", "choices": ["no", "so", "yes", "maybe"], "answer": "A"},
]
BBH = [
    *({"task": "navigate", "input": f"Turn {i}.\nOptions:\n- Yes\n- No", "target": "No"} for i in range(4)),
    *({"task": "word_sorting", "input": f"Sort: b{i} a", "target": f"a b{i}"} for i in range(5)),
]
DROP = [
    {"passage": f"Passage {i // 2}.", "question": f"How many in {i}?", "answers": [str(i), f"{i} "]}
    for i in range(12)
] + [{"passage": "Passage X.", "question": "Who?", "answers": ["Ann", "Bob"]}]


def write_benchmarks(folder: Path) -> Path:
    """Write all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("mmlu_dev", MMLU_DEV), ("mmlu_test", MMLU_TEST), ("drop", DROP)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with gzip.open(folder / "bbh.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in BBH)
    return folder


def scripted(answer: Callable[[str], str], *, max_length: int = 1 << 20):
    """Return a model that answers by a function of the prompt, and counts prompts in `.prompts`."""
    base = pytest.importorskip("lm_eval.api.model", reason="pip install 'qdit[eval]'")

    class Scripted(base.LM):
        tokenizer_name = "characters"

        def __init__(self):
            super().__init__()
            self.max_length = max_length
            self.prompts = []

        def tok_encode(self, text):
            return list(text)

        def generate_until(self, requests, disable_tqdm=False):
            found = []
            for request in requests:
                self.prompts.append(request.args[0])
                found.append(answer(request.args[0]))
                self.cache_hook.add_partial("generate_until", request.args, found[-1])
            return found

        def loglikelihood(self, requests, disable_tqdm=False):
            return [(-float(len(request.args[1])), False) for request in requests]

        def loglikelihood_rolling(self, requests, disable_tqdm=False):
            raise NotImplementedError

    return Scripted()
