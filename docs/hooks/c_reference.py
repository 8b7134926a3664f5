"""Makes the page of the C interface from the comments of csrc/capi/qdit.h; a hook of mkdocs.

The header is its own documentation: `/** ... */` stands before what it explains, `/**< ... */` behind a
member. A part that has no comment is an error, so that none is forgotten.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

HEADER = Path(__file__).parents[2] / "csrc" / "capi" / "qdit.h"
MARKER = "<!-- the reference of qdit.h -->"

COMMENT = re.compile(r"/\*\*(?!<)(.*?)\*/\n(.*?)(?=\n\n|\Z)", re.DOTALL)
MEMBER = re.compile(r"([^;,{}/]+?)\s*[;,]?\s*/\*\*<(.*?)\*/", re.DOTALL)
DECLARED = re.compile(r"^(?:QDIT_API|typedef|enum|#define QDIT_VERSION_MAJOR)\b", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the reference where a page has the marker; called by mkdocs."""
    return markdown.replace(MARKER, reference(HEADER.read_text())) if MARKER in markdown else markdown


def reference(header: str) -> str:
    """Return the Markdown of a header."""
    intro, *parts = [(_text(comment), code) for comment, code in COMMENT.findall(header)]
    explained = "\n\n".join(code for _, code in parts)
    for match in DECLARED.finditer(header):
        line = header[match.start() : header.find("\n", match.start())]
        if line not in explained:
            raise ValueError(f"qdit.h: no comment before {line!r}")
    return "\n\n".join([intro[0], *(_part(text, code) for text, code in parts)])


def _part(text: str, code: str) -> str:
    name = _name(code)
    title = f"## {name}" if name else f"## {text.partition('.')[0]}"
    rest = text if name else text.partition(".")[2].strip()
    body = [title] + ([rest] if rest else [])
    if "{" in code:
        body += ["| | |\n|---|---|\n" + "\n".join(_rows(code))]
    else:
        plain = re.sub(r"\n\s+", "\n    ", code.replace("QDIT_API ", ""))
        body += [f"```c\n{plain}\n```"]
    return "\n\n".join(body)


def _name(code: str) -> str:
    """Return what a declaration declares; "" for constants and macros, which are many."""
    for pattern in (
        r"\(\*(qdit_\w+)\)",
        r"^QDIT_API [^(]*?(qdit_\w+)\(",
        r"^typedef struct (qdit_\w+)",
        r"(qdit_\w+);",
    ):
        found = re.search(pattern, code)
        if found and not code.startswith("enum"):
            return found[1]
    return ""


def _rows(code: str) -> list[str]:
    """Return a row of a table for each member or constant of a block."""
    inside = code[code.index("{") + 1 : code.rindex("}")]
    rows, end = [], 0
    for match in MEMBER.finditer(inside):
        rows += [_row(line, "") for line in _plain(inside[end : match.start()])]
        *others, last = _plain(match[1] + ";")
        rows += [_row(line, "") for line in others]
        rows.append(_row(last, _text(match[2])))
        end = match.end()
    return rows + [_row(line, "") for line in _plain(inside[end:])]


def _plain(code: str) -> list[str]:
    return [line.strip() for line in re.split(r"[;,]", code) if line.strip()]


def _row(declared: str, text: str) -> str:
    return f"| `{' '.join(declared.split())}` | {' '.join(text.split())} |".replace("|  |", "| |")


def _text(comment: str) -> str:
    return "\n".join(re.sub(r"^ \* ?", "", line) for line in comment.splitlines()).strip()
