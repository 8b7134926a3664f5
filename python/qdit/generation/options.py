"""The options of `qdit.generate`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..common import checks
from ..common.optional import Package
from ..common.types import JSON
from ..models import client, hub
from ..models.options import CausalModelOptions, ChatEndpoint
from ..models.prompts import ALPACA, CHAT, check_template

_DECIDING = ("template", "max_new_tokens", "stop", "temperature", "top_p", "seed")


@dataclass(frozen=True, kw_only=True)
class GenerateOptions(CausalModelOptions, ChatEndpoint):
    r"""Which model answers, and how; with base_url it is one at that endpoint, else it runs here.

    Attributes:
        model: Hub id or folder of a causal language model (what qdit train wrote, adapters too), or with
            base_url its name there.
        template: alpaca (Stanford Alpaca's prompt), chat (the model's chat template; of a server, its own),
            or a format string such as "Q: {instruction}\nA:"; by default alpaca here, chat for a server.
        max_new_tokens: Tokens after which an answer is cut.
        stop: Text, or a list of texts, before which an answer ends.
        temperature: 0 for the most likely token every time.
        top_p: Draw from the fewest tokens that have this probability together (Holtzman et al., 2020).
        seed: Of the draws. Each question has its own, so neither its batch nor the order matters.
        params: Fields of each request beside temperature, top_p, max_tokens, stop and seed; null (None) takes
            one out.

    """

    template: str | None = None
    max_new_tokens: int = 512
    stop: str | Sequence[str] | None = ()
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    params: dict[str, Any] | None = None

    def _check(self) -> None:
        self._set("template", check_template(self.prompt_template))
        if not isinstance(self.stop or (), str | list | tuple):
            raise ValueError(f"stop: got {self.stop!r}, wanted text, or a list of texts")
        self._set("stop", self.stops)
        checks.check_least("max_new_tokens", self.max_new_tokens, 1)
        if self.temperature < 0:
            raise ValueError(f"temperature: got {self.temperature}, wanted 0 or more")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p: got {self.top_p}, wanted a number above 0, at most 1")
        checks.check_seed(self.seed)
        if not all(isinstance(text, str) and text for text in self.stops):
            raise ValueError(f"stop: got {list(self.stops)!r}, wanted texts that are not empty")
        if self.params and self.base_url is None:
            raise ValueError("params: got fields of a request without base_url; pass base_url as well")

    def packages(self) -> tuple[Package, ...]:
        """Return what runs a model here, or asks one at an endpoint."""
        return hub.packages("train") if self.base_url is None else (client.PACKAGE,)

    @property
    def prompt_template(self) -> str:
        """The template, or the default one."""
        return self.template or (ALPACA if self.base_url is None else CHAT)

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts before which an answer ends."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    def deciding(self) -> JSON:
        """Return the options that decide the answers; without draws, what they depend on does not matter."""
        values = {name: getattr(self, name) for name in _DECIDING} | {"stop": list(self.stops)}
        return values if self.temperature else values | {"top_p": 1.0, "seed": 0}
