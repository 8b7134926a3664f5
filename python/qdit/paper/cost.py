"""The appendix on cost: how long selecting takes, by method and number of rows."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .._core import build_info
from ..common import checks, files
from ..evaluation.tables import Table
from ..pipeline.state import State, Watch, fingerprint
from ..selection.api import select
from .methods import Method
from .published import COST, published_table
from .results import Result
from .shelf import Settings
from .sources import Source

_FORMAT = "qdit-cost"


@dataclass(frozen=True)
class Cost:
    """What is timed.

    Attributes:
        methods: each is run for every k.
        ks: numbers of rows.
        repeats: runs of each; the table has the median.

    """

    methods: tuple[Method, ...]
    ks: tuple[int, ...] = (1_000, 3_000, 10_000)
    repeats: int = 1


def cost(
    source: Source,
    work: Path,
    spec: Cost,
    settings: Settings,
    *,
    progress: Any = None,
    say: Callable[[str], Any] = lambda line: None,
) -> Result:
    """Time `qdit.select` from the opened files to the picks, checks and hashing of the inputs included.

    Runs that were timed before are not repeated: work keeps them, with the machine they ran on.
    """
    state = State(work / "cost")
    machine = describe_machine(settings)
    rows: list[list[Any]] = []
    for method in spec.methods:
        for k in spec.ks:
            runs = [
                _timed(source, state, work, method, k, i, settings, machine, progress)
                for i in range(spec.repeats)
            ]
            seconds, spent = (
                statistics.median(run[name] for run in runs) for name in ("seconds", "processor_seconds")
            )
            say(f"{method.key:<12} {k:>7,} rows  {seconds:.1f} s")
            rows.append(
                [method.label, k, seconds, spent, runs[0]["evaluations"], runs[0]["method"], spec.repeats]
            )
    shape = f"{source.rows.n:,} x {source.rows.d} {source.rows.dtype}"
    columns = ["choice", "k", "seconds", "processor seconds", "evaluations", "engine's method", "runs"]
    return Result(
        "cost",
        f"Cost of selecting from {source.name} ({shape})",
        {"": Table(columns, rows, digits=2), "-paper": published_table(COST)},
        inputs=source.hashes,
        options={"ks": list(spec.ks), "methods": [m.key for m in spec.methods], "repeats": spec.repeats}
        | asdict(settings),
        facts={"machine": machine},
        notes=[
            f"Ours: {machine['threads']} threads of {machine['processors']}, {machine['processor']} "
            f"({machine['simd']}). The paper's: one A100, another pool and program. These are times of two "
            "different machines, not a comparison of speeds. Processor seconds add up the threads and "
            "leave out what other work on the machine took."
        ],
    )


def _timed(
    source: Source,
    state: State,
    work: Path,
    method: Method,
    k: int,
    repeat: int,
    settings: Settings,
    machine: dict[str, Any],
    progress: Any,
) -> dict[str, Any]:
    name = f"{method.key}-{k}-{repeat}"
    own = method.select_options(tau=settings.tau, clusters=settings.clusters)
    key = fingerprint(k=k, own=own, settings=asdict(settings), inputs=source.hashes, machine=machine)
    path = work / "cost" / f"{name}.json"
    if not state.is_done(name, key):
        state.begin(name, key)
        watch, spent = Watch(), time.process_time()
        found = select(
            source.rows,
            source.quality,
            k=k,
            threads=settings.threads,
            progress=progress,
            **settings.decisive(),
            **own,
        )
        stats = found.stats
        record = {
            "format": _FORMAT,
            "seconds": stats["seconds_total"],
            "processor_seconds": time.process_time() - spent,
            "evaluations": stats["evaluations"],
            "method": found.params["method"],
            "machine": machine,
        }
        files.write_json(path, record)
        state.end(name, key, path, watch)
    return files.read_json(path, _FORMAT)


def describe_machine(settings: Settings) -> dict[str, Any]:
    """Return what a time depends on, without names that identify the machine."""
    return {
        "processor": _processor(),
        "processors": os.cpu_count() or 0,
        "simd": build_info()["simd_active"],
        "backend": settings.backend,
        "threads": checks.check_threads(settings.threads),
        "system": platform.system(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names: Sequence[str] = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names and names[0] else platform.machine()
