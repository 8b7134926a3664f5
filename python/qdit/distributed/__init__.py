"""Selection from a pool that lies in several shards, on one machine or on many, by Ray (extra `ray`).

Files, arrays and options come in; a `Selection` goes out, with the picks of one process to the last bit where
the method is exact. A driver talks to one worker for each shard:

api            `select`: methods exact, lazy, sparse, quality; checkpoints
two_round      `two_round`: greedy on random parts, then on what they chose
sparse         the candidates of method "sparse", by a similarity graph for each shard
options        what all of these take
session        workers, the pool that they make up and the checked problem, for the time of a call
greedy         exact greedy over all shards, on the driver: bounds, and what picks are certain
pool           all shards as one pool: row numbers, rows that travel, workers that are replaced
worker         one shard and its engine; messages: what goes there and comes back
transport      how workers are reached, and workers in this process; ray_transport: workers as Ray actors
sources        what a shard is read from
simulate       what a run on many nodes would take
"""

from .api import select
from .options import ShardOptions, ShardSelectOptions, TwoRoundOptions
from .simulate import Cluster, Prediction, Rates, measure, predict
from .sources import Slice, split
from .two_round import two_round

__all__ = [
    "Cluster",
    "Prediction",
    "Rates",
    "ShardOptions",
    "ShardSelectOptions",
    "Slice",
    "TwoRoundOptions",
    "measure",
    "predict",
    "select",
    "split",
    "two_round",
]
