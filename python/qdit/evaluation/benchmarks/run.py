"""One benchmark in a folder of its own: run, gone on with, or found done."""

import json
import math
import shutil
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ...common import files
from ...common.identity import REPLACE, check_same, differences, digest
from ...common.job import Job
from ...common.optional import require
from ...common.progress import RowProgressLike
from ...common.text import file_name
from ...common.types import JSON
from ..results import FORMAT, Number, Value, write_result, write_rows
from ..stats import mean_interval
from .model import BenchmarkOptions, Model
from .scores import macro_interval
from .tasks import Benchmark, Loaded, load, sample_rows

RESULT, SAMPLES, PARTIAL = "result.json", "samples.jsonl", "partial"
LIBRARIES = ("numpy", "lm-eval", "torch", "transformers", "datasets")
_BOOTSTRAP = 1000  # resamples that lm-eval takes for what has no formula

Rows = list[JSON]


class Run(Job[JSON]):
    """One benchmark in a folder of its own; the folder of all benchmarks is held by the caller."""

    verb = "qdit evaluate benchmarks"
    format = FORMAT

    def __init__(
        self,
        one: Benchmark,
        model: Model,
        manager: Any,
        data: JSON | None,
        options: BenchmarkOptions,
        folder: Path,
    ) -> None:
        """Say what is run: manager is lm-eval's index of tasks, data where the rows come from."""
        self.one, self._model, self._manager = one, model, manager
        self._data, self._options = data, options
        self.folder = folder / file_name(one.name)
        self.path = self.manifest_path = self.folder / RESULT
        self._partial = self.folder / PARTIAL

    def _identity(self) -> JSON:
        return {
            "benchmark": self.one.name,
            "task": self.one.task,
            "protocol": self.one.protocol,
            "shots": self.one.shots,
            "model": self._model.identity,
            "data": self._data,
            "limit": self._options.limit,
            "seed": self._options.seed,
            "lm_eval": version("lm-eval"),
        }

    def _identity_of(self, manifest: JSON) -> JSON:
        return dict(manifest.get("settings") or {})

    def _load(self, manifest: JSON) -> JSON:
        return manifest

    def _how_on(self) -> str:
        return f"go on with {self.one.name}; answers so far are kept"

    def estimate(self) -> JSON:
        """Return whether there is a result already."""
        return {"done": self.saved() is not None}

    def _begun(self) -> JSON:
        """Return the settings of a run that was stopped; those of this one if there is none."""
        path = self._partial / "settings.json"
        if not path.exists():
            return self.identity
        try:
            return dict(json.loads(path.read_bytes())["settings"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged: {error}; delete its folder") from error

    def check_new(self, *, overwrite: bool = False) -> None:
        """As in `Job`; an unfinished run of other settings may not be replaced either."""
        super().check_new(overwrite=overwrite)
        if not overwrite:
            check_same(f"{self.folder} was begun otherwise", self._begun(), self.identity, REPLACE)

    def _make(self, progress: RowProgressLike, overwrite: bool) -> JSON:
        if self.path.exists() or differences(self._begun(), self.identity):
            shutil.rmtree(self.folder)
        self._partial.mkdir(parents=True, exist_ok=True)
        files.write_json(self._partial / "settings.json", {"settings": self.identity})
        limit, seed, code = self._options.limit, self._options.seed, self._options.unsafe_code
        loaded = load(self.one, self._manager, self._model.lm, limit, code)
        evaluator = require("lm_eval.evaluator", "eval", "to run benchmarks")
        try:
            results = evaluator.simple_evaluate(
                model=self._model.lm,
                tasks=list(loaded.items),
                num_fewshot=self.one.shots,
                limit=limit if loaded.shots is None else None,  # `load` has cut ours
                use_cache=str(self._partial / "answers"),
                bootstrap_iters=_BOOTSTRAP,
                log_samples=True,
                task_manager=self._manager,
                random_seed=seed,
                numpy_random_seed=seed % 2**32,
                torch_random_seed=seed,
                fewshot_random_seed=seed,
                confirm_run_unsafe_code=code,
            )
        finally:
            _close_cache(self._model.lm)
        record = self._write(results, loaded)
        shutil.rmtree(self._partial)
        return record

    def _write(self, results: JSON, loaded: Loaded) -> JSON:
        rows = list(sample_rows(results["samples"]))
        sha256 = write_rows(self.folder / SAMPLES, rows, default=_text)
        top = loaded.items[0]
        name = str(getattr(top, "name", None) or top.task_name)
        values = _values(results, rows, self.one, self._model.label, name)
        own = [value for value in values if value.set == name and value.category is None] or values
        score = next((value for value in own if value.metric.partition(",")[0] == self.one.metric), own[0])
        asked = [[row["task"], row["doc_id"], row["prompt_hash"], str(row["target"])] for row in rows]
        report = {
            "score": {"set": score.set, "metric": score.metric},
            "stderr": _stderrs(results),
            "rows": len(rows),
            "rows_sha256": digest(asked),
            "shots_used": None if loaded.shots is None else {str(k): n for k, n in loaded.shots.items()},
            "prompts_cut": loaded.cut,
            "task_versions": results["versions"],
            "run": {**self._model.details, "seconds": time.perf_counter() - self._start},
            "files": {SAMPLES: sha256},
        }
        return write_result(self.path, "benchmark", self.identity, values, report, LIBRARIES)


def _values(results: JSON, rows: Rows, one: Benchmark, label: str, top: str) -> list[Value]:
    """Return every number of lm-eval, and of our tasks the score of each subtask."""
    values = []
    for task, metrics in results["results"].items():
        part = rows if task == top else [row for row in rows if row["task"] == task]
        for metric, value in _plain(metrics).items():
            values.append(Value(label, metric, _with_interval(part, metric, value), task))
    subtasks = _by_subtask(rows) if one.data else {}
    for subtask, scores in subtasks.items() if len(subtasks) > 1 else ():
        values.append(Value(label, "acc", mean_interval(scores), one.task, subtask))
    return values


def _with_interval(rows: Rows, metric: str, value: float) -> Number:
    """Return a metric with its bootstrap interval where it is a mean over rows, or over subtasks."""
    if metric == "acc_macro":
        return macro_interval(_by_subtask(rows))
    found = [row["scores"].get(metric.partition(",")[0]) for row in rows]
    numbers = [float(x) for x in found if isinstance(x, int | float | np.number)]
    if len(numbers) < len(rows) or not np.isfinite(numbers).all():
        return value
    mean = math.isclose(float(np.mean(numbers)), value, rel_tol=1e-9, abs_tol=1e-12)
    return mean_interval(numbers) if mean else value


def _by_subtask(rows: Rows) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for row in rows:
        if "acc" in row["scores"]:
            found.setdefault(row["subtask"], []).append(float(row["scores"]["acc"]))
    return found


def _plain(metrics: JSON) -> dict[str, float]:
    """Return metrics without the name of lm-eval's filter where there is one filter only."""
    found = {
        name: float(value)
        for name, value in metrics.items()
        if "," in name and "_stderr," not in name and isinstance(value, int | float)
    }
    filters = {name.rpartition(",")[2] for name in found}
    return {name.rpartition(",")[0]: value for name, value in found.items()} if len(filters) == 1 else found


def _stderrs(results: JSON) -> dict[str, dict[str, float]]:
    """Return lm-eval's standard errors by task and metric, those that it knows."""
    return {
        task: {
            name.replace("_stderr,", ","): float(value)
            for name, value in metrics.items()
            if "_stderr," in name and isinstance(value, int | float)
        }
        for task, metrics in results["results"].items()
    }


def _text(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def _close_cache(lm: Any) -> None:
    """Close the file that lm-eval keeps answers in; it does not do so itself."""
    cache = getattr(getattr(lm, "cache_hook", None), "dbdict", None)
    if cache is not None:
        cache.close()
        lm.set_cache_hook(require("lm_eval.api.model", "eval", "to run benchmarks").CacheHook(None))
