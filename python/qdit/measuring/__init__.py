"""What any set of rows is like beside its pool: `qdit.measure`.

In come a pool and sets of its rows, however they were chosen; out go numbers, each beside those of random
sets of the same size.

options    `MeasureOptions`: how much is looked at, and with how many random sets it is compared
api        `measure`: the numbers of a set, of random ones, and intervals
beside     numbers of a set and its pool: coverage, cells, the density of the pool around rows
within     numbers of a set alone: distances, NovelSum, and what follows from the spectrum
intervals  where one more random set would lie
"""

from .api import MEASURES, Measured, Reading, measure, measure_sets
from .options import MeasureOptions

__all__ = ["MEASURES", "MeasureOptions", "Measured", "Reading", "measure", "measure_sets"]
