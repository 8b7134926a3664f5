"""One benchmark in a folder of its own: run, gone on with, or found done."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...common import files
from ...common.identity import check_same, differences, digest
from ...common.optional import require
from ..results import FORMAT, Number, Value, write_result
from ..stats import mean_interval
from .model import Model
from .scores import macro_interval
from .tasks import Benchmark, Loaded, load, sample_rows

RESULT, SAMPLES, PARTIAL = "result.json", "samples.jsonl", "partial"
LIBRARIES = ("numpy", "lm-eval", "torch", "transformers", "datasets")
_BOOTSTRAP = 1000  # resamples that lm-eval takes for what has no formula

Rows = list[dict[str, Any]]


class Run:
    """A benchmark to run in `folder`; settings are JSON values that decide what comes out."""

    def __init__(
        self,
        one: Benchmark,
        model: Model,
        manager: Any,
        settings: Mapping[str, Any],
        folder: Path,
        *,
        unsafe_code: bool,
    ) -> None:
        self._one = one
        self._model = model
        self._manager = manager
        self._settings: dict[str, Any] = json.loads(json.dumps(settings))
        self._folder = folder
        self._unsafe_code = unsafe_code

    def result(self, overwrite: bool) -> dict[str, Any]:
        """Return what result.json says, after a run if it is not there yet.

        Raises:
            ValueError: if the folder has results, done or not, of other settings; not with overwrite.

        """
        path, state = self._folder / RESULT, self._folder / PARTIAL / "settings.json"
        done, begun = (_settings(one) for one in (path, state))
        if done is not None and not differences(done, self._settings):
            return files.read_json(path, FORMAT)
        for then in (done, begun):
            if then is not None and differences(then, self._settings):
                if not overwrite:
                    remedy = "repeat the earlier call, or pass overwrite=True (--overwrite) to replace it"
                    check_same(f"{self._folder} was made otherwise", then, self._settings, remedy)
                shutil.rmtree(self._folder)
                break
        state.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(state, {"settings": self._settings})
        return self._run(state.parent)

    def _run(self, partial: Path) -> dict[str, Any]:
        evaluator = require("lm_eval.evaluator", "eval", "to run benchmarks")
        start = time.perf_counter()
        limit, seed = self._settings["limit"], self._settings["seed"]
        loaded = load(self._one, self._manager, self._model.lm, limit, self._unsafe_code)
        try:
            results = evaluator.simple_evaluate(
                model=self._model.lm,
                tasks=list(loaded.items),
                num_fewshot=self._one.shots,
                limit=limit if loaded.shots is None else None,  # `load` has cut ours
                use_cache=str(partial / "answers"),
                bootstrap_iters=_BOOTSTRAP,
                log_samples=True,
                task_manager=self._manager,
                random_seed=seed,
                numpy_random_seed=seed % 2**32,
                torch_random_seed=seed,
                fewshot_random_seed=seed,
                confirm_run_unsafe_code=self._unsafe_code,
            )
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(f"repeat the call to go on with {self._one.name}; answers so far are kept")
            raise
        finally:
            _close_cache(self._model.lm)
        rows = list(sample_rows(results["samples"]))
        files.write_atomic(self._folder / SAMPLES, _lines(rows))
        record = self._write(results, loaded, rows, time.perf_counter() - start)
        shutil.rmtree(partial)
        return record

    def _write(
        self, results: Mapping[str, Any], loaded: Loaded, rows: Rows, seconds: float
    ) -> dict[str, Any]:
        top = loaded.items[0]
        name = str(getattr(top, "name", None) or top.task_name)
        values = _values(results, rows, self._one, self._model.label, name)
        own = [value for value in values if value.set == name and value.category is None] or values
        score = next((value for value in own if value.metric.partition(",")[0] == self._one.metric), own[0])
        asked = [[row["task"], row["doc_id"], row["prompt_hash"], str(row["target"])] for row in rows]
        report = {
            "score": {"set": score.set, "metric": score.metric},
            "stderr": _stderrs(results),
            "rows": len(rows),
            "rows_sha256": digest(asked),
            "shots_used": None if loaded.shots is None else {str(k): n for k, n in loaded.shots.items()},
            "prompts_cut": loaded.cut,
            "task_versions": results["versions"],
            "run": {**self._model.details, "seconds": seconds},
            "files": {SAMPLES: files.sha256_file(self._folder / SAMPLES)},
        }
        return write_result(self._folder / RESULT, "benchmark", self._settings, values, report, LIBRARIES)


def _settings(path: Path) -> dict[str, Any] | None:
    """Return the settings that a result or a run in progress was made with, None if there is none."""
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_bytes())["settings"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error}; delete its folder") from error
    return dict(found)


def _values(results: Mapping[str, Any], rows: Rows, one: Benchmark, label: str, top: str) -> list[Value]:
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


def _plain(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return metrics without the name of lm-eval's filter where there is one filter only."""
    found = {
        name: float(value)
        for name, value in metrics.items()
        if "," in name and "_stderr," not in name and isinstance(value, int | float)
    }
    filters = {name.rpartition(",")[2] for name in found}
    return {name.rpartition(",")[0]: value for name, value in found.items()} if len(filters) == 1 else found


def _stderrs(results: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return lm-eval's standard errors by task and metric, those that it knows."""
    return {
        task: {
            name.replace("_stderr,", ","): float(value)
            for name, value in metrics.items()
            if "_stderr," in name and isinstance(value, int | float)
        }
        for task, metrics in results["results"].items()
    }


def _lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False, default=_text).encode() + b"\n"


def _text(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def _close_cache(lm: Any) -> None:
    """Close the file that lm-eval keeps answers in; it does not do so itself."""
    cache = getattr(getattr(lm, "cache_hook", None), "dbdict", None)
    if cache is not None:
        cache.close()
        lm.set_cache_hook(require("lm_eval.api.model", "eval", "to run benchmarks").CacheHook(None))
