"""Any server that speaks the OpenAI protocol's /v1/embeddings."""

import asyncio
import base64
import binascii
import json
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.optional import require
from ..common.types import JSON
from ..models.client import hide, read_key
from .encoder import Encoder, Tick
from .options import EmbedOptions

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0  # seconds before an unusable answer is asked for again


class ServerEncoder(Encoder):
    """A model behind a server: requests of `batch_size` texts, several at once, answers in order."""

    libraries = ("numpy", "openai")

    def __init__(self, options: EmbedOptions) -> None:
        """Make a client; nothing is sent yet."""
        super().__init__(options)
        assert options.base_url is not None
        self._openai = require("openai", "judge", "to embed with a server")
        self._url = options.base_url
        self._name, self._prompt, self._dimensions = options.model, options.prompt or "", options.dimensions
        self._key_env, self._key = options.key_env, read_key(options.key_env)
        self._retries = options.retries
        self._requests = self._unusable = self._tokens = 0
        self._stack = ExitStack()
        anyio = require("anyio.from_thread", "judge", "to embed with a server")
        # an event loop in a thread, so that this works inside notebooks too, where one runs already
        self._portal = self._stack.enter_context(anyio.start_blocking_portal())
        self._client = self._openai.AsyncOpenAI(
            base_url=self._url,
            api_key=self._key or "none",  # local servers want no key, the client wants one
            max_retries=self._retries,
            timeout=options.timeout,
        )
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
            RuntimeError: if the server keeps failing, or refuses.

        """
        future = self._portal.start_task_soon(self._encode, texts, numbers, tick)
        try:
            parts = future.result()
        except ExceptionGroup as group:
            raise _first_leaf(group) from None
        except BaseException:  # Ctrl-C: do not wait for the answers
            future.cancel()
            raise
        sizes = {part.shape[1] for part in parts}
        if len(sizes) > 1:
            raise RuntimeError(
                f"{self._url}: rows {numbers[0]} to {numbers[-1]}: got vectors of {sorted(sizes)} "
                "dimensions, wanted one size; check which models the server runs"
            )
        return np.concatenate(parts)

    async def _encode(
        self, texts: Sequence[str], numbers: Sequence[int], tick: Tick
    ) -> list[NDArray[np.float32]]:
        done = 0

        async def one(start: int) -> NDArray[np.float32]:
            nonlocal done
            part = slice(start, start + self.batch_size)
            batch = [self._prompt + text for text in texts[part]]
            async with self._slots:
                rows = await self._request(batch, numbers[part])
            done += len(batch)
            tick(done)
            return rows

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(start)) for start in range(0, len(texts), self.batch_size)]
        return [task.result() for task in tasks]

    async def _request(self, texts: list[str], numbers: Sequence[int]) -> NDArray[np.float32]:
        """Ask until the answer can be used; the client itself repeats what failed on the way."""
        where = f"{self._url}: rows {numbers[0]} to {numbers[-1]}"
        options = {} if self._dimensions is None else {"dimensions": self._dimensions}
        reason = ""
        for attempt in range(self._retries + 1):
            if attempt:
                await asyncio.sleep(min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (attempt - 1)))
            self._requests += 1
            try:
                response = await self._client.embeddings.with_raw_response.create(
                    model=self._name, input=texts, encoding_format="base64", **options
                )
            except self._openai.OpenAIError as error:
                raise RuntimeError(f"{where}: {self._explain(error)}") from None  # it may hold the key
            try:
                rows, tokens = parse_answer(response.content, len(texts))
            except ValueError as error:
                self._unusable += 1
                reason = str(error)
                continue
            self._tokens += tokens
            return rows
        raise RuntimeError(
            f"{where}: the answer is of no use: {reason} (asked {self._retries + 1} times); check the server"
        )

    def _explain(self, error: Exception) -> str:
        text = hide(" ".join(str(error).split()), self._key)[:300]
        status = getattr(error, "status_code", None)
        if status in (401, 403):
            remedy = f"set the environment variable {self._key_env} to a key of this server"
        elif status == 404:
            remedy = "check base_url (it ends in /v1, most often) and the model's name"
        elif status is not None and 400 <= status < 500 and status != 429:
            remedy = "check the model's name and its longest input"
        else:
            remedy = f"tried {self._retries + 1} times; check the server, raise retries or timeout"
        return f"{type(error).__name__}: {text}; {remedy}"


def parse_answer(content: bytes, count: int) -> tuple[NDArray[np.float32], int]:
    """Return vectors (count, d) in the order of the request, and the tokens used.

    Vectors may be lists of numbers or base64 of float32.

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
    places = [entry.get("index") for entry in data]
    if sorted(places, key=repr) != sorted(range(count), key=repr):
        raise ValueError(f"got index {places[:8]}, wanted each of 0 to {count - 1} once")
    vectors = [
        _vector(entry.get("embedding")) for entry in sorted(data, key=lambda entry: int(entry["index"]))
    ]
    if len({len(vector) for vector in vectors}) != 1 or len(vectors[0]) == 0:
        raise ValueError(f"got vectors of {sorted({len(v) for v in vectors})} dimensions, wanted one size")
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
