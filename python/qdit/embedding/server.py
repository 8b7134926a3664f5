"""Any server that speaks the OpenAI protocol's /v1/embeddings."""

import asyncio
import base64
import binascii
import json
import logging
import re
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..common.optional import require
from ..common.types import JSON
from ..models.client import BAD_KEY, PACKAGE, connect, in_a_line, pause, read_key, told_by
from .encoder import Encoder, Stopped, Tick
from .options import EmbedOptions

_FORMATS: tuple[JSON, ...] = ({"encoding_format": "base64"}, {"encoding_format": "float"}, {})
_REFUSALS = (400, 413, 422)  # of what was sent: fewer or shorter texts may be taken
_ENCODING = re.compile("encoding|base64", re.IGNORECASE)
_TOO_LONG = re.compile("too (long|large|big)|(context|input) length|(larger|longer) than", re.IGNORECASE)
_LIMIT = re.compile(f"{_TOO_LONG.pattern}|length|token|max|exceed|limit", re.IGNORECASE)
_KEPT = 3, 4  # what is left of a text that is cut, of how much

_Parts = dict[int, NDArray[np.float32]]  # rows that are done, by the place of the first

_log = logging.getLogger(__name__)


class _RefusedError(Exception):
    """The server does not take what was sent; `too_long`: it seems to be too much."""

    def __init__(self, reason: str, *, too_long: bool) -> None:
        super().__init__(reason)
        self.too_long = too_long


class ServerEncoder(Encoder):
    """A model behind a server: requests of `batch_size` texts, several at once, answers in order."""

    libraries = ("numpy", "openai")

    def __init__(self, options: EmbedOptions) -> None:
        """Make a client; nothing is sent yet."""
        super().__init__(options)
        assert options.base_url is not None
        self._openai = require(*PACKAGE)
        self._url = options.base_url
        self._name, self._prompt, self._dimensions = options.model, options.prompt or "", options.dimensions
        self._key = read_key(options.key_env)
        self._retries, self._format = options.retries, 0
        self._cuts, self._keeps = options.truncate, options.zero_rows == "keep"
        self._requests = self._unusable = self._tokens = 0
        self._client = connect(self._url, self._key, retries=options.retries, timeout=options.timeout)
        self._stack = ExitStack()
        anyio = require("anyio.from_thread", "judge", "to embed with a server")
        # an event loop in a thread, so that this works inside notebooks too, where one runs already
        self._portal = self._stack.enter_context(anyio.start_blocking_portal())
        self._slots = asyncio.Semaphore(options.concurrency)

    def close(self) -> None:
        """Close the connections."""
        self._portal.call(self._client.close)
        self._stack.close()

    def identity(self) -> JSON:
        """Return server and model as they were named; a server does not tell more."""
        return {"kind": "server", "name": self._name, "url": self._url, "prompt": self._prompt or None}

    def details(self) -> JSON:
        """Return counts of requests, of answers that were of no use, and of tokens where the server says."""
        return {
            "requests": self._requests,
            "unusable_answers": self._unusable,
            "prompt_tokens": self._tokens,
        }

    def encode(self, texts: Sequence[str], numbers: Sequence[int], tick: Tick) -> NDArray[np.float32]:
        """Return the vectors, (len(texts), d).

        Raises:
            Stopped: if the server keeps failing, or refuses; it has the rows before.

        """
        parts: _Parts = {}
        future = self._portal.start_task_soon(self._encode, texts, numbers, tick, parts)
        try:
            future.result()
        except BaseException as error:  # also Ctrl-C: do not wait for the answers
            future.cancel()
            raise Stopped(_first_leaf(error), self._joined(dict(parts), numbers)) from None
        return self._joined(parts, numbers)

    def _joined(self, parts: _Parts, numbers: Sequence[int]) -> NDArray[np.float32]:
        """Return the rows from the first on, as far as there is no gap."""
        rows: list[NDArray[np.float32]] = []
        done = 0
        while done in parts:
            rows.append(parts[done])
            done += len(parts[done])
        sizes = {part.shape[1] for part in rows} - {0}  # 0 where there is no vector
        if len(sizes) > 1:
            raise RuntimeError(
                f"{self._url}: rows {numbers[0]} to {numbers[done - 1]}: got vectors of {sorted(sizes)} "
                "dimensions, wanted one size; check which models the server runs"
            )
        size = max(sizes, default=0)
        empty = np.zeros((1, size), np.float32)
        return np.concatenate([part if part.shape[1] else empty for part in rows] or [empty[:0]])

    async def _encode(self, texts: Sequence[str], numbers: Sequence[int], tick: Tick, parts: _Parts) -> None:
        async def some(start: int, stop: int) -> bool:
            """Fill in the rows of a batch, in halves where it is refused; return whether one text was."""
            refused = None
            if stop - start <= self.batch_size:  # it may have shrunk by now
                try:
                    parts[start] = await self._request(texts[start:stop], numbers[start:stop])
                except _RefusedError as error:
                    refused = error
                    if stop - start == 1:
                        parts[start] = await self._refused(texts[start], numbers[start], error)
            if start in parts:
                tick(sum(map(len, parts.values())))
                return refused is not None
            half = start + min((stop - start + 1) // 2, self.batch_size)
            lone = [await some(start, half), await some(half, stop)]
            if refused is not None and not any(lone):
                self._shrink(half - start, refused)
            return any(lone)

        async def batch(start: int) -> None:
            async with self._slots:
                await some(start, min(start + size, len(texts)))

        size = self.batch_size
        async with asyncio.TaskGroup() as group:
            for start in range(0, len(texts), size):
                group.create_task(batch(start))

    def _shrink(self, size: int, refused: Exception) -> None:
        if size < self.batch_size:
            self.batch_size = size
            _log.warning(
                "the server refused a larger batch (%s); going on with batches of %d; pass batch_size "
                "(--batch-size) as it says to save such attempts",
                refused,
                size,
            )

    async def _refused(self, text: str, number: int, refused: _RefusedError) -> NDArray[np.float32]:
        """Return the row of a text that was refused alone: cut until it is taken, or without a vector."""
        if self._cuts and refused.too_long:
            kept, of = _KEPT
            cut = text
            while len(cut) > of:
                cut = cut[: len(cut) * kept // of]
                try:
                    rows = await self._request([cut], [number])
                except _RefusedError:
                    continue
                self.cut.append(number)
                return rows
        elif self._keeps and refused.too_long:
            return np.zeros((1, 0), np.float32)
        remedy = "check the model's name" + (" and dimensions" if self._dimensions else "")
        if refused.too_long:
            remedy = (
                "pass truncate (--truncate) to cut such texts until the server takes them, or zero_rows keep "
                "(--zero-rows keep) for rows of zeros, which are never chosen"
            )
        raise RuntimeError(
            f"{self._url}: row {number}: its text of {len(text):,} characters was refused: {refused}; "
            f"{remedy}"
        )

    async def _request(self, texts: Sequence[str], numbers: Sequence[int]) -> NDArray[np.float32]:
        """Ask until the answer can be used; the client itself repeats what failed on the way."""
        where = f"{self._url}: rows {numbers[0]} to {numbers[-1]}"
        body: JSON = {"model": self._name, "input": [self._prompt + text for text in texts]}
        body |= {} if self._dimensions is None else {"dimensions": self._dimensions}
        reason = ""
        for attempt in range(self._retries + 1):
            await pause(attempt)
            try:
                content = await self._send(body)
            except self._openai.OpenAIError as error:
                self._explain(error, where)
            try:
                rows, tokens = parse_answer(content, len(texts), self._dimensions)
            except ValueError as error:
                self._unusable += 1
                reason = str(error)
                continue
            self._tokens += tokens
            return rows
        raise RuntimeError(
            f"{where}: the answer is of no use: {reason} (asked {self._retries + 1} times); check the server"
        )

    async def _send(self, body: JSON) -> str:
        """Return the answer to a request, in the first of the formats that the server does not refuse."""
        while True:
            format = self._format
            try:
                self._requests += 1
                text: str = await self._client.post("/embeddings", cast_to=str, body=body | _FORMATS[format])
                return text
            except self._openai.APIStatusError as error:
                if not _ENCODING.search(told_by(error)) or format == len(_FORMATS) - 1:
                    raise
                self._format = max(self._format, format + 1)

    def _explain(self, error: Exception, where: str) -> NoReturn:
        """Raise what a failed request comes to; not from the error, which may hold the key."""
        status = getattr(error, "status_code", None)
        told = f"{type(error).__name__}: {error}" if status is None else f"HTTP {status}: {told_by(error)}"
        text = in_a_line(told, self._key)
        if status in _REFUSALS or _TOO_LONG.search(text):
            raise _RefusedError(text, too_long=bool(_LIMIT.search(text))) from None
        if status in (401, 403):
            remedy = BAD_KEY
        elif status == 404:
            remedy = "check base_url (it ends in /v1, most often) and the model's name"
        elif status is not None and 400 <= status < 500 and status != 429:
            remedy = "check base_url and the model's name"
        else:
            remedy = f"tried {self._retries + 1} times; check the server, raise retries or timeout"
        raise RuntimeError(f"{where}: {text}; {remedy}") from None


def parse_answer(
    content: str | bytes, count: int, dimensions: int | None = None
) -> tuple[NDArray[np.float32], int]:
    """Return vectors (count, d) in the order of the request, and the tokens used.

    Vectors may be lists of numbers or base64 of float32. One without an index has that of its place.
    dimensions: what longer ones are cut to, because some servers pass over that they are asked to.

    Raises:
        ValueError: says what is wrong with the answer.

    """
    try:
        answer = json.loads(content)
    except ValueError:
        raise ValueError(f"it is not JSON: {content[:40]!r}") from None
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
        raise ValueError("it has no list of data")
    if len(data) != count:
        raise ValueError(f"got {len(data)} embeddings, wanted {count}")
    places = [i if entry.get("index") is None else entry["index"] for i, entry in enumerate(data)]
    if sorted(places, key=repr) != sorted(range(count), key=repr):
        raise ValueError(f"got index {places[:8]}, wanted each of 0 to {count - 1} once")
    by_place = dict(zip(places, data, strict=True))
    vectors = [_vector(by_place[i].get("embedding"))[:dimensions] for i in range(count)]
    if len({len(vector) for vector in vectors}) != 1 or len(vectors[0]) == 0:
        raise ValueError(f"got vectors of {sorted({len(v) for v in vectors})} dimensions, wanted one size")
    if dimensions is not None and len(vectors[0]) < dimensions:
        raise ValueError(f"got vectors of {len(vectors[0])} dimensions, wanted {dimensions}")
    rows = np.stack(vectors)
    if not np.isfinite(rows).all():
        raise ValueError("it has NaN or infinite numbers")
    usage = answer.get("usage")
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else 0
    return rows, tokens if isinstance(tokens, int) else 0


def _vector(value: Any) -> NDArray[np.float32]:
    try:
        if isinstance(value, str):
            return np.frombuffer(base64.b64decode(value, validate=True), "<f4").astype(np.float32)
        vector = np.array(value, np.float32)
        if vector.ndim != 1:
            raise TypeError
        return vector
    except (TypeError, ValueError, OverflowError, binascii.Error):
        raise ValueError("an embedding is neither a list of numbers nor base64 of float32") from None


def _first_leaf(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
