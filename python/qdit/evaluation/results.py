"""Results of an evaluation in a file: named numbers of models, by set and category."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..common import files
from ..common.checks import check_choice
from ..common.identity import REPLACE, check_same
from ..common.options import Options
from ..common.text import file_name
from ..common.types import JSON, Floats
from ..common.versions import library_versions
from .sets import Groups
from .stats import Interval, mean_interval, tail_interval
from .tables import Table

FORMAT = "qdit-evaluation"
FORMAT_VERSION = 1
ROWS = "rows.jsonl"  # what each question got, beside a result
TAIL = 0.1  # the share of questions that is called worst, or best

Number = Interval | float | int | None


@dataclass(frozen=True)
class Value:
    """One number.

    Attributes:
        model: whose it is.
        metric: what it is.
        value: an interval, a plain number, or None for none.
        set: over which set; None for all.
        category: over which category of the set; None for all.
        against: the model it was compared with; None for none.

    """

    model: str
    metric: str
    value: Number
    set: str | None = None
    category: str | None = None
    against: str | None = None

    @property
    def title(self) -> str:
        """The metric, with the model it is against."""
        return self.metric if self.against is None else f"{self.metric} vs {self.against}"

    def json(self) -> JSON:
        """Return a JSON object."""
        value = self.value.json() if isinstance(self.value, Interval) else self.value
        return {**vars(self), "value": value}


def tails(
    values: Floats,
    metric: str,
    model: str,
    keys: Groups,
    *,
    larger_is_better: bool = True,
    **options: Any,
) -> Iterator[Value]:
    """Yield the mean and the means of the worst and the best tenth of values, for each group of questions.

    Categories, which are small, get their mean alone. keys: from `sets.groups`.
    options: those of `stats.Bootstrap`.
    """
    for (of_set, category), numbers in keys.items():
        found = values[np.asarray(numbers)]
        group = {"set": of_set, "category": category}
        yield Value(model, metric, mean_interval(found, **options), **group)
        if category is None:
            for name, lowest in (("worst", larger_is_better), ("best", not larger_is_better)):
                value = tail_interval(found, TAIL, lowest, **options)
                yield Value(model, f"{metric}, {name} 10%", value, **group)


def check_new(path: Path, settings: JSON, overwrite: bool) -> None:
    """Raise OtherRunError if a result of other settings is there and may not be replaced."""
    if path.exists() and not overwrite:
        then = files.read_json(path, FORMAT).get("settings")
        check_same(f"{path} was made otherwise", then, settings, REPLACE)


def write_rows(path: Path, rows: Iterable[JSON], **dumping: Any) -> str:
    """Write JSON Lines atomically and return the sha256 of the file; dumping: of `json.dumps`."""
    lines = (files.to_json(row, ensure_ascii=False, **dumping).encode() + b"\n" for row in rows)
    files.write_atomic(path, lines)
    return files.sha256_file(path)


def write_tables(folder: Path, name: str, tables: Mapping[str, Table]) -> None:
    """Write tables to <name>.md and <name>.tex, and each to <its own name>.csv."""
    text = {f"{file_name(one)}.csv": table.csv() for one, table in tables.items()}
    text[f"{name}.md"] = "\n".join(table.markdown() for table in tables.values())
    text[f"{name}.tex"] = "\n".join(table.latex() for table in tables.values())
    for path, content in text.items():
        files.write_atomic(folder / path, [content.encode()])


def write_result(
    path: Path,
    kind: str,
    settings: JSON,
    values: Iterable[Value],
    report: JSON,
    libraries: Sequence[str] = ("numpy",),
) -> JSON:
    """Write a result file atomically and return what it says; see `check_new`.

    settings: all that decides the numbers. report: counts, times, hashes of other files. libraries: packages
    whose versions matter.
    """
    result = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "settings": dict(settings),
        "values": [value.json() for value in values],
        **report,
        "versions": library_versions(libraries),
    }
    files.write_json(path, result)
    return result


def read_values(path: str | os.PathLike[str]) -> list[Value]:
    """Return the numbers of a result file, or of the only one in a folder.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if the file is damaged or no result of an evaluation.

    """
    found = Path(path)
    if found.is_dir():
        results = [one for one in sorted(found.glob("*.json")) if _is_result(one)]
        if len(results) != 1:
            raise ValueError(
                f"{found} holds {len(results)} results of evaluations, wanted one; name the file"
            )
        found = results[0]
    if not found.is_file():
        raise FileNotFoundError(f"results: no such file or folder: {found}")
    try:
        return [_value(one) for one in files.read_json(found, FORMAT)["values"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{found} is no result of an evaluation: {error}") from error


BY = ("all", "set", "category")
LAYOUTS = ("models", "metrics")


@dataclass(frozen=True, kw_only=True)
class TableOptions(Options):
    """Which numbers a table has, and how they stand in it.

    Attributes:
        by: The numbers over all questions, by set or by category.
        layout: A row for each of the models, or of the metrics.
        metrics: Which numbers, in this order; by default all.
        caption: Text above the table; CSV has none.
        digits: Digits after the point; CSV has all.

    """

    by: str = "all"
    layout: str = "models"
    metrics: Sequence[str] | None = None
    caption: str = ""
    digits: int = 3

    def _check(self) -> None:
        check_choice("by", self.by, BY)
        check_choice("layout", self.layout, LAYOUTS)


def value_table(values: Iterable[Value], **options: Any) -> Table:
    """Return numbers of several models, of any number of result files, side by side.

    options: those of `TableOptions`.

    Raises:
        ValueError: if two files have the same number of one model, or there is nothing to show.

    """
    given = TableOptions.of("value_table", options)
    by, metrics = given.by, given.metrics
    cells: dict[tuple[str, ...], dict[str, Number]] = {}
    for one in values:
        if ("all" if one.set is None else "set" if one.category is None else "category") != by:
            continue
        key = tuple(part for part in (one.set, one.category, one.model) if part is not None)
        row = cells.setdefault(key, {})
        if one.title in row:
            raise ValueError(
                f"results: {one.title!r} of model {one.model!r} is there twice; name models with NAME=FILE "
                "when they are evaluated"
            )
        row[one.title] = one.value
    names = list(dict.fromkeys(name for row in cells.values() for name in row))
    for name in metrics or ():
        check_choice("metrics", name, names)
    names = list(metrics or names)
    if not cells:
        raise ValueError(f"results: there are no numbers by {by!r}; pass another of {', '.join(BY)}")
    keys = {"all": ("model",), "set": ("set", "model"), "category": ("set", "category", "model")}[by]
    cells = {key: row for key, row in cells.items() if any(row.get(name) is not None for name in names)}
    if given.layout == "metrics":
        labels = [" / ".join(key) for key in cells]
        turned = [[name, *(row.get(name) for row in cells.values())] for name in names]
        return Table(("metric", *labels), turned, given.caption, given.digits)
    rows = [[*key, *(row.get(name) for name in names)] for key, row in cells.items()]
    return Table((*keys, *names), rows, given.caption, given.digits)


def _is_result(path: Path) -> bool:
    try:
        files.read_json(path, FORMAT)
    except ValueError:
        return False
    return True


def _value(one: JSON) -> Value:
    value = one["value"]
    if isinstance(value, Mapping):
        value = Interval.from_json(value)
    elif value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError(f"got value {value!r}, wanted a number, an interval or null")
    where = (one.get(name) for name in ("set", "category", "against"))
    return Value(str(one["model"]), str(one["metric"]), value, *where)
