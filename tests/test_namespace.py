"""The namespace `qdit`: what it holds, and what is loaded when."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import qdit

LOADED = """
import json, sys
before = set(sys.modules)
{code}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def loaded_by(code: str) -> set[str]:
    """Return the modules that code loads in a new process, the standard library's apart."""
    run = [sys.executable, "-c", LOADED.format(code=code)]
    names = json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
    return {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}


def packages(names: set[str]) -> set[str]:
    """Return the packages of qdit among modules."""
    return {name.split(".")[1] for name in names if name.startswith("qdit.")}


def test_import_loads_nothing_but_numpy():
    names = loaded_by("import qdit")
    assert {name.partition(".")[0] for name in names} <= {"qdit", "numpy"}
    assert packages(names) == {"_version"}


def test_selecting_loads_no_stage_and_no_adapter():
    names = loaded_by("import qdit; qdit.select, qdit.objective, qdit.sweep, qdit.build_graph")
    assert {name.partition(".")[0] for name in names} == {"qdit", "numpy"}
    assert packages(names) == {"_core", "_version", "common", "engine", "selection"}


def test_stages_load_without_extras():
    names = loaded_by("import qdit; [getattr(qdit, name) for name in qdit.__all__]")
    assert not {name.partition(".")[0] for name in names} & {
        "torch",
        "transformers",
        "pyarrow",
        "datasets",
        "ray",
    }


def test_type_checkers_see_what_is_there():
    tree = ast.parse(Path(qdit.__file__).read_text())
    typed = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname: (node.module, alias.name) for node in typed.body for alias in node.names}
    assert seen == {name: (home, name) for name, home in qdit._HOME_OF.items()}
    assert set(qdit.__all__) == {"__version__", *seen}


def test_names_and_packages_are_attributes():
    assert qdit.Pool.__module__ == "qdit.records.pool"
    assert qdit.vectors.__name__ == "qdit.vectors"
    assert {"select", "train", "__version__"} <= set(dir(qdit))


def test_no_other_name_is_there():
    with pytest.raises(AttributeError, match="module 'qdit' has no attribute 'selct'"):
        getattr(qdit, "selct")  # noqa: B009
    assert not hasattr(qdit, "_missing")
