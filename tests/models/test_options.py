"""Options of stages that run a model: each is described once, where it is declared."""

import inspect
import re
from dataclasses import fields

import pytest

from qdit.generation import GenerateOptions
from qdit.scoring import ScoreOptions
from qdit.training import TrainOptions
from qdit.training.recipe import RecipeOptions

OWN = {  # where a stage means something else by a name, it says so
    TrainOptions: {"model", "device", "dtype", "batch_size"},
    GenerateOptions: {"model"},
    ScoreOptions: set(),
}


@pytest.mark.parametrize("kind", OWN)
def test_every_field_is_described_once(kind):
    described = []
    for base in kind.__mro__[:-1]:
        section = (inspect.getdoc(base) or "").partition("Attributes:\n")[2].partition("\n\n")[0]
        described += re.findall(r"^ {4}(\w+): ", section, re.MULTILINE)
    assert set(described) == {field.name for field in fields(kind)}
    assert {name for name in described if described.count(name) > 1} == OWN[kind]


def test_training_has_defaults_of_its_own_for_what_it_shares():
    defaults = {field.name: field.default for field in fields(RecipeOptions)}
    assert {name: defaults[name] for name in ("batch_size", "max_length")} == {
        "batch_size": 128,
        "max_length": 512,
    }
    assert TrainOptions(model="m").batch_size == 128
