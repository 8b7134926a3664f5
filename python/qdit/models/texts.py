"""The text of a row that a model is given: a named template, or a format string."""

from __future__ import annotations

from collections.abc import Sequence

from ..records import Row
from ..records.templates import Template, check_format, user_text
from .hub import Tokenizer

FIELDS = ("instruction", "input", "output", "prompt")
# given to chat templates that write a date: with that of today scores would change overnight
_DATE = "26 Jul 2024"
_SPEAKERS = {"user": "###Human: ", "assistant": "###Assistant: ", "system": ""}


def human_assistant(row: Row) -> str:
    """Return all turns as "###Human: ... ###Assistant: ...", what the RAFT reward models were trained on."""
    return " ".join(_SPEAKERS[role] + text for role, text in row.turns)


def render_chat(
    tokenizer: Tokenizer, row: Row, turns: Sequence[tuple[str, str]], *, prompt: bool = False
) -> str:
    """Return turns of a row through the tokenizer's chat template.

    prompt: up to where the assistant would start. ValueError if the template refuses the turns.
    """
    messages = [{"role": role, "content": text} for role, text in turns]
    try:
        text: str = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=prompt, date_string=_DATE
        )
    except Exception as error:  # templates are programs: they raise what they like
        roles = ", ".join(role for role, _ in turns)
        raise ValueError(
            f"row {row.index}: the chat template refuses its turns ({roles}): {error}; pass a format string "
            "as template"
        ) from error
    return text


def make_template(name: str, template: str, names: Sequence[str]) -> Template:
    r"""Return the function that fills a format string with a row's fields.

    Args:
        name: the option, which leads every error.
        template: such as "{prompt}\n{output}"; fields instruction, input, output, and prompt, which is
            instruction and input.
        names: the named templates that would have been possible, for the error.

    Raises:
        ValueError: for other fields, or none.

    """
    check_format(template, names, FIELDS, name)
    return lambda row: template.format(
        instruction=row.instruction, input=row.input, output=row.output, prompt=user_text(row)
    )
