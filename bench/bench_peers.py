"""qdit against apricot-select and submodlib-py on the same embeddings, the same k, one thread each.

    python -m venv peers && peers/bin/pip install apricot-select==0.6.1 submodlib-py==0.0.3 pyversity==0.2.0
    python bench/bench_peers.py --peers peers/bin/python

The peers live in an environment of their own and are timed in processes of their own, from embeddings in
memory to picks: the similarity matrix that both of them need is part of it. Peers clip similarities at
zero, so qdit runs with floor=0. Objectives are compared before times are reported: each is evaluated by
qdit over all rows. pyversity's strategies need no matrix and maximise something else; they stand here for
what that costs in coverage. Every process may take --memory of address space: who needs more fails.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import qdit
from harness import Report, pool
from qdit.common.text import parse_bytes

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")

# Each prints one line of JSON: seconds, peak bytes above what the rows take, picks.
PROLOGUE = """
import json, resource, sys, time
import numpy as np
x = np.load(sys.argv[1]); k = int(sys.argv[2]); n = len(x)
def report(start, base, picks):
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - base
    print(json.dumps({"seconds": seconds, "bytes": peak, "picks": [int(i) for i in picks]}))
def base():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
"""
PEERS = {
    "apricot lazy": """
from apricot import FacilityLocationSelection
warm = FacilityLocationSelection(5, metric="precomputed", optimizer="lazy")
warm.fit(np.clip(x[:100] @ x[:100].T, 0, None).astype(np.float64))  # compile outside of the time
b = base(); start = time.perf_counter()
s = x @ x.T
np.clip(s, 0, None, out=s)
chosen = FacilityLocationSelection(k, metric="precomputed", optimizer="lazy").fit(s.astype(np.float64))
report(start, b, chosen.ranking)
""",
    "submodlib lazy": """
from submodlib import FacilityLocationFunction
b = base(); start = time.perf_counter()
s = x @ x.T
np.clip(s, 0, None, out=s)
f = FacilityLocationFunction(n=n, mode="dense", sijs=s, separate_rep=False)
picks = f.maximize(budget=k, optimizer="LazyGreedy", stopIfZeroGain=False, stopIfNegativeGain=False,
                   verbose=False)
report(start, b, [i for i, _ in picks])
""",
    "submodlib stochastic": """
from submodlib import FacilityLocationFunction
b = base(); start = time.perf_counter()
s = x @ x.T
np.clip(s, 0, None, out=s)
f = FacilityLocationFunction(n=n, mode="dense", sijs=s, separate_rep=False)
picks = f.maximize(budget=k, optimizer="StochasticGreedy", stopIfZeroGain=False, stopIfNegativeGain=False,
                   epsilon=0.01, verbose=False)
report(start, b, [i for i, _ in picks])
""",
    "pyversity mmr": """
from pyversity import diversify
b = base(); start = time.perf_counter()
report(start, b, diversify(x, np.zeros(n), k, strategy="mmr", diversity=1.0).indices)
""",
    "pyversity dpp": """
from pyversity import diversify
b = base(); start = time.perf_counter()
report(start, b, diversify(x, np.zeros(n), k, strategy="dpp", diversity=1.0).indices)
""",
}
OURS = """
import qdit
b = base(); start = time.perf_counter()
sel = qdit.select(x, None, 0.0, k, method="{method}", floor=0.0, threads=1)
report(start, b, sel.indices)
"""


def run(python: str, body: str, rows: Path, k: int, limit: float, memory: int) -> dict[str, Any]:
    """Run one contestant; {"failed": why} if it did not end with picks."""
    bound = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))"
    try:
        done = subprocess.run(
            [python, "-c", bound + PROLOGUE + body, str(rows), str(k)],
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
            env={**os.environ, **ONE_THREAD},
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"over {limit:.0f} s"}
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["killed"])[-1]
        return {"failed": last[:80] if done.returncode > 0 else f"killed by signal {-done.returncode}"}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", required=True, help="python of an environment with both peers")
    parser.add_argument("--data", type=Path, default=os.environ.get("QDIT_DATA"))
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 20_000])
    parser.add_argument("--limit", type=float, default=600.0, help="seconds a contestant may take")
    parser.add_argument("--memory", default="16GB", help="address space a contestant may take")
    parser.add_argument("--methods", nargs="*", default=["lazy", "stochastic"], help="of ours, beside exact")
    parser.add_argument("--name", default="peers", help="of the result files")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    title = "Facility location, k = n / 10, one thread and at most {} each, from embeddings to picks."
    report = Report(options.name, title.format(options.memory))
    bounds = options.limit, parse_bytes("--memory", options.memory)
    with tempfile.TemporaryDirectory() as folder:
        for n in options.sizes:
            if options.data is None:
                rows = pool(n, 384)
            else:
                rows = np.load(Path(options.data) / "alpaca_mpnet_f16.npy", mmap_mode="r")[:n].astype(
                    np.float32
                )
                rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            path = Path(folder) / f"rows-{n}.npy"
            np.save(path, rows)
            ours = run(sys.executable, OURS.format(method="exact"), path, n // 10, *bounds)
            if "failed" in ours:
                raise SystemExit(f"qdit exact, by which the others are measured, failed: {ours['failed']}")
            random = np.random.default_rng(0).permutation(n)[: n // 10]
            low = qdit.coverage(rows, random, floor=0.0)
            high = qdit.coverage(rows, ours["picks"], floor=0.0)
            contestants = {"qdit exact": ours}
            for method in options.methods:
                contestants[f"qdit {method}"] = run(
                    sys.executable, OURS.format(method=method), path, n // 10, *bounds
                )
            for name, body in PEERS.items():
                contestants[name] = run(options.peers, body, path, n // 10, *bounds)
            for name, result in contestants.items():
                row: dict[str, Any] = {"n": n, "d": rows.shape[1], "k": n // 10, "who": name}
                if "failed" in result:
                    row |= {"seconds": result["failed"], "times qdit": "", "MB": "", "share of gain": ""}
                else:
                    share = (qdit.coverage(rows, result["picks"], floor=0.0) - low) / (high - low)
                    row |= {
                        "seconds": result["seconds"],
                        "times qdit": result["seconds"] / ours["seconds"],
                        "MB": round(result["bytes"] / 1e6, 1),
                        "share of gain": round(share, 5),
                    }
                report.add(row)
    report.write(options.out)


if __name__ == "__main__":
    main()
