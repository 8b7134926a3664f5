"""The YAML file of a study that trains models: what is crossed with what, and how each step is done."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from ..common.checks import check_int
from ..common.types import JSON, StrPath
from ..evaluation.benchmarks.model import BenchmarkOptions
from ..evaluation.judge.job import JudgeOptions
from ..evaluation.loss import LossOptions
from ..generation.options import GenerateOptions
from ..pipeline.keys import Keys, mapping, read_yaml
from ..scoring.reward import RewardOptions
from ..selection.options import SelectOptions, check_alpha
from ..training.options import TrainOptions
from .methods import Method, parse, qdit, with_seed
from .options import SHARED

_SELECT = Keys(SelectOptions, own={n: x for n, x in vars(SelectOptions()).items() if n not in SHARED})
STAGES: Mapping[str, Keys] = {
    "train": Keys(TrainOptions, own={"model": "of the cell", "pool": None, "seed": 0}),
    "generate": Keys(GenerateOptions, own={"model": "of the cell"}),
    "hh": Keys(RewardOptions),
    "judge": Keys(JudgeOptions, more=("against",)),
    "benchmarks": Keys(BenchmarkOptions, own={"label": None}),
    "loss": Keys(LossOptions, own={"model": "of the cell", "name": None, "revision": None}),
}
_NEEDED = ("pools", "models", "sizes")
_GRID = (*_NEEDED, "methods", "alphas", "seeds", "sets")


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
        stages: options of train, generate and the evaluations; an evaluation that is not named is not done.

    """

    file: Path
    pools: Mapping[str, Path]
    models: Mapping[str, str]
    sizes: tuple[int, ...]
    methods: tuple[Method, ...]
    alphas: tuple[float, ...]
    seeds: tuple[int, ...]
    sets: Mapping[str, Path]
    select: SelectOptions
    stages: Mapping[str, JSON]

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

    def need(self, stage: str) -> JSON:
        """Return the options of an evaluation; ValueError if the file does not name it."""
        if stage not in self.stages:
            raise ValueError(f"{self.file}: no key {stage!r}, which this figure or table is made of; add it")
        return self.stages[stage]


def read_study(path: StrPath) -> Study:
    """Read and check a file; paths in it are relative to it, and $NAME in them is an environment variable.

    Raises:
        FileNotFoundError: if there is no such file.
        TypeError, ValueError: if it is no YAML, a key or value in it is wrong, or a variable is not set.

    """
    file = Path(path)
    content = read_yaml(file, "study", "study", (*_GRID, "select", *STAGES))
    for name in _NEEDED:
        if not content.get(name):
            raise ValueError(f"{file}: no {name}; a study needs {', '.join(_NEEDED)}")
    base = file.parent
    stages = {}
    for name in ("select", *STAGES):
        if content.get(name) is not None:
            given = mapping(f"{file}: {name}", content[name])
            for option, value in given.items():
                if isinstance(value, str) and value.startswith("$"):
                    given[option] = _expanded(f"{file}: {name}: {option}", value)
            (_SELECT if name == "select" else STAGES[name]).check(f"{file}: {name}", given)
            stages[name] = given
    if "reward_model" in stages.get("hh", {}):
        stages["hh"]["reward_model"] = _located(str(stages["hh"]["reward_model"]), base)
    return Study(
        file=file,
        pools={name: base / place for name, place in _named(file, content, "pools").items()},
        models={name: _located(place, base) for name, place in _named(file, content, "models").items()},
        sizes=_whole(file, "sizes", content["sizes"], 1),
        methods=_methods(file, content.get("methods", ["random", "quality", "qdit"])),
        alphas=tuple(check_alpha(alpha) for alpha in _listed(content.get("alphas", []))),
        seeds=_whole(file, "seeds", content.get("seeds", [0]), 0),
        sets={name: base / place for name, place in _named(file, content, "sets").items()},
        select=SelectOptions(**stages.pop("select", {})),
        stages=stages,
    )


def _named(file: Path, content: JSON, key: str) -> dict[str, str]:
    """Return a mapping of names to paths or models; names become parts of file names."""
    found = mapping(f"{file}: {key}", content.get(key), "names")
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


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _whole(file: Path, key: str, value: Any, least: int) -> tuple[int, ...]:
    found = []
    for number in _listed(value):
        if check_int(key, number) < least:
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
