"""Good sources in every format and layout that is read, as bytes."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from helpers.trainer_layouts import LAYOUTS, SHAREGPT, WEATHER, openai_calls, said

Row = dict[str, Any]
Files = dict[str, bytes]  # path in the folder of a source -> what the file holds
N = 12


def _zstandard() -> Any:
    import zstandard

    return zstandard


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": lambda data: _zstandard().ZstdCompressor().compress(data),
}


def _alpaca(i: int) -> Row:
    return {
        "instruction": f"Say {i} é?",
        "input": f"in {i}" if i % 2 else "",
        "output": f"So, {i}.",
        "n": i / 2,
    }


def _tool_chat(i: int) -> Row:
    return {"id": f"c{i}", "messages": openai_calls(i, 1 + i % 2), "tools": json.dumps(WEATHER)}


def _text_chat(i: int) -> Row:
    turns = said(
        ("human", f"Where is {i}?"), ("gpt", "There."), ("human", "And?"), ("gpt", f"{i}."), **SHAREGPT
    )
    return {"id": i, "conversations": turns, "system": f"Be {i}."}


def _plain(i: int) -> Row:
    return {"prompt": f"What is {i} and {i + 1}?", "completion": f"Both: {i}.", "tag": ["a", "b"][i % 2]}


ROWS: dict[str, Callable[[int], Row]] = {
    "alpaca": _alpaca,
    "history": LAYOUTS["alpaca with system and history"].row,
    "sharegpt": _text_chat,
    "messages": LAYOUTS["messages"].row,
    "tools": _tool_chat,
    "turns": LAYOUTS["prompt of turns"].row,
    "prompt": _plain,
    "dolly": LAYOUTS["dolly"].row,
    "ultrachat": LAYOUTS["ultrachat"].row,
}


def _lines(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=i % 2 == 0) + "\n" for i, row in enumerate(rows)).encode(
        "utf-8", "surrogatepass"
    )


def _array(rows: list[Any]) -> bytes:
    return json.dumps(rows, indent=1).encode()


def _csv(rows: list[Any], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row))
    writer = csv.DictWriter(text, names, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for row in rows if isinstance(row, dict))
    return text.getvalue().encode("utf-8", "surrogatepass")


def _columns(rows: list[Any]) -> bytes:
    return json.dumps({name: [row.get(name) for row in rows] for name in rows[0]}).encode()


def to_parquet(rows: list[Any], shape: Callable[[Any], Any] = lambda table: table, **options: Any) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = io.BytesIO()
    pq.write_table(shape(pa.Table.from_pylist(rows)), found, **options)
    return found.getvalue()


WRITE: dict[str, Callable[..., bytes]] = {
    **{".jsonl": _lines, ".json": _array, ".csv": _csv, ".parquet": to_parquet},
    ".tsv": lambda rows: _csv(rows, "\t"),
    ".data.json": lambda rows: json.dumps({"data": rows, "version": 2}).encode(),
    ".columns.json": _columns,
    ".objects.json": lambda rows: "\n".join(json.dumps(row, indent=2) for row in rows).encode(),
}
# source -> its files: (path, rows, suffix that says how they are written, compression)
SOURCES: dict[str, list[tuple[str, str, str, str]]] = {
    "alpaca.jsonl": [("alpaca.jsonl", "alpaca", ".jsonl", "")],
    "array.json": [("array.json", "history", ".json", "")],
    "data.json": [("data.json", "sharegpt", ".data.json", "")],
    "columns.json": [("columns.json", "prompt", ".columns.json", "")],
    "objects.json": [("objects.json", "dolly", ".objects.json", "")],
    "rows.csv": [("rows.csv", "alpaca", ".csv", "")],
    "rows.tsv.bz2": [("rows.tsv.bz2", "prompt", ".tsv", ".bz2")],
    "chat.jsonl.gz": [("chat.jsonl.gz", "sharegpt", ".jsonl", ".gz")],
    "tools.jsonl.zst": [("tools.jsonl.zst", "tools", ".jsonl", ".zst")],
    "turns.json.xz": [("turns.json.xz", "turns", ".json", ".xz")],
    "table.parquet": [("table.parquet", "prompt", ".parquet", "")],
    "chat.parquet": [("chat.parquet", "messages", ".parquet", "")],
    "saved": [],  # by save_to_disk
    "shards": [
        ("data/train-00000-of-00003.jsonl", "ultrachat", ".jsonl", ""),
        ("data/train-00001-of-00003.jsonl.gz", "ultrachat", ".jsonl", ".gz"),
        ("data/train-00002-of-00003.jsonl", "ultrachat", ".jsonl", ""),
        ("data/test-00000-of-00001.jsonl", "ultrachat", ".jsonl", ""),
        ("README.md", "", "", ""),
    ],
    "parquet shards": [
        ("train/a.parquet", "history", ".parquet", ""),
        ("train/b.parquet", "history", ".parquet", ""),
        ("README.md", "", "", ""),
    ],
}
README = b"---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: %s\n---\nRows\n"


@cache
def rows_of(kind: str, part: int) -> str:
    return json.dumps([ROWS[kind](i) for i in range(part * N, part * N + N)])


@cache
def saved() -> Files:
    import datasets

    datasets.disable_progress_bars()
    rows = [ROWS["messages"](i) | {"id": i} for i in range(N)]
    with tempfile.TemporaryDirectory() as folder:
        datasets.Dataset.from_list(rows).save_to_disk(folder, num_shards=2)
        found = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
