"""What the benchmarks share: pools, paired timing, and a report with the machine and the commit in it."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qdit import _core


def pool(n: int, d: int, seed: int = 0) -> NDArray[np.float32]:
    """Return (n, d) float32 rows of norm 1 around sqrt(n) uneven centres."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((max(1, int(n**0.5)), d), dtype=np.float32)
    size = rng.pareto(1.0, len(centres)) + 1
    rows = centres[rng.choice(len(centres), n, p=size / size.sum())]
    rows += 0.8 * rng.standard_normal((n, d), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# OpenBLAS's threads keep a core busy for some tens of milliseconds after their work is done.
_IDLE_SECONDS = 0.15


def interleave(runs: Sequence[Callable[[], object]], rounds: int) -> NDArray[np.float64]:
    """Time the runs in turn, A B A B ...: a drift of the machine's speed hits all alike.

    Returns seconds of shape (runs, rounds), after one round of each that does not count.
    """
    seconds = np.empty((len(runs), rounds + 1))
    for column in range(rounds + 1):
        for row, run in enumerate(runs):
            time.sleep(_IDLE_SECONDS)
            start = time.perf_counter()
            run()
            seconds[row, column] = time.perf_counter() - start
    return seconds[:, 1:]


def machine() -> dict[str, Any]:
    """Describe where the numbers come from."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown"
    )
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(terse=True),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "commit": _commit(),
        **_core.build_info(),
    }


def _commit() -> str:
    """Return the commit that is measured, "-dirty" if its code was changed; new results are no change."""

    def git(*words: str) -> subprocess.CompletedProcess[str]:
        folder = Path(__file__).parent.parent
        return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)

    found = git("describe", "--always").stdout.strip()
    if not found:
        return "unknown"
    changed = git("diff", "--quiet", "HEAD", "--", "csrc", "python", "cmake", "bench/*.py").returncode
    return found + ("-dirty" if changed else "")


class Report:
    """Rows of results; written as JSON and as a markdown table."""

    def __init__(self, name: str, title: str) -> None:
        self.name, self.title = name, title
        self.rows: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        print(self._line(row.values()), flush=True)

    @staticmethod
    def _line(values: Any) -> str:
        return "| " + " | ".join(f"{v:.3g}" if isinstance(v, float) else str(v) for v in values) + " |"

    def save(self, folder: Path) -> None:
        """Write what there is so far."""
        where = machine()
        folder.mkdir(parents=True, exist_ok=True)
        data = {"title": self.title, "machine": where, "rows": self.rows}
        (folder / f"{self.name}.json").write_text(json.dumps(data, indent=1) + "\n")
        head = list(self.rows[0])
        about = f"{where['processor']}, {where['cores']} cores, {where['compiler']}, commit {where['commit']}"
        table = [self._line(head), "|" + "---|" * len(head), *(self._line(r.values()) for r in self.rows)]
        text = "\n".join([f"{self.title}", "", about, "", *table, ""])
        (folder / f"{self.name}.md").write_text(text)

    def write(self, folder: Path) -> None:
        self.save(folder)
        print(f"\nwritten to {folder / self.name}.md and .json")
