"""JSON read value by value, an array's or those of a file, with the text of each, never all in memory."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

MAX_ROW_BYTES = 1 << 28
_CHUNK_BYTES = 1 << 20
_SLACK = 16  # a token cut off by the end of a chunk fails at most so many characters before that end
_SPACE = " \t\n\r"
_NOT_SPACE = re.compile(r"[^ \t\n\r]")
_STRING_OR_REST = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[^ \t\n\r"]+')

_NUMBER_CUT = re.compile(r"\.?|[eE][-+]?")  # after a number at the end of a chunk: it may go on in the next


class Element(NamedTuple):
    """An element: the line it begins on (from 1), its JSON text on one line, its value, a doubled key."""

    line: int
    text: str
    value: Any
    doubled: str | None = None


class Parser(json.JSONDecoder):
    """json's decoder, which also tells a key that an object has twice: `doubled`, None if there is none."""

    def __init__(self) -> None:
        self.doubled: str | None = None
        super().__init__(object_pairs_hook=self._object)

    def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
        """Return the value at a place in a text, and where it ends."""
        self.doubled = None
        return super().raw_decode(s, idx)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            self.doubled = next(name for name in names if names.count(name) > 1)
        return found


class JsonSyntaxError(ValueError):
    """The text is not a JSON array; what follows cannot be told apart any more."""

    def __init__(self, problem: str, line: int, count: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line
        self.count = count  # elements before it


def read_array(file: BinaryIO, chunk_bytes: int = _CHUNK_BYTES) -> Iterator[Element]:
    """Yield the elements of the JSON array that a UTF-8 file holds.

    The text of an element is its own; where it spans lines, white space outside strings is removed, so that
    it fits on one line and every literal keeps its characters.

    Raises:
        JsonSyntaxError: where the text stops being a JSON array.

    """
    scanner = _Scanner(file, chunk_bytes)
    scanner.expect("[", "wanted a JSON array, which begins with '['")
    if scanner.peek() == "]":
        scanner.expect("]", "")
    else:
        while True:
            yield scanner.element()
            if scanner.peek() == "]":
                scanner.expect("]", "")
                break
            scanner.expect(",", "wanted ',' or ']' after a row")
    if scanner.peek():
        scanner.fail("wanted nothing after the array's ']'")


def read_values(file: BinaryIO, chunk_bytes: int = _CHUNK_BYTES) -> Iterator[Element]:
    """Yield the values that a UTF-8 file holds one after the other; as `read_array`."""
    scanner = _Scanner(file, chunk_bytes)
    while scanner.peek():
        yield scanner.element()
        if scanner.peek() == ",":  # of an array without brackets
            scanner.expect(",", "")


class _Scanner:
    def __init__(self, file: BinaryIO, chunk_bytes: int) -> None:
        self._file = file
        self._chunk = chunk_bytes
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._parser = Parser()
        self._text = ""
        self._at = 0
        self._line = 1
        self._count = 0
        self._begun = False
        self._ended = False
        self._broken = ""

    def peek(self) -> str:
        """Return the next character that is not white space, "" at the end."""
        while True:
            found = _NOT_SPACE.search(self._text, self._at)
            self._advance(found.start() if found else len(self._text))
            if found or not self._more():
                return self._text[self._at : self._at + 1]

    def expect(self, character: str, problem: str) -> None:
        """Pass over a character that must come next."""
        if self.peek() != character:
            self.fail(problem)
        self._at += 1

    def element(self) -> Element:
        """Return the next element; the text may have to grow until it is whole."""
        self.peek()
        while True:
            try:
                value, end = self._parser.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string") or error.pos > len(self._text) - _SLACK
                if not (cut and self._more()):
                    self._advance(min(error.pos, len(self._text)))
                    self.fail(error.msg)
            except RecursionError:
                self.fail("nested too deeply")
            except ValueError:  # of Python's int
                self.fail("a number of too many digits")
            else:
                if not _NUMBER_CUT.fullmatch(self._text, end) or not self._more():
                    break
        line, text = self._line, self._text[self._at : end]
        self._advance(end)
        self._count += 1
        if "\n" in text or "\r" in text:
            text = "".join(_STRING_OR_REST.findall(text))
        return Element(line, text, value, self._parser.doubled)

    def fail(self, problem: str) -> None:
        got = self._text[self._at : self._at + 20]
        found = f"got {got!r}" if got else "the file ends here"
        raise JsonSyntaxError(f"{problem}: {found}", self._line, self._count)

    def _advance(self, to: int) -> None:
        self._line += self._text.count("\n", self._at, to)
        self._at = to

    def _more(self) -> bool:
        """Read on; False at the end of the file."""
        if self._broken:
            self.fail(self._broken)
        if self._ended:
            return False
        rest = self._text[self._at :]
        if len(rest) > MAX_ROW_BYTES:
            self.fail(f"a row of more than {MAX_ROW_BYTES >> 20} MiB")
        # what is left doubles, so a long element is parsed a few times and not once per chunk
        chunk = self._file.read(max(self._chunk, len(rest)))
        self._ended = not chunk
        try:
            text = self._decode(chunk, self._ended)
        except UnicodeDecodeError as error:  # rows before it come first, so that the error names its row
            text = error.object[: error.start].decode()
            self._broken = f"not UTF-8 ({error.reason})"
        if text and not self._begun:
            text = text.removeprefix("\ufeff")
            self._begun = True
        self._text, self._at = rest + text, 0
        return True
