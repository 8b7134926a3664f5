"""QDITSelector against scikit-learn itself: its estimator checks, clone, pipelines, searches, data frames."""

import pickle

import numpy as np
import pytest

import qdit
from helpers.oracle import clustered_rows

sklearn = pytest.importorskip("sklearn")
from sklearn.base import clone  # noqa: E402
from sklearn.decomposition import PCA  # noqa: E402
from sklearn.model_selection import ParameterGrid  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from qdit.adapters.sklearn import QDITSelector  # noqa: E402

ROWS = clustered_rows(200, 12, seed=3, dtype="float32")
QUALITY = np.random.default_rng(4).uniform(1, 5, 200)

_FEWER = "it selects rows: transform returns k of n, the check wants n"
_ITS_ROWS = "transform takes rows of what was fitted, the check hands it others"
NOT_APPLICABLE = {
    "check_transformer_general": _FEWER,
    "check_transformer_data_not_an_array": _FEWER,
    "check_methods_subset_invariance": _ITS_ROWS,
    "check_methods_sample_order_invariance": _ITS_ROWS,
    "check_fit_idempotent": _ITS_ROWS,
}


REFUSES_ZEROS = {
    "check_estimators_dtypes": "it has a row of zeros, whose cosine is undefined; zero_rows='ignore' passes"
}


def expected_to_fail(selector):
    return NOT_APPLICABLE | (REFUSES_ZEROS if selector.zero_rows == "error" else {})


@parametrize_with_checks(
    [QDITSelector(k=0.3, alpha=0.5), QDITSelector(k=0.3, alpha=0.0, zero_rows="ignore")],
    expected_failed_checks=expected_to_fail,
)
@pytest.mark.filterwarnings("ignore")
def test_estimator_checks(estimator, check):
    check(estimator)


def test_fit_is_select():
    found = QDITSelector(20, alpha=0.6).fit(ROWS, QUALITY)
    want = qdit.select(ROWS, QUALITY, alpha=0.6, k=20)
    np.testing.assert_array_equal(found.indices_, want.indices)
    np.testing.assert_array_equal(found.gains_, want.gains)
    np.testing.assert_array_equal(found.transform(ROWS), ROWS[want.indices])
    np.testing.assert_array_equal(np.flatnonzero(found.support_), np.sort(want.indices))
    np.testing.assert_array_equal(found.get_support(), found.support_)
    np.testing.assert_array_equal(found.get_support(indices=True), np.sort(want.indices))
    np.testing.assert_array_equal(found.ranking_[want.indices], np.arange(1, 21))
    assert np.all(found.ranking_[~found.support_] == 21)
    assert found.selection_.objective == want.objective
    assert found.n_features_in_ == 12


def test_quality_has_a_name_of_its_own():
    by_y = QDITSelector(20).fit(ROWS, QUALITY)
    labels = np.arange(200) % 3
    by_name = QDITSelector(20).fit(ROWS, labels, quality=QUALITY)
    np.testing.assert_array_equal(by_y.indices_, by_name.indices_)
    with pytest.raises(ValueError, match="pass the quality of each row as y, or alpha=0"):
        QDITSelector(20).fit(ROWS)
    QDITSelector(20, alpha=0).fit(ROWS)


def test_rows_are_read_in_place():
    wide = ROWS.astype(np.float16)
    found = QDITSelector(5).fit(wide, QUALITY)
    assert found.selection_.params["dtype"] == "float16"


def test_options_reach_select():
    options = {
        "metric": "dot",
        "method": "lazy",
        "gain_scale": "per_k",
        "quality_scale": "rank",
        "floor": 0.0,
    }
    found = QDITSelector(20, alpha=0.4, n_jobs=1, random_state=7, **options).fit(ROWS, QUALITY)
    want = qdit.select(ROWS, QUALITY, alpha=0.4, k=20, **options)
    np.testing.assert_array_equal(found.indices_, want.indices)
    assert found.selection_.stats["threads"] == 1
    one = QDITSelector(20, method="random", random_state=1).fit(ROWS, QUALITY).indices_
    two = QDITSelector(20, method="random", random_state=2).fit(ROWS, QUALITY).indices_
    assert not np.array_equal(one, two)


def test_clone_parameters_and_pickle():
    selector = QDITSelector(k=0.25, alpha=0.3, metric="dot")
    twin = clone(selector)
    assert twin is not selector
    assert twin.get_params() == selector.get_params()
    assert twin.set_params(alpha=0.9).alpha == 0.9
    fitted = pickle.loads(pickle.dumps(selector.fit(ROWS, QUALITY)))
    np.testing.assert_array_equal(fitted.transform(ROWS), selector.transform(ROWS))
    assert len(fitted.indices_) == 50


def test_pipeline_and_grid():
    pipeline = make_pipeline(PCA(4, random_state=0), QDITSelector(10, alpha=0.5))
    rows = pipeline.fit_transform(ROWS, QUALITY)
    reduced = PCA(4, random_state=0).fit_transform(ROWS)
    want = qdit.select(np.ascontiguousarray(reduced), QUALITY, alpha=0.5, k=10)
    np.testing.assert_array_equal(rows, reduced[want.indices])
    coverages = []
    for params in ParameterGrid({"qditselector__alpha": [0.0, 0.5, 1.0]}):
        pipeline.set_params(**params).fit(ROWS, QUALITY)
        coverages.append(pipeline[-1].selection_.coverage)
    assert coverages == sorted(coverages, reverse=True)


def test_output_containers():
    pandas = pytest.importorskip("pandas")
    selector = QDITSelector(10).set_output(transform="pandas").fit(ROWS, QUALITY)
    chosen = selector.transform(ROWS)
    assert isinstance(chosen, pandas.DataFrame)
    assert chosen.columns.tolist() == selector.get_feature_names_out().tolist()
    np.testing.assert_array_equal(chosen.to_numpy(), ROWS[selector.indices_])


def test_data_frames_stay_data_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(ROWS, columns=[f"c{i}" for i in range(12)], index=[f"r{i}" for i in range(200)])
    selector = QDITSelector(10).fit(frame, pandas.Series(QUALITY, index=frame.index))
    assert selector.feature_names_in_.tolist() == list(frame.columns)
    chosen = selector.transform(frame)
    assert chosen.index.tolist() == [f"r{i}" for i in selector.indices_]
    pandas.testing.assert_frame_equal(chosen, frame.iloc[selector.indices_])
    with pytest.raises(ValueError, match="feature names"):
        selector.transform(frame.rename(columns={"c0": "other"}))


@pytest.mark.parametrize(
    ("rows", "quality", "text"),
    [
        (ROWS, QUALITY[:-1], "inconsistent numbers of samples"),
        (ROWS, np.where(np.arange(200) == 3, np.nan, QUALITY), "quality contains NaN"),
        (np.where(np.arange(200)[:, None] == 3, np.inf, ROWS), QUALITY, "infinity"),
        (np.where(np.arange(200)[:, None] == 3, 0, ROWS), QUALITY, "row 3"),
        (ROWS[0], QUALITY, "Expected 2D array"),
    ],
    ids=["quality too short", "quality NaN", "rows Inf", "a zero row", "1-D"],
)
def test_bad_input(rows, quality, text):
    with pytest.raises(ValueError, match=text):
        QDITSelector(5).fit(rows, quality)


def test_masks_are_refused():
    for rows, quality, name in ((np.ma.array(ROWS), QUALITY, "X"), (ROWS, np.ma.array(QUALITY), "quality")):
        with pytest.raises(TypeError, match=rf"^{name}: got a masked array, wanted a plain one"):
            QDITSelector(5).fit(rows, quality)
    with pytest.raises(TypeError, match=r"^X: got a masked array"):
        QDITSelector(5).fit(ROWS, QUALITY).transform(np.ma.array(ROWS))


def test_transform_of_other_rows():
    selector = QDITSelector(5).fit(ROWS, QUALITY)
    with pytest.raises(ValueError, match="X has 100 samples, but QDITSelector was fitted on 200"):
        selector.transform(ROWS[:100])
    with pytest.raises(ValueError, match="12 features"):
        selector.transform(ROWS[:, :6])
