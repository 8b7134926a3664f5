"""Selection from a pool that lies in several shards, on one machine or on many, by Ray (extra `ray`)."""

from __future__ import annotations

from .api import select
from .simulate import Cluster, Prediction, Rates, measure, predict
from .sources import Slice, split
from .two_round import two_round

__all__ = ["Cluster", "Prediction", "Rates", "Slice", "measure", "predict", "select", "split", "two_round"]
