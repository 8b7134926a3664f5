"""How problems of HumanEval are put to a model, and what counts of its answer."""

from collections.abc import Callable
from dataclasses import dataclass

from ..benchmarks import protocol

_STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")  # of Chen et al., arXiv 2107.03374, and lm-eval


@dataclass(frozen=True)
class Style:
    """A protocol.

    Attributes:
        name: as on the command line.
        prompt: what the model is given, of a problem's prompt.
        completion: what counts, of the model's text.
        temperature: by number of samples.
        max_tokens: of an answer.
        stops: texts that end it.

    """

    name: str
    prompt: Callable[[str], str]
    completion: Callable[[str], str]
    temperature: Callable[[int], float]
    max_tokens: int
    stops: tuple[str, ...] = ()


def before_stops(text: str) -> str:
    """Return a text up to the first of the stops of style "stock"."""
    for stop in _STOPS:
        text = text.partition(stop)[0]
    return text


STYLES = {
    one.name: one
    for one in (
        Style(
            "instructeval",
            protocol.code_prompt,
            protocol.first_paragraph,
            protocol.code_temperature,
            protocol.CODE_TOKENS,
        ),
        # as lm-eval's own tasks: humaneval is greedy, humaneval_64 is at 0.2
        Style("stock", str, before_stops, lambda samples: 0.0 if samples == 1 else 0.2, 1024, _STOPS),
    )
}
