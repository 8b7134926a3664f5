"""What LLaMA-Factory's own loader makes of exports; runs where it is: FOLDERS -> JSON lines."""

import importlib.machinery
import json
import logging
import sys
import types
from pathlib import Path
from types import SimpleNamespace

from told_turns import calls_of, print_rows

audio = types.ModuleType("torchaudio")  # imported, and of no use here
audio.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
sys.modules["torchaudio"] = audio

from llamafactory.data.loader import _load_single_dataset  # noqa: E402
from llamafactory.data.parser import get_dataset_list  # noqa: E402

logging.disable(logging.WARNING)
ROLES = {"observation": "tool", "function": "assistant"}
MODEL = SimpleNamespace(cache_dir=None, hf_hub_token=None)
TRAINING = SimpleNamespace(local_process_index=0, dataloader_num_workers=0)
DATA = {"streaming": False, "preprocessing_num_workers": None, "overwrite_cache": True, "max_samples": None}


def read(folder: str) -> list:
    """Return the turns of each row, None for one that its supervised processor drops."""
    (name,) = json.loads((Path(folder) / "dataset_info.json").read_text())
    (settings,) = get_dataset_list([name], folder)
    data = SimpleNamespace(dataset_dir=folder, media_dir=folder, **DATA)
    return [
        turns_of(row) if len(row["_prompt"]) % 2 == 1 and len(row["_response"]) == 1 else None
        for row in _load_single_dataset(settings, MODEL, data, TRAINING)
    ]


def turns_of(row: dict) -> list:
    """Return [role, text, calls, whether it is learnt] of every turn."""
    turns = [["system", row["_system"], [], False]] if row["_system"] else []
    if row["_tools"]:
        turns.insert(0, ["tools", row["_tools"], [], False])
    for turn in row["_prompt"] + row["_response"]:
        text, calls = turn["content"], []
        if turn["role"] == "function":
            text, _, marked = text.rpartition("<tool_call>")
            found = json.loads(marked.removesuffix("</tool_call>"))
            calls = calls_of(found if isinstance(found, list) else [found])
        role = ROLES.get(turn["role"], turn["role"])
        turns.append([role, text, calls, role == "assistant"])
    return turns


print_rows(read)
