"""A python that has only the packages of packages.txt beside this file, however many are installed.

With this folder in PYTHONPATH every python started from then on refuses to import the others: what
bench/gpu_check.sh does on a bare machine with a device, it can be seen to do on one that has more.
"""

import importlib.abc
import importlib.metadata
import re
import sys
from pathlib import Path


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


THERE = {_normal(name) for name in Path(__file__).with_name("packages.txt").read_text().split()}
OURS = {"qdit"}  # wherever it was installed to


class Refuse(importlib.abc.MetaPathFinder):
    """Finds nothing, and ends the search where a module comes from a package that is not there."""

    def __init__(self) -> None:
        self.modules: set[str] | None = None  # that only packages which are not there bring

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        """Raise ModuleNotFoundError for such a module; leave any other to the finders behind this one."""
        if path is not None or fullname in sys.stdlib_module_names:
            return
        if self.modules is None:
            self.modules = set()  # what the next line imports is let through
            found = importlib.metadata.packages_distributions()
            self.modules = {
                module for module, packages in found.items() if not {*map(_normal, packages)} & (THERE | OURS)
            }
        if fullname in self.modules:
            raise ModuleNotFoundError(f"No module named {fullname!r} (bare machine)", name=fullname)


sys.meta_path.insert(0, Refuse())
