"""Every option of every stage that is a number says its name when it gets none, or one that is too large."""

import json
import pkgutil
from dataclasses import MISSING, dataclass, fields
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
        pytest.param(kind, name, check.__name__, optional, id=f"{kind.__name__}.{name}")
        for kind, name, check, optional in sorted(found, key=lambda one: (one[0].__qualname__, one[1]))
        if name in vars(kind).get("__annotations__", {})
    ]


@pytest.mark.parametrize(("kind", "name", "check", "optional"), numbers())
def test_a_number_that_is_none_is_named(kind, name, check, optional):
    others = {field.name: "x" for field in fields(kind) if field.default is field.default_factory is MISSING}
    bad: list[Any] = [np.array([5]), np.array([5, 6]), "a"]
    bad += [10**400, 1j, float("nan")] if check == "check_float" else [2**64, -(2**64), 0.5]
    bad += [] if optional else [None]
    for value in bad:
        with pytest.raises((TypeError, ValueError), match=rf"^{name}: got .*, wanted "):
            kind(**{**others, name: value})


@dataclass(frozen=True, kw_only=True)
class Some(Options):
    share: float = 0.5
    rows: int | None = None


@pytest.mark.parametrize("value", [1, 1.0, np.int64(1), np.float32(1), np.float64(1), np.array(1)])
def test_a_number_is_one_of_python_in_what_is_written(value):
    """An int stays one where a float may stand, as in the hashes of earlier runs."""
    share = Some(share=value).share
    assert json.dumps(share) == ("1" if type(value) is int else "1.0")
    if np.asarray(value).dtype.kind == "i":
        assert json.dumps(Some(rows=value).rows) == "1"
