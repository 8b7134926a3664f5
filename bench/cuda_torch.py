"""What torch does on the device for the benchmarks: rows, rates of products, gains by products and sums.

DRY: without a device, on the CPU, for a dry run: the same calls, and times that mean nothing.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

DRY = "--dry-run" in sys.argv  # before any row is made
DEVICE = "cpu" if DRY else "cuda"
D = 72 if DRY else 768
# float16 products as the CPU has them would take long even for a few rows
PRODUCTS = torch.float32 if DRY else torch.float16


def pool(n: int, seed: int = 0) -> torch.Tensor:
    """Return (n, D) float16 rows of norm 1 on the device.

    Directions fall off in length as those of text embeddings do, around a mean, in uneven clusters.
    """
    generator = torch.Generator(DEVICE).manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, device=DEVICE)

    axes = torch.linalg.qr(normal(D, D))[0] * (torch.arange(1, D + 1, device=DEVICE) ** -0.6)[:, None]
    mean = axes[0] * 1.5
    centres = normal(max(1, int(n**0.5)), D) @ axes
    sizes = torch.arange(1, len(centres) + 1, device=DEVICE, dtype=torch.float32) ** -0.7
    rows = torch.empty(n, D, dtype=torch.float16, device=DEVICE)
    for start in range(0, n, 65_536):
        part = rows[start : start + 65_536]
        which = torch.multinomial(sizes, len(part), replacement=True, generator=generator)
        block = mean + centres[which] + 0.7 * (normal(len(part), D) @ axes)
        part.copy_(torch.nn.functional.normalize(block, dim=1))
    return rows


def given(rows: torch.Tensor) -> Any:
    """Return the rows as qdit gets them: where they lie."""
    return rows.numpy() if DRY else rows


def seconds_of(work: Callable[[], object], rounds: int = 20) -> float:
    """Return the median of some rounds, after three that warm up."""
    seconds = []
    for _ in range(3 + rounds):
        _wait()
        start = time.perf_counter()
        work()
        _wait()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[3:])


def _wait() -> None:
    if not DRY:
        torch.cuda.synchronize()


def product_rate(m: int, depth: int) -> float:
    """Return TFLOP/s of a float16 product (m, depth) x (depth, m) through cuBLAS, output and all."""
    generator = torch.Generator(DEVICE).manual_seed(1)
    left, right = (
        torch.randn(m, depth, generator=generator, device=DEVICE).to(PRODUCTS) / depth**0.5 for _ in range(2)
    )
    out = torch.empty(m, m, dtype=PRODUCTS, device=DEVICE)
    return 2 * m**2 * depth / seconds_of(lambda: torch.mm(left, right.T, out=out)) / 1e12


def gains_by_torch(rows: torch.Tensor, best: torch.Tensor, block: int = 8192) -> torch.Tensor:
    """Return the gains of all rows over the maxima `best` (n,) as float64: products, then sums of rows.

    The rows must have norm 1. cuBLAS adds up in float32 and its result is float16: some 1e-4 off per pair.
    """
    gains = torch.zeros(len(rows), dtype=torch.float64, device=DEVICE)
    right = rows.to(PRODUCTS).T
    for start in range(0, len(rows), block):
        sims = rows[start : start + block].to(PRODUCTS) @ right
        gains[start : start + block] = torch.clamp_min_(sims - best, 0).sum(1, dtype=torch.float64)
    return gains


def as_device(values: np.ndarray) -> torch.Tensor:
    """Return the values as a tensor beside the rows."""
    return torch.from_numpy(values).to(DEVICE)
