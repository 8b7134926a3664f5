"""A language model behind an OpenAI-compatible endpoint as judge of each row."""

import math
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from ..common.progress import RowProgressLike, RowTracker
from ..common.types import JSON
from ..models import client
from ..models.answers import RatedAnswers, describe_useless
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
    packages = (client.PACKAGE,)

    def __init__(self, rubric: Rubric, options: JudgeEndpoint) -> None:
        """Check the options; ValueError says what is wrong."""
        self.name = rubric.name
        self._rubric = rubric
        self._options = options
        self._asker = Asker.judge(options, f", which by={self.name!r} needs")

    def identity(self) -> JSON:
        """Return model, parameters and the rubric's wording, by its request for a row of placeholders."""
        shape = Row(0, "", "", "{instruction}", "{input}", "{output}", ())
        request = {"messages": self._rubric.messages(shape), **self._asker.params}
        return {
            "model": self._options.judge_model,
            "request": request,
            "scale": [self._rubric.low, self._rubric.high],
        }

    def estimate(self, records: Records, folder: Path) -> JSON:
        """Return rows, requests left, and at most how many tokens and how much money they take."""
        paths = self._paths(folder)
        with self._answers(paths) if any(map(Path.exists, paths)) else nullcontext() as answers:
            survey = self._survey(records, answers)
        return {"rows": len(records), **self._asker.estimate(survey)}

    def run(self, records: Records, folder: Path, progress: RowProgressLike) -> Scored:
        """Ask for every row that has no answer yet.

        Raises:
            EndpointError: if the endpoint refuses the key, the model or a field, too many requests in a row
                fail, or most answers have no rating. All answers so far are kept.

        """
        with self._answers(self._paths(folder)) as answers:
            survey = self._survey(records, answers, progress)
            errors = self._asker.ask(
                lambda row: self._request(records.row(row)), survey, answers, progress, f"score: {self.name}"
            )
            return self._scored(survey, answers, errors)

    def unfinished(self, report: JSON) -> bool:
        """Return whether requests failed, or answers are to be asked for again."""
        return bool(report["failed"] or (self._options.retry_unparsable and report["unparsable"]))

    def _request(self, row: Row) -> Request:
        return self._asker.request(self._rubric.messages(row))

    def _survey(
        self, records: Records, answers: RatedAnswers | None, progress: RowProgressLike = None
    ) -> Survey:
        with RowTracker(progress, f"{self.name}: rows", len(records)) as tracker:
            return self._asker.survey(map(self._request, records.rows()), answers, tracker)

    def _answers(self, paths: list[Path]) -> RatedAnswers:
        retry = self._options.retry_unparsable
        return RatedAnswers(paths, self._rubric.parse, limit=self._asker.limit, retry=retry)

    def _paths(self, folder: Path) -> list[Path]:
        return self._asker.paths(folder, self.name, self.identity())

    def _scored(self, survey: Survey, answers: RatedAnswers, errors: Counter[str]) -> Scored:
        found = [answers.get(key) for key in survey.keys]
        values = [math.nan if one is None or one.rating is None else one.rating for one in found]
        useless = {row: one.useless for row, one in enumerate(found) if one is not None and one.useless}
        unparsable = list(useless)
        failed = [row for row, one in enumerate(found) if one is None]
        used = [answers[key] for key in set(survey.keys) if key in answers]
        report = {
            **self._asker.report,
            "failed": len(failed),
            "failed_rows": failed[:_ROWS_KEPT],
            "errors": dict(errors.most_common(_ERRORS_KEPT)),
            "unparsable": len(unparsable),
            "unparsable_rows": unparsable[:_ROWS_KEPT],
            "unparsable_why": dict(Counter(one.why for one in useless.values())),
            "answers": len(used),
            "prompt_tokens": sum(rated.prompt_tokens for rated in used),
            "completion_tokens": sum(rated.completion_tokens for rated in used),
        }
        why, remedies = [], []
        if failed:
            told = ", ".join(f"{times} x {message}" for message, times in errors.most_common(2))
            why.append(f"{len(failed)} requests failed ({told})")
            remedies.append("repeat the command to ask again for those that failed")
        if useless:
            why.append(describe_useless([*useless.values()]))
            remedies.append(self._asker.remedy(useless.values()))
        return Scored(np.array(values), report, " and ".join(why), "; ".join(remedies))
