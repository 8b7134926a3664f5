"""Quality scores of a pool's rows: reward models, language models as judges, columns, heuristics.

A module imports only from those before it: scorer, chunks, texts, rubrics, column, heuristics, answers,
client, asking, judge, hub, modelscorer, reward, likelihood, combine, job, api, describe, command.
"""

from ..models.client import EndpointError
from .api import prepare, score
from .combine import MissingScoresError
from .job import SCORERS, ScoreJob, Scores

__all__ = ["SCORERS", "EndpointError", "MissingScoresError", "ScoreJob", "Scores", "prepare", "score"]
