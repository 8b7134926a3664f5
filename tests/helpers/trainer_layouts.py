"""Rows in the layouts that people train on, and the turns that a trainer must get of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


def said(*turns: tuple[str, str], who: str = "role", what: str = "content") -> list[Row]:
    """Return turns as objects with these keys."""
    return [{who: name, what: text} for name, text in turns]


def told(*turns: tuple) -> list[list]:
    """Return turns as readers do: (role, text), and calls where there are some; every answer is learnt."""
    return [[turn[0], turn[1], list(turn[2:]), turn[0] == "assistant"] for turn in turns]


@dataclass(frozen=True)
class Layout:
    """A layout of rows.

    Attributes:
        row: makes row i.
        want: the turns of row i; of an instruction, texts that must be in the user's turn.
        learnt: trainer -> turns that it learns though they are the prompt's, by their place.
        own: trainers that read the rows' own file, and no other.
        options: of the import.

    """

    row: Callable[[int], Row]
    want: Callable[[int], list[list]]
    own: tuple[str, ...] = ()
    learnt: dict[str, tuple[int, ...]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


def _asked(i: int) -> tuple[str, str]:
    return f"Where is {i}? {{braces}}", f"There, {i}."


def pair(i: int) -> list[list]:
    """Return question and answer."""
    asked, answer = _asked(i)
    return told(("user", asked), ("assistant", answer))


def with_system(i: int) -> list[list]:
    """Return question and answer behind a system prompt."""
    return told(("system", f"Be {i}.")) + pair(i)


def two(i: int, user: str, assistant: str, **keys: str) -> list[Row]:
    """Return question and answer as turns."""
    asked, answer = _asked(i)
    return said((user, asked), (assistant, answer), **keys)


def long(i: int) -> list[list]:
    """Return two exchanges."""
    return told(("user", "Hi"), ("assistant", "Hello.")) + pair(i)


def _turns(i: int) -> list[tuple[str, str]]:
    asked, answer = _asked(i)
    return [("user", asked), ("assistant", answer)]


SHAREGPT = {"who": "from", "what": "value"}
LF, AX, TRL = "LLaMA-Factory", "axolotl", "TRL"
WEATHER = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


def openai_calls(i: int, count: int = 1, text: str | None = None) -> list[Row]:
    """Return a chat that calls tools, in OpenAI's form."""
    places = [{"city": f"C{i}"}, {"day": i}][:count]
    calls = [
        {"id": f"c{j}", "type": "function", "function": {"name": "weather", "arguments": json.dumps(place)}}
        for j, place in enumerate(places)
    ]
    results = [{"role": "tool", "tool_call_id": f"c{j}", "content": f"sun {j}"} for j in range(count)]
    asked = {"role": "user", "content": f"Weather {i}?"}
    calling = {"role": "assistant", "content": text, "tool_calls": calls}
    return [asked, calling, *results, {"role": "assistant", "content": "Sunny."}]


def tools(i: int, results: int = 1, text: str = "") -> list[list]:
    """Return the turns of `openai_calls`."""
    calls = [["weather", place] for place in ({"city": f"C{i}"}, {"day": i})][:results]
    return told(
        ("tools", json.dumps(WEATHER)),
        ("user", f"Weather {i}?"),
        ("assistant", text, *calls),
        *(("tool", f"sun {j}") for j in range(results)),
        ("assistant", "Sunny."),
    )


def sharegpt_calls(i: int) -> list[Row]:
    """Return a chat that calls a tool, as LLaMA-Factory's examples have it."""
    call = json.dumps({"name": "weather", "arguments": {"city": f"C{i}"}})
    turns = ("human", f"Weather {i}?"), ("function_call", call), ("observation", "sun 0"), ("gpt", "Sunny.")
    return said(*turns, **SHAREGPT)


LAYOUTS = {
    "sharegpt": Layout(lambda i: {"conversations": two(i, "human", "gpt", **SHAREGPT)}, pair, (LF, AX)),
    "user and assistant": Layout(
        lambda i: {"conversations": two(i, "user", "assistant", **SHAREGPT)}, pair, (LF, AX)
    ),
    "chatgpt": Layout(lambda i: {"conversations": two(i, "human", "chatgpt", **SHAREGPT)}, pair, (LF, AX)),
    "several names": Layout(
        lambda i: {"conversations": two(i, ("human", "user")[i % 2], "gpt", **SHAREGPT)}, pair, (AX,)
    ),
    "names of one's own": Layout(
        lambda i: {"conversations": two(i, "Customer", "答", **SHAREGPT)},
        pair,
        (LF, AX),
        options={"roles": "user=customer,assistant=答"},
    ),
    "role and content": Layout(lambda i: {"conversations": two(i, "user", "assistant")}, pair, (LF, AX)),
    "other keys": Layout(
        lambda i: {"messages": two(i, "Human", "AI", who="speaker", what="text")}, pair, (LF, AX)
    ),
    "several keys": Layout(
        lambda i: {"messages": two(i, "user", "assistant", **(SHAREGPT if i % 2 else {}))}, pair
    ),
    "system column": Layout(
        lambda i: {"conversations": two(i, "human", "gpt", **SHAREGPT), "system": f"Be {i}."},
        with_system,
        (LF, AX),
    ),
    "blank system": Layout(
        lambda i: {
            "conversations": two(i, "human", "gpt", **SHAREGPT),
            "system": f"Be {i}." if i % 2 else "",
        },
        lambda i: with_system(i) if i % 2 else pair(i),
        (LF,),
    ),
    "renamed columns": Layout(
        lambda i: {"chat": two(i, "human", "gpt", **SHAREGPT), "setting": f"Be {i}."},
        with_system,
        (LF,),
        options={"columns": {"conversations": "chat", "system": "setting"}},
    ),
    "system turn": Layout(
        lambda i: {"messages": said(("system", f"Be {i}."), *_turns(i))},
        with_system,
        (LF, AX, TRL),
    ),
    "system column and turn": Layout(
        lambda i: {
            "messages": said(("system", "Be brief." if i % 2 else f"Be {i}."), *_turns(i)),
            "system": f"Be {i}.",
        },
        lambda i: told(("system", f"Be {i}.\n\nBe brief." if i % 2 else f"Be {i}.")) + pair(i),
    ),
    "developer": Layout(
        lambda i: {"messages": said(("developer", f"Be {i}.")) + two(i, "user", "assistant")},
        with_system,
        (LF, AX),
    ),
    "messages": Layout(lambda i: {"messages": two(i, "user", "assistant")}, pair, (LF, AX, TRL)),
    "messages beside a prompt": Layout(
        lambda i: {"prompt": _asked(i)[0], "prompt_id": f"p{i}", "messages": two(i, "user", "assistant")},
        pair,
        (LF, AX, TRL),
    ),
    "parts": Layout(
        lambda i: {
            "messages": [
                {**turn, "content": [{"type": "text", "text": turn["content"]}]}
                for turn in two(i, "user", "assistant")
            ]
        },
        pair,
    ),
    "odd columns": Layout(
        lambda i: {"messages": two(i, "user", "assistant"), "note": i if i % 2 else "none"}, pair
    ),
    "alpaca": Layout(
        lambda i: {"instruction": _asked(i)[0], "input": f"in {i}" if i % 2 else "", "output": _asked(i)[1]},
        pair,
        (LF, AX),
    ),
    "alpaca without input": Layout(
        lambda i: {"instruction": _asked(i)[0], "output": _asked(i)[1]}, pair, (LF, AX)
    ),
    "alpaca, input in some": Layout(
        lambda i: {"instruction": _asked(i)[0], "output": _asked(i)[1], **({"input": "in"} if i % 2 else {})},
        pair,
        (LF, AX),
    ),
    "alpaca with system and history": Layout(
        lambda i: {
            **{"instruction": _asked(i)[0], "input": "", "output": _asked(i)[1], "system": f"Be {i}."},
            "history": [["Hi", "Hello."]],
        },
        lambda i: told(("system", f"Be {i}.")) + long(i),
        (LF,),
    ),
    "dolly": Layout(
        lambda i: {"instruction": _asked(i)[0], "context": "c", "response": _asked(i)[1]}, pair, (LF, AX)
    ),
    "prompt": Layout(lambda i: {"prompt": _asked(i)[0], "completion": _asked(i)[1]}, pair, (LF, AX, TRL)),
    "prompt with system": Layout(
        lambda i: {"prompt": _asked(i)[0], "completion": _asked(i)[1], "system": f"Be {i}."},
        with_system,
        (LF,),
    ),
    "prompt of turns": Layout(
        lambda i: {
            "prompt": said(("system", f"Be {i}."), ("user", _asked(i)[0])),
            "completion": said(("assistant", _asked(i)[1])),
        },
        with_system,
        (TRL,),
    ),
    "prompt with answers": Layout(
        lambda i: {
            "prompt": said(("human", "Hi"), ("gpt", "Hello."), ("human", _asked(i)[0])),
            "completion": said(("gpt", _asked(i)[1])),
        },
        lambda i: [["user", "Hi", [], False], ["assistant", "Hello.", [], False], *pair(i)],
        learnt={LF: (1,)},
    ),
    "tools": Layout(
        lambda i: {"messages": openai_calls(i), "tools": WEATHER},
        tools,
    ),
    "tools as text, calls beside text": Layout(
        lambda i: {"messages": openai_calls(i, text="Let me see."), "tools": json.dumps(WEATHER)},
        lambda i: tools(i, text="Let me see."),
    ),
    "several calls": Layout(
        lambda i: {"messages": openai_calls(i, 2), "tools": WEATHER},
        lambda i: tools(i, 2),
    ),
    "sharegpt with tools": Layout(
        lambda i: {"conversations": sharegpt_calls(i), "tools": json.dumps(WEATHER)},
        tools,
        (LF,),
    ),
    "tools in the text": Layout(
        lambda i: {
            "conversations": said(
                *(("system", "Tools: weather."), ("human", f"Weather {i}?")),
                *(("gpt", "<tool_call>\n{}\n</tool_call>"), ("tool", "sun 0"), ("gpt", "Sunny.")),
                **SHAREGPT,
            )
        },
        lambda i: told(
            *(("system", "Tools: weather."), ("user", f"Weather {i}?")),
            *(("assistant", "<tool_call>\n{}\n</tool_call>"), ("tool", "sun 0"), ("assistant", "Sunny.")),
        ),
        (LF, AX),
    ),
    "results of tools under several names": Layout(
        lambda i: {
            "conversations": said(
                *(("user", f"Weather {i}?"), ("assistant", "Call!"), (("tool", "observation")[i % 2], "sun")),
                ("assistant", "Sunny."),
            )
        },
        lambda i: told(
            *(("user", f"Weather {i}?"), ("assistant", "Call!"), ("tool", "sun"), ("assistant", "Sunny."))
        ),
        (AX,),
    ),
    "lmsys": Layout(
        lambda i: {"conversation_id": f"c{i}", "conversation": two(i, "user", "assistant"), "turn": 1},
        pair,
        (LF, AX),
    ),
    "ultrachat": Layout(lambda i: {"data": ["Hi", "Hello.", *_asked(i)]}, long),
    "oig": Layout(lambda i: {"text": f"<human>: {_asked(i)[0]}\n<bot>: {_asked(i)[1]}"}, pair),
}
INSTRUCTIONS = ("alpaca", "dolly", "prompt")  # the prompt's wording is the trainer's where names begin so
