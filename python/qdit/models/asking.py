"""The requests of a run to a chat endpoint: which are left, what they may cost, and asking many at a time."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ..common.identity import digest
from ..common.progress import RowProgressLike, RowTracker
from ..common.types import JSON
from .answers import Answers
from .client import ChatClient, EndpointError, RequestError, hide, read_key
from .options import OPENAI_URL, ChatEndpoint, JudgeEndpoint

JUDGE_DEFAULTS: JSON = {"temperature": 0, "max_tokens": 64}
Message = dict[str, str]  # role and content
Messages = list[Message]
Request = JSON  # fields of a request
_BYTES_PER_TOKEN = 4  # of English text, roughly
_MESSAGE_TOKENS = 4  # around each message
_SECRET_PARAMS = ("extra_headers", "extra_query", "api_key")  # where a key travels beside the body
_LEAST_FAILURES = 20  # in a row, before a run is given up


@dataclass
class Survey:
    """What a run has to ask.

    Attributes:
        keys: hash of each request.
        todo: numbers of the requests to make: the first of each key that has no answer.
        prompt_tokens: estimated size of those.

    """

    keys: list[str] = field(default_factory=list)
    todo: list[int] = field(default_factory=list)
    prompt_tokens: int = 0


class Asker:
    """Asks an endpoint; equal requests are made once.

    Attributes:
        params: fields of each request beside model and messages.

    """

    def __init__(
        self,
        endpoint: ChatEndpoint,
        model: str,
        params: JSON | None,
        defaults: JSON,
        *,
        params_option: str = "params",
    ) -> None:
        """Check the fields of requests; ValueError says what is wrong.

        Args:
            endpoint: that is asked; its base_url is not None.
            model: its name there.
            params: fields of each request beside model and messages; None leaves a default out.
            defaults: of those.
            params_option: what they are called, for errors.

        """
        assert endpoint.base_url is not None
        self._endpoint, self._model = endpoint, model
        self._url = endpoint.base_url
        merged = {**defaults, **(params or {})}
        for taken in ("model", "messages", "stream", "n"):
            if taken in merged:
                raise ValueError(
                    f"{params_option}: {taken!r} cannot be set; wanted fields such as max_tokens"
                )
        self.params = {name: value for name, value in merged.items() if value is not None}
        self._key = read_key(endpoint.key_env)
        self._check_no_secret(params_option)

    @classmethod
    def judge(cls, options: JudgeEndpoint, why: str = "") -> Asker:
        """Return what asks a judge; ValueError without a name of its model. why: the end of that error."""
        if not options.judge_model:
            raise ValueError(f"judge_model: got none, wanted the name of a model at the endpoint{why}")
        model, params = options.judge_model, options.judge_params
        return cls(options, model, params, JUDGE_DEFAULTS, params_option="judge_params")

    def _check_no_secret(self, params_option: str) -> None:
        """Raise ValueError if parameters, which are written down, may hold a key; it is not repeated."""
        named = next((name for name in _SECRET_PARAMS if name in self.params), None)
        text = json.dumps(self.params, default=repr)
        if named is not None or hide(text, self._key) != text:
            raise ValueError(
                f"{params_option}: {'the key' if named is None else repr(named)} cannot stand there, since "
                "parameters are written down; put the key into the environment variable that key_env names"
            )

    @property
    def url(self) -> str:
        """The base URL, fit to be written down."""
        return hide(self._url, self._key)

    @property
    def limit(self) -> int | None:
        """Tokens of an answer at most."""
        limit = self.params.get("max_tokens") or self.params.get("max_completion_tokens")
        return None if limit is None else int(limit)

    def request(self, messages: Messages) -> Request:
        """Return the fields of a request."""
        return {"model": self._model, "messages": messages, **self.params}

    def survey(
        self, requests: Iterable[Request], answers: Answers[Any] | None, tracker: RowTracker | None = None
    ) -> Survey:
        """Return which of the requests are left."""
        survey = Survey()
        seen: set[str] = set()
        for number, request in enumerate(requests):
            if tracker is not None:
                tracker.update(number)
            key = digest(request)
            survey.keys.append(key)
            if key not in seen and (answers is None or key not in answers):
                survey.todo.append(number)
                survey.prompt_tokens += sum(map(_tokens, request["messages"]))
            seen.add(key)
        return survey

    def estimate(self, survey: Survey) -> JSON:
        """Return requests left, and at most how many tokens and how much money they take."""
        most = None if self.limit is None else len(survey.todo) * self.limit
        estimate: JSON = {
            "left": len(survey.todo),
            "prompt_tokens": survey.prompt_tokens,
            "completion_tokens_at_most": most,
        }
        prices = self._endpoint.price_in, self._endpoint.price_out
        if most is not None and prices[0] is not None and prices[1] is not None:
            estimate["cost_at_most"] = (survey.prompt_tokens * prices[0] + most * prices[1]) / 1e6
        return estimate

    def ask(
        self,
        request: Callable[[int], Request],
        survey: Survey,
        answers: Answers[Any],
        progress: RowProgressLike,
        phase: str,
    ) -> Counter[str]:
        """Make the requests that are left; return the errors of those that failed.

        Args:
            request: of a number in the survey.
            survey: what is left.
            answers: where every answer goes as it comes.
            progress: None, True, or a callable that takes a `RowProgress`.
            phase: what the progress calls this.

        Raises:
            EndpointError: if the endpoint refuses the key or the model, or too many requests in a row fail.
                All answers so far are kept.

        """
        if survey.todo and self._key is None and self._url == OPENAI_URL:
            raise EndpointError(
                "no key: the environment variable that key_env names is not set; set it, or pass base_url"
            )
        with RowTracker(progress, phase, len(survey.todo)) as tracker:
            asking = _Asking(self._client, self._endpoint.concurrency, request, survey, answers, tracker)
            if survey.todo:
                _run_async(asking.run())
            tracker.done(len(survey.todo))
        return asking.errors

    def _client(self) -> ChatClient:
        endpoint = self._endpoint
        return ChatClient(self._url, self._key, retries=endpoint.retries, timeout=endpoint.timeout)


def _tokens(message: Message) -> int:
    return _MESSAGE_TOKENS + math.ceil(len(message["content"].encode()) / _BYTES_PER_TOKEN)


@dataclass
class _Asking:
    """The requests of one run: as many workers as requests at a time take numbers from one iterator."""

    client: Callable[[], ChatClient]
    concurrency: int
    request: Callable[[int], Request]
    survey: Survey
    answers: Answers[Any]
    tracker: RowTracker
    errors: Counter[str] = field(default_factory=Counter)
    done: int = 0
    failures: int = 0  # since the last success

    async def run(self) -> None:
        """Make all requests; EndpointError if there is no point in going on."""
        todo = iter(self.survey.todo)
        async with self.client() as client:
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(self.concurrency):
                        group.create_task(self._work(client, todo))
            except ExceptionGroup as stopped:  # the first error of a worker, and others at the same moment
                raise stopped.exceptions[0] from None

    async def _work(self, client: ChatClient, todo: Iterator[int]) -> None:
        for number in todo:
            try:
                answer = await client.ask(self.request(number))
            except RequestError as error:
                self._fail(str(error))
            else:
                self.answers.add(self.survey.keys[number], *answer)
                self.failures = 0
            self.done += 1
            self.tracker.update(self.done)

    def _fail(self, message: str) -> None:
        self.errors[message] += 1
        self.failures += 1
        if self.failures >= max(_LEAST_FAILURES, 2 * self.concurrency):
            raise EndpointError(
                f"{self.failures} requests in a row failed, the last with: {message}; all answers so far "
                "are kept, repeat the command when the endpoint works again"
            )


def _run_async(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, also where an event loop is running already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()
