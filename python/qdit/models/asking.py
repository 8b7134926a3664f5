"""The requests of a run to a chat endpoint: which are left, what they may cost, and asking many at a time."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter, deque
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..common.identity import digest
from ..common.progress import RowProgressLike, RowTracker
from ..common.types import JSON
from .answers import Answers, Useless, describe_useless
from .client import LIMITS, ChatClient, EndpointError, RequestError, hide, read_key, spelled
from .options import OPENAI_URL, ChatEndpoint, JudgeEndpoint

JUDGE_DEFAULTS: JSON = {"temperature": 0, "max_tokens": 64}
Message = dict[str, str]  # role and content
Messages = list[Message]
Request = JSON  # fields of a request
_BYTES_PER_TOKEN = 4  # of English text, roughly
_MESSAGE_TOKENS = 4  # around each message
_SECRET_PARAMS = ("extra_headers", "extra_query", "api_key")  # where a key travels beside the body
_LEAST_FAILURES = 20  # in a row, before a run is given up
_LATEST, _USELESS = 40, 36  # of so many answers at the end, so many of no use, before a run is given up
_ENOUGH_TOKENS = 2048  # for a model that reasons before it answers; for a remedy


def request_key(request: Request) -> str:
    """Return the hash of a request, but for the limit of its answer."""
    return digest({name: value for name, value in request.items() if name not in LIMITS})


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
        left_out: those that the endpoint refused and did without.

    """

    def __init__(
        self,
        endpoint: ChatEndpoint,
        model: str,
        params: JSON | None,
        defaults: JSON,
        *,
        optional: Collection[str] = (),
        params_option: str = "params",
    ) -> None:
        """Check the fields of requests; ValueError says what is wrong.

        Args:
            endpoint: that is asked; its base_url is not None.
            model: its name there.
            params: fields of each request beside model and messages; None leaves a default out.
            defaults: of those.
            optional: fields to do without where the endpoint refuses them and `params` does not name them.
            params_option: what they are called, for errors.

        """
        if endpoint.base_url is None:
            raise ValueError(f"base_url: got none, wanted the URL of an endpoint, such as {OPENAI_URL}")
        self._endpoint, self._model = endpoint, model
        self._url = endpoint.base_url
        _check_params(params_option, params)
        merged = {**defaults, **(params or {})}
        for taken in ("model", "messages", "stream", "n"):
            if taken in merged:
                raise ValueError(
                    f"{params_option}: {taken!r} cannot be set; wanted fields such as max_tokens"
                )
        self.params = {name: value for name, value in merged.items() if value is not None}
        self._optional = [name for name in optional if name not in (params or {})]
        self._params_option = params_option
        self.left_out: list[str] = []
        self._key = read_key(endpoint.key_env)
        self._check_no_secret(params_option)

    @classmethod
    def judge(cls, options: JudgeEndpoint, why: str = "") -> Asker:
        """Return what asks a judge; ValueError without a name of its model. why: the end of that error."""
        if not isinstance(options.judge_model, str) or not options.judge_model:
            got = "none" if options.judge_model in (None, "") else repr(options.judge_model)
            raise ValueError(f"judge_model: got {got}, wanted the name of a model at the endpoint{why}")
        model, params = options.judge_model, options.judge_params
        how: JSON = {"optional": ["temperature"], "params_option": "judge_params"}
        return cls(options, model, params, JUDGE_DEFAULTS, **how)

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
        limits: Iterator[int] = (self.params[name] for name in LIMITS if name in self.params)
        return min(limits, default=None)

    @property
    def report(self) -> JSON:
        """Where was asked, and which fields the endpoint did not take, for a manifest."""
        return {"base_url": self.url, **({"left_out": self.left_out} if self.left_out else {})}

    def remedy(self, useless: Iterable[Useless]) -> str:
        """Return what helps where answers are of no use."""
        if not any(one.why.startswith("cut off") for one in useless):
            return f"check the model and {self._params_option}"
        name = next((name for name in LIMITS if name in self.params), LIMITS[0])
        most = max(_ENOUGH_TOKENS, 4 * (self.limit or 0))
        return f"pass {spelled(self._params_option, {name: most})} or more, which asks again for these alone"

    def paths(self, folder: Path, name: str, identity: JSON) -> list[Path]:
        """Return the file of a judge's answers, and its name in earlier versions, which the limit changed.

        identity: what decides the answers, with what is asked as "request".
        """
        request = {name: value for name, value in identity["request"].items() if name not in LIMITS}
        same = ({**identity, "request": request}, identity)
        names = dict.fromkeys(f"{name}-{digest(one)[:12]}.jsonl" for one in same)
        return [folder / one for one in names]

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
            key = request_key(request)
            if answers is not None and key not in answers:
                answers.adopt(key, digest(request))
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
            EndpointError: if the endpoint refuses the key, the model or a field, too many requests in a row
                fail, or most answers are of no use. All answers so far are kept.

        """
        if not survey.todo:
            return Counter()
        if self._key is None and self._url == OPENAI_URL:
            raise EndpointError(
                "no key: the environment variable that key_env names is not set; set it, or pass base_url"
            )
        client = self._client()
        with RowTracker(progress, phase, len(survey.todo)) as tracker:
            asking = _Asking(client, self._endpoint.concurrency, request, survey, answers, tracker)
            try:
                _run_async(asking.run())
                if asking.useless:
                    raise EndpointError(
                        f"{len(asking.useless)} of the last {len(asking.latest)} answers are of no use: "
                        f"{describe_useless(asking.useless)}; {self.remedy(asking.useless)}"
                    )
            except EndpointError as error:
                kept = "all answers so far are kept, a repeated command goes on from them"
                raise EndpointError(f"{error}; {kept}") from None
            tracker.done(len(survey.todo))
        self.left_out = [name for name, new in client.renamed.items() if new is None]
        return asking.errors

    def _client(self) -> ChatClient:
        endpoint = self._endpoint
        return ChatClient(
            self._url,
            self._key,
            retries=endpoint.retries,
            timeout=endpoint.timeout,
            optional=self._optional,
            params_option=self._params_option,
        )


def _check_params(option: str, params: object) -> None:
    """Raise ValueError if fields of requests are no JSON object, or a limit of tokens among them is none."""
    try:
        if not isinstance(params, dict | None):
            raise TypeError(f"got {type(params).__name__}")
        digest(params)
    except (TypeError, ValueError) as error:
        wanted = 'fields of a request as JSON, such as {"max_tokens": 256}'
        raise ValueError(f"{option}: wanted {wanted} ({error})") from None
    for name in LIMITS:
        limit = (params or {}).get(name)
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise ValueError(f"{option}: {name} is {limit!r}, wanted a whole number of at least 1")
    if not isinstance((params or {}).get("extra_body") or {}, dict):
        raise ValueError(f"{option}: extra_body is no object with fields")


def _tokens(message: Message) -> int:
    return _MESSAGE_TOKENS + math.ceil(len(message["content"].encode()) / _BYTES_PER_TOKEN)


@dataclass
class _Asking:
    """The requests of one run: as many workers as requests at a time take numbers from one iterator."""

    client: ChatClient
    concurrency: int
    request: Callable[[int], Request]
    survey: Survey
    answers: Answers[Any]
    tracker: RowTracker
    errors: Counter[str] = field(default_factory=Counter)
    done: int = 0
    failures: int = 0  # since the last answer
    latest: deque[Useless | None] = field(default_factory=lambda: deque(maxlen=_LATEST))
    useless: list[Useless] = field(default_factory=list)  # of the latest, if these are so many that it ends

    async def run(self) -> None:
        """Make all requests; EndpointError if there is no point in going on."""
        todo = iter(self.survey.todo)
        async with self.client:
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(self.concurrency):
                        group.create_task(self._work(todo))
            except ExceptionGroup as stopped:  # the first error of a worker, and others at the same moment
                raise stopped.exceptions[0] from None

    async def _work(self, todo: Iterator[int]) -> None:
        for number in todo:
            if self.useless:  # what is under way is kept when it comes
                return
            try:
                answer = await self.client.ask(self.request(number))
            except RequestError as error:
                self._fail(str(error))
            else:
                key = self.survey.keys[number]
                self.answers.add(key, answer)
                self.failures = 0
                self._weigh(self.answers[key].useless)
            self.done += 1
            self.tracker.update(self.done)

    def _weigh(self, useless: Useless | None) -> None:
        self.latest.append(useless)
        found = [one for one in self.latest if one is not None]
        if len(found) >= _USELESS:
            self.useless = found

    def _fail(self, message: str) -> None:
        self.errors[message] += 1
        self.failures += 1
        if self.failures >= max(_LEAST_FAILURES, 2 * self.concurrency):
            raise EndpointError(
                f"{self.failures} requests in a row failed, the last with: {message}; check base_url, the "
                "model and the fields of requests, or repeat the command when the endpoint works again"
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
