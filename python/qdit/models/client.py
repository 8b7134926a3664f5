"""Requests to an OpenAI-compatible chat endpoint: retried, and silent about the key."""

import asyncio
import base64
import json
import os
import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Self
from urllib.parse import quote, urlsplit

from ..common.optional import require
from ..common.text import shorten
from ..common.types import JSON

_SECRET_LENGTH = 8  # what is shorter, such as "none", is no secret and might be a word of an answer
_MESSAGE_LENGTH = 300
_URL = "http://localhost:8000/v1"  # for errors
_BACKOFF = 0.5, 8.0  # seconds: first and longest wait before an answer of no use is asked for again
HIDDEN = "[key]"
LIMITS = "max_tokens", "max_completion_tokens"  # of an answer: some endpoints know only one of them
_OTHER_NAME = dict(zip(LIMITS, reversed(LIMITS), strict=True))
BAD_KEY = "check the key in the environment variable that key_env names, and what it may ask for"
_BAD_MODEL = "check base_url and the name of the model"
_UNPAID = "add credit to the account of this key"
_REMEDIES = {401: BAD_KEY, 402: _UNPAID, 403: BAD_KEY, 404: _BAD_MODEL}
_ONE_ROW = re.compile(r"context|moderat|flagged|content.{0,9}(?:filter|policy)", re.IGNORECASE)
_NO_SYSTEM = re.compile(r"system (?:role|message|prompt)|'system'|roles must alternate", re.IGNORECASE)
SYSTEM = "the system role"
_REFUSED = re.compile(
    r"support|unrecogni[sz]ed|unknown|unexpected|extra|permitted|allowed|invalid|deprecated", re.IGNORECASE
)


class Answer(NamedTuple):
    """What the endpoint said.

    Attributes:
        text: its words; reasoning that a server gives apart stands there, behind "<think>", if there is
            nothing else.
        finish: why it ended, such as "stop", "length" or "content_filter"; None where that is not said.
        prompt_tokens, completion_tokens: as the endpoint counts them; 0 where it does not.

    """

    text: str
    finish: str | None
    prompt_tokens: int
    completion_tokens: int


class RequestError(RuntimeError):
    """One request failed, and so did its repetitions; others may work."""


class EndpointError(RuntimeError):
    """There is no point in going on: no request can work, or what is paid for is of no use."""


def read_key(variable: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the key in an environment variable, without space around it; None if it is not set.

    The errors do not repeat `variable`, which may be the key itself by mistake.
    """
    if not isinstance(variable, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        raise ValueError(
            "key_env: wanted the name of an environment variable that holds the key, such as OPENAI_API_KEY, "
            "never the key itself"
        )
    key = environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ValueError(
            "key_env: the variable that it names holds a line break or a letter outside ASCII, as no key "
            "does; set it anew"
        )
    return key or None


def check_url(url: str) -> str:
    """Return the base URL of an endpoint; ValueError if it is none, or carries a password or a query."""
    if not isinstance(url, str):
        raise ValueError(f"base_url: got {url!r}, wanted one such as {_URL}")
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port is None or parts.port else None
    except ValueError:  # a port that is no number, half an IPv6 address
        raise ValueError(f"base_url: wanted one such as {_URL}, with a number as port") from None
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "base_url: wanted a URL without user, password, query or fragment; a key goes into the "
            "environment variable that key_env names"
        )
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", url):
        raise ValueError(f"base_url: got {url!r}, wanted one such as {_URL}")
    return url.rstrip("/")


PACKAGE = ("openai", "judge", "to ask an endpoint")


def connect(base_url: str, key: str | None, *, retries: int, timeout: float) -> Any:
    """Return the library's client of an endpoint; nothing is sent. EndpointError if there can be none."""
    library = require(*PACKAGE)
    try:
        return library.AsyncOpenAI(
            base_url=base_url,
            api_key=key or "none",  # local servers want no key, the library wants one
            max_retries=retries,
            timeout=timeout,
        )
    except Exception as error:  # of the HTTP library: a proxy that it cannot use, a URL that is none
        raise EndpointError(
            f"{in_a_line(str(error), key)}; check base_url, and HTTP_PROXY, HTTPS_PROXY and ALL_PROXY in the "
            "environment"
        ) from None


async def pause(attempt: int) -> None:
    """Wait before an attempt, longer each time; not before the first, which is number 0."""
    first, longest = _BACKOFF
    if attempt:
        await asyncio.sleep(min(longest, first * 2 ** (attempt - 1)))


class ChatClient:
    """An endpoint for chat completions; use it as an async context manager.

    Attributes:
        renamed: fields that the endpoint refused, and what they are called in all further requests; None for
            those that are left out, `SYSTEM` among them.

    """

    def __init__(
        self,
        base_url: str,
        key: str | None,
        *,
        retries: int,
        timeout: float,
        optional: Collection[str] = (),
        params_option: str = "params",
    ) -> None:
        """Make a client; nothing is sent.

        Args:
            base_url: of the endpoint.
            key: for it; None for an endpoint that asks for none.
            retries: how often a request is repeated that failed on the way.
            timeout: seconds for one.
            optional: fields that are left out where the endpoint refuses them.
            params_option: what sets fields of requests, for errors.

        """
        self._openai = require(*PACKAGE)
        self._key = key
        self._retries, self._timeout = retries, timeout
        self._optional = optional
        self._params_option = params_option
        self._answers = False  # whether it has answered a request
        self.renamed: dict[str, str | None] = {}
        self._client = connect(base_url, key, retries=retries, timeout=timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def ask(self, request: JSON) -> Answer:
        """Return the answer to the fields of a request.

        The library repeats what fails on the way (connection, 408, 409, 429, 5xx; it waits as long as
        retry-after says); here it is repeated when a reply arrives that is no completion, and at once where a
        field is refused that has another name or can be left out, or the system's turn, which is then put
        before the user's.

        Raises:
            RequestError: this request failed.
            EndpointError: all others would too.

        """
        reason = ""
        for attempt in range(self._retries + 1):
            await pause(attempt)
            try:
                return await self._ask(request)
            except _SenselessError as error:
                reason = str(error)
        raise RequestError(reason)

    async def _ask(self, request: JSON) -> Answer:
        openai = self._openai
        sent = self._adapted(request)
        fields = {**sent, **sent.get("extra_body", {})}
        model, messages = fields.pop("model"), fields.pop("messages")
        fields.pop("extra_body", None)
        # `from None` throughout: what these errors are made from holds the request, with the key in it
        try:
            reply = await self._client.chat.completions.create(
                model=model,
                messages=messages,
                extra_body=fields,  # where the library takes those that it does not know
            )
        except openai.APIStatusError as error:
            failure = self._failure(error, fields)
            if self._adapted(request) == sent:
                raise failure from None
        except openai.APITimeoutError:
            raise RequestError(
                f"no answer within {self._timeout:g} seconds; a longer timeout may help"
            ) from None
        except openai.APIConnectionError as error:
            cause = error.__cause__
            why = "" if cause is None else f" ({self._hide(f'{type(cause).__name__}: {cause}')})"
            raise RequestError(self._hide(error.message) + why) from None
        except (openai.OpenAIError, ValueError) as error:  # ValueError: a body that is not JSON
            raise _SenselessError(f"the reply is no JSON ({type(error).__name__})") from None
        else:
            answer = self._read(reply)
            self._answers = True
            return answer
        return await self._ask(request)

    def _adapted(self, request: JSON) -> JSON:
        """Return a request as the endpoint takes it."""
        named = ((self.renamed.get(name, name), value) for name, value in request.items())
        adapted = {name: value for name, value in named if name is not None}
        first, *others = request["messages"]
        if SYSTEM in self.renamed and others and first["role"] == "system":
            joined = {**others[0], "content": f"{first['content']}\n\n{others[0]['content']}"}
            adapted["messages"] = [joined, *others[1:]]
        return adapted

    def _failure(self, error: Any, fields: JSON) -> Exception:
        """Return the error to raise; learn from it which field to do without."""
        code = error.status_code
        told = told_by(error)
        said = f"{told} {error.code} {error.type}"
        message = f"HTTP {code}: {self._hide(told)}"
        if _ONE_ROW.search(said) and code in (400, 403, 422):
            return RequestError(message)
        if code in (400, 422) and not self._answers:
            return self._bad_request(error, fields, said, message)
        remedy = _UNPAID if "insufficient_quota" in said else _REMEDIES.get(code)
        return RequestError(message) if remedy is None else EndpointError(f"{message}; {remedy}")

    def _bad_request(self, error: Any, fields: JSON, said: str, message: str) -> Exception:
        if error.param == "model" or "model_not_found" in said:
            return EndpointError(f"{message}; {_BAD_MODEL}")
        if re.search(r"\bapi[ _-]?key\b", said, re.IGNORECASE):
            return EndpointError(f"{message}; {BAD_KEY}")
        if _NO_SYSTEM.search(said):
            self.renamed[SYSTEM] = None
            return RequestError(message)
        named = [name for name in fields if re.search(rf"\b{re.escape(name)}\b", said)]
        named = [name for name in fields if name == error.param] or (named if _REFUSED.search(said) else [])
        if not named:
            return RequestError(message)
        field = named[0]
        if field in self._optional:
            self.renamed[field] = None
        elif _OTHER_NAME.get(field) not in (None, *self.renamed):
            self.renamed[field] = _OTHER_NAME[field]
        asked = next((old for old, new in self.renamed.items() if new == field), field)
        return EndpointError(
            f"{message}; pass {spelled(self._params_option, {asked: None})} to leave this field out, or "
            "another value"
        )

    def _read(self, reply: Any) -> Answer:
        refused = getattr(reply, "error", None)
        if refused:  # as some servers pass on those of others
            raise _SenselessError(f"the reply is an error: {self._hide(str(refused))}")
        try:
            choice = reply.choices[0]
            text = _text_of(choice.message)
        except (AttributeError, LookupError, TypeError):
            raise _SenselessError("the reply is no chat completion") from None
        usage = getattr(reply, "usage", None)
        used = [getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens")]
        counts = [count if isinstance(count, int) else 0 for count in used]
        finish = getattr(choice, "finish_reason", None)
        return Answer(hide(text, self._key), finish if isinstance(finish, str) else None, *counts)

    def _hide(self, text: str) -> str:
        return in_a_line(text, self._key)


def told_by(error: Any) -> str:
    """Return what a server said in an error, which the library leaves out where it is in no known place."""
    code = f"Error code: {error.status_code}"
    if error.message != code:
        return str(error.message).removeprefix(f"{code} - ")
    return error.body if isinstance(error.body, str) else json.dumps(error.body)


def spelled(option: str, value: JSON) -> str:
    """Return an option with its value, in Python and on the command line."""
    return f"{option}={value} (--{option.replace('_', '-')} '{json.dumps(value)}')"


def _text_of(message: Any) -> str:
    """Return the text of a message: its content, of a list the parts that are text; else its reasoning."""
    content = message.content or getattr(message, "refusal", None) or ""
    if isinstance(content, list):
        parts = (part if isinstance(part, dict) else {"type": "text", "text": part} for part in content)
        content = "".join(part["text"] for part in parts if part.get("type") in ("text", "output_text"))
    if not isinstance(content, str):
        raise TypeError
    names = ("reasoning_content", "reasoning")
    thought = next((getattr(message, name) for name in names if getattr(message, name, None)), "")
    return f"<think>{thought}" if thought and not content.strip() else content


class _SenselessError(Exception):
    """A reply that is no completion."""


def in_a_line(text: str, key: str | None) -> str:
    """Return what somebody said, fit for an error: without the key, and not too long."""
    return shorten(hide(" ".join(text.split()), key), _MESSAGE_LENGTH)


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
