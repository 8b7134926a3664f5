"""Python programs that tests start, and kill."""

import os
from pathlib import Path


def child_environment(test: str, **more: str) -> dict[str, str]:
    """Return an environment in which a program can import the test module of this file, and helpers.

    test: __file__ of the test module.
    """
    tests = Path(__file__).parents[1]
    own = [str(Path(test).parent), str(tests), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, own))} | more
