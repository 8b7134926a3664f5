"""How surprising a language model finds each response, given the prompt: a heuristic, not a rating."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..common.optional import require
from ..common.types import Floats
from ..models.hub import HubModel, Network, Tick
from ..models.prompts import CHAT, check_tokenizer, make_template, render_chat
from ..records import Row
from ..records.templates import user_text
from .modelscorer import ModelScorer, ModelScorerOptions, unscored

NAMES = ("lm-loss", "lm-likelihood")
TEMPLATES = (CHAT,)
PLAIN = "{prompt}\n\n"
IGNORED = -100  # label of a token that does not count


@dataclass(frozen=True, kw_only=True)
class LikelihoodOptions(ModelScorerOptions):
    r"""Which causal language model says how likely a response is, and what it is given before it.

    Attributes:
        lm_model: Hub id or folder of a causal language model, for lm-loss and lm-likelihood.
        lm_revision: Branch, tag or commit of it.
        lm_template: What comes before the response: chat or a format string; by default chat where the model
            has one, else "{prompt}\n\n".

    """

    lm_model: str | None = None
    lm_revision: str | None = None
    lm_template: str | None = None

    def _check(self) -> None:
        if self.lm_template is not None and self.lm_template not in TEMPLATES:
            make_template("lm_template", self.lm_template, TEMPLATES)


class Likelihood(ModelScorer):
    """Mean negative log-likelihood, in nats, of the response's tokens given the prompt.

    "lm-loss" is that number, larger for what the model would not have said; "lm-likelihood" its negative.
    Of a longer chat the first exchange counts. An empty response has no score.
    """

    kind = "heuristic"

    def __init__(self, name: str, options: LikelihoodOptions) -> None:
        if not options.lm_model:
            raise ValueError(f"lm_model: got none, wanted a causal language model, which by={name!r} needs")
        revision, longest = options.lm_revision, options.max_length
        super().__init__(HubModel(options.lm_model, options, revision=revision, max_length=longest))
        self.name = name
        self._sign = 1.0 if name == "lm-loss" else -1.0
        self._template = options.lm_template

    @cached_property
    def template(self) -> str:
        """The given template, or "chat" where the model has one, else plain text."""
        given, tokenizer = self._template, self.hub.tokenizer
        check_tokenizer(given, tokenizer, self.hub.name, "lm_template", "a format string")
        return given or (CHAT if tokenizer.chat_template else PLAIN)

    @cached_property
    def _model(self) -> Network:
        return self.hub.load("AutoModelForCausalLM")

    def _prompt_tokens(self, rows: list[Row]) -> list[list[int]]:
        tokenizer = self.hub.tokenizer
        if self.template == CHAT:
            prompts = [render_chat(tokenizer, row, [("user", user_text(row))], prompt=True) for row in rows]
            found: list[list[int]] = tokenizer(prompts, add_special_tokens=False)["input_ids"]
            return found
        fill = make_template("lm_template", self.template, TEMPLATES)
        found = tokenizer([fill(row) for row in rows])["input_ids"]
        # some tokenizers end every text; here it goes on
        return [ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids for ids in found]

    def score_chunk(self, rows: list[Row], tick: Tick) -> tuple[Floats, Floats]:
        """Return losses and numbers of tokens; 0 tokens where there is nothing to score."""
        hub = self.hub
        prompts = self._prompt_tokens(rows)
        responses = hub.tokenizer([row.output for row in rows], add_special_tokens=False)["input_ids"]
        # the first token of all has nothing before it that it could be likely after
        present = [i for i, ids in enumerate(responses) if ids and len(prompts[i]) + len(ids) > 1]
        pairs = {i: _fit(prompts[i], responses[i], hub.max_length) for i in present}
        scores = unscored(len(rows))
        examples = [
            (prompt + response, [IGNORED] * len(prompt) + response) for prompt, response in pairs.values()
        ]
        scores[present] = self._sign * response_losses(hub, self._model, examples, tick)
        tokens = [len(prompts[i]) + len(responses[i]) if i in pairs else 0 for i in range(len(rows))]
        return scores, np.array(tokens, np.float64)


def response_losses(
    hub: HubModel, model: Network, examples: Sequence[tuple[list[int], list[int]]], tick: Tick
) -> Floats:
    """Return the mean negative log-likelihood, in nats, of the labelled tokens of each example.

    Args:
        hub: of the model.
        model: a causal language model.
        examples: tokens, and as many labels: the same, or `IGNORED`; one after the first is not ignored.
        tick: is told how many examples are done.

    """
    cross_entropy = require("torch.nn.functional", "score", "to run a model").cross_entropy
    losses = unscored(len(examples))

    def forward(batch: list[int]) -> None:
        labels = hub.pad([examples[i][1] for i in batch], IGNORED)[:, 1:]
        logits = hub.logits(model, [examples[i][0] for i in batch])[:, :-1].float()
        each = cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
        losses[batch] = (each.double().sum(1) / (labels != IGNORED).sum(1)).cpu().numpy()

    hub.batches([len(ids) for ids, _ in examples], forward, tick)
    return losses


def _fit(prompt: list[int], response: list[int], longest: int) -> tuple[list[int], list[int]]:
    """Cut the start of the prompt, and if that leaves less than half for it the end of the response."""
    room = max(longest - len(response), longest // 2)
    prompt = prompt[-room:]
    return prompt, response[: longest - len(prompt)]
