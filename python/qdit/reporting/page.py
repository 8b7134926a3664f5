"""Parts of an HTML page. Every text that goes in is escaped here and nowhere else."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..records import Row

# system fonts, light and dark by the setting of the reader, no scripts
_CSS = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
_TEXT = 480  # characters of a turn that are shown
_TURNS = 4
# nothing is loaded and nothing runs, whatever a row says
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


@dataclass
class Section:
    """A section of the page.

    Attributes:
        id: its anchor.
        title: its heading.
        parts: its content.

    """

    id: str
    title: str
    parts: list[Html] = field(default_factory=list)

    def add(self, *parts: Html) -> Section:
        """Append content; return the section."""
        self.parts += parts
        return self

    def render(self) -> Html:
        """Return the section as HTML."""
        body = "\n".join(self.parts)
        return Html(
            f'<section id="{self.id}" aria-labelledby="{self.id}-title">\n'
            f'<h2 id="{self.id}-title">{escape(self.title)}</h2>\n{body}\n</section>'
        )


def escape(text: object) -> Html:
    """Return text as HTML that shows it; control characters become visible marks."""
    if isinstance(text, Html):
        return text
    plain = "".join(
        c if c in "\n\t" or not _is_control(c) else "\N{REPLACEMENT CHARACTER}" for c in str(text)
    )
    return Html(html.escape(plain, quote=True))


def _is_control(c: str) -> bool:
    return ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000


def paragraph(text: object) -> Html:
    """Return a paragraph."""
    return Html(f"<p>{escape(text)}</p>")


def note(text: object) -> Html:
    """Return a paragraph that says what is not here, or how to read what is."""
    return Html(f'<p class="note" role="note">{escape(text)}</p>')


def heading(text: object) -> Html:
    """Return a heading inside a section."""
    return Html(f"<h3>{escape(text)}</h3>")


def figure(pictures: tuple[bytes, bytes], alternative: str, caption: str) -> Html:
    """Return a figure from PNGs for a light and a dark page.

    alternative: what it shows, for those who cannot see it.
    """
    light, dark = (f"data:image/png;base64,{base64.b64encode(picture).decode()}" for picture in pictures)
    width, height = (int.from_bytes(pictures[0][at : at + 4], "big") for at in (16, 20))
    return Html(
        f'<figure><picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" width="{width}" height="{height}" alt="{escape(alternative)}"></picture>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "", numbers: int = 0) -> Html:
    """Return a table; numbers: how many of the last columns are numbers."""
    first = len(head) - numbers
    kind = ['class="number"' if i >= first else "" for i in range(len(head))]
    cells = "".join(f'<th scope="col" {kind[i]}>{escape(text)}</th>' for i, text in enumerate(head))
    body = "".join(
        "<tr>" + "".join(f"<td {kind[i]}>{escape(cell)}</td>" for i, cell in enumerate(row)) + "</tr>\n"
        for row in rows
    )
    top = f"<thead><tr>{cells}</tr></thead>" if any(head) else ""
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return Html(
        '<div class="scroll" tabindex="0" role="region" '
        f'aria-label="{escape(caption or "table")}"><table>{title}\n{top}\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def numbers(head: Sequence[str], rows: Iterable[Sequence[object]], numeric: int) -> Html:
    """Return the numbers behind a figure as a table that opens on a click."""
    return details("Numbers", table(head, rows, numbers=numeric))


def details(summary: str, *parts: Html) -> Html:
    """Return content that opens on a click."""
    return Html(f"<details><summary>{escape(summary)}</summary>\n" + "\n".join(parts) + "</details>")


def tiles(values: Sequence[tuple[str, str, str]]) -> Html:
    """Return the numbers at the top: (name, value, what to compare it with)."""
    cells = "".join(
        f'<div class="tile"><dt>{escape(name)}</dt><dd><span class="value">{escape(value)}</span><br>'
        f'<span class="beside">{escape(beside)}</span></dd></div>'
        for name, value, beside in values
    )
    return Html(f'<dl class="tiles">{cells}</dl>')


def row_text(row: Row, where: str = "") -> Html:
    """Return a row of the data, its turns shortened; where: said beside its number."""
    parts = [f'<div class="where">{escape(f"row {row.index}")} · {escape(row.id)}{_after(where)}</div>']
    for role, text in row.turns[:_TURNS]:
        shown = text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"
        parts.append(
            f'<div class="role">{escape(role)}</div><div class="text" dir="auto">{escape(shown)}</div>'
        )
    if len(row.turns) > _TURNS:
        parts.append(f'<div class="where">and {len(row.turns) - _TURNS} more turns</div>')
    return Html(f'<div class="row">{"".join(parts)}</div>')


def _after(text: str) -> str:
    return f" · {escape(text)}" if text else ""


def pair(first: Html, second: Html) -> Html:
    """Return two rows side by side where there is room."""
    return Html(f'<div class="pair">{first}{second}</div>')


def region(*parts: Html) -> Html:
    """Return a group of rows."""
    return Html(f'<div class="region">{"".join(parts)}</div>')


def render(title: str, lead: str, top: Html, sections: Sequence[Section], foot: str) -> str:
    """Return the page."""
    links = "".join(f'<li><a href="#{s.id}">{escape(s.title)}</a></li>' for s in sections)
    body = "\n".join(section.render() for section in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="qdit">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>
{_CSS}</style>
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header>
<h1>{escape(title)}</h1>
<p class="lead">{escape(lead)}</p>
<nav aria-label="Sections"><ul>{links}</ul></nav>
</header>
<main id="main">
{top}
{body}
</main>
<footer><p>{escape(foot)}</p></footer>
</body>
</html>
"""
