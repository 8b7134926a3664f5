"""A seeded instruction set of the project's own writing: uneven domains, near-duplicates, varied quality."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

from ..common import files
from ..common.types import JSON
from .texts import ARITHMETIC_SHARE, DOMAINS, FILLERS, OPENINGS, Domain

_SUMS = (("plus", "+"), ("minus", "-"), ("times", "*"))


def write_instructions(path: Path, n: int = 3_000, seed: int = 0) -> Path:
    """Write n rows as JSON Lines: id, instruction, input, output, domain, rating.

    rating, 0 to 5, is what a careful reader would give the answer: some are complete, some cut off or empty
    talk. The same arguments write the same bytes.
    """
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in _rows(n, seed))
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_atomic(path, (line.encode() for line in lines))
    return path


def _rows(n: int, seed: int) -> Iterator[JSON]:
    rng = random.Random(seed)
    shares = [ARITHMETIC_SHARE, *(domain.share for domain in DOMAINS)]
    for i in range(n):
        domain = rng.choices([None, *DOMAINS], shares)[0]
        row = _sum(rng) if domain is None else _task(domain, rng)
        yield {"id": f"demo-{i:05d}", **row}


def _task(domain: Domain, rng: random.Random) -> JSON:
    instruction, answer = rng.choice(domain.tasks)
    fill = {name: rng.choice(values) for name, values in domain.slots.items()}
    text = rng.choice(domain.inputs) if domain.inputs else ""
    rating, output = _worsened(answer.format(input=text, **fill), rng)
    return {
        "instruction": rng.choice(OPENINGS) + instruction.format(**fill),
        "input": text,
        "output": output,
        "domain": domain.name,
        "rating": rating,
    }


def _sum(rng: random.Random) -> JSON:
    word, sign = rng.choice(_SUMS)
    a, b = rng.randint(2, 99), rng.randint(2, 99)
    right = {"+": a + b, "-": a - b, "*": a * b}[sign]
    wrong = rng.random() < 0.15
    value = right + rng.choice((-10, -1, 1, 10)) if wrong else right
    asked = rng.choice((f"What is {a} {word} {b}?", f"Compute {a} {sign} {b}.", f"{a} {sign} {b} = ?"))
    steps = rng.random() < 0.3
    output = f"{a} {sign} {b} = {value}." if steps else str(value)
    rating = 0.5 if wrong else 3.5 if steps else 2.5
    return {
        "instruction": rng.choice(OPENINGS) + asked,
        "input": "",
        "output": output,
        "domain": "arithmetic",
        "rating": round(rating + rng.uniform(-0.3, 0.3), 2),
    }


def _worsened(answer: str, rng: random.Random) -> tuple[float, str]:
    """Return a rating and the answer as somebody of that diligence would have given it."""
    level = rng.choices((5, 4, 3, 2, 1), (2, 3, 3, 1.5, 0.5))[0]
    sentences = answer.split(". ")
    if level == 4:
        answer = ". ".join(sentences[:-1]).rstrip(".") + "."
    elif level == 3:
        answer = ". ".join(sentences[:2]).rstrip(".") + "."
    elif level == 2:
        answer = rng.choice(FILLERS) + " " + sentences[0].rstrip(".") + "."
    elif level == 1:
        answer = rng.choice((rng.choice(FILLERS), answer[: len(answer) // 6]))
    return round(min(5.0, max(0.0, level + rng.uniform(-0.4, 0.4))), 2), answer
