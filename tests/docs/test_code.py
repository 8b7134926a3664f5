"""Every Python block of README.md and docs/ runs, in order, in a namespace of its file.

A block after a line ``<!-- not run: reason -->`` is left out, visibly. One that needs a package which is not
installed skips, as do later blocks of the file that build on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
NOT_RUN = re.compile(r"<!--\s*not run:\s*(.+?)\s*-->\s*\Z", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A Python block: its first line in the file, its code, and why it is not run, if it is not."""

    line: int
    code: str
    not_run: str | None


def blocks_of(text: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(text):
        if match[1] == "python":
            reason = NOT_RUN.search(text[: match.start()])
            found.append(Block(text.count("\n", 0, match.start()) + 2, match[2], reason and reason[1]))
    return found


@dataclass
class Document:
    """A file whose blocks are run one after the other, each once."""

    path: Path
    folder: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    outcomes: list[BaseException | str | None] = field(default_factory=list)

    def run_to(self, last: int) -> BaseException | str | None:
        """Run what is not run yet up to a block; return its error, why it was skipped, or None."""
        blocks = blocks_of(self.path.read_text())
        for block in blocks[len(self.outcomes) : last + 1]:
            self.outcomes.append(self._run(block))
        return self.outcomes[last]

    def _run(self, block: Block) -> BaseException | str | None:
        if block.not_run:
            return f"not run: {block.not_run}"
        # blank lines before it, so that a traceback has the line numbers of the file
        code = compile("\n" * (block.line - 1) + block.code, str(self.path), "exec")
        try:
            exec(code, self.names)
        except ImportError as error:
            return missing(error) or error
        except (NameError, FileNotFoundError) as error:
            skipped = [outcome for outcome in self.outcomes if isinstance(outcome, str)]
            return f"builds on a block that was skipped ({skipped[0]})" if skipped else error
        except Exception as error:
            return error
        return None


def missing(error: ImportError) -> str | None:
    """Return what is not installed, or None if the error is another one."""
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("qdit"):
        return f"needs {error.name}"
    return str(error) if "pip install 'qdit[" in str(error) else None


CASES = [(path, i) for path in FILES for i in range(len(blocks_of(path.read_text())))]


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Document]:
    return {path: Document(path, tmp_path_factory.mktemp(path.stem)) for path in FILES}


@pytest.mark.filterwarnings("default")  # those of other packages are none of ours
@pytest.mark.parametrize(
    ("path", "number"), CASES, ids=[f"{path.relative_to(ROOT)}-{number}" for path, number in CASES]
)
def test_block_runs(path, number, documents, monkeypatch):
    document = documents[path]
    monkeypatch.chdir(document.folder)
    outcome = document.run_to(number)
    if isinstance(outcome, str):
        pytest.skip(outcome)
    if outcome is not None:
        raise outcome


def test_what_counts_as_a_block():
    text = "a\n```python\nx = 1\n```\n<!-- not run: needs a server -->\n\n```python\ny\n```\n```sh\nls\n```\n"
    assert blocks_of(text) == [Block(3, "x = 1\n", None), Block(8, "y\n", "needs a server")]


def test_blocks_fail_skip_and_build_on_each_other(tmp_path):
    text = "\n".join(
        f"```python\n{code}\n```"
        for code in (
            "a = 1",
            "assert a == 1",
            "import no_such_package as p",
            "p.f()",
            "1 / 0",
            "import qdit.nothing",
        )
    )
    path = tmp_path / "x.md"
    path.write_text(text)
    document = Document(path, tmp_path)
    assert document.run_to(1) is None
    assert document.run_to(2) == "needs no_such_package"
    assert document.run_to(3) == "builds on a block that was skipped (needs no_such_package)"
    assert isinstance(document.run_to(4), ZeroDivisionError)
    assert isinstance(document.run_to(5), ModuleNotFoundError)
