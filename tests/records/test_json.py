"""The JSON array scanner against json.loads, at every chunk size."""

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qdit.records import jsonarray
from qdit.records.jsonarray import JsonSyntaxError, read_array, read_values

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
LAYOUTS = st.sampled_from([None, 0, 2, "\t"])
SPACE = st.text(" \t\r\n", max_size=3)


def elements(content, chunk=1 << 20):
    return list(read_array(io.BytesIO(content), chunk))


def dumped(rows, indent, ascii_only=True):
    return json.dumps(rows, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@given(st.lists(VALUES, max_size=6), LAYOUTS, st.integers(1, 40), SPACE, SPACE)
def test_elements_are_those_of_json_loads(rows, indent, chunk, before, after):
    content = before.encode() + dumped(rows, indent) + after.encode()
    found = elements(content, chunk)
    assert [element.value for element in found] == json.loads(content)
    assert [json.loads(element.text) for element in found] == rows
    assert not any("\n" in element.text or "\r" in element.text for element in found)


@given(st.lists(VALUES, max_size=6), LAYOUTS, st.integers(1, 40), st.sampled_from(["\n", ",\n", " "]))
def test_values_one_after_the_other(rows, indent, chunk, between):
    content = between.join(json.dumps(row, indent=indent) for row in rows).encode()
    assert [element.value for element in read_values(io.BytesIO(content), chunk)] == rows


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_what_json_lets_pass(chunk):
    """A doubled key is named; so are numbers that Python does not read."""
    found = elements(b'[{"a": 1, "b": 2}, {"a": {"b": 1, "c": 2, "b": 3}}, {"b": 1}]', chunk)
    assert [element.doubled for element in found] == [None, "b", None]
    with pytest.raises(JsonSyntaxError, match=r"^a number of too many digits"):
        elements(b"[" + b"1" * 5000 + b"]", chunk)


@given(st.lists(VALUES, max_size=6), LAYOUTS)
def test_literals_keep_their_characters(rows, indent):
    """What an element loses is white space outside strings, and only where it spans lines."""
    try:
        content = dumped(rows, indent, ascii_only=False)
        content.decode()
    except UnicodeDecodeError:  # half a surrogate pair has no UTF-8
        return
    for element, row in zip(elements(content, 7), rows, strict=True):
        tight = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
        assert element.text == (json.dumps(row, ensure_ascii=False) if indent is None else tight) or (
            "\n" not in json.dumps(row, indent=indent)
        )


def test_numbers_and_escapes_are_not_rewritten():
    content = b'[\n{"a": 1.50e+2,\r\n "b": "\\u00e9 \\/ x  y"}, {"c" :  -0.0} ]'
    assert [element.text for element in elements(content, 3)] == [
        r'{"a":1.50e+2,"b":"\u00e9 \/ x  y"}',
        '{"c" :  -0.0}',
    ]


@given(st.lists(VALUES, min_size=1, max_size=4), st.integers(1, 30), st.data())
def test_whatever_json_loads_refuses_is_refused(rows, chunk, data):
    """A character taken out or put in: both accept it, with the same values, or both do not."""
    text = json.dumps(rows)
    at = data.draw(st.integers(0, len(text) - 1))
    changed = (
        text[:at] + data.draw(st.sampled_from(["", ",", "]", "[", '"', "x", "1", "\n"])) + text[at + 1 :]
    )
    try:
        want = json.loads(changed)
    except json.JSONDecodeError:
        want = None
    if isinstance(want, list):
        assert [element.value for element in elements(changed.encode(), chunk)] == want
    else:
        with pytest.raises(JsonSyntaxError):
            elements(changed.encode(), chunk)


@given(st.lists(VALUES, min_size=1, max_size=4), LAYOUTS, st.data())
def test_a_file_that_is_cut_off_is_refused(rows, indent, data):
    content = dumped(rows, indent)
    cut = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(JsonSyntaxError):
        elements(content[:cut], 5)


@pytest.mark.parametrize("chunk", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("content", "line", "count", "problem"),
    [
        (b"", 1, 0, "wanted a JSON array, which begins with '[': the file ends here"),
        (b'{"a": 1}', 1, 0, "wanted a JSON array, which begins with '['"),
        (b'[\n{"a": 1}\n{"b": 2}]', 3, 1, "wanted ',' or ']' after a row: got '{"),
        (b'[\n{"a": 1},\n]', 3, 1, "Expecting value"),
        (
            b'[\n{"a": 1},\n{"a" 2}, {"c": 3}, {"d": "a long row follows here"}]',
            3,
            1,
            "Expecting ':' delimiter",
        ),
        (b"[1] 2", 1, 1, "wanted nothing after the array's ']': got '2'"),
        (b'["a\nb"]', 1, 0, "Invalid control character at"),
        (b'[1,\n"\xff"]', 2, 1, "not UTF-8 (invalid start byte)"),
    ],
)
def test_syntax_errors_name_line_and_row(content, line, count, problem, chunk):
    with pytest.raises(JsonSyntaxError) as caught:
        elements(content, chunk)
    assert caught.value.problem.startswith(problem)
    assert (caught.value.line, caught.value.count) == (line, count)


def test_an_error_is_found_without_reading_the_rest():
    class Counting(io.BytesIO):
        taken = 0

        def read(self, size=-1):
            chunk = super().read(size)
            self.taken += len(chunk)
            return chunk

    file = Counting(b'[{"a": oops},' + b'{"b": "text"},' * 100_000 + b"1]")
    with pytest.raises(JsonSyntaxError, match="Expecting value"):
        list(read_array(file, 1000))
    assert file.taken < 10_000


@pytest.mark.parametrize("number", ["0.5", "1e5", "1E-5", "-0.0e+1", "12", "-Infinity", "true", "null"])
def test_literals_cut_by_the_end_of_a_chunk(number):
    for chunk in range(1, 12):
        assert [element.text for element in elements(f"[{number},{number}]".encode(), chunk)] == [number] * 2


def test_byte_order_mark_and_empty_arrays():
    assert [element.value for element in elements(b'\xef\xbb\xbf[{"a": "\xc3\xa9"}]', 2)] == [{"a": "é"}]
    assert elements(b" [ ] \n") == []


def test_an_element_larger_than_many_chunks_is_parsed_a_few_times(monkeypatch):
    text = "x" * 200_000
    parses = []

    class Counting(jsonarray.Parser):
        def raw_decode(self, *arguments):
            parses.append(arguments)
            return super().raw_decode(*arguments)

    monkeypatch.setattr(jsonarray, "Parser", Counting)
    assert elements(json.dumps([text, 1]).encode(), 100)[0].value == text
    assert len(parses) < 20


def test_a_row_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(jsonarray, "MAX_ROW_BYTES", 1 << 20)
    with pytest.raises(JsonSyntaxError, match=re.escape("a row of more than 1 MiB")):
        elements(b'["' + b"x" * (1 << 22), 1 << 16)


def test_deep_nesting_is_an_error_of_the_file():
    with pytest.raises(JsonSyntaxError, match="nested too deeply"):
        elements(b"[" + b"[" * 100_000 + b"]" * 100_000 + b"]")
