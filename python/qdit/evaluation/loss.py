"""Held-out loss: how surprising a model finds the reference answers, in the form it was trained on."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..common.optional import Package
from ..common.types import JSON, Floats
from ..generation.questions import Question
from ..models import hub
from ..models.causal import CausalModel
from ..models.options import CausalModelOptions
from ..models.prompts import ALPACA, check_template, check_tokenizer
from ..records import Row
from ..scoring.likelihood import IGNORED, response_losses
from ..scoring.modelscorer import ModelScorer, ModelScorerOptions, unscored
from ..scoring.scorer import Scored
from ..training.tokens import Example, examples
from .answers import Answer, Answers
from .job import ScorerJob

METRIC = "loss"


@dataclass(frozen=True, kw_only=True)
class LossOptions(CausalModelOptions, ModelScorerOptions):
    """Which model's loss, and how it is run.

    Attributes:
        template: What comes before the response, as in training: alpaca, chat or a format string.
        name: Name of the model in results; by default model.

    """

    template: str = ALPACA
    name: str | None = None

    def _check(self) -> None:
        check_template(self.template)

    def packages(self) -> tuple[Package, ...]:
        """Return what runs a model."""
        return hub.packages()


class ReferenceLoss(ModelScorer):
    """Mean negative log-likelihood, in nats, of a row's response and its end token, given the prompt.

    Tokens and labels are those of training: of prompt and response as one text, cut at its end where it is
    longer than max_length. A row of which no response is left then has no score.
    """

    name = METRIC
    kind = "held-out loss"

    def __init__(self, options: LossOptions) -> None:
        revision, longest = options.revision, options.max_length
        self._causal = CausalModel(options.model, options, revision=revision, max_length=longest)
        super().__init__(self._causal)
        self._template = options.template

    @cached_property
    def template(self) -> str:
        """The given template."""
        check_tokenizer(self._template, self.hub.tokenizer, self.hub.name)
        return self._template

    def examples(self, rows: Sequence[Row]) -> list[Example]:
        """Return the tokens and labels of rows, not cut."""
        found = examples([(row, 0) for row in rows], self.hub.tokenizer, self.template, sys.maxsize)
        return [example for _, example in found]

    def score_chunk(self, rows: list[Row], tick: Callable[[int], None]) -> tuple[Floats, Floats]:
        """Return losses and numbers of tokens; 0 tokens where there is nothing to score."""
        longest = self.hub.max_length
        found = self.examples(rows)
        cut = [(one.ids[:longest], one.labels[:longest]) for one in found]
        present = [i for i, (_, labels) in enumerate(cut) if any(x != IGNORED for x in labels[1:])]
        scores, sizes = unscored(len(rows)), np.zeros(len(rows))
        scores[present] = response_losses(self.hub, self._model, [cut[i] for i in present], tick)
        sizes[present] = [len(found[i].ids) for i in present]
        return scores, sizes

    @cached_property
    def _model(self) -> Any:
        return self._causal.load_causal()


class LossJob(ScorerJob):
    """A checked call: the loss of a model on the references of questions."""

    kind, doing, kept = "loss", "scoring references here", "losses"
    metric = column = METRIC
    larger_is_better = False

    def __init__(self, questions: Sequence[Question], options: LossOptions, folder: Path) -> None:
        """Keep the questions that have a reference; ValueError if none has."""
        answers = [Answer(one, one.reference) for one in questions if one.reference is not None]
        if not answers:
            raise ValueError(
                f"questions: none of the {len(questions)} has a reference answer; wanted a set with some, "
                "such as self-instruct or alpaca-eval"
            )
        self.name = options.name or options.model
        self._without = len(questions) - len(answers)
        super().__init__([Answers(self.name, tuple(answers), "")], ReferenceLoss(options), folder)

    def _identity(self) -> JSON:
        references = self.answers[0].describe()
        model = {"name": references.pop("name"), **self._scorer.identity()}
        return {"model": model, "references": references}

    def _report(self, scored: Sequence[tuple[Answers, Scored]]) -> JSON:
        ((answers, found),) = scored
        too_long = int(np.isnan(found.values).sum())
        counts = {"rows": len(answers), "without_reference": self._without, "too_long": too_long}
        return {"questions": counts, **found.report}
