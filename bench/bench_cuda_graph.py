"""The similarity graph on one device: seconds to build it by phase, picks from it, what they keep of exact.

    python bench/bench_cuda_graph.py [--dry-run] [--seconds 60] [--out bench/results]

Needs a device and torch. Makes its data on the device as bench_cuda.py does. Answers are checked before
anything is timed. Sizes that no longer fit the time are left out and named. Writes
cuda-graph-<card>.{json,md} anew after every row.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

import qdit
from bench_cuda import ALPHA, CHECKED, SIZES, Clock, quality_of, require, table
from cuda_torch import DRY, D, given, pool
from harness import machine
from qdit import _core
from qdit.common.files import write_atomic

K = 20 if DRY else 10_000
WHOLE = 200 if DRY else 6000  # rows of integers in the check
PHASES = ("reading", "sampling", "cells", "assigning", "pairs")


def check() -> None:
    """Integer rows exactly as on the CPU, in one round or several; real rows: twice the same bytes."""
    rng = np.random.default_rng(0)
    rows = rng.integers(-3, 4, (WHOLE, 96)).astype(np.float32)
    nearest = np.argsort(rng.random((WHOLE, 40)), axis=1)[:, :5].astype(np.int32)
    results = []
    for backend, precision in (("cpu", None), ("cuda", "float16"), ("cuda", "split")):
        builder = _core.GraphBuilder(
            rows, dtype="float32", backend=backend, metric="dot", precision=precision
        )
        floors = np.full(WHOLE, round(60 * builder.scale), np.int32)
        for memory in (2**40, 2**20):
            offsets, pairs, _ = builder.pairs(
                nearest, cells=40, largest=300, floors=floors, keep=50, memory=memory
            )
            results.append((offsets.tobytes(), pairs.tobytes()))
    require(len(results[0][1]) > 0 and len(set(results)) == 1, "integer rows: another graph than on the CPU")
    real = pool(CHECKED, seed=5).cpu().numpy()
    first, second = (qdit.build_graph(real, backend="cuda") for _ in range(2))
    require(first.pairs.tobytes() == second.pairs.tobytes(), "two builds gave different graphs")
    host = first.select(alpha=0, k=CHECKED // 20, backend="cpu").objective
    off = abs(first.select(alpha=0, k=CHECKED // 20, backend="cuda").objective - host) / host
    require(off <= 1e-3, f"objective off from the CPU's by {off:.2g} of it")
    print("answers: integer rows as on the CPU, two builds alike, objective as on the CPU", flush=True)


def measure(rows: torch.Tensor, n: int) -> dict[str, Any]:
    """Build a graph of device rows and select from it; beside it exact greedy and random rows."""
    quality, part = quality_of(n), given(rows[:n])
    graph = qdit.build_graph(part, backend="cuda")
    chosen = graph.select(quality, ALPHA, K, backend="cuda")
    exact = qdit.select(part, quality, ALPHA, K, method="exact", backend="cuda")
    random = qdit.select(part, quality, ALPHA, K, method="random", backend="cuda")
    stats = graph.stats
    return {
        "n": n,
        "k": K,
        "build": stats["seconds_build"],
        **{phase: stats[f"seconds_{phase}"] for phase in PHASES},
        "million pairs": stats["pairs"] / 1e6,
        "rounds": stats["rounds"],
        "device GB": stats["device_bytes"] / 1e9,
        "select": chosen.stats["seconds_total"],
        "of it evaluating": chosen.stats["seconds_evaluating"],
        "exact": exact.stats["seconds_total"],
        "share of exact's gain over random": (chosen.objective - random.objective)
        / (exact.objective - random.objective),
    }


def write(folder: Path, device: str, found: list[dict[str, Any]], left_out: list[str]) -> str:
    """Write the table and the numbers beside it; return the table."""
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", device.partition(",")[0].lower()).strip("-")
    text = "\n".join(
        [
            f"Similarity graph on {device}; d = {D}, float16, alpha {ALPHA}, seconds.",
            "",
            *table(found),
            "",
            f"Left out for lack of time: {', '.join(left_out) or 'nothing'}.",
        ]
    )
    data = {"machine": machine(), "device": device, "torch": torch.__version__, "d": D}
    data |= {"rows": found, "left out": left_out}
    file = folder / f"cuda-graph-{name}"
    for suffix, content in ((".json", json.dumps(data, indent=1)), (".md", text)):
        write_atomic(file.with_suffix(suffix), [content.encode() + b"\n"])
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="time for all of it")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--dry-run", action="store_true", help="all of it without a device (cuda_torch.DRY)")
    options = parser.parse_args()
    status = _core.cuda_status()
    if not status["usable"]:
        raise SystemExit(f"no device: {status['reason']}")
    print(status["name"], flush=True)
    clock = Clock(options.seconds)
    check()
    rows = pool(max(options.sizes))
    if not DRY:
        torch.cuda.empty_cache()  # what torch keeps for later is not free for others
    found: list[dict[str, Any]] = []
    for n in sorted(options.sizes):
        if found:
            times = n / found[-1]["n"]  # the graph grows with n, exact greedy with n * n
            last = found[-1]
            expected = times * (last["build"] + last["select"]) + times**2 * last["exact"] + 1.0
            if not clock.allows(f"n = {n}", expected):
                continue
        found.append(measure(rows, n))
        print(table(found)[-1], flush=True)
        write(options.out, status["name"], found, clock.left_out)
    print(write(options.out, status["name"], found, clock.left_out))


if __name__ == "__main__":
    main()
