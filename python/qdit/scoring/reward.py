"""Reward models: a sequence classifier with one output, larger is better."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..common.types import Floats
from ..models.hub import HubModel, Network, Tick
from ..models.prompts import CHAT, check_tokenizer, make_template, render_chat
from ..records import Row
from .modelscorer import ModelScorer, ModelScorerOptions, unscored

# The paper names no file; this is the RAFT authors' model of that time (Dong et al., arXiv 2304.06767)
DEFAULT_MODEL = "weqweasdas/hh_rlhf_rm_open_llama_3b"
HUMAN_ASSISTANT = "human-assistant"
TEMPLATES = (HUMAN_ASSISTANT, CHAT)
_SPEAKERS = {"user": "###Human: ", "assistant": "###Assistant: ", "system": "", "tool": "###Tool: "}


def human_assistant(row: Row) -> str:
    """Return all turns as "###Human: ... ###Assistant: ...", what the RAFT reward models were trained on."""
    return " ".join(_SPEAKERS[role] + text for role, text in row.turns)


@dataclass(frozen=True, kw_only=True)
class RewardOptions(ModelScorerOptions):
    r"""Which reward model scores, and what it is given of a row.

    Attributes:
        reward_model: Hub id or folder of a sequence classifier with one output; by default
            weqweasdas/hh_rlhf_rm_open_llama_3b.
        reward_revision: Branch, tag or commit of it.
        reward_template: human-assistant ("###Human: ... ###Assistant: ..."), chat (the tokenizer's chat
            template), or a format string such as "Q: {prompt}\nA: {output}" with {instruction}, {input},
            {output} and {prompt} (instruction and input); by default human-assistant for the default model,
            chat for others that have one.

    """

    reward_model: str | None = None
    reward_revision: str | None = None
    reward_template: str | None = None

    def _check(self) -> None:
        if self.reward_template is not None and self.reward_template not in TEMPLATES:
            make_template("reward_template", self.reward_template, TEMPLATES)


class RewardModel(ModelScorer):
    """Scores the whole row, all turns of a chat."""

    name = "reward"
    kind = "reward model"

    def __init__(self, options: RewardOptions) -> None:
        name = DEFAULT_MODEL if options.reward_model is None else options.reward_model
        hub = HubModel(name, options, revision=options.reward_revision, max_length=options.max_length)
        super().__init__(hub)
        self._template = options.reward_template

    @cached_property
    def template(self) -> str:
        """The given template, or the model's own."""
        given, tokenizer, name = self._template, self.hub.tokenizer, self.hub.name
        check_tokenizer(given, tokenizer, name, "reward_template", f"'{HUMAN_ASSISTANT}' or a format string")
        if given is not None:
            return given
        if name == DEFAULT_MODEL:
            return HUMAN_ASSISTANT
        if not tokenizer.chat_template:
            raise ValueError(
                f"reward_template: got none, and {name} has no chat template; pass the form that it was "
                "trained on: 'human-assistant' or a format string such as '{prompt}\\n{output}'"
            )
        return CHAT

    @cached_property
    def _text(self) -> Callable[[Row], str]:
        if self.template == CHAT:
            return lambda row: render_chat(self.hub.tokenizer, row, row.turns)
        if self.template == HUMAN_ASSISTANT:
            return human_assistant
        return make_template("reward_template", self.template, TEMPLATES)

    @cached_property
    def _model(self) -> Network:
        outputs = self.hub.config.num_labels
        if outputs != 1:
            raise ValueError(f"reward_model: {self.hub.name} has {outputs} outputs, wanted a model with one")
        return self.hub.load("AutoModelForSequenceClassification")

    def score_chunk(self, rows: list[Row], tick: Tick) -> tuple[Floats, Floats]:
        """Return rewards and numbers of tokens; 0 tokens where the text is empty."""
        model, hub = self._model, self.hub
        # a chat template writes the special tokens itself
        special = self.template != CHAT
        tokens = hub.tokenizer([self._text(row) for row in rows], add_special_tokens=special)["input_ids"]
        sizes = [len(ids) for ids in tokens]
        cut = [ids[: hub.max_length] for ids in tokens]
        scores = unscored(len(rows))
        present = [i for i, ids in enumerate(cut) if ids]

        def forward(batch: list[int]) -> None:
            chosen = [present[j] for j in batch]
            logits = hub.logits(model, [cut[i] for i in chosen])
            scores[chosen] = logits[:, 0].double().cpu().numpy()

        hub.batches([len(cut[i]) for i in present], forward, tick)
        return scores, np.array(sizes, np.float64)
