"""Real, tiny, untrained Llamas with a real tokenizer, made in a folder."""

from __future__ import annotations

from pathlib import Path

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ raise_exception('no system turns here') }}{% endif %}"
    "[{{ message['role'] }}] {{ message['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)
LENGTH = 96


def _tokenizer(*, pad: bool, chat: bool):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "</s>", "<unk>", "<pad>"]
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        ["Explain how rivers and bees and bread work, in a few words. It is so:"], trainer
    )
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>" if pad else None,
        chat_template=CHAT_TEMPLATE if chat else None,
        model_max_length=LENGTH,
    )


def _config(**options):
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=320,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=LENGTH,
        **options,
    )


def make_reward_model(
    folder: Path, *, labels: int = 1, pad: bool = True, chat: bool = False, seed: int = 0
) -> Path:
    """Save a sequence classifier."""
    import torch
    from transformers import LlamaForSequenceClassification

    torch.manual_seed(seed)
    LlamaForSequenceClassification(_config(num_labels=labels)).save_pretrained(folder)
    _tokenizer(pad=pad, chat=chat).save_pretrained(folder)
    return folder


def make_language_model(folder: Path, *, chat: bool = False, seed: int = 0) -> Path:
    """Save a causal language model."""
    import torch
    from transformers import LlamaForCausalLM

    torch.manual_seed(seed)
    LlamaForCausalLM(_config()).save_pretrained(folder)
    _tokenizer(pad=False, chat=chat).save_pretrained(folder)
    return folder
