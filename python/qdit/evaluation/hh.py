"""HH score: what a reward model gives the answers, on average, at the worst and at the best tenth."""

from collections.abc import Sequence
from pathlib import Path

from ..common.types import JSON
from ..scoring.reward import RewardModel, RewardOptions
from ..scoring.scorer import Scored
from .answers import Answers
from .job import ScorerJob


class HHJob(ScorerJob):
    """A checked call: which reward model scores the answers of which models."""

    kind, doing = "hh", "scoring answers here"
    metric, column = "HH score", "reward"

    def __init__(self, answers: Sequence[Answers], options: RewardOptions, folder: Path) -> None:
        """Open the reward model's files, without its weights."""
        if not answers:
            raise ValueError("answers: got none, wanted those of at least one model")
        super().__init__(answers, RewardModel(options), folder)

    def _identity(self) -> JSON:
        described = [one.describe() for one in self.answers]
        return {"reward_model": self._scorer.identity(), "answers": described}

    def _report(self, scored: Sequence[tuple[Answers, Scored]]) -> JSON:
        models = [
            {
                "name": one.model,
                "path": one.path,
                "rows": len(one),
                "cut_off": sum(answer.finish == "length" for answer in one.answers),
                "empty": sum(not answer.output.strip() for answer in one.answers),
                **found.report,
            }
            for one, found in scored
        ]
        return {"models": models}
