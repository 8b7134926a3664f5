"""Quality and gains on one scale: the numbers of each choice, and what a constant quality does."""

import numpy as np
import pytest

import qdit
from qdit.selection.quality import gain_factor, open_quality, scale_quality

Q = np.array([3.0, -1.0, 3.0, 7.0, 0.5])


def test_raw_is_untouched():
    assert scale_quality(Q, "raw").tolist() == Q.tolist()


def test_minmax_maps_the_range_to_0_1():
    assert scale_quality(Q, "minmax").tolist() == [0.5, 0.0, 0.5, 1.0, 1.5 / 8]


def test_zscore_has_mean_0_and_deviation_1():
    scaled = scale_quality(Q, "zscore")
    assert scaled.mean() == pytest.approx(0, abs=1e-15)
    assert scaled.std() == pytest.approx(1)
    assert scaled[3] == pytest.approx((7 - 2.5) / np.std(Q))


def test_rank_is_the_average_rank_over_n_minus_1():
    # ranks from 0: -1 -> 0, 0.5 -> 1, the two 3.0 share 2 and 3, 7 -> 4
    assert scale_quality(Q, "rank").tolist() == [2.5 / 4, 0.0, 2.5 / 4, 1.0, 1 / 4]


@pytest.mark.parametrize("how", ["minmax", "rank"])
def test_scales_keep_the_order(how):
    q = np.random.default_rng(1).normal(size=200)
    assert np.argsort(scale_quality(q, how)).tolist() == np.argsort(q).tolist()


@pytest.mark.parametrize(("how", "value"), [("raw", None), ("minmax", 0.0), ("zscore", 0.0), ("rank", 0.5)])
@pytest.mark.parametrize("n", [1, 6, 200])
@pytest.mark.parametrize(
    "score", [2.0, 0.1, 14.62, 3.3]
)  # rounding the mean of 200 leaves some of these over
def test_constant_quality(how, value, n, score):
    assert scale_quality(np.full(n, score), how).tolist() == [score if value is None else value] * n


@pytest.mark.parametrize("how", ["minmax", "zscore"])
def test_a_range_that_overflows_is_refused(how):
    with pytest.raises(ValueError) as caught:
        scale_quality(np.array([-1.7e308, 1.7e308]), how)
    assert str(caught.value) == (
        f"quality: range -1.7e+308 to 1.7e+308 overflows under quality_scale='{how}'; "
        "use 'rank', or rescale it"
    )


def test_gain_factor():
    assert gain_factor("sum", 10, 40) == 1.0
    assert gain_factor("per_k", 10, 40) == 0.25


@pytest.mark.parametrize(
    "quality",
    [[1, 2, 3], (1.0, 2.0, 3.0), np.array([1, 2, 3], np.int8), np.array([1, 2, 3], np.float16)],
    ids=["list", "tuple", "int8", "float16"],
)
def test_quality_of_every_kind_becomes_float64(quality):
    scores = open_quality(quality, 3)
    assert scores is not None
    assert scores.dtype == np.float64
    assert scores.tolist() == [1.0, 2.0, 3.0]


def test_quality_from_a_file_and_as_bfloat16(tmp_path):
    np.save(tmp_path / "q.npy", np.array([1.5, 2.5]))
    assert open_quality(tmp_path / "q.npy", 2).tolist() == [1.5, 2.5]
    assert open_quality(str(tmp_path / "q.npy"), 2).tolist() == [1.5, 2.5]
    ml_dtypes = pytest.importorskip("ml_dtypes")
    assert open_quality(np.array([1.5, 2.5], ml_dtypes.bfloat16), 2).tolist() == [1.5, 2.5]


def test_quality_is_copied():
    q = np.array([1.0, 2.0])
    scores = open_quality(q, 2)
    q[0] = 9
    assert scores.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("gain_scale", ["sum", "per_k"])
@pytest.mark.parametrize("quality_scale", ["raw", "minmax", "zscore", "rank"])
def test_scores_and_objective_follow_the_formula(gain_scale, quality_scale):
    rng = np.random.default_rng(3)
    x, q = rng.standard_normal((60, 8)).astype(np.float32), rng.gamma(2.0, size=60)
    options = {"gain_scale": gain_scale, "quality_scale": quality_scale, "threads": 1}
    chosen = qdit.select(x, q, 0.3, 12, **options)
    factor = 1.0 if gain_scale == "sum" else 12 / 60
    scaled = scale_quality(q, quality_scale)[chosen.indices]
    np.testing.assert_allclose(chosen.scores, 0.7 * factor * chosen.gains + 0.3 * scaled, rtol=1e-14)
    diversity = 0.7 * factor * chosen.coverage * 60
    assert chosen.objective == pytest.approx(diversity + 0.3 * scaled.sum(), rel=1e-13)
    assert chosen.params["gain_factor"] == factor
    assert qdit.objective(x, chosen, q, 0.3, **options) == pytest.approx(chosen.objective, rel=1e-14)


def test_constant_quality_decides_nothing_under_minmax():
    x = np.random.default_rng(4).standard_normal((50, 8)).astype(np.float32)
    plain = qdit.select(x, alpha=0, k=10)
    constant = qdit.select(x, np.full(50, 3.0), 0.5, 10, quality_scale="minmax")
    assert constant.indices.tolist() == plain.indices.tolist()
    assert constant.mean_quality == 3.0
