"""Quality scores of a pool's rows: reward models, language models as judges, columns, heuristics.

A pool and names of scorers come in; quality.npy, (n,) float64, and quality.json go into the pool.

    api                     `score` and `prepare`
    options                 ScoreOptions: those of the scorers below, and of what is made of their scores
    job                     a checked call: each scorer's numbers, combined and filled, written once
    scorer                  the interface of all scorers
    plain                   scores that need no model: a column, lengths of responses
    modelscorer             scorers with a model that runs here, and the file that they go on from
    reward, likelihood      reward models; how likely a language model finds a response
    judge, rubrics          a language model that is asked for a rating; what it is asked
    combine                 several scores of a row as one, and rows without a score
"""

from ..models.client import EndpointError
from .api import prepare, score
from .combine import MissingScoresError
from .job import SCORERS, ScoreJob, Scores
from .options import ScoreOptions

__all__ = [
    "SCORERS",
    "EndpointError",
    "MissingScoresError",
    "ScoreJob",
    "ScoreOptions",
    "Scores",
    "prepare",
    "score",
]
