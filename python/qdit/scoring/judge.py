"""A language model behind an OpenAI-compatible endpoint as judge of each row."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from ..common.identity import digest
from ..common.progress import RowTracker
from ..models.answers import RatedAnswers
from ..models.asking import Asker, Request, Survey
from ..models.options import JudgeEndpoint
from ..records import Records, Row
from .rubrics import Rubric
from .scorer import Scored, Scorer

_ERRORS_KEPT = 5
_ROWS_KEPT = 20


class Judge(Scorer):
    """Asks a model to rate each row by a rubric; equal requests are made once."""

    kind = "LLM judge"
    libraries = ("numpy", "openai")

    def __init__(self, rubric: Rubric, options: JudgeEndpoint) -> None:
        """Check the options; ValueError says what is wrong."""
        self.name = rubric.name
        self._rubric = rubric
        self._options = options
        self._asker = Asker.judge(options, f", which by={self.name!r} needs")

    def identity(self) -> dict[str, Any]:
        """Return model, parameters and the rubric's wording, by its request for a row of placeholders."""
        shape = Row(0, "", "", "{instruction}", "{input}", "{output}", ())
        request = {"messages": self._rubric.messages(shape), **self._asker.params}
        return {
            "model": self._options.judge_model,
            "request": request,
            "scale": [self._rubric.low, self._rubric.high],
        }

    def estimate(self, records: Records, folder: Path) -> dict[str, Any]:
        """Return rows, requests left, and at most how many tokens and how much money they take."""
        path = self._path(folder)
        with self._answers(path) if path.exists() else nullcontext() as answers:
            survey = self._survey(records, answers)
        return {"rows": len(records), **self._asker.estimate(survey)}

    def run(self, records: Records, folder: Path, progress: Any) -> Scored:
        """Ask for every row that has no answer yet.

        Raises:
            EndpointError: if the endpoint refuses the key or the model, or too many requests in a row fail.
                All answers so far are kept.

        """
        with self._answers(self._path(folder)) as answers:
            survey = self._survey(records, answers, progress)
            errors = self._asker.ask(
                lambda row: self._request(records.row(row)), survey, answers, progress, f"score: {self.name}"
            )
            return self._scored(survey, answers, errors)

    def unfinished(self, report: Mapping[str, Any]) -> bool:
        """Return whether requests failed, or answers are to be asked for again."""
        return bool(report["failed"] or (self._options.retry_unparsable and report["unparsable"]))

    def _request(self, row: Row) -> Request:
        return self._asker.request(self._rubric.messages(row))

    def _survey(self, records: Records, answers: RatedAnswers | None, progress: Any = None) -> Survey:
        with RowTracker(progress, f"{self.name}: rows", len(records)) as tracker:
            return self._asker.survey(map(self._request, records.rows()), answers, tracker)

    def _answers(self, path: Path) -> RatedAnswers:
        return RatedAnswers(path, self._rubric.parse, retry=self._options.retry_unparsable)

    def _path(self, folder: Path) -> Path:
        return folder / f"{self.name}-{digest(self.identity())[:12]}.jsonl"

    def _scored(self, survey: Survey, answers: RatedAnswers, errors: Counter[str]) -> Scored:
        values = np.full(len(survey.keys), math.nan)
        for row, key in enumerate(survey.keys):
            if key in answers:
                rating = answers[key].rating
                values[row] = math.nan if rating is None else rating
        unparsable = [
            row for row, key in enumerate(survey.keys) if key in answers and answers[key].rating is None
        ]
        failed = [row for row, key in enumerate(survey.keys) if key not in answers]
        used = [answers[key] for key in set(survey.keys) if key in answers]
        report = {
            "base_url": self._asker.url,
            "failed": len(failed),
            "failed_rows": failed[:_ROWS_KEPT],
            "errors": dict(errors.most_common(_ERRORS_KEPT)),
            "unparsable": len(unparsable),
            "unparsable_rows": unparsable[:_ROWS_KEPT],
            "answers": len(used),
            "prompt_tokens": sum(rated.prompt_tokens for rated in used),
            "completion_tokens": sum(rated.completion_tokens for rated in used),
        }
        return Scored(values, report)
