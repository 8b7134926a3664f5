"""Requests to an OpenAI-compatible chat endpoint: retried, and silent about the key."""

import asyncio
import base64
import json
import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Self
from urllib.parse import quote, urlsplit

from ..common.optional import require
from ..common.text import shorten
from ..common.types import JSON

_SECRET_LENGTH = 8  # what is shorter, such as "none", is no secret and might be a word of an answer
_MESSAGE_LENGTH = 200
_BACKOFF = 0.5, 8.0  # seconds: first and longest wait before an answer that made no sense is asked for again
HIDDEN = "[key]"


class Answer(NamedTuple):
    """What the endpoint said, and the tokens it counted (0 where it did not)."""

    text: str
    prompt_tokens: int
    completion_tokens: int


class RequestError(RuntimeError):
    """One request failed, and so did its repetitions; others may work."""


class EndpointError(RuntimeError):
    """No request can work: the key or the model is refused, or nothing answers."""


def read_key(variable: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the key in an environment variable, None if it is not set.

    The errors do not repeat `variable`, which may be the key itself by mistake.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        raise ValueError(
            "key_env: wanted the name of an environment variable that holds the key, such as OPENAI_API_KEY, "
            "never the key itself"
        )
    return environ.get(variable) or None


def check_url(url: str) -> str:
    """Return the base URL of an endpoint; ValueError if it is none, or carries a password or a query."""
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "base_url: wanted a URL without user, password, query or fragment; a key goes into the "
            "environment variable that key_env names"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"base_url: got {url!r}, wanted one such as http://localhost:8000/v1")
    return url.rstrip("/")


class ChatClient:
    """An endpoint for chat completions; use it as an async context manager."""

    def __init__(self, base_url: str, key: str | None, *, retries: int, timeout: float) -> None:
        self._openai = require("openai", "judge", "to ask a judge")
        self._key = key
        self._retries = retries
        self._client = self._openai.AsyncOpenAI(
            base_url=base_url, api_key=key or "none", max_retries=retries, timeout=timeout
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def ask(self, request: JSON) -> Answer:
        """Return the answer to the fields of a request.

        The library repeats what fails on the way (connection, 408, 409, 429, 5xx; it waits as long as
        retry-after says); here it is repeated when a reply arrives that is no completion.
        """
        first, longest = _BACKOFF
        reason = ""
        for attempt in range(self._retries + 1):
            if attempt:
                await asyncio.sleep(min(longest, first * 2 ** (attempt - 1)))
            try:
                return await self._ask(request)
            except _SenselessError as error:
                reason = str(error)
        raise RequestError(reason)

    async def _ask(self, request: JSON) -> Answer:
        openai = self._openai
        # `from None` throughout: what these errors are made from holds the request, with the key in it
        try:
            reply = await self._client.chat.completions.create(**request)
        except openai.APIStatusError as error:
            code = error.status_code
            message = f"HTTP {code}: {self._hide(error.message.removeprefix(f'Error code: {code} - '))}"
            kind = EndpointError if code in (401, 403, 404) else RequestError
            raise kind(message) from None
        except openai.APIConnectionError as error:
            cause = f" ({type(error.__cause__).__name__})" if error.__cause__ is not None else ""
            raise RequestError(self._hide(error.message) + cause) from None
        except (openai.OpenAIError, ValueError) as error:  # ValueError: a body that is not JSON
            raise _SenselessError(f"the reply is no JSON ({type(error).__name__})") from None
        return self._read(reply)

    def _read(self, reply: Any) -> Answer:
        try:
            text = reply.choices[0].message.content or ""
            used = reply.usage
            counts = (0, 0) if used is None else (int(used.prompt_tokens), int(used.completion_tokens))
        except (AttributeError, IndexError, TypeError, ValueError):
            raise _SenselessError("the reply is no chat completion") from None
        if not isinstance(text, str):
            raise _SenselessError("the reply holds no text")
        return Answer(hide(text, self._key), *counts)

    def _hide(self, text: str) -> str:
        return shorten(hide(" ".join(text.split()), self._key), _MESSAGE_LENGTH)


class _SenselessError(Exception):
    """A reply that is no completion."""


def hide(text: str, key: str | None) -> str:
    """Return text with the key replaced, also where it is quoted for URLs or JSON, or in base64."""
    if key is None or len(key) < _SECRET_LENGTH:
        return text
    forms = {key, quote(key), quote(key, safe=""), json.dumps(key)[1:-1], repr(key)[1:-1]}
    forms |= {form.replace("/", "\\/") for form in forms}  # as some servers write JSON
    forms.add(base64.b64encode(key.encode()).decode())
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return text
