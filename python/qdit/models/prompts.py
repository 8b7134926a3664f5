"""The text of a row that a model is given: Alpaca's prompt, its own chat template, or a format string."""

from collections.abc import Sequence

from ..records import Row
from ..records.templates import Template, alpaca_prompt, check_format, user_text
from .hub import Tokenizer

ALPACA, CHAT = "alpaca", "chat"
TEMPLATES = (ALPACA, CHAT)
FIELDS = ("instruction", "input", "output", "prompt")
# given to chat templates that write a date: with that of today scores would change overnight
_DATE = "26 Jul 2024"


def check_template(template: str) -> str:
    """Return `template` if it is "alpaca", "chat" or a format string for a prompt, else raise ValueError."""
    if template not in TEMPLATES:
        make_template("template", template, TEMPLATES)
        if "{output}" in template:
            raise ValueError(
                f"template: got {template!r}, wanted a prompt without {{output}}: the answer follows it"
            )
    return template


def check_tokenizer(
    template: str | None,
    tokenizer: Tokenizer,
    name: str,
    option: str = "template",
    others: str = "'alpaca' or a format string",
) -> None:
    """Raise ValueError if the model `name` has no chat template though `template` is "chat".

    option: whose value `template` is. others: what may be passed instead.
    """
    if template == CHAT and not tokenizer.chat_template:
        raise ValueError(f"{option}: {name} has no chat template; pass {others}")


def make_prompt(template: str, tokenizer: Tokenizer) -> Template:
    """Return the function that makes a row's prompt; of a chat it ends before the first answer."""
    if template == ALPACA:
        return alpaca_prompt
    if template == CHAT:
        return lambda row: render_chat(tokenizer, row, _question(row), prompt=True)
    return make_template("template", template, TEMPLATES)


def _question(row: Row) -> list[tuple[str, str]]:
    roles = [role for role, _ in row.turns]
    return list(row.turns[: roles.index("assistant")] if "assistant" in roles else row.turns)


def writes_special_tokens(template: str) -> bool:
    """Return whether prompts hold the tokens already that begin a text, so that none may be added."""
    return template == CHAT


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
