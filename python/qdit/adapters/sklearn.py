"""QDITSelector: qdit as a scikit-learn estimator that selects rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.optional import require
from ..engine.arrays import refuse_masked
from ..selection.api import select
from ..selection.options import SelectOptions
from ..selection.selection import Selection

_EXTRA = "sklearn"
_WHY = "for the scikit-learn estimator"
_base: Any = require("sklearn.base", _EXTRA, _WHY)
_utils: Any = require("sklearn.utils", _EXTRA, _WHY)
_validation: Any = require("sklearn.utils.validation", _EXTRA, _WHY)


class QDITSelector(_base.OneToOneFeatureMixin, _base.TransformerMixin, _base.BaseEstimator):  # type: ignore[misc]
    """Selects k rows that are good and diverse: (1 - alpha) * facility location + alpha * quality.

    ``fit(X, y)`` takes the quality of each row as y, ``transform(X)`` returns the selected rows of the X it
    was fitted on, in pick order. As rows go, it is the last step of a Pipeline, or stands alone; rows of
    other arrays (labels, texts) are taken by `indices_`.

    Args:
        k: number of rows, or a fraction of them between 0 and 1.
        alpha: from 0 (diversity only, needs no quality) to 1 (quality only).
        metric: "cosine" or "dot".
        method: as in `qdit.select`.
        gain_scale, quality_scale, floor, zero_rows: as in `qdit.select`.
        n_jobs: threads; None or -1 for all processors. Never changes the result.
        random_state: seed of the methods that draw, an int; see `qdit.select`.

    Attributes:
        indices_: (k,) int64 row numbers in pick order.
        support_: (n,) bool, True for selected rows.
        ranking_: (n,) int64, 1 for the first pick, 2 for the second, ..., k + 1 for all not selected.
        gains_: (k,) float64 diversity gain of each pick.
        selection_: the whole `qdit.Selection`.
        n_features_in_: number of columns of X.
        feature_names_in_: their names, where X has any.

    """

    def __init__(
        self,
        k: int | float = 0.1,
        alpha: float = 0.7,
        *,
        metric: str = "cosine",
        method: str = "auto",
        gain_scale: str = "sum",
        quality_scale: str = "raw",
        floor: float | None = None,
        zero_rows: str = "error",
        n_jobs: int | None = None,
        random_state: int = 0,
    ) -> None:
        self.k = k
        self.alpha = alpha
        self.metric = metric
        self.method = method
        self.gain_scale = gain_scale
        self.quality_scale = quality_scale
        self.floor = floor
        self.zero_rows = zero_rows
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, *, quality: Any = None) -> QDITSelector:
        """Select rows.

        Args:
            X: (n, d) embeddings, float16, float32 or float64; read in place where it is C-contiguous.
            y: (n,) quality, larger is better. None needs alpha=0.
            quality: the same under its own name, for pipelines whose y is something else; goes before y.

        Raises:
            ValueError: as `qdit.select`.

        """
        X = self._validate(X, reset=True)
        scores = y if quality is None else quality
        if scores is None and self.alpha > 0:
            raise ValueError(
                f"quality: got None with alpha {self.alpha}; requires y to be passed, but the target y is "
                "None: pass the quality of each row as y, or alpha=0"
            )
        if scores is not None:
            refuse_masked("quality", scores)
            scores = _utils.check_array(scores, ensure_2d=False, dtype="numeric", input_name="quality")
            scores = np.asarray(_utils.column_or_1d(scores, warn=True), np.float64)
            _utils.check_consistent_length(X, scores)
        options = {name: value for name, value in vars(self).items() if name in SelectOptions.names()}
        threads = None if self.n_jobs == -1 else self.n_jobs
        self.selection_: Selection = select(
            X, **options, quality=scores, threads=threads, seed=self.random_state
        )
        n, k = len(X), len(self.selection_)
        self.n_samples_in_ = n
        self.indices_ = self.selection_.indices
        self.gains_ = self.selection_.gains
        self.support_ = np.zeros(n, bool)
        self.support_[self.indices_] = True
        self.ranking_ = np.full(n, k + 1, np.int64)
        self.ranking_[self.indices_] = np.arange(1, k + 1)
        return self

    def transform(self, X: Any) -> Any:
        """Return the selected rows of X in pick order, of the kind that X is (array, data frame).

        X: what `fit` was given, or anything of as many rows in the same order.
        """
        _validation.check_is_fitted(self)
        rows = self._validate(X, reset=False)
        if len(rows) != self.n_samples_in_:
            raise ValueError(
                f"X has {len(rows)} samples, but QDITSelector was fitted on {self.n_samples_in_}; it selects "
                "rows of the data it was fitted on"
            )
        framed = hasattr(X, "iloc") or hasattr(X, "__dataframe__")
        return _utils._safe_indexing(X if framed else rows, self.indices_)

    def fit_transform(self, X: Any, y: Any = None, *, quality: Any = None) -> Any:
        """Fit, and return the selected rows."""
        return self.fit(X, y, quality=quality).transform(X)

    def get_support(self, indices: bool = False) -> NDArray[Any]:
        """Return the mask of selected rows, or their numbers in ascending order."""
        _validation.check_is_fitted(self)
        return np.flatnonzero(self.support_) if indices else self.support_

    def _validate(self, X: Any, *, reset: bool) -> NDArray[Any]:
        refuse_masked("X", X)
        dtypes = [np.float32, np.float64, np.float16]
        return np.asarray(_validation.validate_data(self, X, reset=reset, dtype=dtypes, order="C"))

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn's checks what this is."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.alpha > 0
        return tags
