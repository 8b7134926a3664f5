"""Rows to train on, and Stanford Alpaca's way to make tokens of them, written anew from its description."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HEAD = "Below is an instruction that describes a task"
TAIL = "Write a response that appropriately completes the request."
WORDS = ("rivers", "bread", "prime numbers", "bees", "tax law", "rust", "tides", "chess")
STARTS = ("", '"', "-", "\n", " ", "(", ":", "É")  # some of them grow together with the prompt's last colon


def alpaca_rows(n: int) -> list[dict[str, Any]]:
    """Return rows with and without input, with answers of many lengths and beginnings."""
    rows = []
    for i in range(n):
        answer = STARTS[i % len(STARTS)] + " ".join(WORDS[(i * j + j) % len(WORDS)] for j in range(i % 13))
        about = WORDS[i % len(WORDS)]
        rows.append(
            {
                "instruction": f"Explain {about} in {i} words.",
                "input": f"For {{class}} {i}." if i % 3 == 0 else "",
                "output": answer,
            }
        )
    return rows


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows, one a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def stanford_alpaca(rows: list[dict[str, Any]], tokenizer: Any, limit: int) -> list[tuple[list, list]]:
    """Return (input_ids, labels) of each row.

    What tatsu-lab/stanford_alpaca does before it trains: the prompt is tokenized alone and with the answer
    and the end token behind it, both cut at the limit; labels are the tokens of the latter, with -100 in
    place of as many as the former has.
    """
    made = []
    for row in rows:
        if row.get("input", "") != "":
            prompt = (
                f"{HEAD}, paired with an input that provides further context. {TAIL}\n\n"
                f"### Instruction:\n{row['instruction']}\n\n### Input:\n{row['input']}\n\n### Response:"
            )
        else:
            prompt = f"{HEAD}. {TAIL}\n\n### Instruction:\n{row['instruction']}\n\n### Response:"
        whole = prompt + row["output"] + tokenizer.eos_token
        cut = {"truncation": True, "max_length": limit}
        ids = tokenizer(whole, **cut)["input_ids"]
        masked = len(tokenizer(prompt, **cut)["input_ids"])
        made.append((ids, [-100] * masked + ids[masked:]))
    return made
