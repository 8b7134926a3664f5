"""Variants of good sources, damaged or unusual: of bytes, values, names, types and encodings, made by a seed.

`make_variant(name, seed)` is the same whenever it is called; `PYTHONPATH=tests python -m helpers.mutation_run
NAME SEED` shows what becomes of it.
"""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from helpers.good_sources import COMPRESS, README, SOURCES, WRITE, Files, N, rows_of, saved, to_parquet

TEXTS = ["...", " ", "", "\u200b", "\0", "🙂", "é\r\nb", "<|im_end|>", "a\tb", "{x}", "\ud83d", "x" * 70_000]
ODD: list[Any] = [
    *(None, True, 0, -1.5, 10**30, 1e308, float("nan"), float("inf")),
    *([], {}, [None], [[]], [["a"]], [["a", "b"]], {"a": 1}, ["x", 1], "null", "[]"),
    *([{"role": None}], [{"role": 5, "content": "x"}], [{"from": "human"}]),
    *([{"role": "user", "content": [{"type": "text"}]}], [{"role": "user", "content": {"a": 1}}]),
    *({"role": "assistant", "content": "x"}, {"from": "gpt", "value": ""}, {"role": "tool", "content": "x"}),
]
NAMES = [
    *("messages", "conversations", "instruction", "output", "prompt", "completion", "text", "data"),
    *("system", "tools", "history", "id", "input", "role", "from", "content", "value"),
    *("", " x", "é", "a.b", "qdit_rank"),
]
WORDS = [  # put into bytes
    *(b"\0", b"\r", b"\n", b'"', b"{", b"}", b"[", b"]", b",", b"\xff", b"\xef\xbb\xbf", b"\\", b"\\u12"),
    *(b"NaN", b"-Infinity", b"1e9999", b"9" * 5000, b"[" * 5000, b'{"a":' * 300),
    *(b"null", b'"id": 1, ', b"\n\n", b"\\ud83d"),
]
SUFFIXES = ["json", "jsonl", "csv", "parquet", "txt", "zip", "JSONL", "jsonl.gz.gz", "arrow"]
OTHERS = [".hidden.jsonl", "_x.jsonl", "notes.txt", "x.zip", "sub/more.jsonl", "config.json"]  # files
ENCODINGS = ["utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig", "cp037"]


def make_variant(name: str, seed: int) -> Files:
    """Return the files of a variant of the source `name`; seed 0 is the source itself."""
    rng = random.Random(f"{name} {seed}")
    if name == "saved":
        found = dict(saved())
        return found if seed == 0 else _mutate_files(rng, found)
    parts = SOURCES[name]
    files = {}
    good: Files = {}
    one = rng.choice([i for i, (_, kind, _, _) in enumerate(parts) if kind])
    for i, (path, kind, suffix, packed) in enumerate(parts):
        if not kind:
            good[path] = README % (b"data/train-*" if name == "shards" else b"train/*.parquet")
            continue
        rows = json.loads(rows_of(kind, i))
        how = rng.random() if seed and i == one else 1.0
        data = WRITE[suffix](rows)
        good[path] = COMPRESS[packed](data)
        if how < 0.4:
            data = _mutate_rows(rng, rows, suffix)
        elif how < 0.55 and suffix == ".parquet":
            data = _retyped(rng, rows)
        elif how < 0.75:
            data = mutate_bytes(rng, data)
        elif how < 0.85 and suffix != ".parquet":
            data = _respelled(rng, data)
        files[path] = COMPRESS[packed](data)
        if seed and i == one and packed and rng.random() < 0.3:
            files[path] = mutate_bytes(rng, files[path])
    files = good | files
    return _mutate_files(rng, files) if seed and (files == good or rng.random() < 0.3) else files


def _mutate_rows(rng: random.Random, rows: list[Any], suffix: str) -> bytes:
    """Return rows with other values, fields and ids, written; the old ones where a table holds no others."""
    for _ in range(5):
        try:
            data = WRITE[suffix](_changed(rng, copy.deepcopy(rows)))
            break
        except Exception:
            data = WRITE[suffix](rows)
    if suffix.endswith(("json", "jsonl")) and rng.random() < 0.15:  # a key twice, a value nested deeply
        key = rng.choice([b'"output"', b'"value"', b'"content"', b'"instruction"', b'"prompt"'])
        deep = rng.choice([20, 150, 1200, 3000])
        before = rng.choice([key + b": 1, ", b'"x": ' + b"[" * deep + b"]" * deep + b", "])
        data = data.replace(key + b": ", before + key + b": ", 1)
    return data


def _changed(rng: random.Random, rows: list[Any]) -> list[Any]:
    if rng.random() < 0.15:  # ids, some of them twice
        for i, row in enumerate(rows):
            row["id"] = rng.choice([i, i, i, 7, str(i), None, "", "x y", 2**70, 1.5])
    if rng.random() < 0.15:  # one change for all of them
        change = copy.deepcopy(rng.choice([*ODD, *TEXTS]))
        key = rng.choice([*rows[0], *NAMES])
        rows = [row | {key: change} for row in rows]
    for _ in range(rng.choice([1, 1, 2, 4])):
        i = rng.randrange(len(rows))
        rows[i] = mutate_value(rng, rows[i])
    if rng.random() < 0.1:
        rows = rows * 30 if rng.random() < 0.5 else rows[: rng.choice([0, 1])]
    return rows


def mutate_value(rng: random.Random, value: Any) -> Any:
    """Return a value of JSON with one change at any depth."""
    odd = copy.deepcopy(rng.choice([*ODD, *TEXTS]))
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key, how = rng.choice(list(value)), rng.random()
        if how < 0.15:
            del value[key]
        elif how < 0.3:
            value[key] = odd
        elif how < 0.4:
            value[rng.choice(NAMES)] = odd
        elif how < 0.5:
            value[rng.choice(NAMES)] = value.pop(key)
        else:
            value[key] = mutate_value(rng, value[key])
        return value
    if isinstance(value, list) and value and rng.random() < 0.8:
        i, how = rng.randrange(len(value)), rng.random()
        if how < 0.15:
            del value[i]
        elif how < 0.3:
            value.insert(i, odd)
        elif how < 0.4:
            value.insert(i, copy.deepcopy(value[i]))
        elif how < 0.5:
            rng.shuffle(value)
        else:
            value[i] = mutate_value(rng, value[i])
        return value
    return odd


def mutate_bytes(rng: random.Random, data: bytes) -> bytes:
    """Return bytes some of which are others, gone, doubled, or between which there is something."""
    found = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5, 30])):
        if not found:
            break
        i = rng.randrange(len(found)) if rng.random() < 0.7 else max(0, len(found) - 1 - rng.randrange(300))
        how = rng.random()
        if how < 0.35:
            found[i] = rng.randrange(256)
        elif how < 0.5:
            del found[i : i + rng.choice([1, 1, 3, 50])]
        elif how < 0.75:
            found[i:i] = rng.choice(WORDS)
        elif how < 0.8:
            del found[i:]
        elif how < 0.9:
            found += found[i : i + 100]
        else:
            found[i:i] = found[max(0, i - 60) : i]
    return bytes(found)


def _respelled(rng: random.Random, data: bytes) -> bytes:
    """Return text in another encoding, or with other ends of lines."""
    if rng.random() < 0.5:
        return data.decode("utf-8", "replace").encode(rng.choice(ENCODINGS), "replace")
    return data.replace(b"\n", rng.choice([b"\r\n", b"\r", b"\n\n", b" \n", b"\n \t\n", b"\n\xe2\x80\xa8"]))


def _retyped(rng: random.Random, rows: list[Any]) -> bytes:
    """Return a Parquet file some of whose columns have other types, names or places."""
    import pyarrow as pa

    def shape(table: Any) -> Any:
        for i in sorted(rng.sample(range(table.num_columns), rng.choice([1, table.num_columns]))):
            column, name = table.column(i), table.column_names[i]
            kinds = [
                *(pa.large_string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int8(), pa.string())),
                *(pa.int8(), pa.decimal128(9, 2), pa.timestamp("ns"), pa.date32(), pa.float16(), pa.null()),
                *(pa.large_list(column.type), pa.struct([("a", column.type)]), pa.list_(pa.string())),
                pa.map_(pa.string(), column.type),
            ]
            if pa.types.is_list(column.type):
                kinds += [pa.large_list(column.type.value_type), pa.list_view(column.type.value_type)] * 4
            try:
                table = table.set_column(i, name, _cast(rng, column, rng.choice(kinds)))
            except (pa.ArrowException, TypeError, ValueError, AttributeError):
                continue
        if rng.random() < 0.3:
            names = list(table.column_names)
            names[rng.randrange(len(names))] = rng.choice([*NAMES, names[0]])
            table = table.rename_columns(names)
        if rng.random() < 0.3:
            table = table.select(rng.sample(table.column_names, rng.randrange(1, table.num_columns + 1)))
        return table.slice(0, rng.choice([0, 1, N, N, N, N]))

    packed = rng.choice(["snappy", "none", "zstd", "gzip"])
    options: dict[str, Any] = {"row_group_size": rng.choice([1, 5, 100]), "compression": packed}
    try:
        return to_parquet(rows, shape, **options, use_dictionary=rng.random() < 0.5)
    except (pa.ArrowException, KeyError, ValueError):  # Parquet does not hold it
        return to_parquet(rows, **options)


def _cast(rng: random.Random, column: Any, kind: Any) -> Any:
    import pyarrow as pa

    try:
        return column.cast(kind)
    except (pa.ArrowException, ValueError):
        values = column.to_pylist()
        if pa.types.is_struct(kind):
            return pa.array([{"a": value} for value in values], kind)
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            return pa.array([[value] for value in values], kind)
        if pa.types.is_map(kind):
            return pa.array([[("a", value)] for value in values], kind)
        return pa.array([rng.choice([None, 1, 2, 7]) for _ in values], kind)


def _mutate_files(rng: random.Random, files: Files) -> Files:
    """Return files with other names, damaged, gone, empty, packed once more, or among others."""
    files = dict(files)
    for _ in range(rng.choice([1, 1, 2])):
        path = rng.choice(list(files))
        data, how = files[path], rng.random()
        stem, dot, suffix = path.partition(".")
        packed = rng.choice([".gz", ".xz", ".bz2", ".zst"])
        if how < 0.2:
            files[path] = mutate_bytes(rng, data)
        elif how < 0.3:
            files[path] = COMPRESS[packed](data)
        elif how < 0.4:
            files[path + packed] = COMPRESS[packed](files.pop(path))
        elif how < 0.6:
            files[stem + "." + rng.choice([*SUFFIXES, suffix + ".gz"])] = files.pop(path)
        elif how < 0.7:
            files[stem + rng.choice(["-copy", " 2", "é", "-train", "-test", "\n"]) + dot + suffix] = data
        elif how < 0.8:
            files[rng.choice(OTHERS)] = data
        elif how < 0.9:
            files[path] = rng.choice([b"", b"\n", b"null", b"{}", b"[]", b"[{}]", b"\0" * 40, data * 2])
        elif len(files) > 1:
            del files[path]
    return files
