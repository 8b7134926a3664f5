"""A small reward model that really learns: from pairs of a good answer and what was left of it."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qdit.demo.texts import DOMAINS, FILLERS
from qdit.records import Row
from qdit.scoring.reward import human_assistant

Pair = tuple[str, str]  # chosen and rejected, as texts


def demo_pairs(n: int, seed: int = 0) -> list[Pair]:
    """Return pairs made of the demo's texts: a whole answer, and empty talk or the beginning of it."""
    rng = random.Random(seed)
    tasks = [(task, domain.slots) for domain in DOMAINS for task in domain.tasks if not domain.inputs]
    pairs = []
    for _ in range(n):
        (instruction, answer), slots = rng.choice(tasks)
        fill = {name: rng.choice(values) for name, values in slots.items()}
        whole = answer.format(input="", **fill)
        worse = rng.choice((rng.choice(FILLERS), whole[: len(whole) // 6]))
        pairs.append(tuple(_text(instruction.format(**fill), said) for said in (whole, worse)))
    return pairs


def harmless_pairs(path: Path, n: int) -> list[Pair]:
    """Return the first n pairs of a file of Anthropic's HH data, one exchange or more each."""
    rows = [json.loads(line) for line in path.read_text().splitlines()[:n]]
    return [(row["chosen"], row["rejected"]) for row in rows]


def _text(instruction: str, answer: str) -> str:
    turns = (("user", instruction), ("assistant", answer))
    return human_assistant(Row(0, "", "", instruction, "", answer, turns))


def train_reward_model(folder: Path, pairs: Sequence[Pair], *, steps: int = 60, seed: int = 0) -> Path:
    """Train a two-layer Llama on pairs (Bradley and Terry's model) and save it."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForSequenceClassification

    from helpers.smollm import tiny_llama

    tokenizer = AutoTokenizer.from_pretrained(tiny_llama(folder / "base"))
    tokenizer.pad_token = "<pad>"
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=320,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=1024,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForSequenceClassification(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    rng = random.Random(seed)
    for _ in range(steps):
        batch = rng.sample(list(pairs), 8)
        rewards = _rewards(model, tokenizer, [text for pair in batch for text in pair]).view(-1, 2)
        loss = -torch.nn.functional.logsigmoid(rewards[:, 0] - rewards[:, 1]).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval().save_pretrained(folder / "reward")
    tokenizer.save_pretrained(folder / "reward")
    return folder / "reward"


def accuracy(folder: Path, pairs: Sequence[Pair]) -> float:
    """Return the share of pairs whose chosen answer has the larger reward."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        rewards = [_rewards(model, tokenizer, pair).tolist() for pair in pairs]
    return sum(chosen > rejected for chosen, rejected in rewards) / len(rewards)


def _rewards(model: Any, tokenizer: Any, texts: Sequence[str]) -> Any:
    batch = tokenizer(list(texts), return_tensors="pt", padding=True, truncation=True, max_length=700)
    return model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, 0]
