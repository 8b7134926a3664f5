"""Rows as files, and what becomes of them, for the tests of imports."""

import csv
import io
import json

import pytest

from qdit.records import import_records

ROWS = [{"instruction": f"say {i} é", "input": "", "output": f"{i}\n\tx"} for i in range(20)]
BAD = {"instruction": "", "output": "x"}
WANT = [(row["instruction"], row["input"], row["output"]) for row in ROWS]  # what `texts` makes of them
HINT = "; mend it, or leave such rows out with skip_bad=True (--skip-bad)"


def lines(rows, **options):
    """Return rows as lines of JSON."""
    return "".join(json.dumps(row, **options) + "\n" for row in rows).encode()


def as_csv(rows, delimiter=","):
    """Return rows as a table of text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def write(path, content):
    """Write a file; return its path."""
    path.write_bytes(content)
    return path


def texts(records):
    """Return instruction, input and output of all records."""
    return [(row.instruction, row.input, row.output) for row in records.rows()]


def refuse(source, pool, text, kind=ValueError, **options):
    """Import a source, which must fail with this text and leave nothing."""
    with pytest.raises(kind) as caught:
        import_records(source, pool, **options)
    assert str(caught.value) == text
    assert not pool.exists()  # nothing is left
