"""The table of methods: everybody asks it, nobody compares names."""

import ast
from pathlib import Path

import numpy as np
import pytest

import qdit
from qdit.selection.methods import METHODS, NAMES
from qdit.selection.options import Search

PACKAGE = Path(qdit.__file__).parent
OWN = {"selection/methods.py"}  # where methods are told apart


def strings(node):
    """Return the strings of a constant, or of a tuple, list or set; EXACT.name counts as "exact"."""
    parts = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    named = {
        ast.unparse(part).removesuffix(".name").lower() for part in parts if isinstance(part, ast.Attribute)
    }
    return named | {p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)}


def about_a_method(node):
    """Return whether an expression is called a method or the kind of one."""
    text = ast.unparse(node)
    return "method" in text or text.endswith((".kind", '["method"]'))


def test_no_module_compares_a_method_with_a_name():
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).as_posix() in OWN:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                named = set().union(*map(strings, sides)) & set(NAMES)
                if named and any(map(about_a_method, sides)):
                    found.append(f"{path.relative_to(PACKAGE)}:{node.lineno}: {ast.unparse(node)}")
    assert found == []


def test_options_of_methods_are_fields():
    assert {name for method in METHODS.values() for name in method.options} <= set(Search.names())


@pytest.mark.parametrize("name", METHODS)
def test_the_table_says_what_a_method_does(name):
    method, rng = METHODS[name], np.random.default_rng(7)
    rows, quality = rng.standard_normal((90, 6)).astype(np.float32), rng.random(90)
    got = qdit.select(rows, quality, 0.5, 12, method=name, clusters=5)
    assert got.params["method"] == name
    assert set(method.options) <= set(got.params)
    assert ("graph" in got.params) == method.uses_graph
    prefix = qdit.select(rows, quality, 0.5, 5, method=name, clusters=5)
    if not method.k_decides and not method.uses_graph:
        assert prefix.indices.tolist() == got.indices[:5].tolist()
    if method.exact:
        assert got.indices.tolist() == qdit.select(rows, quality, 0.5, 12, method="naive").indices.tolist()
    if method.needs_quality:
        with pytest.raises(ValueError, match=f"quality: got None with method '{name}'"):
            qdit.select(rows, alpha=0, k=5, method=name)
    limited = {"groups": np.arange(90) % 3, "quota": 4}
    if method.limits:
        chosen = qdit.select(rows, quality, 0.5, 12, method=name, clusters=5, **limited)
        assert np.bincount(chosen.indices % 3).tolist() == [4, 4, 4]
    else:
        with pytest.raises(ValueError, match=f"groups: method '{name}' knows no constraints"):
            qdit.select(rows, quality, 0.5, 12, method=name, **limited)
