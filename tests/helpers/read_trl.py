"""What trl's own trainer makes of exports, by their configs; runs where trl is: FOLDERS -> JSON lines."""

import logging
import os
import warnings

warnings.simplefilter("ignore")
from told_turns import byte_tokenizer, print_rows, turns_of  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM  # noqa: E402
from trl import SFTConfig, SFTTrainer, TrlParser  # noqa: E402
from trl.scripts.utils import DatasetMixtureConfig, get_dataset  # noqa: E402

logging.disable(logging.WARNING)
sizes = {"vocab_size": 300, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
model = LlamaForCausalLM(LlamaConfig(**sizes, num_attention_heads=1))


def read(folder: str) -> list:
    """Return the turns of each row."""
    os.chdir(folder)
    parser = TrlParser((SFTConfig, DatasetMixtureConfig))
    ours = ["--config", "trl-sft.yaml", "--bf16", "false", "--report_to", "none", "--disable_tqdm", "true"]
    config, mixture = parser.parse_args_and_config([*ours, "--use_cpu", "true", "--max_length", "100000"])
    tokenizer = byte_tokenizer(generation=True)
    rows = get_dataset(mixture)["train"]
    made = SFTTrainer(model=model, args=config, train_dataset=rows, processing_class=tokenizer).train_dataset
    return [turns_of(tokenizer, row["input_ids"], row["labels"]) for row in made]


print_rows(read)
