"""Backend cuda on one device: pass rates against cuBLAS, exact selection by n and k, device arrays.

    python bench/bench_cuda.py [--dry-run] [--seconds 150] [--out bench/results]

Needs a device, torch and, for its rows, cupy. Makes its data on the device. Answers are checked before
anything is timed. The largest pool comes first; smaller ones that no longer fit the time are left out and
named. Prints what is wanted of the backend with PASS or FAIL, and fails where something is missed. Writes
cuda-<card>.{json,md} anew after every row. --dry-run: a few rows, with emulated kernels and torch on the CPU;
everything is done and written, nothing is required of its times.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

import qdit
from cuda_torch import DRY, D, as_device, gains_by_torch, given, pool, product_rate, seconds_of
from harness import machine
from qdit import _core
from qdit.common.files import write_atomic

SIZES = (150, 200, 400) if DRY else (100_000, 300_000, 1_300_000)
PICKS = (20, 40) if DRY else (10_000, 50_000)
CHECKED, CHECKED_PICKS = (400, 30) if DRY else (20_000, 2000)
RATED = 400 if DRY else 200_000  # rows of the passes whose rates are taken
SQUARE = 64 if DRY else 8192  # of the large product
ALPHA = 0.7
SHARE_WANTED = 0.85  # of the large product's rate, by the first pass over all pairs
ROWS_WANTED, SECONDS_WANTED = 1_300_000, 8.0  # at the smaller k, once rows are there
GROWTH_WANTED = 1.3  # from the smaller k to the larger
VARIABLE = "QDIT_CUDA_KERNELS"
# Work that an engine counts: by its name in the statistics, and of what.
COUNTED = {
    "products_evaluating": "evaluations / n^2",
    "rebuilds": "rebuilds",
    "relists": "relists",
    "dense_picks": "dense picks",
    "pairs_written": "pairs written",
    "pick_waits": "waits for picks",
    "pick_bytes_down": "bytes down for picks",
}


def quality_of(n: int) -> np.ndarray:
    return np.random.default_rng(1).normal(-2.4, 0.7, n)


class Clock:
    """How much of the time is left, and what did not fit."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds
        self.left_out: list[str] = []

    def allows(self, what: str, seconds: float) -> bool:
        if time.monotonic() + seconds < self.end:
            return True
        self.left_out.append(what)
        print(f"left out for lack of time: {what}", flush=True)
        return False


def require(holds: bool, otherwise: str) -> None:
    """End the benchmark where an answer is wrong: its times would say nothing."""
    if not holds:
        raise SystemExit(f"FAIL: {otherwise}")


@contextlib.contextmanager
def forced(kernels: str | None) -> Iterator[None]:
    """Let engines made meanwhile multiply by "mma" or "wgmma"; None: as they choose."""
    before = os.environ.get(VARIABLE)
    if kernels is not None:
        os.environ[VARIABLE] = kernels
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
        if before is not None:
            os.environ[VARIABLE] = before


def check() -> None:
    """Integer rows as on the CPU, whatever multiplies; real rows: lazy as exact, and twice the same bytes."""
    rng = np.random.default_rng(0)
    whole = rng.integers(-3, 4, (3000, 96)).astype(np.float32)
    results = []
    asked = [("cpu", None, None)]
    asked += [("cuda", precision, kernels) for precision in ("float16", "split") for kernels in (None, "mma")]
    for backend, precision, kernels in asked:
        with forced(kernels):
            engine = _core.Engine(whole, dtype="float32", backend=backend, metric="dot", precision=precision)
        bonus = rng.integers(0, 9, 3000) / 4 if not results else results[0][2]
        picks, gains = engine.select("exact", 300, weight=1 / engine.scale, bonus=bonus, memory=2**32)
        results.append((picks, gains / engine.scale, bonus))
    for picks, gains, _ in results[1:]:
        require(np.array_equal(picks, results[0][0]), "integer rows: other picks than on the CPU")
        require(np.array_equal(gains, results[0][1]), "integer rows: other gains than on the CPU")
    rows = pool(CHECKED, seed=5).cpu().numpy()
    quality = quality_of(CHECKED)
    exact = qdit.select(rows, quality, ALPHA, CHECKED_PICKS, method="exact", backend="cuda")
    for other in ("exact", "lazy"):
        again = qdit.select(rows, quality, ALPHA, CHECKED_PICKS, method=other, backend="cuda")
        require(exact.indices.tobytes() == again.indices.tobytes(), f"other picks from {other}")
        require(exact.gains.tobytes() == again.gains.tobytes(), f"other gains from {other}")
    cpu = qdit.select(rows, quality, ALPHA, CHECKED_PICKS, method="exact", backend="cpu")
    off = abs(exact.objective - cpu.objective) / abs(cpu.objective)
    require(off <= 1e-3, f"objective off from the CPU's by {off:.2g} of it")
    print("answers: integer rows exact, exact = lazy, two runs alike, objective as on the CPU", flush=True)


def compare_with_torch(rows: torch.Tensor) -> dict[str, float]:
    """Compare gains with those by cuBLAS and a sum, and return the rate of that way, pairs counted once."""
    n = len(rows)
    engine = _core.Engine(rows.cpu().numpy(), dtype="float16", backend="cuda")
    engine.commit(np.array([n // 2]))
    best = as_device(engine.row_coverage()).to(torch.float32)
    found = gains_by_torch(rows, best).cpu().numpy()
    got = engine.gains(np.arange(n)) / engine.scale
    off = float(np.abs(got - found).max() / n)  # of a pair
    require(off <= 1e-3, f"gains off from those by cuBLAS and a sum by {off:.2g} a pair")
    print(f"gains as by cuBLAS and a sum: {off:.2g} off a pair at most", flush=True)
    seconds = seconds_of(lambda: gains_by_torch(rows, best), rounds=3)
    return {"cuBLAS and a sum TFLOP/s": D * n * (n + 1) / seconds / 1e12}


def kernels_of(device: str) -> str:
    """Return "mma" or "wgmma": how an engine multiplies, of which its statistics say so."""
    found = re.search(r"products by (\w+)", device)
    require(found is not None, f"no kernels are named in: {device}")
    return found[1]


def pass_rates(rows: np.ndarray, kernels: str | None = None) -> dict[str, Any]:
    """Return TFLOP/s of the passes over all pairs, each product of two rows counted once; median of 3.

    "fill" is None where no pair was listed, so that there was no such pass. kernels: as for forced().
    """
    n = len(rows)
    with forced(kernels):
        engine = _core.Engine(rows, dtype="float16", backend="cuda")
    print(f"passes on {engine.stats()['device']}", flush=True)
    flop = 2 * D * n * (n + 1) / 2
    rates: dict[str, list[float]] = {"count": [], "fill": []}
    for _ in range(4):  # the first warms up
        engine.reset()
        before = engine.stats()
        engine.select("exact", 2, weight=1 / engine.scale, bonus=np.zeros(n), memory=2**48)
        now = engine.stats()
        for name, found in rates.items():
            seconds = now[f"seconds_{name}"] - before[f"seconds_{name}"]
            if seconds > 0:
                found.append(flop / seconds / 1e12)
    return {
        "kernels": kernels_of(engine.stats()["device"]),
        **{f"{name} TFLOP/s": statistics.median(f[1:]) if len(f) > 1 else None for name, f in rates.items()},
    }


def selection(rows: torch.Tensor, n: int, k: int) -> dict[str, Any]:
    """Select from device rows; seconds of the whole call and of its parts, and the work that was counted."""
    chosen = qdit.select(given(rows[:n]), quality_of(n), ALPHA, k, method="exact", backend="cuda")
    stats = chosen.stats
    load = stats["seconds_check"] + stats["seconds_hash"]
    sparse = stats["seconds_sparse"]
    rest = stats["seconds_total"] - load - stats["seconds_pass"] - sparse
    return {
        "n": n,
        "k": k,
        "seconds": stats["seconds_total"],
        "seconds once rows are there": stats["seconds_total"] - load,
        "load and hash": load,
        "count": stats["seconds_count"],
        "fill": stats["seconds_fill"],
        "dense picks and rest": rest,
        "sparse picks": sparse,
        "evaluations / n": stats["evaluations"] / n,
        "products / n^2": stats["products"],
        **{label: stats[name] for name, label in COUNTED.items() if name in stats},
        "peak device GB": stats["peak_bytes"] / 1e9,
        "coverage": chosen.coverage,
        "sha256": hashlib.sha256(chosen.indices.tobytes() + chosen.gains.tobytes()).hexdigest()[:16],
    }


def inputs(rows: torch.Tensor, n: int, k: int) -> list[dict[str, Any]]:
    """The same rows as a mapped file, a torch tensor and a CuPy array: the same picks."""
    found: list[dict[str, Any]] = []
    picks: list[bytes] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        np.save(path, rows[:n].cpu().numpy())
        sources: dict[str, Any] = {"file": path, "torch tensor": given(rows[:n])}
        try:
            import cupy

            if not DRY:
                sources["CuPy array"] = cupy.from_dlpack(rows[:n])
        except ImportError:
            print("no cupy: its array is left out")
        for name, source in sources.items():
            chosen = qdit.select(source, quality_of(n), ALPHA, k, backend="cuda")
            picks.append(chosen.indices.tobytes())
            total, load = chosen.stats["seconds_total"], chosen.stats["seconds_check"]
            found.append({"rows from": name, "n": n, "k": k, "seconds": total, "load": load})
    require(len(set(picks)) == 1, "the picks depend on where the rows lie")
    return found


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return rows as a markdown table."""

    def line(values: Any) -> str:
        return "| " + " | ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in values) + " |"

    return [line(rows[0]), "|" + "---|" * len(rows[0]), *(line(row.values()) for row in rows)] if rows else []


@dataclass
class Report:
    """What was found so far; every addition is written at once, so that what ends early is not lost."""

    folder: Path
    device: str
    clock: Clock
    rates: dict[str, Any] = field(default_factory=dict)
    selections: list[dict[str, Any]] = field(default_factory=list)
    arrays: list[dict[str, Any]] = field(default_factory=list)

    def select(self, rows: torch.Tensor, n: int, k: int) -> dict[str, Any]:
        """Run and keep one selection."""
        self.selections.append(selection(rows, n, k))
        print(table(self.selections)[-1], flush=True)
        self.write()
        return self.selections[-1]

    def verdicts(self) -> list[tuple[str, str]]:
        """Return (PASS, FAIL or NOT RUN; what was wanted and what was got)."""
        largest = max((row["n"] for row in self.selections), default=0)
        few, many = (
            [row for row in self.selections if (row["n"], row["k"]) == (largest, k)] for k in sorted(PICKS)
        )
        seconds = few[0]["seconds once rows are there"] if few else None
        growth = many[0]["seconds once rows are there"] / seconds if many and seconds else None
        return [
            verdict("share of a large product", self.rates.get("share"), at_least=SHARE_WANTED),
            verdict(
                f"seconds for n = {ROWS_WANTED}, k = {min(PICKS)}",
                seconds if largest == ROWS_WANTED else None,
                at_most=SECONDS_WANTED,
            ),
            verdict(f"times as long for k = {max(PICKS)}, n = {largest}", growth, at_most=GROWTH_WANTED),
            verdict(
                f"different results of two runs, n = {largest}",
                float(len({row["sha256"] for row in few}) - 1) if len(few) > 1 else None,
                at_most=0.0,
            ),
        ]

    def write(self) -> str:
        """Write the tables and the numbers beside them; return the tables."""
        self.folder.mkdir(parents=True, exist_ok=True)
        data: dict[str, Any] = {"machine": machine(), "device": self.device, "torch": torch.__version__}
        data |= {"d": D, "alpha": ALPHA}
        data |= {"rates": self.rates, "selections": self.selections, "arrays": self.arrays}
        data |= {"left out": self.clock.left_out, "verdicts": self.verdicts()}
        name = re.sub(r"[^a-z0-9]+", "-", self.device.partition(",")[0].lower()).strip("-")
        file = self.folder / f"cuda-{name}"
        parts = [[f"Backend cuda on {self.device}; d = {D}, float16, alpha {ALPHA}."]]
        parts += [table([self.rates] if self.rates else []), table(self.selections), table(self.arrays)]
        parts += [[f"Left out for lack of time: {', '.join(self.clock.left_out) or 'nothing'}."]]
        parts += [[f"- {word}: {text}" for word, text in self.verdicts()]]
        text = "\n\n".join("\n".join(part) for part in parts if part) + "\n"
        for suffix, content in ((".json", json.dumps(data, indent=1) + "\n"), (".md", text)):
            write_atomic(file.with_suffix(suffix), [content.encode()])
        return text


def verdict(
    what: str, got: float | None, *, at_least: float = -np.inf, at_most: float = np.inf
) -> tuple[str, str]:
    """Return the word and the line of one requirement."""
    wanted = f"at least {at_least:g}" if at_least > -np.inf else f"at most {at_most:g}"
    if got is None:
        return "NOT RUN", f"{what}: wanted {wanted}"
    return "PASS" if at_least <= got <= at_most else "FAIL", f"{what}: got {got:.4g}, wanted {wanted}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=150.0, help="time for all of it")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--dry-run", action="store_true", help="all of it without a device (cuda_torch.DRY)")
    options = parser.parse_args()
    status = _core.cuda_status()
    if not status["usable"]:
        raise SystemExit(f"no device: {status['reason']}")
    print(status["name"], flush=True)
    report = Report(options.out, status["name"], Clock(options.seconds))
    check()
    largest = max(options.sizes)
    rows = pool(largest)
    report.rates = {"n": min(RATED, largest)}
    report.rates |= {
        f"large product TFLOP/s ({SQUARE} cubed)": (large := product_rate(SQUARE, SQUARE)),
        f"product of the rows' length TFLOP/s (depth {D})": product_rate(2 * SQUARE, D),
    }
    report.rates |= compare_with_torch(rows[: min(RATED // 2, largest)])
    if not DRY:
        torch.cuda.empty_cache()  # what torch keeps for later is not free for others
    matrix = rows[: report.rates["n"]].cpu().numpy()
    report.rates |= pass_rates(matrix)
    report.rates["share"] = report.rates["count TFLOP/s"] / large
    if report.rates["kernels"] != "mma":  # what every other device has, for comparison
        other = pass_rates(matrix, "mma")
        report.rates |= {f"mma {name}": rate for name, rate in other.items() if name != "kernels"}
        report.rates["mma share"] = report.rates["mma count TFLOP/s"] / large
    print(*table([report.rates]), sep="\n", flush=True)
    first = report.select(rows, largest, min(PICKS))["seconds"]  # whatever time is left
    others = [(largest, min(PICKS)), (largest, max(PICKS))]
    others += [(n, k) for n in sorted(options.sizes)[:-1] for k in PICKS]
    for n, k in others:
        expected = first * (n / largest) ** 2 * (1.0 if k == min(PICKS) else GROWTH_WANTED) + 1.0
        if report.clock.allows(f"n = {n}, k = {k}", expected):
            report.select(rows, n, k)
    if report.clock.allows("device arrays", 15.0):
        report.arrays = inputs(rows, min(RATED // 2, largest), PICKS[0] // 10)
    print(report.write())
    for word, text in report.verdicts():
        print(f"{word}: {text}")
    if not DRY and any(word == "FAIL" for word, _ in report.verdicts()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
