"""What the demo's instructions and answers are put together from: the file texts.yaml, read."""

from dataclasses import dataclass, field
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Domain:
    """Instructions of one kind.

    Attributes:
        name: what it is about.
        share: its part of the set, before they are scaled to 1.
        tasks: (instruction, answer) with slots in braces; answers have several sentences.
        slots: what slots are filled with.
        inputs: texts that stand beside the instruction, or none.

    """

    name: str
    share: float
    tasks: tuple[tuple[str, str], ...]
    slots: dict[str, tuple[str, ...]] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()


_FOUND = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
ARITHMETIC_SHARE: float = _FOUND["arithmetic_share"]
OPENINGS: tuple[str, ...] = tuple(_FOUND["openings"])
FILLERS: tuple[str, ...] = tuple(_FOUND["fillers"])
DOMAINS = tuple(
    Domain(
        found["name"],
        found["share"],
        tuple((task["instruction"], task["answer"]) for task in found["tasks"]),
        {name: tuple(values) for name, values in found.get("slots", {}).items()},
        tuple(found.get("inputs", ())),
    )
    for found in _FOUND["domains"]
)
