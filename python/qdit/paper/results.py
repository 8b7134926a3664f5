"""What a figure or table leaves: numbers, a picture, and a record of what it was made of."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ..common import files
from ..common.types import StrPath
from ..common.versions import versions
from ..evaluation.tables import Table
from .published import PAPER

FORMAT = "qdit-paper"
FORMAT_VERSION = 1


@dataclass
class Result:
    """A figure or table.

    Attributes:
        name: such as "fig2"; files begin with it.
        title: one line.
        tables: tables by what follows the name in their file, "" for the main one.
        data: tables that are only written as CSV, likewise.
        pictures: PNG or SVG files by suffix, such as {".png": bytes}.
        inputs: hashes of what it was made of.
        options: what it was asked for.
        facts: other numbers.
        notes: what a reader must know: cells without a result, what was done where something was short.

    """

    name: str
    title: str
    tables: dict[str, Table] = field(default_factory=dict)
    data: dict[str, Table] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    inputs: Mapping[str, object] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def save(self, out: Path, start: float) -> list[Path]:
        """Write <name>.csv, .md, .tex, .png and, last, <name>.json; return the paths.

        start: perf_counter() when the work began.
        """
        out.mkdir(parents=True, exist_ok=True)
        contents: dict[str, bytes] = {}
        for suffix, table in (self.tables | self.data).items():
            contents[f"{self.name}{suffix}.csv"] = table.csv().encode()
        contents[f"{self.name}.md"] = self.markdown().encode()
        contents[f"{self.name}.tex"] = "\n".join(table.latex() for table in self.tables.values()).encode()
        contents |= {f"{self.name}{suffix}": content for suffix, content in self.pictures.items()}
        record = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "title": self.title,
            "paper": PAPER,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": time.perf_counter() - start,
            "inputs": dict(self.inputs),
            "options": dict(self.options),
            "facts": dict(self.facts),
            "notes": self.notes,
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
            "versions": versions(),
        }
        with files.new_files(out, f"{self.name}.json") as folder:
            for name, content in contents.items():
                files.write_atomic(folder / name, [content])
            files.write_json(folder / f"{self.name}.json", record)
        return [out / name for name in [*contents, f"{self.name}.json"]]

    def markdown(self) -> str:
        """Return title, tables and notes."""
        parts = [f"# {self.title}\n", *(table.markdown() for table in self.tables.values())]
        parts += [f"{note}\n" for note in self.notes]
        return "\n".join(parts)


def finish(result: Result, out: StrPath, start: float) -> None:
    """Save a result and print what it shows and where it is; start: perf_counter() when the work began."""
    paths = result.save(Path(out), start)
    print(result.markdown())
    print("saved  " + ", ".join(path.name for path in paths) + f" in {out}")
