"""How LLaMA-Factory, axolotl and trl read an export, stated anew and shortly: settings and rows to turns.

Each reader returns, for every row, [role, text, calls, whether it is learnt] of its turns, or None where it
drops the row. What only tokens tell (cut rows, refusals of a chat template) is left out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from helpers.told_turns import calls_of

Turn = list[Any]


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return rows as a table has them: every row with every column."""
    if path.suffix == ".parquet":
        import pyarrow.parquet

        return pyarrow.parquet.read_table(path).to_pylist()
    text = path.read_text()
    rows = (
        json.loads(text)
        if path.suffix == ".json"
        else [json.loads(line) for line in text.split("\n") if line]
    )
    names = {name for row in rows for name in row}
    return [{name: row.get(name) for name in names} for row in rows]


def llama_factory(folder: Path) -> list[list[Turn] | None]:
    """By data/parser.py, data/converter.py and data/processor/supervised.py."""
    (entry,) = json.loads((folder / "dataset_info.json").read_text()).values()
    read = _llama_sharegpt if entry.get("formatting") == "sharegpt" else _llama_alpaca
    return [read(row, entry) for row in rows_of(folder / entry["file_name"])]


def _llama_alpaca(row: dict[str, Any], entry: dict[str, Any]) -> list[Turn] | None:
    columns = entry["columns"]
    turns = [["system", row[columns["system"]], [], False]] if "system" in columns else []
    for asked, answered in (row[columns["history"]] or []) if "history" in columns else []:
        turns += [["user", asked, [], False], ["assistant", answered, [], True]]
    parts = [row[columns[name]] for name in ("prompt", "query") if name in columns]
    turns.append(["user", "\n".join(filter(None, parts)), [], False])
    return [turn for turn in turns if turn[1]] + [["assistant", row[columns["response"]], [], True]]


def _llama_sharegpt(row: dict[str, Any], entry: dict[str, Any]) -> list[Turn] | None:
    columns, tags = entry["columns"], entry["tags"]
    who, what = tags["role_tag"], tags["content_tag"]
    roles = {tags.get(f"{name}_tag"): name for name in ("user", "assistant", "observation", "function")}
    given = row[columns["messages"]]
    system = row[columns["system"]] if "system" in columns else None
    if given[0][who] == tags["system_tag"]:
        system, given = given[0][what], given[1:]
    turns = (
        [["tools", row[columns["tools"]], [], False]] if "tools" in columns and row[columns["tools"]] else []
    )
    turns += [["system", system, [], False]] if system else []
    for i, turn in enumerate(given):
        role = roles.get(turn[who])
        if role not in (("user", "observation"), ("assistant", "function"))[i % 2]:
            return None
        text, calls = turn[what], []
        if role == "function":
            text, _, marked = text.rpartition("<tool_call>")
            found = json.loads(marked.removesuffix("</tool_call>"))
            calls = calls_of(found if isinstance(found, list) else [found])
        named = {"observation": "tool", "function": "assistant"}.get(role, role)
        turns.append([named, text, calls, named == "assistant"])
    return turns if len(given) % 2 == 0 else None


def axolotl(folder: Path) -> list[list[Turn] | None]:
    """By prompt_strategies/chat_template.py, user_defined.py, alpaca_w_system.py and prompt_tokenizers.py."""
    (entry,) = yaml.safe_load((folder / "axolotl.yaml").read_text())["datasets"]
    chat = entry["type"] == "chat_template"
    read = [
        _axolotl_chat(row, entry) if chat else _axolotl_text(row, entry["type"])
        for row in rows_of(folder / entry["path"])
    ]
    return [
        turns if any(learnt and (text or calls) for _, text, calls, learnt in turns) else None
        for turns in read
    ]


def _axolotl_text(row: dict[str, Any], kind: Any) -> list[Turn]:
    names = kind if isinstance(kind, dict) else {}
    field = {name: names.get(f"field_{name}", name) for name in ("instruction", "input", "output", "system")}
    asked = {name: row[field[name]] for name in ("instruction", "input") if field[name] in row}
    written = names.get("format" if asked.get("input") else "no_input_format", "{instruction}\n{input}")
    text = written.format(instruction=asked["instruction"], input=asked.get("input") or "")
    if isinstance(kind, dict) and row.get(field["system"]):
        text = row[field["system"]] + text
    return [["user", text, [], False], ["assistant", row[field["output"]], [], True]]


def _axolotl_chat(row: dict[str, Any], entry: dict[str, Any]) -> list[Turn]:
    keys = entry.get("message_property_mappings", {"role": "role", "content": "content"})
    usual = {
        "user": ["human", "user"],
        "assistant": ["gpt", "assistant"],
        "system": ["system"],
        "tool": ["tool"],
    }
    roles = {name: role for role, names in entry.get("roles", usual).items() for name in names}
    given = row[entry["field_messages"]]
    tools = row.get("tools")
    turns = [["tools", tools if isinstance(tools, str) else json.dumps(tools), [], False]] if tools else []
    if roles.get(given[0][keys["role"]]) != "system" and row.get("system") is not None:
        turns.append(["system", row["system"], [], False])
    for turn in given:
        role = roles.get(turn[keys["role"]], turn[keys["role"]])
        learnt = turn.get(entry.get("message_field_training"))
        learnt = role == "assistant" if learnt is None else learnt
        turns.append([role, turn[keys["content"]], calls_of(turn.get("tool_calls") or []), learnt])
    return turns


def trl(folder: Path) -> list[list[Turn] | None]:
    """By trainer/sft_trainer.py (_prepare_dataset) and scripts/utils.py (get_dataset)."""
    config = yaml.safe_load((folder / "trl-sft.yaml").read_text())
    (entry,) = config["datasets"]
    rows = rows_of(folder / entry["data_files"])
    return [_trl_row({name: row[name] for name in entry.get("columns", row)}, config) for row in rows]


def _trl_row(row: dict[str, Any], config: dict[str, Any]) -> list[Turn] | None:
    tools = row.get("tools")
    turns = [["tools", tools if isinstance(tools, str) else json.dumps(tools), [], False]] if tools else []
    if "messages" in row:
        assert config["assistant_only_loss"]
        return turns + [_trl_turn(turn, turn["role"] == "assistant") for turn in row["messages"]]
    assert config["completion_only_loss"]
    if row["completion"] == []:  # nothing is learnt, and the row is dropped; of a text the end is
        return None
    if isinstance(row["prompt"], str):
        return [["user", row["prompt"], [], False], ["assistant", row["completion"], [], True]]
    turns += [_trl_turn(turn, False) for turn in row["prompt"]]
    return turns + [_trl_turn(turn, True) for turn in row["completion"]]


def _trl_turn(turn: dict[str, Any], learnt: bool) -> Turn:
    return [turn["role"], turn["content"], calls_of(turn.get("tool_calls") or []), learnt]


READERS = {"LLaMA-Factory": llama_factory, "axolotl": axolotl, "TRL": trl}
