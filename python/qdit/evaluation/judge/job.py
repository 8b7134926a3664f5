"""A judge compares the answers of two models, each question in both orders."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from ...common.checks import check_choice
from ...common.optional import Package
from ...common.progress import RowProgressLike
from ...common.types import JSON
from ...models import client
from ...models.answers import RatedAnswers, describe_useless
from ...models.asking import Asker, Request
from ...models.options import JudgeEndpoint
from ..answers import Answers, pair
from ..job import EvaluationJob, Found
from ..sets import groups
from ..stats import tail_size
from .pairwise import COUNTS, SHARE, Outcome, Tally, comparison_values
from .prompts import FIRST, SECOND, TIE, get_prompt

ANNOTATIONS = "annotations.json"
FAILED = ("error", "null")
_ERRORS_KEPT = 5

Outcomes = Sequence[tuple[Outcome, Outcome]]  # of each question, in both orders


@dataclass(frozen=True, kw_only=True)
class JudgeOptions(JudgeEndpoint):
    """What the judge is asked, and what is made of its verdicts.

    Attributes:
        prompt: scores (both answers from 1 to 10) or better (which is better).
        count: What is a comparison: each of both orders, or one of each of the questions.
        share: Share of the categories that are called worst, or best.
        failed: When requests fail for good: error, or null to count them like replies without a verdict.

    """

    prompt: str = "scores"
    count: str = "orders"
    share: float = SHARE
    failed: str = "error"

    def _check(self) -> None:
        get_prompt(self.prompt)
        check_choice("count", self.count, COUNTS)
        check_choice("failed", self.failed, FAILED)
        tail_size(1, self.share)

    def packages(self) -> tuple[Package, ...]:
        """Return what asks the endpoint."""
        return (client.PACKAGE,)


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


class JudgeJob(EvaluationJob):
    """A checked comparison of a model with another, the baseline."""

    kind, doing, kept = "judge", "judging here", "replies"

    def __init__(self, model: Answers, baseline: Answers, options: JudgeOptions, folder: Path) -> None:
        """Match the answers of both models; ValueError says what is wrong."""
        super().__init__(folder)
        self._asker = Asker.judge(options)
        if model.model == baseline.model:
            raise ValueError(
                f"answers: both are of model {model.model!r}; wanted two models, told apart with NAME=FILE"
            )
        self.model, self.baseline = model, baseline
        self.pairs = pair(model, baseline)
        self._prompt = get_prompt(options.prompt)
        self._options = options
        messages = self._prompt.messages("{question}", "{first}", "{second}")
        self._asked = {
            "judge_model": options.judge_model,
            "prompt": options.prompt,
            "request": {"messages": messages, **self._asker.params},
        }
        self._files = self._asker.paths(folder, "replies", self._asked)

    def _identity(self) -> JSON:
        compared = {"model": self.model.describe(), "baseline": self.baseline.describe()}
        return {**self._asked, **compared, "count": self._options.count, "share": self._options.share}

    def _libraries(self) -> tuple[str, ...]:
        return ("numpy", "openai")

    def estimate(self) -> list[JSON]:
        """Return comparisons, requests left, and at most how many tokens and how much money they take."""
        with self._replies() if any(map(Path.exists, self._files)) else nullcontext() as replies:
            survey = self._asker.survey(self._requests(), replies)
        return [{"by": "judge", "rows": 2 * len(self.pairs), **self._asker.estimate(survey)}]

    def _measure(self, progress: RowProgressLike) -> Found:
        """Ask what has not been asked yet.

        Raises:
            EndpointError: if the endpoint refuses the key, the model or a field, too many requests in a row
                fail, or most replies have no verdict.
            UnjudgedError: if some requests failed, or no reply has a verdict. In both cases all replies so
                far are kept.

        """
        verdicts, report = self._ask(progress)
        outcomes = [
            (verdicts[2 * i].outcome(0), verdicts[2 * i + 1].outcome(1)) for i in range(len(self.pairs))
        ]
        questions = [ours.question for ours, _ in self.pairs]
        categories = [question.category for question in questions]
        tally = Tally.of(outcomes, categories, count=self._options.count)
        names, share = (self.model.model, self.baseline.model), self._options.share
        annotations = json.dumps(list(self._annotations(outcomes)), indent=2, ensure_ascii=False)
        return Found(
            comparison_values(tally, groups(questions), *names, share),
            self._rows(verdicts, outcomes),
            {
                **report,
                "comparisons": {one: Tally.of(outcomes, count=one).counts() for one in COUNTS},
                "answers": [self.model.path, self.baseline.path],
            },
            {ANNOTATIONS: annotations.encode() + b"\n"},
        )

    def _requests(self) -> Iterator[Request]:
        return (self._request(number) for number in range(2 * len(self.pairs)))

    def _request(self, number: int) -> Request:
        """Return request 2 i + order: of question i, the model's answer first (0) or second (1)."""
        ours, theirs = self.pairs[number // 2]
        shown = (ours.output, theirs.output) if number % 2 == 0 else (theirs.output, ours.output)
        return self._asker.request(self._prompt.messages(ours.question.instruction, *shown))

    def _replies(self) -> RatedAnswers:
        return RatedAnswers(
            self._files,
            self._prompt.parse,
            unreadable="without a verdict",
            limit=self._asker.limit,
            retry=self._options.retry_unparsable,
        )

    def _ask(self, progress: RowProgressLike) -> tuple[list[Verdict], JSON]:
        with self._replies() as replies:
            survey = self._asker.survey(self._requests(), replies)
            errors = self._asker.ask(self._request, survey, replies, progress, "judge")
            lost = [number for number, key in enumerate(survey.keys) if key not in replies]
            if lost and self._options.failed == "error":
                what = "; ".join(f"{n} x {error}" for error, n in errors.most_common(_ERRORS_KEPT))
                first = self.pairs[lost[0] // 2][0].question
                raise UnjudgedError(
                    f"{len(lost)} of {len(survey.keys)} comparisons failed ({what}), the first of question "
                    f"{first.id!r} of set {first.set!r}; repeat the command to ask for those "
                    "again, or pass failed='null'"
                )
            used = [replies[key] for key in set(survey.keys) if key in replies]
            verdicts = [Verdict(key, replies[key].rating if key in replies else None) for key in survey.keys]
            useless = [one for key in survey.keys if key in replies and (one := replies[key].useless)]
            if len(useless) == len(survey.keys):
                raise UnjudgedError(f"{describe_useless(useless)}; {self._asker.remedy(useless)}")
            report = {
                **self._asker.report,
                "failed": len(lost),
                "unreadable": len(useless),
                "unreadable_why": dict(Counter(one.why for one in useless)),
                "replies": len(used),
                "prompt_tokens": sum(one.prompt_tokens for one in used),
                "completion_tokens": sum(one.completion_tokens for one in used),
            }
            return verdicts, report

    def _rows(self, verdicts: Sequence[Verdict], outcomes: Outcomes) -> Iterator[JSON]:
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

    def _annotations(self, outcomes: Outcomes) -> Iterator[JSON]:
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
