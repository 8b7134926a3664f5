"""Fine-tuning of a causal language model on chosen rows, by the recipe of the paper.

Rows of a file, a selection or a pool come in; a folder with the model goes out, and train.json beside it.

    api                     `train` and `prepare`
    options, recipe         TrainOptions; what of them decides the weights, and the steps that follow
    job                     a checked call: what is trained on what, the run, the manifest
    data, tokens            rows in their order; their tokens, with labels on what is learnt
    trainer                 TRL's trainer set up for a recipe; progress and checkpoints while it runs
    output                  the directory of a run, and its checkpoints
    estimate                memory and disk that a run takes
"""

from .api import prepare, train
from .job import Trained, TrainJob
from .options import TrainOptions
from .recipe import Lora, Recipe

__all__ = ["Lora", "Recipe", "TrainJob", "TrainOptions", "Trained", "prepare", "train"]
