"""Commands in README and docs run as they stand: page by page, in order, with the files of earlier blocks.

Of a ```bash or ```console block the lines that start with qdit run, in this process. A ```python block before
them runs for the files that it writes; a block below `<!-- file: NAME -->` becomes that file. A block below
`<!-- not run: REASON -->` does not run, but its commands must parse, so that options that are gone are found.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from qdit.cli.main import main

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
SHELL = ("bash", "console", "sh", "shell")
SLOW = {"docs/quickstart.md", "docs/recipes.md"}  # the demo, and many selections
TRANSCRIPTS = {"docs/pipeline.md"}  # what was printed on a real data set, commands and answers in one

FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<language>[\w-]*)[^\n`]*\n(?P<body>.*?)^(?P=fence)[ ]*$", re.DOTALL | re.MULTILINE
)
NOTE = re.compile(r"<!-- (not run|file): ([^>]+?) -->\s*\Z")
COMMAND = re.compile(r"(\$ )?(\w+=\S* +)*(accelerate launch .*-m )?qdit\s")
INDENTED = re.compile(r"^ {4,}(\$ )?qdit [a-z]", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block; `note` and `value` are those of a comment right above it."""

    line: int
    language: str
    body: str
    note: str = ""
    value: str = ""

    @property
    def commands(self) -> list[str]:
        """The qdit commands, each as one line."""
        lines = [line.strip() for line in self.body.replace("\\\n", " ").splitlines()]
        if self.language == "console":
            lines = [line for line in lines if line.startswith("$ ")]
        return [line.removeprefix("$ ") for line in lines if COMMAND.match(line)]


def blocks(text: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(text):
        above = NOTE.search(text[: match.start()])
        note, value = above.groups() if above else ("", "")
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(line, match["language"], match["body"], note, value))
    return found


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def shell_blocks(page: Path, *, run: bool) -> list[Block]:
    found = [block for block in blocks(page.read_text()) if block.language in SHELL and block.commands]
    return [block for block in found if (block.note != "not run") == run]


RUN = [
    pytest.param(page, id=name(page), marks=pytest.mark.slow if name(page) in SLOW else ())
    for page in PAGES
    if shell_blocks(page, run=True)
]
NOT_RUN = [
    pytest.param(command, id=f"{name(page)}:{block.line}:{i}")
    for page in PAGES
    for block in shell_blocks(page, run=False)
    for i, command in enumerate(block.commands)
]


@pytest.mark.parametrize("page", RUN)
def test_commands_run(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__docs__"}
    last = shell_blocks(page, run=True)[-1]
    for block in blocks(page.read_text()):
        where = f"{name(page)}:{block.line}"
        if block.line > last.line:
            break
        if block.note == "not run":
            continue
        if block.note == "file":
            Path(block.value).write_text(block.body)
        elif block.language == "python":
            try:
                exec(compile(block.body, where, "exec"), names)
            except ImportError as error:
                pytest.skip(f"{where}: {error}")
        elif block.language in SHELL:
            for command in block.commands:
                run(command, where, monkeypatch, capsys)


def words_of(command: str) -> tuple[dict[str, str], list[str]]:
    """Return the variables that a command sets, and its words after qdit."""
    words = shlex.split(command, comments=True)
    start = words.index("qdit")
    variables = [word.split("=", 1) for word in words[:start] if re.match(r"\w+=", word)]
    return dict(variables), words[start + 1 :]


def run(
    command: str, where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run one command; skip where it names a package that is missing."""
    variables, words = words_of(command)
    assert not {"|", ">", ">>", "<", "&&", ";", "&"} & set(words), (
        f"{where}: only plain commands are run here"
    )
    with monkeypatch.context() as here:
        for variable, value in variables.items():
            here.setenv(variable, value)
        code = main(words)
    said = capsys.readouterr().err
    if code == 1 and "pip install 'qdit[" in said:
        pytest.skip(f"{where}: {command}: {said.strip()}")
    assert code == 0, f"{where}: {command}: {said}"


@pytest.mark.parametrize("command", NOT_RUN)
def test_commands_that_are_not_run_parse(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = words_of(command.removesuffix("&"))[1]
    assert main([*words, "--print_config"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_command_escapes(page):
    text = page.read_text()
    unnamed = [block.line for block in blocks(text) if not block.language]
    assert not unnamed, f"{name(page)}: blocks without a language at lines {unnamed}; text is ```text"
    if name(page) in TRANSCRIPTS:
        return
    escaped = INDENTED.findall(FENCE.sub("", text))
    assert not escaped, f"{name(page)}: {len(escaped)} commands in indented blocks; make them ```bash blocks"


def test_the_parser_finds_what_it_should():
    page = (
        "```bash\n$ qdit info\nA=1 qdit select a \\\n  --k 3 # three\nls\n```\n\n"
        "<!-- not run: no model -->\n\n```console\n$ accelerate launch -n 2 -m qdit run x\nqdit 1\n```\n"
    )
    first, second = blocks(page)
    assert first.commands[0] == "qdit info"
    assert words_of(first.commands[1]) == ({"A": "1"}, ["select", "a", "--k", "3"])
    assert (first.note, first.line) == ("", 1)
    assert [words_of(command) for command in second.commands] == [({}, ["run", "x"])]
    assert (second.note, second.value) == ("not run", "no model")
    assert blocks("<!-- file: a.yaml -->\n```yaml\nk: 1\n```\n")[0].value == "a.yaml"
    assert blocks("<!-- not run: x -->\ntext\n```bash\nqdit info\n```\n")[0].note == ""
