"""Settings with which LLaMA-Factory, axolotl and trl read the chosen rows."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..records.templates import ALPACA_WITH_INPUT, ALPACA_WITHOUT_INPUT
from .forms import AXOLOTL, DATA_FIELDS, LLAMA_FACTORY, SHAREGPT_NAMES, TRL, Form
from .survey import EXTRAS

SETTINGS = {LLAMA_FACTORY: "dataset_info.json", AXOLOTL: "axolotl.yaml", TRL: "trl-sft.yaml"}
_COLUMNS = {"instruction": "prompt", "input": "query", "output": "response", "completion": "response"}
_TAGS = {
    "user": "user",
    "assistant": "assistant",
    "tool": "observation",
    "call": "function",
    "system": "system",
}
_USUAL = ("user", "assistant", "system")


def settings(name: str, forms: Mapping[str, Form]) -> dict[str, str]:
    """Return the settings of all trainers, by file; name: that of the data set."""
    written = {
        LLAMA_FACTORY: llama_factory(name, forms[LLAMA_FACTORY]),
        AXOLOTL: axolotl(forms[AXOLOTL]),
        TRL: trl(forms[TRL]),
    }
    return {SETTINGS[trainer]: text for trainer, text in written.items()}


def llama_factory(name: str, form: Form) -> str:
    """Return dataset_info.json with one entry; dataset_dir is the folder of the export."""
    entry: dict[str, Any] = {"file_name": form.file}
    columns = {_COLUMNS.get(field, field): column for field, column in form.columns.items()}
    if form.kind == "chat":
        who, what = form.keys
        usual = SHAREGPT_NAMES if who == "from" else {role: role for role in _USUAL}
        names = {role: usual[role] for role in _USUAL} | {
            role: found[0] for role, found in form.names.items()
        }
        tags = {f"{_TAGS[role]}_tag": called for role, called in names.items()}
        entry |= {"formatting": "sharegpt", "columns": columns}
        entry["tags"] = {"role_tag": who, "content_tag": what} | tags
    else:
        entry["columns"] = columns
    return json.dumps({name: entry}, indent=2) + "\n"


def axolotl(form: Form) -> str:
    """Return the `datasets` block of an axolotl config; paths are relative to the export."""
    lines = ["datasets:", f"  - path: {form.file}", f"    ds_type: {_builder(form)}"]
    column = {field: json.dumps(name) for field, name in form.columns.items()}
    if form.kind == "chat":
        lines += ["    type: chat_template", f"    field_messages: {column['messages']}"]
        if form.keys != ("role", "content") or form.columns["messages"] != "messages":
            mapped = zip(("role", "content"), form.keys, strict=True)
            lines += ["    message_property_mappings:", *(f"      {key}: {name}" for key, name in mapped)]
        if any(names != [role] for role, names in form.names.items()):
            lines += [
                "    roles:",
                *(f"      {role}: {json.dumps(names)}" for role, names in form.names.items()),
            ]
        if "train" in column:
            lines.append(f"    message_field_training: {column['train']}")
    elif form.kind == "alpaca" and all(field == name for field, name in form.columns.items()):
        lines.append("    type: alpaca")
    else:
        asked, answered = (field for field in form.columns if field not in EXTRAS)
        with_input, without = ALPACA_WITH_INPUT, ALPACA_WITHOUT_INPUT
        if form.kind == "prompt":
            with_input = without = "{instruction}"
        lines += [
            "    type:",
            f"      field_instruction: {column[asked]}",
            f"      field_input: {column.get('input', json.dumps(''))}",
            f"      field_output: {column[answered]}",
            '      field_system: ""',
            f"      format: {json.dumps(with_input)}",
            f"      no_input_format: {json.dumps(without)}",
        ]
    return "\n".join(lines) + "\n"


def trl(form: Form) -> str:
    """Return a config for `trl sft --config`, run in the folder of the export."""
    loss = "assistant_only_loss: true  # needs a chat template with {% generation %}; else false"
    if form.kind != "chat":
        loss = "completion_only_loss: true"
    columns = [name for field, name in form.columns.items() if field not in EXTRAS or field == "tools"]
    return "\n".join(
        [
            "# run in this folder: trl sft --config trl-sft.yaml --model_name_or_path MODEL",
            "datasets:",
            f"  - path: {_builder(form)}",
            f"    data_files: {form.file}",
            f"    columns: {json.dumps(columns)}",
            loss,
            "# the training of Bukharin & Zhao (arXiv 2311.14736): 3 epochs, batches of 128 in all",
            "learning_rate: 2.0e-5",
            "num_train_epochs: 3",
            "per_device_train_batch_size: 4",
            "gradient_accumulation_steps: 32  # 128 / (4 * number of devices)",
            "lr_scheduler_type: cosine",
            "warmup_steps: 0.03",
            "max_length: 512  # longer rows are cut, and left out if their prompt alone is longer",
            "output_dir: sft-out",
            "",
        ]
    )


def _builder(form: Form) -> str:
    return DATA_FIELDS[Path(form.file).suffix[1:]]
