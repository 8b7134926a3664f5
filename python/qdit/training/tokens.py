"""Rows as tokens, with labels on what is to be learnt: the response and the token that ends it."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..common.optional import require
from ..common.progress import RowProgressLike, RowTracker
from ..common.types import JSON, Indices
from ..models.hub import Tokenizer
from ..models.prompts import ALPACA, CHAT, make_prompt, render_chat
from ..records import Row
from ..scoring.likelihood import IGNORED

_CHUNK = 1000  # rows tokenized at a time
_KEPT = 20  # row numbers that a report names


class Example(NamedTuple):
    """A row as a model is trained on it.

    Attributes:
        ids: tokens of prompt and response.
        labels: the same, `IGNORED` where nothing is learnt.
        cut: whether the row was longer than the limit.

    """

    ids: list[int]
    labels: list[int]
    cut: bool


def encode(
    tokenizer: Tokenizer, prompts: Sequence[str], responses: Sequence[str], max_length: int
) -> Iterator[Example]:
    """Yield examples as Stanford Alpaca makes them.

    Prompt, response and end token are one text, so that tokens may reach across; as many tokens as the prompt
    alone has are not learnt, all others are; what is beyond `max_length` is cut off
    (tatsu-lab/stanford_alpaca, train.py, `preprocess`).
    """
    texts = [a + b + tokenizer.eos_token for a, b in zip(prompts, responses, strict=True)]
    # verbose: it would warn of rows that are cut here
    asked = tokenizer(list(prompts), verbose=False)["input_ids"]
    for before, ids in zip(asked, tokenizer(texts, verbose=False)["input_ids"], strict=True):
        labels = [IGNORED] * len(before) + ids[len(before) :]
        yield Example(ids[:max_length], labels[: min(len(ids), max_length)], len(ids) > max_length)


def encode_chat(tokenizer: Tokenizer, row: Row, max_length: int, asked: int = 0) -> Example:
    """Return a chat by the tokenizer's template, with labels on every answer and the token that ends it.

    asked: how many turns are a prompt, whose answers are not learnt.

    Raises:
        ValueError: if the template refuses the turns, or writes earlier turns otherwise once others follow,
            so that nobody can tell where an answer begins.

    """
    turns = list(row.turns)
    whole = render_chat(tokenizer, row, turns)
    spans = []
    for i, (role, _) in enumerate(turns):
        if role == "assistant" and i >= asked:
            before = render_chat(tokenizer, row, turns[:i], prompt=True)
            after = render_chat(tokenizer, row, turns[: i + 1]).rstrip()
            if not (after.startswith(before) and whole.startswith(after)):
                raise ValueError(
                    f"row {row.index}: the chat template does not write turn {i} in the same way with and "
                    "without what follows it; pass 'alpaca' or a format string as template"
                )
            spans.append((len(before), len(after)))
    found = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ids, places = found["input_ids"], found["offset_mapping"]
    learnt = [any(start <= place[0] and place[1] <= end for start, end in spans) for place in places]
    labels = [token if learn else IGNORED for token, learn in zip(ids, learnt, strict=True)]
    return Example(ids[:max_length], labels[:max_length], len(ids) > max_length)


@dataclass(frozen=True, eq=False)
class Tokens:
    """All rows that are trained on.

    Attributes:
        ids, labels: (tokens,) int32, one row after the other.
        offsets: (rows + 1,) int64, where each row begins.
        report: what became of the rows, as JSON values.

    """

    ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    offsets: Indices
    report: JSON = field(repr=False)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def sha256(self) -> str:
        """The hash of all tokens, labels and lengths in order."""
        digest = hashlib.sha256(self.offsets.tobytes())
        digest.update(self.ids.tobytes())
        digest.update(self.labels.tobytes())
        return digest.hexdigest()

    def dataset(self) -> Any:
        """Return a datasets.Dataset with the columns input_ids and labels, without copying them."""
        datasets = require("datasets", "train", "to train a model")
        pa = require("pyarrow", "train", "to train a model")
        columns = {
            name: pa.LargeListArray.from_arrays(pa.array(self.offsets), pa.array(values))
            for name, values in (("input_ids", self.ids), ("labels", self.labels))
        }
        return datasets.Dataset(datasets.table.InMemoryTable(pa.table(columns)))


def tokenize(
    rows: Iterable[tuple[Row, int | None]],
    n: int,
    tokenizer: Tokenizer,
    template: str,
    max_length: int,
    progress: RowProgressLike = None,
) -> Tokens:
    """Return the tokens of all rows that have something to learn.

    Args:
        rows: (row, how many of its turns are a prompt, of which nothing is learnt). None is for a prompt
            that is a text, which "alpaca" takes as it is. Of a chat the first exchange counts, unless the
            template is "chat".
        n: number of rows.
        tokenizer: of transformers, with an end token.
        template: "alpaca", "chat" or a format string.
        max_length: tokens beyond which a row is cut.
        progress: as in `RowTracker`.

    Raises:
        ValueError: if no row has anything to learn.

    """
    ids, labels = [], []
    lengths: list[int] = []
    left_out: list[int] = []
    cut = more_turns = 0
    done = 0
    with RowTracker(progress, "tokenize", n) as tracker:
        for done, (row, example) in enumerate(examples(rows, tokenizer, template, max_length), 1):
            more_turns += template != CHAT and len(row.turns) > 2
            cut += example.cut
            if all(label == IGNORED for label in example.labels):
                left_out.append(row.index)
            else:
                ids.append(np.array(example.ids, np.int32))
                labels.append(np.array(example.labels, np.int32))
                lengths.append(len(example.ids))
            tracker.update(done)
    if not lengths:
        raise ValueError(
            f"data: the prompts of all {done} rows fill max_length ({max_length} tokens), so there is "
            "nothing to learn; pass a larger max_length"
        )
    report = {
        "rows": done,
        "left_out": len(left_out),  # the prompt alone fills max_length
        "left_out_rows": left_out[:_KEPT],
        "cut": cut,
        "first_exchange_only": more_turns,
        "trained": len(lengths),
        "tokens": sum(lengths),
        "learnt": int(sum(int((one != IGNORED).sum()) for one in labels)),
        "longest": max(lengths),
    }
    offsets = np.cumsum([0, *lengths], dtype=np.int64)
    return Tokens(np.concatenate(ids), np.concatenate(labels), offsets, report)


def examples(
    rows: Iterable[tuple[Row, int | None]], tokenizer: Tokenizer, template: str, max_length: int
) -> Iterator[tuple[Row, Example]]:
    """Yield each row with its tokens, cut to `max_length`; arguments are those of `tokenize`."""
    source = iter(rows)
    while chunk := list(islice(source, _CHUNK)):
        found: Iterable[Example]
        if template == CHAT:
            found = (encode_chat(tokenizer, row, max_length, asked or 0) for row, asked in chunk)
        else:
            prompt = make_prompt(template, tokenizer)
            prompts = [
                row.instruction if asked is None and template == ALPACA else prompt(row)
                for row, asked in chunk
            ]
            found = encode(tokenizer, prompts, [row.output for row, _ in chunk], max_length)
        yield from zip((row for row, _ in chunk), found, strict=True)
