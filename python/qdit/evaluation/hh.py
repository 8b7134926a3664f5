"""HH score: what a reward model gives the answers, on average, at the worst and at the best tenth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..common.progress import RowProgressLike
from ..common.types import JSON
from ..scoring.reward import RewardModel, RewardOptions
from .answers import Answers
from .job import EvaluationJob, Found
from .results import tails
from .sets import groups

METRIC = "HH score"


class HHJob(EvaluationJob):
    """A checked call: which reward model scores the answers of which models.

    The tails are those of each model's own scores: the worst tenth of one model's answers may be to other
    questions than that of another's.
    """

    kind, doing = "hh", "scoring answers here"

    def __init__(self, answers: Sequence[Answers], options: RewardOptions, folder: Path) -> None:
        """Open the reward model's files, without its weights; answers: of models of different names."""
        super().__init__(folder)
        if not answers:
            raise ValueError("answers: got none, wanted those of at least one model")
        self.answers = tuple(answers)
        self._scorer = RewardModel(options)

    def _identity(self) -> JSON:
        described = [one.describe() for one in self.answers]
        return {"reward_model": self._scorer.identity(), "answers": described}

    def _libraries(self) -> tuple[str, ...]:
        return self._scorer.libraries

    def estimate(self) -> list[JSON]:
        """Return for each model how many answers there are, and how many are left to score."""
        return [{"by": one.model, **self._scorer.estimate(one, self.folder)} for one in self.answers]

    def _measure(self, progress: RowProgressLike) -> Found:
        found = [(one, self._scorer.run(one, self.folder, progress)) for one in self.answers]
        models = [
            {
                "name": one.model,
                "path": one.path,
                "rows": len(one),
                "cut_off": sum(answer.finish == "length" for answer in one.answers),
                "empty": sum(not answer.output.strip() for answer in one.answers),
                **scored.report,
            }
            for one, scored in found
        ]
        values = (
            value
            for one, scored in found
            for value in tails(scored.values, METRIC, one.model, groups(a.question for a in one.answers))
        )
        rows = (
            {"model": one.model, **answer.question.named, "reward": reward}
            for one, scored in found
            for answer, reward in zip(one.answers, scored.values.tolist(), strict=True)
        )
        return Found(values, rows, {"models": models})
