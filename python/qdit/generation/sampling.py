"""Choice of the next token, and ends of answers, row by row: what else is in a batch does not matter."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from ..common.optional import require
from ..models.hub import Tensor


def uniform(key: bytes, step: int) -> float:
    """Return a number in [0, 1) that depends on key and step alone, not on a library's version."""
    digest = hashlib.sha256(key + step.to_bytes(8, "little")).digest()
    return float((int.from_bytes(digest[:8], "little") >> 11) * 2.0**-53)


def draw(scores: Tensor, numbers: Tensor, temperature: float, top_p: float) -> Tensor:
    """Return the tokens (batch,) that numbers in [0, 1) stand for.

    Args:
        scores: (batch, tokens) logits.
        numbers: (batch,) float64.
        temperature: what the logits are divided by, above 0.
        top_p: only the most likely tokens that have this probability together can be drawn.

    """
    probabilities = (scores.double() / temperature).softmax(-1)
    order = None
    if top_p < 1:
        probabilities, order = probabilities.sort(dim=-1, descending=True, stable=True)
        before = probabilities.cumsum(-1) - probabilities
        probabilities = probabilities.where(before < top_p, 0.0)
    sums = probabilities.cumsum(-1)
    # a token without probability has the sum of the one before it, so it is passed over
    found = (sums <= numbers[:, None] * sums[:, -1:]).sum(-1).clamp(max=scores.shape[-1] - 1)
    return found if order is None else order.gather(-1, found[:, None])[:, 0]


def make_processor(keys: Sequence[bytes], start: int, temperature: float, top_p: float) -> Any:
    """Return a LogitsProcessorList after which the most likely token is the one that was drawn.

    keys: of each row. start: tokens before the first drawn one.
    """
    torch = require("torch", "train", "to run a model")
    transformers = require("transformers", "train", "to run a model")

    def process(self: Any, input_ids: Tensor, scores: Tensor) -> Tensor:
        step = input_ids.shape[1] - start
        numbers = torch.tensor([uniform(key, step) for key in keys], dtype=torch.float64)
        chosen = draw(scores, numbers.to(scores.device), temperature, top_p)
        return torch.full_like(scores, -float("inf")).scatter(-1, chosen[:, None], 0.0)

    kind = type("Draws", (transformers.LogitsProcessor,), {"__call__": process})
    return transformers.LogitsProcessorList([kind()])


def make_criteria(decode: Callable[[Any], str], start: int, stop: Sequence[str]) -> Any:
    """Return a StoppingCriteriaList that ends a row once its answer holds one of the texts.

    decode: text of the answer's tokens. start: tokens before the answer.
    """
    torch = require("torch", "train", "to run a model")
    transformers = require("transformers", "train", "to run a model")

    def ended(self: Any, input_ids: Tensor, scores: Tensor, **_: Any) -> Tensor:
        texts = [decode(ids) for ids in input_ids[:, start:]]
        done = [any(text in answer for text in stop) for answer in texts]
        return torch.tensor(done, device=input_ids.device)

    kind = type("Stops", (transformers.StoppingCriteria,), {"__call__": ended})
    return transformers.StoppingCriteriaList([kind()])


def cut(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """Return the text before the first of the stops, and whether there was one."""
    places = [place for place in map(text.find, stop) if place >= 0]
    return (text[: min(places)], True) if places else (text, False)
