"""The normal form of rows of every format, how formats are told, and what makes a row bad."""

import json

import pytest

from qdit.records import RowError
from qdit.records.formats import FORMATS, detect, make_layout
from qdit.records.intake import Intake
from qdit.records.options import SourceOptions

CHAT = (("user", "hi"), ("assistant", "hello"), ("user", "more"), ("assistant", "fine"))
SHAREGPT = [{"from": {"user": "human", "assistant": "gpt"}[role], "value": text} for role, text in CHAT]
MESSAGES = [{"role": role, "content": text} for role, text in CHAT]

EXAMPLES = [
    (
        "alpaca",
        {"instruction": "add", "input": "1 2", "output": "3", "text": "..."},
        ("add", "1 2", "3", (("user", "add\n\n1 2"), ("assistant", "3"))),
    ),
    ("alpaca", {"instruction": "hi", "output": ""}, ("hi", "", "", (("user", "hi"), ("assistant", "")))),
    (
        "alpaca",
        {"instruction": "hi", "input": None, "output": "x"},
        ("hi", "", "x", (("user", "hi"), ("assistant", "x"))),
    ),
    (
        "dolly",
        {"instruction": "when?", "context": "in 1990", "response": "1990", "category": "closed_qa"},
        ("when?", "in 1990", "1990", (("user", "when?\n\nin 1990"), ("assistant", "1990"))),
    ),
    (
        "dolly",
        {"instruction": "b?", "response": "d", "system": "s", "history": [["a", "c"]]},
        (
            "b?",
            "",
            "d",
            (("system", "s"), ("user", "a"), ("assistant", "c"), ("user", "b?"), ("assistant", "d")),
        ),
    ),
    ("sharegpt", {"id": "a_0", "conversations": SHAREGPT}, ("hi", "", "hello", CHAT)),
    (
        "sharegpt",
        {"system": "be short", "conversations": SHAREGPT},
        ("hi", "", "hello", (("system", "be short"), *CHAT)),
    ),
    (
        "alpaca",
        {"instruction": "b?", "output": "d", "system": "s", "history": [["a", "c"]]},
        (
            "b?",
            "",
            "d",
            (("system", "s"), ("user", "a"), ("assistant", "c"), ("user", "b?"), ("assistant", "d")),
        ),
    ),
    (
        "alpaca",
        {"instruction": "hi", "output": "x", "system": None, "history": []},
        ("hi", "", "x", (("user", "hi"), ("assistant", "x"))),
    ),
    ("messages", {"messages": MESSAGES, "system": "s"}, ("hi", "", "hello", (("system", "s"), *CHAT))),
    (
        "prompt",
        {"prompt": "hi", "completion": "hello", "system": "s"},
        ("hi", "", "hello", (("system", "s"), *CHAT[:2])),
    ),
    ("messages", {"messages": MESSAGES, "prompt": "hi"}, ("hi", "", "hello", CHAT)),
    ("lmsys", {"conversation_id": "c", "conversation": MESSAGES, "turn": 2}, ("hi", "", "hello", CHAT)),
    ("ultrachat", {"id": "0", "data": [text for _, text in CHAT]}, ("hi", "", "hello", CHAT)),
    ("prompt", {"prompt": "hi", "completion": "hello"}, ("hi", "", "hello", CHAT[:2])),
    ("prompt", {"prompt": MESSAGES[:3], "completion": MESSAGES[3:]}, ("hi", "", "hello", CHAT)),
    (
        "oig",
        {"text": "<human>: hi\n<bot>: hello\n<human>: more\n<bot>: fine", "metadata": {"source": "x"}},
        ("hi", "", "hello", CHAT),
    ),
    (
        "oig",
        {"text": "<human>: a\n\nb\n<bot>:c"},
        ("a\n\nb", "", "c", (("user", "a\n\nb"), ("assistant", "c"))),
    ),
]


@pytest.mark.parametrize(("format", "row", "want"), EXAMPLES)
def test_rows_in_normal_form(format, row, want):
    layout = detect(row, None)
    assert layout.format == format
    assert layout.read(row) == want
    assert make_layout(format, None).read(row) == want


def test_every_format_has_an_example():
    assert {format for format, _, _ in EXAMPLES} == set(FORMATS)


@pytest.mark.parametrize(
    "names",
    [("from", "value"), ("role", "content"), ("from", "content"), ("role", "value"), ("role", "text")],
)
@pytest.mark.parametrize("said", ["human", "Human", "user", "prompter"])
@pytest.mark.parametrize("answered", ["gpt", "assistant", "chatgpt", "bing", "bard", "model"])
def test_names_of_roles(names, said, answered):
    turns = [{names[0]: said, names[1]: "a"}, {names[0]: answered, names[1]: "b"}]
    for column in ("conversations", "messages"):
        assert detect({column: turns}, None).read({column: turns})[3] == (("user", "a"), ("assistant", "b"))


CALL = [{"type": "function", "function": {"name": "tide", "arguments": "{}"}}]


@pytest.mark.parametrize(
    ("turns", "want"),
    [
        (
            [
                {"role": "assistant", "content": None, "tool_calls": CALL},
                {"role": "tool", "content": "low"},
                {"role": "assistant", "content": "low tide", "tool_calls": None},
            ],
            [("assistant", json.dumps(CALL)), ("tool", "low"), ("assistant", "low tide")],
        ),
        (
            [{"role": "assistant", "content": "let me look", "tool_calls": CALL}],
            [("assistant", "let me look\n" + json.dumps(CALL))],
        ),
        (
            [{"from": "function_call", "value": "{}"}, {"from": "observation", "value": "low"}],
            [("assistant", "{}"), ("tool", "low")],
        ),
        (  # parts; both names in one struct, as Parquet has them where rows differ
            [
                {
                    "from": None,
                    "value": None,
                    "role": "assistant",
                    "content": [{"type": "text", "text": "a"}, "b"],
                }
            ],
            [("assistant", "ab")],
        ),
    ],
)
def test_calls_of_tools_and_parts(turns, want):
    row = {"messages": [{"role": "user", "content": "q"}, *turns]}
    assert list(detect(row, None).read(row)[3]) == [("user", "q"), *want]


@pytest.mark.parametrize(
    ("row", "format"),
    [
        ({"messages": None, "instruction": "a", "output": "b"}, "alpaca"),
        ({"messages": [], "prompt": "a", "completion": "b"}, "prompt"),
        ({"instruction": "a", "output": None, "response": "b"}, "dolly"),
        ({"conversations": "a summary", "instruction": "a", "output": "b"}, "alpaca"),
        ({"messages": None, "instruction": None, "output": "b"}, "messages"),  # by the names alone
    ],
)
def test_what_a_row_holds_tells_its_format(row, format):
    assert detect(row, None).format == format


def test_columns_beside_the_conversation_are_recorded_where_rows_have_them():
    plain, more = Intake(SourceOptions()), Intake(SourceOptions())
    plain.check({"instruction": "a", "output": "b"})
    more.check({"instruction": "a", "output": "b"})
    more.check({"instruction": "a", "output": "b", "system": "s"})
    assert set(plain.finish("x").columns) == {"instruction", "input", "output"}
    assert more.finish("x").columns["system"] == "system"
    columns = {"input": "system", "history": "past"}  # the system prompt as input
    named = Intake(SourceOptions(columns=columns))
    named.check({"instruction": "a", "system": "s", "output": "b", "past": [["q", "r"]]})
    assert named.finish("x").columns == {
        **{"instruction": "instruction", "input": "system", "output": "output"},
        "history": "past",
    }


def test_a_first_row_that_is_bad_does_not_decide():
    intake = Intake(SourceOptions())
    with pytest.raises(RowError, match="is null"):
        intake.check({"messages": None, "instruction": None, "output": None})
    intake.check({"messages": None, "instruction": "a", "output": "b"})
    assert intake.finish("x").format == "alpaca"


def test_a_chat_that_the_assistant_begins():
    turns = [("system", "s"), ("assistant", "welcome"), ("user", "q"), ("assistant", "a")]
    row = {"messages": [{"role": role, "content": text} for role, text in turns]}
    assert detect(row, None).read(row) == ("q", "", "a", tuple(turns))


def test_column_map():
    row = {"question": "q", "hint": "h", "answer": "a"}
    columns = {"instruction": "question", "output": "answer", "input": "hint"}
    assert detect(row, columns).read(row)[:3] == ("q", "h", "a")
    assert make_layout("alpaca", columns).read(row)[:3] == ("q", "h", "a")
    chat = {"dialog": MESSAGES}
    assert detect(chat, {"messages": "dialog"}).format == "messages"
    pair = {"prompt": "p", "response": "r"}
    assert detect(pair, {"completion": "response"}).read(pair)[:3] == ("p", "", "r")


def test_unknown_formats_fields_and_names():
    with pytest.raises(ValueError) as caught:
        detect({"question": "q", "answer": "a"}, None)
    text = str(caught.value)
    assert text.startswith("got fields 'question', 'answer', wanted instruction and output (Alpaca)")
    assert '{"instruction": "question", "output": "answer"}' in text
    with pytest.raises(
        ValueError, match=r"^columns: got field 'ouput', wanted one of instruction, input, output"
    ):
        make_layout("alpaca", {"ouput": "x"})
    with pytest.raises(ValueError, match=r"^format: got 'alpacca', .* did you mean 'alpaca'\?$"):
        make_layout("alpacca", None)
    with pytest.raises(ValueError, match="got fields 'text'"):  # any column may be called so
        detect({"text": "once upon a time"}, None)
    with pytest.raises(ValueError, match="got fields 'data'"):
        detect({"data": {"x": 1}}, None)


USER = {"role": "user", "content": "q"}


@pytest.mark.parametrize(
    ("format", "row", "field", "problem"),
    [
        ("alpaca", {"output": "x"}, "instruction", "is missing (the row has 'output')"),
        ("alpaca", {}, "instruction", "is missing (the row has none)"),
        ("alpaca", {"instruction": "", "output": "x"}, "instruction", "is empty"),
        ("alpaca", {"instruction": " \n", "output": "x"}, "instruction", "is empty"),
        ("alpaca", {"instruction": 3, "output": "x"}, "instruction", "is a number, wanted text"),
        ("alpaca", {"instruction": True, "output": "x"}, "instruction", "is a truth value, wanted text"),
        ("alpaca", {"instruction": "a", "output": None}, "output", "is null, wanted text"),
        ("alpaca", {"instruction": "a", "input": [], "output": "b"}, "input", "is a list, wanted text"),
        ("prompt", {"prompt": "a"}, "completion", "is missing (the row has 'prompt')"),
        ("prompt", {"prompt": [USER], "completion": "b"}, "prompt", "is a list, wanted text"),
        ("messages", {"messages": "hi"}, "messages", "is text, wanted a list of turns"),
        ("messages", {"messages": []}, "messages", "has no turn of the user"),
        ("messages", {"messages": [USER]}, "messages", "has no turn of the assistant after the user's"),
        ("messages", {"messages": ["hi"]}, "messages", "has text as turn 0, wanted an object"),
        (
            "messages",
            {"messages": [USER, {"role": "narrator", "content": "x"}]},
            "messages",
            "has role 'narrator' in turn 1, wanted system, user, assistant or tool",
        ),
        (
            "messages",
            {"messages": [USER, {"role": "assistant", "content": None}]},
            "messages",
            "has null as content of turn 1, wanted text",
        ),
        (
            "messages",
            {"messages": [{"role": "user", "content": " "}]},
            "messages",
            "has an empty first user turn (turn 0)",
        ),
        (
            "sharegpt",
            {"conversations": [{"from": "x" * 99, "value": "a"}]},
            "conversations",
            f"has from '{'x' * 36}... in turn 0, wanted system, user, assistant or tool",
        ),
        (
            "messages",
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
            "messages",
            "has a part of type 'image_url' in content of turn 0, wanted parts of text",
        ),
        (
            "alpaca",
            {"instruction": "a", "output": "b", "history": [["q", "a"], ["q"]]},
            "history",
            "has a list at 1, wanted a pair of texts: what was asked, what was answered",
        ),
        ("alpaca", {"instruction": "a", "output": "b", "system": 3}, "system", "is a number, wanted text"),
        ("sharegpt", {"conversations": None}, "conversations", "is null, wanted a list of turns"),
        ("sharegpt", {}, "conversations", "is missing (the row has none)"),
        ("ultrachat", {"data": ["a", 1]}, "data", "has a number as turn 1, wanted text"),
        ("ultrachat", {"data": ["a"]}, "data", "has no turn of the assistant after the user's"),
        ("oig", {"text": "hello"}, "text", 'does not start with "<human>:" or "<bot>:"'),
        ("oig", {"text": "<human>: a"}, "text", "has no turn of the assistant after the user's"),
    ],
)
def test_bad_rows(format, row, field, problem):
    with pytest.raises(RowError) as caught:
        make_layout(format, None).read(row)
    assert (caught.value.field, caught.value.problem) == (field, problem)
    assert str(caught.value) == f"field {field!r} {problem}"


def test_a_row_that_is_no_object():
    with pytest.raises(RowError, match=r"^is a list, wanted an object with fields$"):
        make_layout("alpaca", None).read(["a"])
