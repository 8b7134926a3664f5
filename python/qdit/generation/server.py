"""Answers of a model behind an OpenAI-compatible server."""

from collections.abc import Sequence
from functools import cached_property

from ..common.progress import RowProgressLike
from ..common.types import JSON
from ..models.answers import LENGTH, WrittenAnswers, describe_useless
from ..models.asking import Asker, Request, Survey, request_key
from ..models.client import EndpointError
from ..models.prompts import CHAT, make_prompt
from .options import GenerateOptions
from .questions import Question, as_row, draw_key


class Server:
    """Asks a server; the question, or what the template makes of it, is the user's turn of a chat.

    Its answers need not be the same when it is asked again, not even at temperature 0.
    """

    libraries: tuple[str, ...] = ("openai",)

    def __init__(self, options: GenerateOptions, questions: Sequence[Question]) -> None:
        """Check the fields of requests; ValueError says what is wrong."""
        self.name = options.model
        defaults: JSON = {"temperature": options.temperature, "max_tokens": options.max_new_tokens}
        if options.temperature > 0 and options.top_p < 1:
            defaults["top_p"] = options.top_p
        if options.stops:
            defaults["stop"] = list(options.stops)
        self._asker = Asker(options, options.model, options.params, defaults, optional=["seed"])
        self._options = options
        self._questions = questions

    @cached_property
    def identity(self) -> JSON:
        """The model's name and the fields of a request; where it is asked does not count."""
        return {"model": self.name, "params": dict(self._asker.params)}

    @property
    def limit(self) -> int | None:
        """Tokens of an answer at most."""
        return self._asker.limit

    @cached_property
    def keys(self) -> list[str]:
        """The hash of each request."""
        return [request_key(request) for request in self._requests]

    @cached_property
    def _requests(self) -> list[Request]:
        template = self._options.prompt_template
        # what a chat template would write around a question, the server writes itself
        prompt = None if template == CHAT else make_prompt(template, None)
        found = []
        for question in self._questions:
            text = question.instruction if prompt is None else prompt(as_row(question))
            request = self._asker.request([{"role": "user", "content": text}])
            if self._options.temperature > 0 and "seed" not in request:
                request["seed"] = int.from_bytes(draw_key(self._options.seed, question)[:4], "little") >> 1
            found.append(request)
        return found

    def estimate(self, journal: WrittenAnswers | None) -> JSON:
        """Return requests left, and at most how many tokens and how much money they take."""
        return self._asker.estimate(self._survey(journal))

    def _survey(self, journal: WrittenAnswers | None) -> Survey:
        """Return what is left: requests without an answer, and those whose answer was of no use."""
        if journal is not None:
            journal.forget(lambda one: one.useless is not None)
        return self._asker.survey(self._requests, journal)

    def run(self, journal: WrittenAnswers, progress: RowProgressLike) -> JSON:
        """Ask for every answer that is not in the journal; return what there is to report.

        Raises:
            EndpointError: if the endpoint refuses, requests failed, or answers were cut off before they
                began. All answers so far are kept.

        """
        survey = self._survey(journal)
        errors = self._asker.ask(self._requests.__getitem__, survey, journal, progress, "generate")
        found = [journal[key] for key in self.keys if key in journal]
        missing = len(self.keys) - len(found)
        # one that ended by itself, without a word, is what the model had to say
        useless = [one.useless for one in found if one.useless and (one.output or one.finish == LENGTH)]
        if not missing and not useless:
            return self._asker.report
        why, remedies = [], []
        if missing:
            text, count = errors.most_common(1)[0]
            why.append(f"{text} ({count} times)")
            remedies.append("repeat the command to ask for these again")
        if useless:
            why.append(describe_useless(useless))
            remedies.append(self._asker.remedy(useless))
        without = f"{missing + len(useless)} of {len(self.keys)} questions have no answer"
        raise EndpointError(f"{without}: {' and '.join(why)}; all others are kept, {', or '.join(remedies)}")
