"""A judge compares the answers of two models, each question in both orders."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...common import files
from ...common.checks import check_choice
from ...common.identity import digest
from ...common.journal import AnswerFile
from ...common.lock import LOCK, Lock
from ...models.asking import Asker, Request
from ...models.options import JudgeEndpoint
from ..answers import Answers, pair
from ..results import check_new, write_result, write_rows
from ..sets import groups
from ..stats import tail_size
from .pairwise import COUNTS, SHARE, Outcome, Tally, comparison_values
from .prompts import FIRST, SECOND, TIE, Prompt

RESULT, ROWS, ANNOTATIONS = "judge.json", "rows.jsonl", "annotations.json"
FAILED = ("error", "null")
_ERRORS_KEPT = 5


class UnjudgedError(RuntimeError):
    """Requests failed, so the comparison is not complete."""


@dataclass(frozen=True)
class Verdict:
    """What the judge said of one question in one order.

    Attributes:
        key: hash of the request, by which the cache has the whole reply.
        preference: 1.0 for the answer shown first, 2.0 for the second, 1.5 for a tie; None if the reply could
            not be read, or there is none.

    """

    key: str
    preference: float | None

    def outcome(self, shown: int) -> Outcome:
        """Return 1, 0 or -1 for the model whose answer was shown first (0) or second (1); None for null."""
        if self.preference is None:
            return None
        if self.preference == TIE:
            return 0
        return 1 if self.preference == (FIRST, SECOND)[shown] else -1


class JudgeJob:
    """A checked comparison of a model with another, the baseline."""

    def __init__(
        self, model: Answers, baseline: Answers, prompt: Prompt, options: JudgeEndpoint, folder: Path
    ) -> None:
        """Match the answers; ValueError says what is wrong.

        folder: for results, and for the cache of replies that a repeated run goes on from.
        """
        self._asker = Asker.judge(options)
        if model.model == baseline.model:
            raise ValueError(
                f"answers: both are of model {model.model!r}; wanted two models, told apart with NAME=FILE"
            )
        self.model, self.baseline = model, baseline
        self.pairs = pair(model, baseline)
        self.folder = folder
        self._prompt = prompt
        self._options = options

    def identity(self) -> dict[str, Any]:
        """Return all that decides the verdicts beside the answers."""
        request = {
            "messages": self._prompt.messages("{question}", "{first}", "{second}"),
            **self._asker.params,
        }
        return {"judge_model": self._options.judge_model, "prompt": self._prompt.name, "request": request}

    def estimate(self) -> dict[str, Any]:
        """Return comparisons, requests left, and at most how many tokens and how much money they take."""
        path = self._cache()
        with self._replies(path) if path.exists() else nullcontext() as replies:
            survey = self._asker.survey(self._requests(), replies)
        return {"rows": 2 * len(self.pairs), **self._asker.estimate(survey)}

    def run(
        self,
        *,
        count: str = "orders",
        share: float = SHARE,
        failed: str = "error",
        progress: Any = None,
        overwrite: bool = False,
    ) -> dict[str, Any]:
        """Ask what has not been asked yet, write rows, annotations and result, and return the result.

        Args:
            count: what is a comparison: each of both "orders", or one of each of the "questions".
            share: of the categories that are called worst, or best.
            failed: "error" if requests fail for good, or "null" to count them with the unreadable replies.
            progress: None, True, or a callable that takes a `RowProgress`.
            overwrite: replace the result of another comparison.

        Raises:
            ValueError: if the folder holds such a result and overwrite is not set.
            EndpointError: if the endpoint refuses the key or the model, or too many requests in a row fail.
            UnjudgedError: if some requests failed. In both cases all replies so far are kept.

        """
        check_choice("count", count, COUNTS)
        check_choice("failed", failed, FAILED)
        tail_size(1, share)
        start = time.perf_counter()
        settings = {
            **self.identity(),
            "model": self.model.describe(),
            "baseline": self.baseline.describe(),
            "count": count,
            "share": share,
        }
        check_new(self.folder / RESULT, settings, overwrite)
        try:
            with Lock(self.folder / LOCK, "judging here"):
                files.remove_leftovers(self.folder, (RESULT, ROWS, ANNOTATIONS))
                verdicts, report = self._ask(failed, progress)
                return self._write(verdicts, settings, report, start)
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(f"repeat the call to go on; replies so far are in {self._cache()}")
            raise

    def _requests(self) -> Iterator[Request]:
        return (self._request(number) for number in range(2 * len(self.pairs)))

    def _request(self, number: int) -> Request:
        """Return request 2 i + order: of question i, the model's answer first (0) or second (1)."""
        ours, theirs = self.pairs[number // 2]
        shown = (ours.output, theirs.output) if number % 2 == 0 else (theirs.output, ours.output)
        return self._asker.request(self._prompt.messages(ours.question.instruction, *shown))

    def _cache(self) -> Path:
        return self.folder / f"replies-{digest(self.identity())[:12]}.jsonl"

    def _replies(self, path: Path) -> AnswerFile:
        replies = AnswerFile(path, self._prompt.parse)
        if self._options.retry_unparsable:
            replies.forget_unparsable()
        return replies

    def _ask(self, failed: str, progress: Any) -> tuple[list[Verdict], dict[str, Any]]:
        with self._replies(self._cache()) as replies:
            survey = self._asker.survey(self._requests(), replies)
            errors = self._asker.ask(self._request, survey, replies, progress, "judge")
            lost = [number for number, key in enumerate(survey.keys) if key not in replies]
            if lost and failed == "error":
                what = "; ".join(f"{n} x {error}" for error, n in errors.most_common(_ERRORS_KEPT))
                first = self.pairs[lost[0] // 2][0].question
                raise UnjudgedError(
                    f"{len(lost)} of {len(survey.keys)} comparisons failed ({what}), the first of question "
                    f"{first.id!r} of set {first.set!r}; repeat the command to ask for those "
                    "again, or pass failed='null'"
                )
            used = [replies[key] for key in set(survey.keys) if key in replies]
            verdicts = [Verdict(key, replies[key].rating if key in replies else None) for key in survey.keys]
            report = {
                "base_url": self._asker.url,
                "failed": len(lost),
                "unreadable": sum(one.preference is None for one in verdicts) - len(lost),
                "replies": len(used),
                "prompt_tokens": sum(one.prompt_tokens for one in used),
                "completion_tokens": sum(one.completion_tokens for one in used),
            }
            return verdicts, report

    def _write(
        self, verdicts: Sequence[Verdict], settings: dict[str, Any], report: dict[str, Any], start: float
    ) -> dict[str, Any]:
        outcomes = [
            (verdicts[2 * i].outcome(0), verdicts[2 * i + 1].outcome(1)) for i in range(len(self.pairs))
        ]
        (self.folder / RESULT).unlink(missing_ok=True)  # it must never stand beside other rows
        text = json.dumps(list(self._annotations(outcomes)), indent=2, ensure_ascii=False).encode() + b"\n"
        files.write_atomic(self.folder / ANNOTATIONS, [text])
        entries = {
            ROWS: write_rows(self.folder / ROWS, self._rows(verdicts, outcomes)),
            ANNOTATIONS: files.sha256_file(self.folder / ANNOTATIONS),
        }
        questions = [ours.question for ours, _ in self.pairs]
        tally = Tally.of(outcomes, [question.category for question in questions], count=settings["count"])
        values = comparison_values(
            tally, groups(questions), self.model.model, self.baseline.model, settings["share"]
        )
        report = {
            **report,
            "comparisons": {one: Tally.of(outcomes, count=one).counts() for one in COUNTS},
            "answers": [self.model.path, self.baseline.path],
            "files": entries,
            "seconds": time.perf_counter() - start,
        }
        return write_result(self.folder / RESULT, "judge", settings, values, report, ("numpy", "openai"))

    def _rows(
        self, verdicts: Sequence[Verdict], outcomes: Sequence[tuple[Outcome, Outcome]]
    ) -> Iterator[dict[str, Any]]:
        for i, (ours, _) in enumerate(self.pairs):
            for order in (0, 1):
                verdict = verdicts[2 * i + order]
                yield {
                    **ours.question.named,
                    "model": self.model.model,
                    "baseline": self.baseline.model,
                    "shown_first": (self.model, self.baseline)[order].model,
                    "preference": verdict.preference,
                    "outcome": {1: "won", 0: "tied", -1: "lost", None: None}[outcomes[i][order]],
                    "reply": verdict.key,
                }

    def _annotations(self, outcomes: Sequence[tuple[Outcome, Outcome]]) -> Iterator[dict[str, Any]]:
        """Yield both orders of each question as alpaca_eval writes them: output_2 is the model's."""
        for (ours, theirs), both in zip(self.pairs, outcomes, strict=True):
            for order, outcome in enumerate(both):
                yield {
                    "dataset": ours.question.set,
                    "instruction": ours.question.instruction,
                    "output_1": theirs.output,
                    "generator_1": self.baseline.model,
                    "output_2": ours.output,
                    "generator_2": self.model.model,
                    "annotator": f"{self._options.judge_model} ({self._prompt.name})",
                    "preference": {1: SECOND, 0: TIE, -1: FIRST, None: None}[outcome],
                    "shown_first": ("output_2", "output_1")[order],
                }
