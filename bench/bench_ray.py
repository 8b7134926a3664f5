"""What the distributed layer costs: one process with two threads beside two Ray actors of one thread each.

python bench/bench_ray.py [--data FOLDER] [--n 52002] [--k 3000] [--rounds 3]

Picks and gains are compared before anything is reported. Seconds of Ray are those of the call with Ray
running: actors start in it, Ray itself does not.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import qdit
from harness import Report, interleave
from qdit import distributed


def rates() -> dict[str, float]:
    """Return microseconds of an empty round with two actors, and MB/s of arrays from one to the other."""
    import time

    import ray

    class Echo:
        def make(self, size: int) -> NDArray[np.uint8]:
            return np.zeros(size, np.uint8)

        def take(self, array: NDArray[np.uint8]) -> int:
            return len(array)

    actors = [ray.remote(Echo).options(num_cpus=1).remote() for _ in range(2)]
    small = np.zeros(1, np.uint8)
    ray.get([actor.take.remote(small) for actor in actors])
    start = time.perf_counter()
    for _ in range(200):
        ray.get([actor.take.remote(small) for actor in actors])
    round_trip = (time.perf_counter() - start) / 200
    size, count = 32 << 20, 16
    start = time.perf_counter()
    ray.get([actors[1].take.remote(actors[0].make.remote(size)) for _ in range(count)])
    megabytes = size * count / (time.perf_counter() - start) / 1e6
    for actor in actors:
        ray.kill(actor)
    return {"round, us": round_trip * 1e6, "MB/s": megabytes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("QDIT_DATA"), required=False)
    parser.add_argument("--n", type=int, default=52_002)
    parser.add_argument("--k", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    file = Path(options.data) / "alpaca_mpnet_f16.npy"
    quality = np.load(Path(options.data) / "alpaca_quality.npy").astype(np.float64)[: options.n]
    shards = [
        distributed.Slice(str(file), edge, stop)
        for edge, stop in ((0, options.n // 2), (options.n // 2, options.n))
    ]
    rows = np.load(file, mmap_mode="r")[: options.n]
    found: dict[str, Any] = {}

    def one() -> None:
        found["one"] = qdit.select(rows, quality, 0.7, options.k, method="exact", backend="cpu", threads=2)

    def two() -> None:
        found["ray"] = distributed.select(shards, quality, 0.7, options.k)

    seconds = interleave([one, two], options.rounds)
    for name in ("indices", "gains"):
        assert getattr(found["one"], name).tobytes() == getattr(found["ray"], name).tobytes(), name
    ratio = seconds[1] / seconds[0]
    stats = found["ray"].stats
    report = Report("ray", "Two Ray actors of one thread beside one process of two (alpha 0.7); same bytes.")
    report.add(
        {
            "n": options.n,
            "d": rows.shape[1],
            "k": options.k,
            "one process, s": float(np.median(seconds[0])),
            "two actors, s": float(np.median(seconds[1])),
            "ratio": float(np.median(ratio)),
            "min": float(ratio.min()),
            "max": float(ratio.max()),
            "listing, s": stats["seconds"]["listing"],
            "picking, s": stats["seconds"]["picking"],
            "products, one": found["one"].stats["products"],
            "products, ray": stats["products"],
            "rounds": stats["rounds"],
            "messages": stats["messages"],
            "MB received": stats["bytes_received"] / 1e6,
            "MB between": stats["bytes_between_actors"] / 1e6,
            **rates(),
        }
    )
    report.write(options.out)


if __name__ == "__main__":
    main()
