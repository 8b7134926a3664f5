"""A million rows by method "sparse", part by part: bounds off and on in turn, and what the graph finds.

`python bench/bench_scale.py` makes one pool of each kind (pools.py) in a folder that it deletes afterwards.
Two processes, one with bounds off (QDIT_PREFIX=0; or an earlier build, --old), go through the same parts,
one at a time; answers are compared to the last bit before a time is reported. After every part the results
so far are in bench/results/scale_KIND.{json,md}, so a run that is cut leaves what it has done.

Products are counted in n x n; those of bounds count by their columns. Recall is that of the 15 most similar
rows of 1,000 rows, beside a comparison with all rows.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import qdit
from harness import Report
from pools import KINDS, leading_shares, make_pool, real_data

_NEAREST = 15
_SAMPLE = 1_000
_BLOCK = 16_384
_ROUNDING = 1e-6  # of a similarity

# What is reported: its name, and the phases of the stats of the graph or of the selection that it is made of.
_OF_GRAPH = {"reading": "reading", "first picks": "sampling", "cells": "cells", "assigning": "assigning"}
_OF_GRAPH |= {"comparing": "pairs"}
_OF_TOTALS = ("old processor s", "new processor s", "old GB", "new GB", "recall", "pairs", "cut")
_OF_SELECTION = {"first picks of the selection": "first", "picking": "picking", "evaluating": "evaluating"}


class Peak:
    """The most memory that is not a mapped file, seen by a thread that looks every few milliseconds."""

    def __init__(self) -> None:
        self.bytes = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            text = Path("/proc/self/status").read_text()
            self.bytes = max(self.bytes, int(text.split("RssAnon:")[1].split()[0]) * 1024)
            time.sleep(0.02)


def digest(*arrays: NDArray[Any]) -> str:
    """Return a hash of the bytes of some arrays."""
    found = hashlib.blake2b()
    for array in arrays:
        found.update(memoryview(np.ascontiguousarray(array)).cast("B"))
    return found.hexdigest()


def parts(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Do one part after the other; yield its answers, seconds, products and peak of memory."""
    peak, spent = Peak(), time.process_time()
    rows = np.load(options.child, mmap_mode="r")
    n, threads = len(rows), options.threads
    graph = qdit.build_graph(rows, threads=threads)
    spent = time.process_time() - spent
    stats = dict(graph.stats)
    stats |= {"multiplied_pairs": stats["multiplied"], "multiplied_reading": 0.0}
    yield {
        "answers": digest(graph.offsets, graph.pairs, graph.sampled),
        "seconds": {name: stats[f"seconds_{phase}"] for name, phase in _OF_GRAPH.items()},
        "products": {
            name: stats.get(f"multiplied_{phase}", np.nan) / n**2 for name, phase in _OF_GRAPH.items()
        },
        "total": stats["seconds_build"],
        "processor": spent,
        "peak": peak.bytes / 1e9,
        "recall": round(recall(graph, np.load(options.truth)), 4),
        "pairs": len(graph.pairs),
        "cut": stats["cut_lists"],
    }
    quality = np.random.default_rng(1).normal(size=n)
    start = time.process_time()
    found = graph.select(quality, options.alpha, options.k, threads=threads)
    spent += time.process_time() - start
    stats = found.stats
    exact = {"first": stats.get("multiplied_first", np.nan) / n**2, "evaluating": stats["products"]}
    yield {
        "answers": digest(found.indices, found.gains, np.array([found.objective, found.coverage])),
        "seconds": {name: stats.get(f"seconds_{phase}", 0.0) for name, phase in _OF_SELECTION.items()},
        "products": {name: exact.get(phase, 0.0) for name, phase in _OF_SELECTION.items()},
        "total": stats["seconds_to_picks"],
        "processor": spent,
        "peak": peak.bytes / 1e9,
    }


def recall(graph: qdit.SimilarityGraph, least: NDArray[np.float64]) -> float:
    """Return the share of the most similar rows that are the first in their lists.

    least: (m, 2) row numbers, and the similarity of the last row that should be found.
    """
    found = 0
    for row, last in least:
        begin, end = graph.offsets[int(row) : int(row) + 2]
        some = graph.pairs[begin : min(end, begin + _NEAREST + 1)]
        some = some[some["row"] != int(row)][:_NEAREST]
        found += np.count_nonzero(some["sim"] / graph.scale >= last - _ROUNDING)
    return found / (_NEAREST * len(least))


def brute_force(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Return some row numbers, and the similarity of the last of the rows most similar to each."""
    which = np.sort(np.random.default_rng(3).permutation(len(rows))[:_SAMPLE])
    some = rows[which].astype(np.float32)
    some /= np.linalg.norm(some, axis=1, keepdims=True)
    best = np.full((len(some), _NEAREST), -2, np.float32)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK].astype(np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
        sims = some @ block.T
        inside = np.flatnonzero((which >= start) & (which < start + len(block)))
        sims[inside, which[inside] - start] = -2
        best = np.partition(np.hstack([best, sims]), -_NEAREST, axis=1)[:, -_NEAREST:]
    return np.column_stack([which, best.min(axis=1)])


class Child:
    """A process that does the parts, each when it is asked for."""

    def __init__(self, command: list[str], variables: dict[str, str]) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "QDIT_PREFIX"} | variables
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __call__(self) -> dict[str, Any]:
        """Have the next part done; return what it gave."""
        to, back = self._process.stdin, self._process.stdout
        assert to is not None
        assert back is not None
        print(file=to, flush=True)
        line = back.readline()
        if not line:
            raise SystemExit(f"a process of the benchmark ended with {self._process.wait()}")
        return dict(json.loads(line))

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


def alternate(old: Child, new: Child, number: int, tell: Callable[[dict[str, Any]], None]) -> None:
    """Let both do the same parts in turn; report each once the answers are the same."""
    head = {"round": number}
    seconds, products = np.zeros(2), np.zeros(2)
    for part in ("build", "select"):
        both = [old(), new()]
        assert both[0]["answers"] == both[1]["answers"], f"{part}: the answers differ"
        for name in both[0]["seconds"]:
            spent = np.array([one["seconds"][name] for one in both])
            counted = np.array([one["products"][name] for one in both])
            tell(head | _row(name, spent, counted))
            products += counted
            if name == "evaluating":
                tell(
                    head | _row("to the picks", seconds + [one["total"] for one in both], products - counted)
                )
                seconds += spent
        seconds += [one["total"] for one in both]
        extra = {name: both[1][name] for name in ("recall", "pairs", "cut") if name in both[1]}
        for path, one in zip(("old", "new"), both, strict=True):
            extra |= {f"{path} processor s": one["processor"], f"{path} GB": one["peak"]}
        tell(head | _row("graph" if part == "build" else "all", seconds, products) | extra)


def _row(name: str, seconds: NDArray[np.float64], products: NDArray[np.float64]) -> dict[str, Any]:
    """Return what is reported of a part."""
    old, new = (float(one) for one in seconds)
    row: dict[str, Any] = {"part": name, "old s": old, "new s": new, "ratio": new / old if old else ""}
    # an earlier build does not count all of them
    before, after = ("" if np.isnan(one) else float(one) for one in products)
    saved = 1 - float(after) / float(before) if before and after != "" else ""
    row |= {"old products": before, "new products": after, "saved": saved}
    return row | dict.fromkeys(_OF_TOTALS, "")


def measure(path: Path, kind: str, options: argparse.Namespace) -> None:
    """Run both on one pool, and report."""
    rows = np.load(path, mmap_mode="r")
    shares = ", ".join(f"{columns}: {share:.0%}" for columns, share in leading_shares(rows).items())
    title = (
        "Method sparse from a file to the picks and their exact evaluation; "
        f"pool: {kind}, {len(rows):,} x {rows.shape[1]}, k = {options.k:,}, alpha {options.alpha}, "
        f"{options.threads} threads. Of its squared norm so many leading columns hold: {shares}. "
        f"Old is {'with bounds off' if options.old is None else 'an earlier build'}. "
        "Products are in n x n, memory is beside the mapped file."
    )
    print(title, flush=True)
    report = Report(f"scale_{kind.split(',')[0]}", title)
    truth = path.with_suffix(".truth.npy")
    np.save(truth, brute_force(rows))

    def tell(row: dict[str, Any]) -> None:
        report.add(row)
        report.save(options.out)

    command = [sys.executable, __file__, "--child", str(path), "--truth", str(truth), "--k", str(options.k)]
    command += ["--alpha", str(options.alpha), "--threads", str(options.threads)]
    before = {"QDIT_PREFIX": "0"} if options.old is None else {"PYTHONPATH": str(options.old / "python")}
    for number in range(1, options.rounds + 1):
        old, new = Child(command, before), Child(command, {})
        try:
            alternate(old, new, number, tell)
        finally:
            old.end()
            new.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--k", type=int, default=10_000)
    parser.add_argument("--alpha", type=float, default=0.7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--kind", choices=KINDS, nargs="+", default=list(KINDS))
    parser.add_argument(
        "--data", type=Path, default=None, help="real embeddings; none for those of QDIT_DATA"
    )
    parser.add_argument("--file", type=Path, help="a pool of --kind that is there already")
    parser.add_argument("--old", type=Path, help="a built checkout, instead of bounds turned off")
    parser.add_argument("--tmp", type=Path, help="where the pools go")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--child", type=Path, help="measure this file, a part for each line read")
    parser.add_argument("--truth", type=Path, help="of a child")
    options = parser.parse_args()
    if options.child is not None:
        done = parts(options)
        while sys.stdin.readline():
            print(json.dumps(next(done)), flush=True)
        return
    if options.file is not None and len(options.kind) > 1:
        parser.error("--file: wanted one --kind, which is what the file is reported as")
    data = options.data or real_data()
    for kind in options.kind:
        with tempfile.TemporaryDirectory(dir=options.tmp) as folder:
            path = Path(folder) / "pool.npy"
            if options.file is not None:
                path.symlink_to(options.file.resolve())
            else:
                make_pool(path, options.n, data=data, **KINDS[kind])
            measure(path, f"{kind}, of {data.stem if data else 'synthetic rows'}", options)


if __name__ == "__main__":
    main()
