"""What a model reads before it answers: Alpaca's prompt, its own chat template, or a format string."""

from __future__ import annotations

from ..records import Row
from ..records.templates import Template, alpaca_prompt
from .hub import Tokenizer
from .texts import make_template, render_chat

ALPACA, CHAT = "alpaca", "chat"
TEMPLATES = (ALPACA, CHAT)


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
