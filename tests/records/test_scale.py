"""Many rows and real rows: memory while they stream, and rows equal to those of the file."""

import gzip
import json
import subprocess
import sys

import pytest

from helpers.data_folder import data_folder
from qdit.records import import_records

ROWS, TEXT = 300_000, "a few words of an answer " * 20  # 160 MB

# Imports, then reads every row again; prints the high-water mark of each in MB.
MEASURE = """
import resource, sys
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
from qdit.records import import_records
if sys.argv[1].endswith(".parquet"):
    import pyarrow.parquet
start = peak()
records = import_records(sys.argv[1], sys.argv[2])
imported = peak()
count = sum(len(row.output) > 0 for row in records.rows())
print(start, imported, peak(), count)
"""


def rows():
    for i in range(ROWS):
        yield {"id": i, "instruction": f"say {i}", "input": "", "output": TEXT}


def as_lines(path):
    with path.open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows())


def as_array(path):
    with path.open("w") as file:
        file.write("[\n")
        for i, row in enumerate(rows()):
            file.write(("" if i == 0 else ",\n") + json.dumps(row, indent=2))
        file.write("\n]\n")


def as_parquet(path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    held = list(rows())
    table = pa.Table.from_pylist(held)
    pq.write_table(table, path, row_group_size=ROWS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "make", "most"),
    [("x.jsonl", as_lines, 60), ("x.json", as_array, 60), ("x.parquet", as_parquet, 300)],
)
def test_rows_are_never_in_memory_all_at_once(tmp_path, name, make, most):
    """The offsets and hashes of ids are 16 bytes a row; a mapped Arrow file counts while it is read."""
    path = tmp_path / name
    make(path)
    command = [sys.executable, "-c", MEASURE, str(path), str(tmp_path / "pool")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=True)
    start, imported, read, count = map(int, done.stdout.split())
    assert count == ROWS
    assert imported - start < (60 if name != "x.parquet" else 150)
    assert read - start < most


@pytest.mark.slow
@pytest.mark.real_data
def test_alpaca(tmp_path):
    path = data_folder() / "alpaca_data.json.gz"
    if not path.exists():
        pytest.skip(f"no alpaca_data.json.gz in {path.parent}: set QDIT_DATA to the folder that has it")
    records = import_records(path, tmp_path / "pool")
    with gzip.open(path) as file:
        want = json.load(file)
    assert len(records) == len(want) == 52_002
    assert list(records.values()) == want
    for line, row in zip(records.raws(), want, strict=True):  # the file spells its literals as json does
        assert line.decode() in (
            json.dumps(row, separators=(",", ":"), ensure_ascii=ascii_only) for ascii_only in (False, True)
        )
    assert [(row.instruction, row.input, row.output) for row in records.rows()] == [
        (row["instruction"], row["input"], row["output"]) for row in want
    ]
    lines = tmp_path / "again.jsonl"
    lines.write_bytes(b"".join(line + b"\n" for line in records.raws()))
    again = import_records(lines, tmp_path / "again")
    assert again.sha256 == records.sha256
