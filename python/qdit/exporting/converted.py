"""The chosen rows written anew, for trainers that cannot read them as they are."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from ..common.types import JSON
from ..records.store import to_json
from ..records.templates import alpaca_prompt
from .chats import Chat, to_text
from .forms import SHAREGPT_NAMES
from .survey import Survey

_NEXT_RESULT = "\n</tool_response>\n<tool_response>\n"  # what LLaMA-Factory writes between results of tools


def plain_lines(chats: Iterable[Chat], survey: Survey) -> Iterator[bytes]:
    """Yield rows as lines: prompt and completion where all are instructions, else messages.

    A prompt is that of Stanford Alpaca. Where all rows have TRL's chat form, it is there beside the messages.
    """
    keys = dict.fromkeys(("role", "content", *survey.message_keys))
    for chat in chats:
        value: JSON = {}
        if survey.kind == "prompt":
            value = {"prompt": alpaca_prompt(chat.row), "completion": chat.row.output}
            yield _line(value | _tools(chat, survey))
            continue
        # every key in every message, as the first rows settle what tables have
        messages = [{key: message.get(key) for key in keys} for message in chat.messages]
        if survey.kind == "completion":
            value |= {"prompt": messages[: chat.prompt], "completion": messages[chat.prompt :]}
        if survey.prompted.rows:
            learnt = [None if i >= chat.prompt else False for i in range(len(messages))]
            messages = [message | {"train": train} for message, train in zip(messages, learnt, strict=True)]
        yield _line(value | {"messages": messages} | _tools(chat, survey))


def sharegpt_lines(chats: Iterable[Chat], survey: Survey) -> Iterator[bytes]:
    """Yield rows as lines of LLaMA-Factory's ShareGPT form: a call is JSON, results in a row are one turn."""
    for chat in chats:
        turns = []
        for is_result, group in groupby(chat.messages, lambda message: message["role"] == "tool"):
            if is_result:
                text = _NEXT_RESULT.join(message["content"] for message in group)
                turns.append({"from": SHAREGPT_NAMES["tool"], "value": text})
            else:
                turns += [_turn(message) for message in group]
        yield _line({"conversations": turns} | _tools(chat, survey))


def _turn(message: JSON) -> JSON:
    calls = [call["function"] for call in message.get("tool_calls", ())]
    if not calls:
        return {"from": SHAREGPT_NAMES[message["role"]], "value": message["content"]}
    text = to_text(calls)
    if message["content"]:  # beside a text a call has a mark
        text = f"{message['content']}<tool_call>{text}</tool_call>"
    return {"from": SHAREGPT_NAMES["call"], "value": text}


def _tools(chat: Chat, survey: Survey) -> JSON:
    return {"tools": chat.tools} if "tools" in survey.filled else {}


def _line(value: JSON) -> bytes:
    return to_json(value) + b"\n"
