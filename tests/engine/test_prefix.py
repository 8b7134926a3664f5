"""Results do not depend on whether bounds from prefixes rule pairs out, with however many columns."""

import os
import subprocess
import sys

import pytest

# Prints a digest of what an engine says of pools of every kind; in a process of its own, since the variable
# that decides is read once.
_SCRIPT = """
import hashlib
import numpy as np
from qdit._core import Engine, GraphBuilder
from qdit.engine.blocks import commit

digest = hashlib.sha256()
random = np.random.default_rng(3)
products = 0.0
for n, d in ((1, 1), (2, 3), (97, 5), (310, 64), (203, 300), (105, 770)):
    quality, groups = random.random(n), random.integers(0, 3, n)
    decay = 1 / (1 + np.arange(d) / 8)
    rows = {
        "decaying": random.normal(size=(n, d)) * decay,
        "isotropic": random.normal(size=(n, d)),
        "copies": random.normal(size=(1, d)) + 1e-3 * random.normal(size=(n, d)),
        "low rank": random.normal(size=(n, 2)) @ random.normal(size=(2, d)),
        "integers": random.integers(-3, 4, (n, d)),
    }
    for kind, values in rows.items():
        for dtype in (np.float16, np.float32):
            for metric in ("cosine", "dot"):
                pool = np.ascontiguousarray(values, dtype)
                pool[n // 2] = 0 if n > 2 else 1
                engine = Engine(
                    pool, dtype=pool.dtype.name, metric=metric, threads=2, zero_rows="ignore", floor=-0.1
                )
                plain = {"weight": 1.0, "bonus": np.zeros(n)}
                picks = np.setdiff1d(np.arange(n), engine.ignored)
                gains = commit(engine, random.permutation(picks)[: n - n // 3])
                digest.update(gains.tobytes())
                digest.update(engine.row_coverage().tobytes())
                for memory in (4000, 1 << 28):  # with the less no list holds all pairs
                    chosen, gains = engine.select("exact", n // 9, memory=memory, **plain)
                    digest.update(chosen.tobytes() + gains.tobytes() + engine.gains(picks).tobytes())
                    engine.reset(picks[: n // 4])
                top = int(engine.range * engine.scale)
                for least in (top // 3, top - top // 8):
                    digest.update(engine.similar_pairs(0, n, least, n * n).tobytes())
                    digest.update(engine.similar_pairs(n // 3, n // 2, least, n * n).tobytes())
                products += engine.stats()["products"]
                if metric == "cosine" and len(picks) > 20:
                    centroids = np.ascontiguousarray(pool[picks[::3]], np.float32)
                    ids, similarities = engine.nearest(centroids)
                    digest.update(ids.tobytes() + similarities.tobytes())
                    graph = GraphBuilder(pool, dtype=pool.dtype.name, zero_rows="ignore", threads=2)
                    digest.update(graph.nearest(centroids, 3).tobytes())
                if len(picks) < 20 or d > 700 or kind == "integers":
                    continue
                for method, cache_bytes in (("lazy", 0), ("lazy", 40 * n), ("stochastic", 10**7)):
                    engine = Engine(
                        pool,
                        dtype=pool.dtype.name,
                        metric=metric,
                        threads=1 + cache_bytes % 3,
                        zero_rows="ignore",
                        floor=0.1 if cache_bytes else None,
                        outside=pool[:2],
                        outside_dtype=pool.dtype.name,
                        cache_bytes=cache_bytes,
                    )
                    limits = {"groups": groups, "quotas": np.array([5, 9, 9])}
                    for given in (picks[:1], picks[3:5]):
                        engine.reset(given)
                        chosen, gains = engine.select(
                            method, 15, weight=1 / engine.scale, bonus=quality, excluded=given, **limits
                        )
                        digest.update(chosen.tobytes() + gains.tobytes() + engine.gains(picks[::7]).tobytes())
                        digest.update(engine.row_coverage().tobytes())
                    products += engine.stats()["products"]
print(digest.hexdigest(), products)
"""


def _run(columns: int, simd: str) -> tuple[str, float]:
    where = os.environ | {"QDIT_PREFIX": str(columns), "QDIT_SIMD": simd}
    done = subprocess.run([sys.executable, "-c", _SCRIPT], env=where, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    digest, products = done.stdout.split()
    return digest, float(products)


@pytest.mark.parametrize(
    ("simd", "lengths"),
    [pytest.param("baseline", (128,), id="baseline"), pytest.param("", (64, 256), id="best")],
)
def test_bounds_change_no_bit(simd: str, lengths: tuple[int, ...]) -> None:
    wanted, all_products = _run(0, simd)
    for columns in lengths:
        digest, products = _run(columns, simd)
        assert digest == wanted
        assert products != all_products  # so bounds were at work
