"""Blocks that LLaMA-Factory, axolotl and trl read, for the format of the chosen rows."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..records import Records
from ..records.formats import Layout
from ..records.templates import ALPACA_WITH_INPUT, ALPACA_WITHOUT_INPUT, alpaca_prompt
from ..selection.selection import Selection
from .writers import FORMATS

LLAMA_FACTORY, AXOLOTL, TRL = "dataset_info.json", "axolotl.yaml", "trl-sft.yaml"
PLAIN = "sft.jsonl"  # the rows in a form that trl reads, where their own is none
DATA_FIELDS = {"jsonl": "json", "json": "json", "parquet": "parquet"}  # qdit's format -> a datasets builder


@dataclass(frozen=True)
class Shape:
    """How trainers read the exported rows.

    Attributes:
        kind: "alpaca", "sharegpt", "messages" or "prompt".
        columns: field -> column of that kind.
        file: the file with rows of this kind.
        plain: whether that file is `PLAIN`, which is added where the rows' own form is none of these.

    """

    kind: str
    columns: Mapping[str, str]
    file: str
    plain: bool = False


def shapes(records: Records, selection: Selection, formats: list[str]) -> tuple[Shape, Shape]:
    """Return how LLaMA-Factory and axolotl read the rows, and how trl does."""
    own = _own_shape(records, selection, formats)
    plain = Shape("prompt" if _alpaca_like(records) else "messages", {}, PLAIN, plain=True)
    if own is None:
        return plain, plain
    return own, own if own.kind in ("messages", "prompt") and not _renamed(own) else plain


def _own_shape(records: Records, selection: Selection, formats: list[str]) -> Shape | None:
    files = [FORMATS[name] for name in formats if name in DATA_FIELDS]
    layouts = [part.layout for part in records.parts]
    if not files or any(layout != layouts[0] for layout in layouts):
        return None
    layout = layouts[0]
    kind = {"dolly": "alpaca"}.get(layout.format, layout.format)
    if kind in ("alpaca", "sharegpt") or (
        kind in ("messages", "prompt") and all(_plain(records.value(i), layout) for i in selection.indices)
    ):
        return Shape(kind, layout.columns, files[0])
    return None


def _plain(value: Mapping[str, Any], layout: Layout) -> bool:
    """Return whether a row's own names for roles and texts are the standard ones."""
    if layout.format == "prompt":
        return all(isinstance(value[layout.columns[field]], str) for field in _FIELDS["prompt"])
    turns = value[layout.columns["messages"]]
    return all(turn.get("role") in ("system", "user", "assistant") and "from" not in turn for turn in turns)


def _renamed(shape: Shape) -> bool:
    return any(field != column for field, column in shape.columns.items())


def _alpaca_like(records: Records) -> bool:
    return all(part.layout.format in ("alpaca", "dolly", "prompt") for part in records.parts)


def plain_lines(records: Records, selection: Selection) -> Iterator[bytes]:
    """Yield the chosen rows as lines that trl reads.

    Instruction rows become {"prompt", "completion"} with Stanford Alpaca's prompt, chats {"messages"}.
    """
    instructions = _alpaca_like(records)
    for i in selection.indices.tolist():
        row = records.row(i)
        value: dict[str, Any]
        if instructions:
            value = {"prompt": alpaca_prompt(row), "completion": row.output}
        else:
            value = {"messages": [{"role": role, "content": text} for role, text in row.turns]}
        yield json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def llama_factory(name: str, shape: Shape) -> str:
    """Return dataset_info.json with one entry; dataset_dir is the folder of the export."""
    entry: dict[str, Any] = {"file_name": shape.file}
    column = {field: shape.columns.get(field, field) for field in _FIELDS[shape.kind]}
    if shape.kind == "alpaca":
        entry["columns"] = {
            "prompt": column["instruction"],
            "query": column["input"],
            "response": column["output"],
        }
    elif shape.kind == "prompt":
        entry["columns"] = {"prompt": column["prompt"], "response": column["completion"]}
    else:
        (messages,) = column.values()
        tags = {f"{name}_tag": word for name, word in _WORDS[shape.kind].items()}
        entry |= {"formatting": "sharegpt", "columns": {"messages": messages}, "tags": tags}
    return json.dumps({name: entry}, indent=2) + "\n"


def axolotl(shape: Shape) -> str:
    """Return the `datasets` block of an axolotl config; paths are relative to the export."""
    builder = "parquet" if shape.file.endswith(".parquet") else "json"
    lines = ["datasets:", f"  - path: {shape.file}", f"    ds_type: {builder}"]
    column = {field: json.dumps(shape.columns.get(field, field)) for field in _FIELDS[shape.kind]}
    if shape.kind == "alpaca":
        if _renamed(shape):
            lines += [
                "    type:",
                *(f"      field_{field}: {column[field]}" for field in ("instruction", "input", "output")),
                f"      format: {json.dumps(ALPACA_WITH_INPUT)}",
                f"      no_input_format: {json.dumps(ALPACA_WITHOUT_INPUT)}",
            ]
        else:
            lines.append("    type: alpaca")
    elif shape.kind == "prompt":
        lines += [
            "    type:",
            f"      field_instruction: {column['prompt']}",
            f"      field_output: {column['completion']}",
            '      format: "{instruction}"',
            '      no_input_format: "{instruction}"',
        ]
    elif shape.kind == "sharegpt":
        lines += [
            "    type: chat_template",
            f"    field_messages: {column['conversations']}",
            "    message_property_mappings:",
            "      role: from",
            "      content: value",
            "    roles:",
            "      user: [human, user]",
            "      assistant: [gpt, assistant]",
            "      system: [system]",
        ]
    else:
        lines += ["    type: chat_template", f"    field_messages: {column['messages']}"]
    return "\n".join(lines) + "\n"


def trl(shape: Shape) -> str:
    """Return a config for `trl sft --config`, run in the folder of the export."""
    builder = "parquet" if shape.file.endswith(".parquet") else "json"
    loss = "completion_only_loss: true" if shape.kind == "prompt" else "assistant_only_loss: true"
    note = "" if shape.kind == "prompt" else "  # needs a chat template with {% generation %}; else false"
    return "\n".join(
        [
            "# run in this folder: trl sft --config trl-sft.yaml --model_name_or_path MODEL",
            "datasets:",
            f"  - path: {builder}",
            f"    data_files: {shape.file}",
            f"{loss}{note}",
            "# the training of Bukharin & Zhao (arXiv 2311.14736): 3 epochs, batches of 128 in all",
            "learning_rate: 2.0e-5",
            "num_train_epochs: 3",
            "per_device_train_batch_size: 4",
            "gradient_accumulation_steps: 32  # 128 / (4 * number of devices)",
            "lr_scheduler_type: cosine",
            "warmup_steps: 0.03",
            "max_length: 512",
            "output_dir: sft-out",
            "",
        ]
    )


def write_texts(directory: Path, name: str, shapes: tuple[Shape, Shape]) -> dict[Path, str]:
    """Return the files of all blocks and what is in them."""
    own, for_trl = shapes
    return {
        directory / LLAMA_FACTORY: llama_factory(name, own),
        directory / AXOLOTL: axolotl(own),
        directory / TRL: trl(for_trl),
    }


_WORDS = {
    "sharegpt": {"role": "from", "content": "value", "user": "human", "assistant": "gpt", "system": "system"},
    "messages": {
        **{"role": "role", "content": "content"},
        **{"user": "user", "assistant": "assistant", "system": "system"},
    },
}
_FIELDS = {
    "alpaca": ("instruction", "input", "output"),
    "prompt": ("prompt", "completion"),
    "sharegpt": ("conversations",),
    "messages": ("messages",),
}
