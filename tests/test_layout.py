"""The order of imports, and what keeps the layout as it is: computed from the syntax trees of all modules."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import qdit

ROOT = Path(qdit.__file__).parent
PACKAGES = (  # from left to right: each imports only itself and those before it
    *("_version", "_core", "common", "engine", "records", "vectors", "models", "selection", "distributed"),
    *(
        "scoring",
        "embedding",
        "cleaning",
        "exporting",
        "measuring",
        "reporting",
        "training",
        "generation",
        "evaluation",
        "pipeline",
    ),
    *("paper", "adapters", "demo", "cli"),
)
AT_THE_TOP = {"__init__", "__main__", "_version"}  # and nothing else beside the packages
ALWAYS_THERE = {*sys.stdlib_module_names, "numpy", "yaml", "jsonargparse", "qdit"}
ADAPTED = {"adapters/sklearn.py", "adapters/data_juicer.py"}  # classes of these packages have bases there
MOST_PARAMETERS, MOST_LONG_SIGNATURES = 9, 8

MODULES = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in ROOT.rglob("*.py")}


def absolute(file: str, node: ast.ImportFrom) -> str:
    """Return what an import names, from the root of the package on."""
    if not node.level:
        return node.module or ""
    package = ["qdit", *file.split("/")[:-1]]
    return ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])


def imports(file: str, tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Yield every module that is imported in a file, hidden in a function or not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = absolute(file, node)
            if name == "qdit":
                yield from ((f"qdit.{alias.name}", node) for alias in node.names)
            else:
                yield name, node


def package_of(file: str) -> str:
    return file.split("/")[0].removesuffix(".py")


def backwards(file: str, tree: ast.Module) -> list[str]:
    """Return the imports of a file that run against the order."""
    if file in ("__init__.py", "__main__.py"):
        return []
    here = PACKAGES.index(package_of(file))
    found = []
    for name, node in imports(file, tree):
        if name == "qdit" or name.startswith("qdit."):
            target = name.split(".")[1]
            # a name of qdit itself leads to any of its packages
            if target not in PACKAGES or PACKAGES.index(target) > here:
                found.append(f"{file}:{node.lineno} imports {name}")
    return found


def test_every_package_is_listed_and_nothing_lies_flat():
    flat = {path.stem for path in ROOT.glob("*.py")}
    assert flat == AT_THE_TOP
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders == set(PACKAGES) - {"_version", "_core"}


def test_no_import_runs_back():
    assert [line for file, tree in MODULES.items() for line in backwards(file, tree)] == []


@pytest.mark.parametrize(
    "line",
    [
        "from ..cli.main import main",
        "def f():\n    from qdit.selection.api import select",
        "import qdit.pipeline.runner",
        "from .. import select",
    ],
)
def test_an_import_that_runs_back_is_found(line):
    assert len(backwards("records/pool.py", ast.parse(line))) == 1


def test_extras_are_imported_when_they_are_needed():
    found = []
    for file, tree in MODULES.items():
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {name.split(".")[0] for name, node in imports(file, tree) if node in top}
        if names - ALWAYS_THERE and file not in ADAPTED:
            found.append(f"{file}: {', '.join(sorted(names - ALWAYS_THERE))}")
    assert found == []


def long_signatures() -> list[str]:
    found = []
    for file, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                args = node.args
                names = [arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
                names += [arg.arg for arg in (args.vararg, args.kwarg) if arg is not None]
                if len([name for name in names if name not in ("self", "cls")]) > MOST_PARAMETERS:
                    found.append(f"{file}:{node.name}")
    return sorted(found)


def test_options_are_declared_once():
    found = long_signatures()
    assert "selection/api.py:select" in found
    assert len(found) <= MOST_LONG_SIGNATURES, found
