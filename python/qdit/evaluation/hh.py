"""HH score: what a reward model gives the answers, on average, at the worst and at the best tenth."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..common import files
from ..common.lock import LOCK, Lock
from ..scoring.reward import RewardModel, RewardOptions
from ..scoring.scorer import Floats
from .answers import Answers
from .results import Value, check_new, tails, write_result, write_rows
from .sets import groups

METRIC = "HH score"
RESULT, ROWS = "hh.json", "rows.jsonl"


class HHJob:
    """A checked call: which reward model scores the answers of which models."""

    def __init__(self, answers: Sequence[Answers], options: RewardOptions, folder: Path) -> None:
        """Open the reward model's files, without its weights.

        answers: one for each model, of different names. folder: for results, and for the scores that a
        repeated run goes on from.
        """
        if not answers:
            raise ValueError("answers: got none, wanted those of at least one model")
        self.answers = tuple(answers)
        self.folder = folder
        self._scorer = RewardModel(options)

    def estimate(self) -> list[dict[str, Any]]:
        """Return for each model how many answers there are, and how many are left to score."""
        return [{"by": one.model, **self._scorer.estimate(one, self.folder)} for one in self.answers]

    def run(self, *, progress: Any = None, overwrite: bool = False) -> dict[str, Any]:
        """Score what has not been scored yet, write rows and result, and return the result.

        The tails are those of each model's own scores: the worst tenth of one model's answers may be to other
        questions than that of another's.

        Raises:
            ValueError: if the folder holds a result of other answers or settings and overwrite is not set.

        """
        start = time.perf_counter()
        settings = {
            "reward_model": self._scorer.identity(),
            "answers": [one.describe() for one in self.answers],
        }
        check_new(self.folder / RESULT, settings, overwrite)
        try:
            with Lock(self.folder / LOCK, "scoring answers here"):
                files.remove_leftovers(self.folder, (RESULT, ROWS))
                scored = [self._scorer.run(one, self.folder, progress) for one in self.answers]
                scores = [one.values for one in scored]
                (self.folder / RESULT).unlink(missing_ok=True)  # it must never stand beside other rows
                entries = {ROWS: write_rows(self.folder / ROWS, self._rows(scores))}
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(f"repeat the call to go on; scores so far are in {self.folder}")
            raise
        models = [
            {
                "name": one.model,
                "path": one.path,
                "rows": len(one),
                "cut_off": sum(answer.finish == "length" for answer in one.answers),
                "empty": sum(not answer.output.strip() for answer in one.answers),
                **found.report,
            }
            for one, found in zip(self.answers, scored, strict=True)
        ]
        return write_result(
            self.folder / RESULT,
            "hh",
            settings,
            self._values(scores),
            {"models": models, "files": entries, "seconds": time.perf_counter() - start},
            self._scorer.libraries,
        )

    def _rows(self, scores: Sequence[Floats]) -> Iterator[dict[str, Any]]:
        for one, values in zip(self.answers, scores, strict=True):
            for answer, value in zip(one.answers, values.tolist(), strict=True):
                yield {"model": one.model, **answer.question.named, "reward": value}

    def _values(self, scores: Sequence[Floats]) -> Iterator[Value]:
        for one, values in zip(self.answers, scores, strict=True):
            yield from tails(np.asarray(values), METRIC, one.model, groups(a.question for a in one.answers))
