"""Large pools with the geometry of real embeddings, written to a file block by block.

`python bench/pools.py OUT.npy --n 1000000` makes one. Each row is a mix of a row of a seed pool with a close
neighbour of it, plus noise that has the spectrum of the seed pool's residuals. Seeds are the real embeddings
in the folder named by QDIT_DATA, or synthetic ones.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness import pool

BLOCK = 8192
NEIGHBOURS = 8  # a row is mixed with one of so many
NOISE = 0.35  # length of the noise beside a row of length 1
COPY_NOISE = 0.08  # the same for near-copies of a template


def seed_rows(d: int = 768) -> NDArray[np.float32]:
    """Return (m, d) rows of norm 1: real ones where there are any."""
    folder = os.environ.get("QDIT_DATA")
    if folder:
        rows = np.load(Path(folder) / "alpaca_mpnet_f16.npy").astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return pool(20_000, d)


def close_neighbours(rows: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return (m, NEIGHBOURS) row numbers, the row itself left out."""
    found = np.empty((len(rows), NEIGHBOURS), np.int32)
    for start in range(0, len(rows), 1024):
        sims = rows[start : start + 1024] @ rows.T
        sims[np.arange(len(sims)), start + np.arange(len(sims))] = -2
        found[start : start + 1024] = np.argpartition(-sims, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    return found


def make_pool(path: Path, n: int, *, copies: float = 0.0, templates: int = 300, seed: int = 0) -> None:
    """Write (n, d) float16 rows of norm 1 to a .npy file.

    copies: the share of rows, spread over the file, that are near-copies of `templates` rows; the sizes of
    these groups fall off as 1 / rank.
    """
    rng = np.random.default_rng(seed)
    rows = seed_rows()
    near = close_neighbours(rows)
    d = rows.shape[1]
    _, spectrum, axes = np.linalg.svd(rows[:4096] - rows[near[:4096, 0]], full_matrices=False)
    axes = (axes * (spectrum / np.linalg.norm(spectrum))[:, None]).astype(np.float32)
    weights = 1 / np.arange(1, templates + 1)
    patterns = rows[rng.choice(len(rows), templates, replace=False)]
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(n, d))
    for start in range(0, n, BLOCK):
        count = min(BLOCK, n - start)
        one = rng.integers(0, len(rows), count)
        other = near[one, rng.integers(0, NEIGHBOURS, count)]
        share = rng.uniform(0, 1, (count, 1)).astype(np.float32)
        block = share * rows[one] + (1 - share) * rows[other]
        copy = rng.uniform(size=count) < copies
        block[copy] = patterns[rng.choice(templates, int(copy.sum()), p=weights / weights.sum())]
        block /= np.linalg.norm(block, axis=1, keepdims=True)
        noise = rng.standard_normal((count, len(axes)), dtype=np.float32) @ axes
        block += np.where(copy, COPY_NOISE, NOISE).astype(np.float32)[:, None] * noise
        out[start : start + count] = block / np.linalg.norm(block, axis=1, keepdims=True)
    out.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--copies", type=float, default=0.0, help="share of near-copies of templates")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    make_pool(options.out, options.n, copies=options.copies, seed=options.seed)


if __name__ == "__main__":
    main()
