"""qdit_selector: qdit as a Data-Juicer operator.

It is there for recipes once this module is imported, which Data-Juicer does by itself where qdit is installed
(entry point "data_juicer.ops"), or with ``custom_operator_paths``:

    process:
      - qdit_selector:
          k: 0.05
          alpha: 0.7
          embedding_key: embedding
          quality_key: __dj__stats__.llm_quality_score
"""

from typing import Any

from ..common.optional import require
from ..embedding.options import DEFAULT_MODEL
from .huggingface import select_dataset

_ops: Any = require("data_juicer.ops.base_op", "data-juicer", "for the Data-Juicer operator")


@_ops.OPERATORS.register_module("qdit_selector")
class QDITSelector(_ops.Selector):  # type: ignore[misc]
    """Selects k samples that are good and diverse: (1 - alpha) * facility location + alpha * quality."""

    def __init__(
        self,
        k: float = 0.1,
        alpha: float = 0.7,
        embedding_key: str = "",
        quality_key: str = "",
        model: str = DEFAULT_MODEL,
        select_options: dict[str, Any] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Keep the options.

        :param k: number of samples, or a fraction of them below 1.
        :param alpha: from 0 (diversity only, needs no quality) to 1 (quality only).
        :param embedding_key: field of vectors; without it the text of text_key is embedded.
        :param quality_key: field of scores, larger is better; levels are separated by '.'.
        :param model: sentence-transformers model that embeds text.
        :param select_options: other options of qdit.select, such as {"quality_scale": "zscore"}.
        """
        super().__init__(*args, **kwargs)
        self.k = k
        self.alpha = alpha
        self.embedding_key = embedding_key
        self.quality_key = quality_key
        self.model = model
        self.select_options = dict(select_options or {})

    def process(self, dataset: Any) -> Any:
        """Return the selected samples in pick order."""
        if len(dataset) <= 1:
            return dataset
        source = {"embeddings": self.embedding_key} if self.embedding_key else {"text": self.text_key}
        return select_dataset(
            dataset,
            self._quality(dataset) if self.quality_key else None,
            self.alpha,
            self.k if 0 < self.k < 1 else int(self.k),
            model=self.model,
            **source,
            **self.select_options,
        )

    def _quality(self, dataset: Any) -> Any:
        first, *rest = self.quality_key.split(".")
        if first not in dataset.column_names:
            raise ValueError(
                f"quality_key: got {self.quality_key!r}, wanted a field of {', '.join(dataset.column_names)}"
            )
        found = []
        for row, value in enumerate(dataset[first]):
            for name in rest:
                if not isinstance(value, dict) or name not in value:
                    raise ValueError(f"quality_key: row {row} has no {self.quality_key!r}")
                value = value[name]
            found.append(value)
        return found  # select says which is no number
