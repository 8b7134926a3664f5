"""A table of results as Markdown, LaTeX or CSV."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .stats import Interval

Cell = str | int | float | Interval | None
_MISSING = "-"
_LATEX = {character: "\\" + character for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


@dataclass(frozen=True)
class Table:
    """Rows of cells under named columns.

    Attributes:
        columns: names.
        rows: as many cells each as there are columns: text, int, float, `Interval`, or None for none.
        caption: "" for none.
        digits: of floats after the point, in Markdown and LaTeX; CSV gets every digit.

    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""
    digits: int = 3

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"rows: row {number} has {len(row)} cells, wanted {len(self.columns)}")

    def markdown(self) -> str:
        """Return the caption and a pipe table; an interval is "mean [low, high]"."""
        marks = ["---:" if right else "---" for right in self._numeric()]
        lines = [self._line(self.columns), self._line(marks)]
        lines += [self._line([self._cell(value) for value in row]) for row in self.rows]
        return "\n".join(([self.caption, ""] if self.caption else []) + lines) + "\n"

    def latex(self) -> str:
        """Return a table environment that needs the package booktabs."""
        spec = "".join("r" if right else "l" for right in self._numeric())
        body = [" & ".join(_escape(self._cell(value)) for value in row) + r" \\" for row in self.rows]
        lines = [
            r"\begin{table}",
            r"\centering",
            *([rf"\caption{{{_escape(self.caption)}}}"] if self.caption else []),
            rf"\begin{{tabular}}{{{spec}}}",
            r"\toprule",
            " & ".join(map(_escape, self.columns)) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
        return "\n".join(lines) + "\n"

    def csv(self) -> str:
        """Return CSV without the caption; a column with intervals becomes three: x, "x low", "x high"."""
        spread = [any(isinstance(row[i], Interval) for row in self.rows) for i in range(len(self.columns))]
        names = []
        for name, wide in zip(self.columns, spread, strict=True):
            names += [name, f"{name} low", f"{name} high"] if wide else [name]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        for row in self.rows:
            cells: list[Cell] = []
            for value, wide in zip(row, spread, strict=True):
                cells += _spread(value) if wide else [_plain(value)]
            writer.writerow(cells)
        return text.getvalue()

    def _numeric(self) -> list[bool]:
        """Return which columns hold numbers only, so that they are set to the right."""
        kinds = (int, float, Interval, type(None))
        return [
            any(row[i] is not None for row in self.rows)
            and all(isinstance(row[i], kinds) for row in self.rows)
            for i in range(len(self.columns))
        ]

    @staticmethod
    def _line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"

    def _cell(self, value: Cell) -> str:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return _MISSING
        if isinstance(value, Interval):
            if math.isnan(value.mean):
                return _MISSING
            mean, low, high = (f"{x:.{self.digits}f}" for x in (value.mean, value.low, value.high))
            return f"{mean} [{low}, {high}]"
        if isinstance(value, float):
            return f"{value:.{self.digits}f}"
        return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _escape(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def _plain(value: Cell) -> Cell:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value


def _spread(value: Cell) -> list[Cell]:
    if isinstance(value, Interval):
        return [_plain(x) for x in (value.mean, value.low, value.high)]
    return [_plain(value), "", ""]
