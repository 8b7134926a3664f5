"""The page of the C interface has all of the header, and a part without a comment is an error."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def load():
    spec = importlib.util.spec_from_file_location("c_reference", ROOT / "docs" / "hooks" / "c_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = load()
HEADER = MAKER.HEADER.read_text()


def test_everything_is_there():
    page = MAKER.on_page_markdown((ROOT / "docs" / "api" / "c.md").read_text())
    code = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.DOTALL)
    for name in set(re.findall(r"\bqdit_\w+", code)):
        assert f"\n## {name}\n" in page, name
    for constant in set(re.findall(r"\bQDIT_\w+(?= [=0-9\"(])", code)):
        assert constant in page
    assert "/**" not in page
    assert MAKER.on_page_markdown("another page") == "another page"


def test_members_are_rows_of_tables():
    header = (
        "/**\n * Intro.\n */\n#ifndef QDIT_H\n\n/** A struct. */\n"
        "typedef struct qdit_x {\n  int a; /**< the a,\n       of x */\n  int b;\n} qdit_x;\n\n"
        "/** Flags. Of x. */\nenum {\n  QDIT_A = 0,\n  QDIT_B = 1 /**< the b */\n};\n"
    )
    page = MAKER.reference(header)
    assert "## qdit_x\n\nA struct.\n\n| | |\n|---|---|\n| `int a` | the a, of x |\n| `int b` | |" in page
    assert "## Flags\n\nOf x.\n\n| | |\n|---|---|\n| `QDIT_A = 0` | |\n| `QDIT_B = 1` | the b |" in page


def test_a_part_without_a_comment_is_an_error():
    bare = HEADER.replace('/** The version of the library, such as "0.1.0". */\n', "")
    assert bare != HEADER
    with pytest.raises(ValueError, match="no comment before 'QDIT_API const char"):
        MAKER.reference(bare)
