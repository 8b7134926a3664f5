"""Answers of a model behind an OpenAI-compatible server."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ..common.identity import digest
from ..models.asking import Asker, Request
from ..models.client import EndpointError
from ..models.options import ChatEndpoint
from ..models.prompts import CHAT, make_prompt
from .journal import Journal
from .questions import Asked, Settings, as_row, draw_key


class Server:
    """Asks a server; the question, or what the template makes of it, is the user's turn of a chat.

    Its answers need not be the same when it is asked again, not even at temperature 0.
    """

    libraries = ("openai",)

    def __init__(
        self,
        name: str,
        endpoint: ChatEndpoint,
        params: dict[str, Any] | None,
        settings: Settings,
        questions: Sequence[Asked],
    ) -> None:
        """Check the options; ValueError says what is wrong."""
        self.name = name
        defaults: dict[str, Any] = {
            "temperature": settings.temperature,
            "max_tokens": settings.max_new_tokens,
        }
        if settings.temperature > 0 and settings.top_p < 1:
            defaults["top_p"] = settings.top_p
        if settings.stop:
            defaults["stop"] = list(settings.stop)
        self._asker = Asker(endpoint, name, params, defaults)
        self._settings = settings
        self._questions = questions

    @cached_property
    def identity(self) -> dict[str, Any]:
        """The model's name and the fields of a request; where it is asked does not count."""
        return {"model": self.name, "params": dict(self._asker.params)}

    @property
    def limit(self) -> int | None:
        """Tokens of an answer at most."""
        params = self._asker.params
        limit = params.get("max_tokens") or params.get("max_completion_tokens")
        return None if limit is None else int(limit)

    @cached_property
    def keys(self) -> list[str]:
        """The hash of each request."""
        return [digest(request) for request in self._requests]

    @cached_property
    def _requests(self) -> list[Request]:
        template = self._settings.template
        # what a chat template would write around a question, the server writes itself
        prompt = None if template == CHAT else make_prompt(template, None)
        found = []
        for question in self._questions:
            text = question.instruction if prompt is None else prompt(as_row(question))
            request = self._asker.request([{"role": "user", "content": text}])
            if self._settings.temperature > 0 and "seed" not in request:
                request["seed"] = int.from_bytes(draw_key(self._settings, question)[:4], "little") >> 1
            found.append(request)
        return found

    def estimate(self, journal: Journal | None) -> dict[str, Any]:
        """Return requests left, and at most how many tokens and how much money they take."""
        return self._asker.estimate(self._asker.survey(self._requests, journal))

    def run(self, journal: Journal, progress: Any) -> dict[str, Any]:
        """Ask for every answer that is not in the journal; return what there is to report.

        Raises:
            EndpointError: if the endpoint refuses, or requests failed. All answers so far are kept.

        """
        survey = self._asker.survey(self._requests, journal)
        errors = self._asker.ask(self._requests.__getitem__, survey, journal, progress, "generate")
        missing = sum(key not in journal for key in self.keys)
        if missing:
            text, count = errors.most_common(1)[0]
            raise EndpointError(
                f"{missing} of {len(self.keys)} questions have no answer: {text} ({count} times); all others "
                "are kept, repeat the command to ask for these again"
            )
        return {"base_url": self._asker.url}
