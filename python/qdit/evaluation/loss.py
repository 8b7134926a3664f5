"""Held-out loss: how surprising a model finds the reference answers, in the form it was trained on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..common import files
from ..common.lock import LOCK, Lock
from ..models.causal import CausalModel
from ..models.options import CausalModelOptions
from ..models.prompts import ALPACA, CHAT, check_template, check_tokenizer, make_prompt
from ..records import Row
from ..scoring.likelihood import IGNORED, response_losses
from ..scoring.modelscorer import ModelScorer, ModelScorerOptions, unscored
from ..scoring.scorer import Floats
from ..training.tokens import Example, encode, encode_chat
from .answers import REFERENCE, Answer, Answers
from .results import Value, check_new, tails, write_result, write_rows
from .sets import Question, groups

METRIC = "loss"
RESULT, ROWS = "loss.json", "rows.jsonl"


@dataclass(frozen=True, kw_only=True)
class LossOptions(CausalModelOptions, ModelScorerOptions):
    """Which model's loss, and how it is run.

    Attributes:
        template: What comes before the response, as in training: alpaca, chat or a format string.

    """

    template: str = ALPACA

    def _check(self) -> None:
        check_template(self.template)


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
        self.template = options.template

    def identity(self) -> dict[str, Any]:
        """Return model, revision, template, dtype and length limit."""
        check_tokenizer(self.template, self.hub.tokenizer, self.hub.name)
        return self.hub.identity() | {"template": self.template}

    def examples(self, rows: Sequence[Row]) -> list[Example]:
        """Return the tokens and labels of rows, not cut."""
        tokenizer = self.hub.tokenizer
        if self.template == CHAT:
            return [encode_chat(tokenizer, row, sys.maxsize) for row in rows]
        prompt = make_prompt(self.template, tokenizer)
        return list(encode(tokenizer, list(map(prompt, rows)), [row.output for row in rows], sys.maxsize))

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


class LossJob:
    """A checked call: the loss of a model on the references of questions."""

    def __init__(
        self, questions: Sequence[Question], options: LossOptions, folder: Path, *, name: str | None = None
    ) -> None:
        """Keep the questions that have a reference; ValueError if none has.

        name: of the model in results; None for `options.model`. folder: for results, and for the losses that
        a repeated run goes on from.
        """
        self.name = name or options.model
        self.folder = folder
        self.without = sum(question.reference is None for question in questions)
        kept = [Answer(one, one.reference) for one in questions if one.reference is not None]
        if not kept:
            raise ValueError(
                f"questions: none of the {len(questions)} has a reference answer; wanted a set with some, "
                "such as self-instruct or alpaca-eval"
            )
        self._rows = Answers(REFERENCE, tuple(kept), "")
        self._scorer = ReferenceLoss(options)

    def estimate(self) -> list[dict[str, Any]]:
        """Return how many references there are, and how many are left to score."""
        return [{"by": self.name, **self._scorer.estimate(self._rows, self.folder)}]

    def run(self, *, progress: Any = None, overwrite: bool = False) -> dict[str, Any]:
        """Score what has not been scored yet, write rows and result, and return the result.

        Raises:
            ValueError: if the folder holds a result of another model or other questions and overwrite is not
                set.

        """
        start = time.perf_counter()
        settings = {
            "model": {"name": self.name, **self._scorer.identity()},
            "references": {"rows": len(self._rows), "sha256": self._rows.sha256},
        }
        check_new(self.folder / RESULT, settings, overwrite)
        try:
            with Lock(self.folder / LOCK, "scoring references here"):
                files.remove_leftovers(self.folder, (RESULT, ROWS))
                found = self._scorer.run(self._rows, self.folder, progress)
                (self.folder / RESULT).unlink(missing_ok=True)  # it must never stand beside other rows
                entries = {ROWS: write_rows(self.folder / ROWS, self._written(found.values))}
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(f"repeat the call to go on; losses so far are in {self.folder}")
            raise
        report = {
            "questions": {
                "rows": len(self._rows),
                "without_reference": self.without,
                "too_long": int(np.isnan(found.values).sum()),
            },
            **found.report,
            "files": entries,
            "seconds": time.perf_counter() - start,
        }
        values = self._values(found.values)
        return write_result(self.folder / RESULT, "loss", settings, values, report, self._scorer.libraries)

    def _written(self, losses: Floats) -> Iterator[dict[str, Any]]:
        for answer, loss in zip(self._rows.answers, losses.tolist(), strict=True):
            found = None if np.isnan(loss) else loss
            yield {"model": self.name, **answer.question.named, "loss": found}

    def _values(self, losses: Floats) -> Iterator[Value]:
        scored = np.flatnonzero(~np.isnan(losses))
        keys = groups(self._rows.answers[i].question for i in scored)
        yield from tails(losses[scored], METRIC, self.name, keys, larger_is_better=False)
