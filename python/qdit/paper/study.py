"""The YAML file of a study that trains models: what is crossed with what, and how each step is done."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from ..common import checks
from ..evaluation.benchmarks.model import BenchmarkOptions
from ..evaluation.judge.job import JudgeOptions
from ..evaluation.loss import LossOptions
from ..generation.options import GenerateOptions
from ..pipeline.config import check_names
from ..scoring.reward import RewardOptions
from ..selection.options import SelectOptions, check_alpha
from ..training.options import TrainOptions
from .methods import Method, parse, qdit, with_seed
from .options import SHARED

# what decides each step's options, what of it is not the file's to say, and what it takes besides
_STEPS: Mapping[str, tuple[Callable[..., Any], set[str], set[str]]] = {
    "train": (TrainOptions, {"model", "pool", "seed"}, set()),
    "generate": (GenerateOptions, {"model"}, set()),
    "hh": (RewardOptions, set(), set()),
    "judge": (JudgeOptions, set(), {"against"}),
    "benchmarks": (BenchmarkOptions, {"label"}, set()),
    "loss": (LossOptions, {"model", "name", "revision"}, set()),
}
_OURS = {"progress", "dry_run", "overwrite"}
STEPS = tuple(_STEPS)
_GRID = ("pools", "models", "sizes", "methods", "alphas", "seeds", "sets")
_NEEDED = ("pools", "models", "sizes")


@dataclass(frozen=True)
class Cell:
    """One model of a study: trained from `model` on k rows of `pool` that `method` chose.

    Attributes:
        pool, model: names in the study.
        k: rows.
        method: with this cell's seed, if it has one.
        seed: of training; also of random and cluster choices.

    """

    pool: str
    model: str
    k: int
    method: Method
    seed: int

    @property
    def name(self) -> str:
        """What the cell is called in files and results, unique in its study."""
        return f"{self.pool}-{self.model}-k{self.k}-{self.method.family}-seed{self.seed}"


@dataclass(frozen=True)
class Study:
    """A checked file.

    Attributes:
        file: where it came from.
        pools: pool directory by name; with embeddings, and quality unless only random rows are chosen.
        models: by name a model on the Hub or the folder of one.
        sizes: numbers of rows.
        methods: how rows are chosen, for tables and Figure 4.
        alphas: of QDIT, for Figure 3.
        seeds: a model is trained for each.
        sets: files of evaluation questions by the name of the set.
        select: options that selections have in common.
        steps: options of train, generate and the evaluations; an evaluation that is not named is not done.

    """

    file: Path
    pools: Mapping[str, Path]
    models: Mapping[str, str]
    sizes: tuple[int, ...]
    methods: tuple[Method, ...]
    alphas: tuple[float, ...]
    seeds: tuple[int, ...]
    sets: Mapping[str, Path]
    select: SelectOptions = field(default_factory=SelectOptions)
    steps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def cells(self, methods: Iterable[Method] | None = None) -> list[Cell]:
        """Return every model of the study; methods: in place of its own."""
        chosen = self.methods if methods is None else tuple(methods)
        return [
            Cell(pool, model, k, with_seed(method, seed), seed)
            for pool, model, k, method, seed in product(
                self.pools, self.models, self.sizes, chosen, self.seeds
            )
        ]

    def alpha_cells(self) -> list[Cell]:
        """Return the models of Figure 3: QDIT for every alpha."""
        if not self.alphas:
            raise ValueError(f"{self.file}: alphas: got none, wanted values such as [0.1, 0.5, 0.9]")
        return self.cells(qdit(*self.alphas))

    def need(self, step: str) -> Mapping[str, Any]:
        """Return the options of an evaluation; ValueError if the file does not name it."""
        if step not in self.steps:
            raise ValueError(f"{self.file}: no key {step!r}, which this figure or table is made of; add it")
        return self.steps[step]


def read_study(path: str | os.PathLike[str]) -> Study:
    """Read and check a file; paths in it are relative to it, and $NAME in them is an environment variable.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no YAML, a key or value in it is wrong, or a variable is not set.

    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"study: {file} does not exist; pass the YAML file of a study")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: this is no YAML: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file}: got {type(content).__name__}, wanted keys such as pools, models, sizes")
    check_names(str(file), content, (*_GRID, "select", *STEPS))
    for name in _NEEDED:
        if not content.get(name):
            raise ValueError(f"{file}: no {name}; a study needs {', '.join(_NEEDED)}")
    base = file.parent
    select = _mapping(file, content, "select")
    check_names(f"{file}: select", select, SHARED)
    steps = {name: _mapping(file, content, name) for name in STEPS if content.get(name) is not None}
    for name, given in steps.items():
        check_names(f"{file}: {name}", given, known_options(name))
        for option, value in given.items():
            if isinstance(value, str) and value.startswith("$"):
                given[option] = _expanded(f"{file}: {name}: {option}", value)
    if "reward_model" in steps.get("hh", {}):
        steps["hh"]["reward_model"] = _located(str(steps["hh"]["reward_model"]), base)
    return Study(
        file=file,
        pools={name: base / place for name, place in _named(file, content, "pools").items()},
        models={name: _located(place, base) for name, place in _named(file, content, "models").items()},
        sizes=_whole(file, "sizes", content["sizes"], 1),
        methods=_methods(file, content.get("methods", ["random", "quality", "qdit"])),
        alphas=tuple(check_alpha(alpha) for alpha in _listed(content.get("alphas", []))),
        seeds=_whole(file, "seeds", content.get("seeds", [0]), 0),
        sets={name: base / place for name, place in _named(file, content, "sets").items()},
        select=SelectOptions(**select),
        steps=steps,
    )


def known_options(step: str) -> tuple[str, ...]:
    """Return the names of the options of a step: those of the function or class that does it."""
    maker, own, more = _STEPS[step]
    return tuple(sorted(set(inspect.signature(maker).parameters) - own - _OURS | more))


def _named(file: Path, content: Mapping[str, Any], key: str) -> dict[str, str]:
    """Return a mapping of names to paths or models; names become parts of file names."""
    found = _mapping(file, content, key)
    for name in found:
        if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise ValueError(
                f"{file}: {key}: got the name {name!r}, wanted letters, digits, '.', '-' and '_'"
            )
    return {name: _expanded(f"{file}: {key}: {name}", str(value)) for name, value in found.items()}


def _expanded(where: str, text: str) -> str:
    found = os.path.expandvars(text)
    unset = re.search(r"\$(\w+|\{\w+\})", found)
    if unset is not None:
        raise ValueError(f"{where}: {text!r} names the environment variable {unset[1]}, which is not set")
    return found


def _mapping(file: Path, content: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = content.get(key)
    if value is None or value is True:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{file}: {key}: got {value!r}, wanted a mapping")
    return {str(name): entry for name, entry in value.items()}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _whole(file: Path, key: str, value: Any, least: int) -> tuple[int, ...]:
    found = []
    for number in _listed(value):
        if checks.check_int(key, number) < least:
            raise ValueError(f"{file}: {key}: got {number}, wanted at least {least}")
        found.append(int(number))
    if not found or len(set(found)) < len(found):
        raise ValueError(f"{file}: {key}: got {value!r}, wanted distinct whole numbers")
    return tuple(found)


def _methods(file: Path, value: Any) -> tuple[Method, ...]:
    found = tuple(parse(str(text)) for text in _listed(value))
    for i, method in enumerate(found):
        if method.family in [other.family for other in found[:i]]:
            raise ValueError(
                f"{file}: methods: got {method.family} twice; seeds: says how often random choices are made"
            )
    return found


def _located(model: str, base: Path) -> str:
    """Return a folder relative to the file; what is none is the name of a model."""
    return str((base / model).resolve()) if (base / model).is_dir() else model
