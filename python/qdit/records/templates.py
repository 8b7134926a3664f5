"""Text made of a row: what is embedded, and the prompt that a model is trained with."""

import difflib
import string
from collections.abc import Callable, Sequence

from .formats import join_input
from .row import Row

TEMPLATES = ("instruction", "with_input")
FIELDS = ("instruction", "input", "output", "source", "id")

# the prompts of Stanford Alpaca (Taori et al. 2023); the response follows the last colon at once
ALPACA_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
)
ALPACA_WITHOUT_INPUT = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Response:"
)

Template = Callable[[Row], str]


def make_template(template: str) -> Template:
    r"""Return the function that makes a row's text.

    Args:
        template: "instruction"; "with_input", the instruction followed by a newline and the input where there
            is one; or a format string such as "{instruction}\n{output}" with the fields instruction, input,
            output, source and id.

    Raises:
        ValueError: for an unknown name or field, or a format string without fields.

    """
    if template == "instruction":
        return lambda row: row.instruction
    if template == "with_input":
        return _with_input
    check_format(template)
    return lambda row: template.format_map({name: getattr(row, name) for name in FIELDS})


def _with_input(row: Row) -> str:
    return f"{row.instruction}\n{row.input}" if row.input.strip() else row.instruction


def check_format(
    template: str, names: Sequence[str] = TEMPLATES, fields: Sequence[str] = FIELDS, option: str = "template"
) -> None:
    """Raise ValueError if text is no format string with some of the fields.

    Args:
        template: the text.
        names: the named templates that would have been possible, for the error.
        fields: those that it may have.
        option: whose value it is, for the error.

    """
    known = ", ".join(map(repr, names))
    wanted = f"wanted {known} or a format string with " + ", ".join(f"{{{name}}}" for name in fields)
    if not isinstance(template, str):
        raise ValueError(f"{option}: got {template!r}, {wanted}")
    try:
        parts = [part[1:] for part in string.Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        raise ValueError(
            f"{option}: {template!r}: {error}; write {{{{ and }}}} for braces of the text; {wanted}"
        ) from None
    if not parts:
        close = difflib.get_close_matches(template, names, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"{option}: got {template!r}, {wanted}{hint}")
    for field, spec, how in parts:
        if field not in fields or spec or how:  # attributes and items would reach beyond the row
            raise ValueError(f"{option}: got field {field!r} in {template!r}, {wanted}")


def alpaca_prompt(row: Row) -> str:
    """Return the prompt of Stanford Alpaca for a row; its output follows at once.

    The two texts, with and without input, are those of tatsu-lab/stanford_alpaca. An input of blanks counts
    as none. Of a chat it is the first user turn.
    """
    template = ALPACA_WITH_INPUT if row.input.strip() else ALPACA_WITHOUT_INPUT
    return template.format(instruction=row.instruction, input=row.input)


def user_text(row: Row) -> str:
    """Return instruction and input as one turn of the user, an empty line between them."""
    return join_input(row.instruction, row.input)
