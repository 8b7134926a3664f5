"""Pairs of similar rows, against every pair of a float64 product."""

from itertools import pairwise

import numpy as np
import pytest

from qdit._core import Engine, build_info

RNG = np.random.default_rng(5)


def near(n, d):
    """Return rows of which many are nearly the same as others, and one is zero."""
    rows = RNG.standard_normal((n, d)) * (1 / (1 + np.arange(d) / 8))
    rows[n // 2 :] = rows[: n - n // 2] + RNG.standard_normal((n - n // 2, d)) * 0.02
    rows[n // 3] = 0
    return rows.astype(np.float16)


def by_product(rows, threshold):
    exact = rows.astype(np.float64)
    norms = np.linalg.norm(exact, axis=1)
    exact /= np.where(norms > 0, norms, 1)[:, None]
    similarity = np.triu(exact @ exact.T, 1)
    assert not (abs(similarity - threshold) < 1e-6).any()  # rounding decides nothing
    return {(a, b): similarity[a, b] for a, b in np.argwhere(similarity >= threshold).tolist()}


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize(("n", "d"), [(2, 3), (101, 5), (530, 70), (260, 770)])
def test_all_pairs(backend, n, d):
    rows = near(n, d)
    engine = Engine(rows, dtype="float16", zero_rows="ignore", backend=backend, threads=2)
    for threshold in (0.5, 0.97):
        want = by_product(rows, threshold)
        found = engine.similar_pairs(0, n, round(threshold * engine.scale), n * n)
        pairs = list(zip(found["row"].tolist(), found["other"].tolist(), strict=True))
        assert pairs == sorted(want)
        assert np.allclose(found["sim"] / engine.scale, [want[pair] for pair in pairs], atol=1e-6)


@pytest.mark.parametrize("simd", build_info()["simd_supported"])
def test_the_same_on_every_instruction_set_and_by_any_parts(simd):
    rows = near(700, 40)
    want = Engine(rows, dtype="float16", zero_rows="ignore").similar_pairs(0, 700, 1 << 25, 10**6)
    for threads in (1, 3):
        engine = Engine(rows, dtype="float16", zero_rows="ignore", simd=simd, threads=threads)
        bounds = [0, 1, 200, 650, 700]
        parts = [engine.similar_pairs(a, b, 1 << 25, 10**6) for a, b in pairwise(bounds)]
        assert np.concatenate(parts).tolist() == want.tolist()
    assert len(want) > 100


def test_errors():
    engine = Engine(near(50, 4), dtype="float16", zero_rows="ignore")
    with pytest.raises(ValueError, match=r"rows: got 3 to 51, wanted a range in 0 to 50"):
        engine.similar_pairs(3, 51, 1, 10)
    with pytest.raises(ValueError, match="least: wanted a similarity above 0"):
        engine.similar_pairs(0, 50, 0, 10)
    with pytest.raises(OverflowError, match="more than 3 pairs are that similar"):
        engine.similar_pairs(0, 50, 1, 3)
    assert len(engine.similar_pairs(0, 50, 1, 10**4)) > 3  # and it goes on
