"""What axolotl's own prompt strategies make of exports; runs where axolotl is: FOLDERS -> JSON lines."""

import logging
import os
from pathlib import Path

import yaml
from axolotl.prompt_strategies import load
from axolotl.prompt_tokenizers import AlpacaPromptTokenizingStrategy
from axolotl.prompters import AlpacaPrompter
from axolotl.utils.dict import DictDefault
from axolotl.utils.schemas.datasets import SFTDataset
from datasets import load_dataset
from told_turns import byte_tokenizer, print_rows, turns_of

logging.disable(logging.ERROR)
tokenizer = byte_tokenizer(generation=False)
options = DictDefault(
    {"train_on_inputs": False, "sequence_len": 100_000, "chat_template": "tokenizer_default"}
)


def read(folder: str) -> list:
    """Return the turns of each row, None for one that it drops."""
    os.chdir(folder)
    (entry,) = yaml.safe_load(Path("axolotl.yaml").read_text())["datasets"]
    settings = DictDefault(SFTDataset(**entry).model_dump(exclude_none=True))
    if isinstance(settings.type, dict):
        strategy = load("user_defined", tokenizer, options, settings.type.to_dict())
    elif settings.type == "alpaca":
        strategy = AlpacaPromptTokenizingStrategy(AlpacaPrompter(None), tokenizer, False, 100_000)
    else:
        strategy = load(settings.type, tokenizer, options, settings)
    rows = load_dataset(settings.ds_type, data_files=settings.path, split="train")
    batched = {"batched": strategy.supports_batched, "remove_columns": rows.column_names}
    made = rows.map(strategy.tokenize_prompt, **batched)
    return [
        turns_of(tokenizer, row["input_ids"], row["labels"])
        if any(label != -100 for label in row["labels"])
        else None
        for row in made
    ]


print_rows(read)
