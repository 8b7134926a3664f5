"""Every option of every stage that is a number says its name when it gets none, or one that is too large."""

import pkgutil
from dataclasses import MISSING, fields
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import qdit
from qdit.common.options import Options, _numbers

PLUGINS = ("qdit.adapters.sklearn", "qdit.adapters.data_juicer", "qdit.qdit_cuda")  # they need others


def all_below(kind: type[Options]) -> set[type[Options]]:
    return {kind}.union(*map(all_below, kind.__subclasses__()))


def numbers() -> list[Any]:
    for module in pkgutil.walk_packages(qdit.__path__, "qdit."):
        if module.name not in PLUGINS and not module.name.endswith("__main__"):
            import_module(module.name)
    found = [(kind, *check) for kind in all_below(Options) for check in _numbers(kind)]
    found = [one for one in found if one[0].__module__.startswith("qdit.")]
    assert len(found) > 200
    # each where it is declared only
    return [
        pytest.param(kind, name, check.__name__, id=f"{kind.__name__}.{name}")
        for kind, name, check in sorted(found, key=lambda one: (one[0].__qualname__, one[1]))
        if name in vars(kind).get("__annotations__", {})
    ]


@pytest.mark.parametrize(("kind", "name", "check"), numbers())
def test_a_number_that_is_none_is_named(kind, name, check):
    others = {field.name: "x" for field in fields(kind) if field.default is field.default_factory is MISSING}
    bad: list[Any] = [np.array([5]), np.array([5, 6]), "a"]
    bad += [10**400, 1j, float("nan")] if check == "check_float" else [2**64, -(2**64), 0.5]
    for value in bad:
        with pytest.raises((TypeError, ValueError), match=rf"^{name}: got .*, wanted "):
            kind(**{**others, name: value})
