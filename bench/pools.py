"""Large pools with the geometry of real embeddings, written to a file block by block.

`python bench/pools.py OUT.npy --kind spectrum` makes one. Every row is (1 - w) a + w b + 0.2 (e - f), w from
0 to 0.5, with a, b, e and f rows of a seed pool, whose spectrum the new pool keeps. Seeds are the real
embeddings of a file (--data, or alpaca_mpnet_f16.npy in the folder named by QDIT_DATA), or synthetic rows
whose spectrum decays as that of real ones does.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import pool

BLOCK = 8192
SPREAD = 0.2  # of e - f
COPY_SPREAD = 0.065  # the same for near-copies of a template
TEMPLATES = 300
SEEDS = 20_000  # synthetic ones

# What `make_pool` takes for each kind. Isotropic noise has no spectrum: the longer it is, the less bounds of
# leading columns rule out.
KINDS: dict[str, dict[str, float]] = {
    "spectrum": {},
    "isotropic": {"noise": 0.35},
    "copies": {"copies": 1 / 3},
}

# What share of the squared norm so many leading columns of 768 hold; measured on all-mpnet-base-v2.
_LEADING = {0: 0.0, 64: 0.61, 128: 0.77, 192: 0.86, 256: 0.92, 384: 0.97, 768: 1.0}


def real_data() -> Path | None:
    """Return the real embeddings of the folder named by QDIT_DATA."""
    folder = os.environ.get("QDIT_DATA")
    return Path(folder) / "alpaca_mpnet_f16.npy" if folder else None


def seed_rows(data: Path | None, d: int = 768) -> NDArray[np.float32]:
    """Return (m, d) rows of norm 1: real ones where there is a file of them."""
    if data is None:
        return _synthetic(SEEDS, d)
    rows = np.load(data, mmap_mode="r").astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def leading_shares(rows: NDArray[Any], sample: int = 10_000) -> dict[int, float]:
    """Return what share of the squared norm so many leading columns of some rows hold."""
    some = rows[:: max(1, len(rows) // sample)].astype(np.float32)
    some /= np.linalg.norm(some, axis=1, keepdims=True)
    values = np.sort(np.linalg.eigvalsh(some.T @ some))[::-1]
    shares = np.cumsum(values) / values.sum()
    return {columns: float(shares[columns - 1]) for columns in list(_LEADING)[1:-1] if columns < len(shares)}


def make_pool(
    path: Path,
    n: int,
    *,
    copies: float = 0.0,
    noise: float = 0.0,
    seed: int = 0,
    data: Path | None = None,
) -> None:
    """Write (n, d) float16 rows of norm 1 to a .npy file.

    copies: the share of rows, spread over the file, that are near-copies of some templates; the sizes of
    these groups fall off as 1 / rank. noise: length of isotropic noise that is added to rows of length 1.
    """
    rng = np.random.default_rng(seed)
    rows = seed_rows(data or real_data())
    d = rows.shape[1]
    weights = 1 / np.arange(1, TEMPLATES + 1)
    patterns = rows[rng.choice(len(rows), TEMPLATES, replace=False)]
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(n, d))
    for start in range(0, n, BLOCK):
        count = min(BLOCK, n - start)
        a, b, e, f = rng.integers(0, len(rows), (4, count))
        share = rng.uniform(0, 0.5, (count, 1)).astype(np.float32)
        block = (1 - share) * rows[a] + share * rows[b]
        copy = rng.uniform(size=count) < copies
        block[copy] = patterns[rng.choice(TEMPLATES, int(copy.sum()), p=weights / weights.sum())]
        block += np.where(copy, COPY_SPREAD, SPREAD).astype(np.float32)[:, None] * (rows[e] - rows[f])
        if noise:
            block /= np.linalg.norm(block, axis=1, keepdims=True)
            block += noise / d**0.5 * rng.standard_normal((count, d), dtype=np.float32)
        out[start : start + count] = block / np.linalg.norm(block, axis=1, keepdims=True)
    out.flush()


def _synthetic(n: int, d: int) -> NDArray[np.float32]:
    """Return rows of norm 1 around uneven centres, with the spectrum of `_LEADING`."""
    rows = pool(n, d)
    values, axes = np.linalg.eigh(rows.T @ rows / n)
    held = np.interp(np.arange(d + 1), np.array(list(_LEADING)) * d / 768, list(_LEADING.values()))
    wanted = np.diff(held)[::-1]  # of the smallest value first
    rows = rows @ (axes * np.sqrt(wanted / values)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--kind", choices=KINDS, default="spectrum")
    parser.add_argument("--data", type=Path, help="real embeddings; none for those of QDIT_DATA")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    make_pool(options.out, options.n, data=options.data, seed=options.seed, **KINDS[options.kind])
    print(leading_shares(np.load(options.out, mmap_mode="r")))


if __name__ == "__main__":
    main()
