"""The appendix on cost: how long selecting takes, by method and number of rows."""

import os
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .._core import build_info
from ..common import files
from ..common.checks import check_least
from ..common.types import JSON
from ..evaluation.tables import Cell as TableCell
from ..evaluation.tables import Table
from ..pipeline.state import State, fingerprint
from ..selection.api import select
from ..selection.options import SelectOptions
from .methods import Method, parse_all
from .options import FigureOptions, in_common, parse_sizes
from .published import published_table
from .results import Result
from .shelf import Shelf

_FORMAT = "qdit-cost"


@dataclass(frozen=True, kw_only=True)
class CostOptions(FigureOptions):
    """What is timed.

    Attributes:
        methods: Such as random,quality,qdit:0.7,threshold,cluster; each is run for every k.
        k: Rows to choose, several as 1000,3000.
        repeats: Runs of each; the table has the median.

    """

    methods: str | Sequence[str] = "random,quality,qdit:0.7,threshold,cluster"
    k: int | Sequence[int] | str = "1000,3000,10000"
    repeats: int = 1

    def _check(self) -> None:
        parse_all(self.methods)
        parse_sizes(self.k)
        check_least("repeats", self.repeats, 1)


def cost(shelf: Shelf, options: CostOptions) -> Result:
    """Time `qdit.select` from the opened files to the picks, checks and hashing of the inputs included.

    Runs that were timed before are not repeated: the shelf keeps them, with the machine they ran on.
    """
    source, state = shelf.source, State(shelf.work / "cost")
    machine = describe_machine(shelf.options)
    methods, ks = parse_all(options.methods), parse_sizes(options.k)
    rows: list[list[TableCell]] = []
    for method in methods:
        for k in ks:
            runs = [_timed(shelf, state, machine, method, k, i) for i in range(options.repeats)]
            seconds, spent = (
                statistics.median(run[name] for run in runs) for name in ("seconds", "processor_seconds")
            )
            shelf.say(f"{method.key:<12} {k:>7,} rows  {seconds:.1f} s")
            rows.append(
                [method.label, k, seconds, spent, runs[0]["evaluations"], runs[0]["method"], len(runs)]
            )
    shape = f"{source.rows.n:,} x {source.rows.d} {source.rows.dtype}"
    columns = ["choice", "k", "seconds", "processor seconds", "evaluations", "engine's method", "runs"]
    return Result(
        "cost",
        f"Cost of selecting from {source.name} ({shape})",
        {"": Table(columns, rows, digits=2), "-paper": published_table("cost")},
        inputs=source.hashes,
        options={"ks": list(ks), "methods": [m.key for m in methods], "repeats": options.repeats}
        | in_common(shelf.options),
        facts={"machine": machine},
        notes=[
            f"Ours: {machine['threads']} threads of {machine['processors']}, {machine['processor']} "
            f"({machine['simd']}). The paper's: one A100, another pool and program. These are times of two "
            "different machines, not a comparison of speeds. Processor seconds add up the threads and "
            "leave out what other work on the machine took."
        ],
    )


def _timed(shelf: Shelf, state: State, machine: JSON, method: Method, k: int, repeat: int) -> JSON:
    """Return what one run took, now or when it was timed before."""
    source, shared = shelf.source, shelf.options
    own = method.chosen(shared)
    key = fingerprint(k=k, own=own, settings=in_common(shared), inputs=source.hashes, machine=machine)
    name = f"{method.key}-{k}-{repeat}"
    path = shelf.work / "cost" / f"{name}.json"

    def run() -> None:
        spent, asked = time.process_time(), vars(shared) | {"quality": source.quality, "k": k, **own}
        found = select(source.rows, **asked, progress=shelf.progress)
        record = {
            "format": _FORMAT,
            "seconds": found.stats["seconds_total"],
            "processor_seconds": time.process_time() - spent,
            "evaluations": found.stats["evaluations"],
            "method": found.params["method"],
            "machine": machine,
        }
        files.write_json(path, record)

    state.do_once(name, key, path, run)
    return files.read_json(path, _FORMAT)


def describe_machine(options: SelectOptions) -> JSON:
    """Return what a time depends on, without names that identify the machine."""
    return {
        "processor": _processor(),
        "processors": os.cpu_count() or 0,
        "simd": build_info()["simd_active"],
        "backend": options.backend,
        "threads": options.thread_count,
        "system": platform.system(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names: Sequence[str] = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names and names[0] else platform.machine()
