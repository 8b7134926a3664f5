"""Coverage: how near the rows of a selection come to each evaluation question; no trained model is needed.

Selections of one pool and questions go in; for each selection comes out the cosine similarity of every
question to the nearest chosen row, with means, tails and differences between selections.

    api         `nearest`, the measure itself; `evaluate_coverage`, its numbers, tables and files
    questions   questions embedded by the model that embedded the pool, kept from call to call
    tables      means, tails and differences as numbers and tables
"""

from .api import nearest

__all__ = ["nearest"]
