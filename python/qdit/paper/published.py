"""Numbers that the paper reports, each with the version that reports it and where it was read: published.csv.

Versions 1 (2023, Bukharin & Zhao) and 3 (2024, Bukharin et al., also Findings of EMNLP 2024) report other
numbers, so each stands there with its version, and versions are never mixed. Only numbers that were read in a
source are there: most cells of the paper's tables are not.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from ..evaluation.tables import Table

PAPER = "Bukharin & Zhao, Data Diversity Matters for Robust Instruction Tuning, arXiv 2311.14736"


@dataclass(frozen=True)
class Published:
    """One number of the paper.

    Attributes:
        beside: our figure or table that it stands beside.
        version: 1 or 3.
        where: table, figure or section.
        what: of which run.
        value: as printed.
        source: what it was read in.

    """

    beside: str
    version: str
    where: str
    what: str
    value: str
    source: str


def published(beside: str) -> list[Published]:
    """Return the numbers that stand beside a figure or table of ours, such as "table1"."""
    with Path(__file__).with_suffix(".csv").open(newline="", encoding="utf-8") as file:
        return [found for row in csv.DictReader(file) if (found := Published(**row)).beside == beside]


def published_table(beside: str) -> Table:
    """Return them as a table."""
    return Table(
        ["version", "where", "what", "paper", "read in"],
        [[f"v{one.version}", one.where, one.what, one.value, one.source] for one in published(beside)],
        "What the paper reports (versions differ and are not to be mixed; only numbers read in a source)",
    )
