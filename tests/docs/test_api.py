"""The API reference names all that is public."""

import importlib
import re
from pathlib import Path

import pytest

import qdit

PAGES = sorted((Path(__file__).parents[2] / "docs" / "api").glob("*.md"))
NAMED = {
    found.rpartition(".")[2]
    for page in PAGES
    for found in re.findall(r"^::: (\S+)", page.read_text(), re.MULTILINE)
}


def test_everything_in_the_namespace_is_there():
    assert set(qdit.__all__) - NAMED == {"__version__"}


@pytest.mark.parametrize("module", ["adapters", "vectors"])
def test_everything_of_modules_that_are_imported_by_name_is_there(module):
    assert set(importlib.import_module(f"qdit.{module}").__all__) <= NAMED


def test_pages_are_in_the_site():
    navigation = (PAGES[0].parents[2] / "mkdocs.yml").read_text()
    for page in PAGES:
        assert f"api/{page.name}" in navigation
