"""FacilityLocationSelection beside apricot-select itself: the same picks on the same data."""

import functools
import importlib
import inspect

import numpy as np
import pytest

from helpers.oracle import naive_greedy

sklearn_datasets = pytest.importorskip("sklearn.datasets")
scipy_sparse = pytest.importorskip("scipy.sparse")

from qdit.adapters.apricot import FacilityLocationSelection  # noqa: E402

DIGITS = sklearn_datasets.load_digits().data
EXACT = ["naive", "lazy", "two-stage"]
# Beginnings of the picks and gains that apricot's own tests publish for these 1,797 images.
PUBLISHED = {
    "euclidean": (
        [945, 392, 1507, 793, 1417, 1039, 97, 1107, 1075, 867],
        [7448636.0, 384346.0, 250615.0, 224118.0, 166266.0, 127456.0, 122986.0, 109483.0, 93463.0, 67173.0],
    ),
    "corr": (
        [424, 1647, 396, 339, 1030, 331, 983, 1075, 1482, 1539],
        [736.794, 114.2782, 65.4154, 61.3037, 54.5428, 38.7506, 34.097, 32.6649, 30.2813, 27.8395],
    ),
    "cosine": (
        [424, 615, 1545, 1385, 1482, 112, 1539, 1075, 331, 493],
        [1126.631, 76.1809, 43.868, 35.4606, 33.088, 32.6405, 27.5345, 23.2181, 20.0442, 15.384],
    ),
}
PUBLISHED_OTHER = {
    "approximate-lazy": [424, 615, 1545, 1385, 983, 1482, 1539, 1075, 331, 493],
    "stochastic": [1081, 1014, 1386, 770, 567, 137, 723, 1491, 1274, 1492],
    "sample": [424, 615, 1545, 1385, 1482, 112, 1539, 1075, 331, 493],
    "modular": [424, 148, 615, 1747, 1030, 1766, 818, 1363, 768, 509],
}


def cosine_squared(rows):
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return (unit @ unit.T) ** 2


@pytest.mark.parametrize("optimizer", EXACT)
@pytest.mark.parametrize("metric", PUBLISHED)
def test_published_picks(metric, optimizer):
    ranking, gains = PUBLISHED[metric]
    model = FacilityLocationSelection(10, metric, optimizer=optimizer).fit(DIGITS)
    assert model.ranking.tolist() == ranking
    np.testing.assert_array_almost_equal(model.gains, gains, 3)
    np.testing.assert_array_equal(model.subset, DIGITS[ranking])
    np.testing.assert_array_equal(model.transform(DIGITS), DIGITS[ranking])


@pytest.mark.parametrize("optimizer", EXACT)
@pytest.mark.parametrize("metric", PUBLISHED)
def test_an_initial_subset_goes_on(metric, optimizer):
    ranking, gains = PUBLISHED[metric]
    for subset in (ranking[:4], np.isin(np.arange(len(DIGITS)), ranking[:4])):
        model = FacilityLocationSelection(6, metric, initial_subset=subset, optimizer=optimizer).fit(DIGITS)
        assert model.ranking.tolist() == ranking[4:]
        np.testing.assert_array_almost_equal(model.gains, gains[4:], 3)


@pytest.mark.parametrize("optimizer", PUBLISHED_OTHER)
@pytest.mark.parametrize("sparse", [False, True])
def test_published_picks_of_other_optimizers(optimizer, sparse):
    similarities = cosine_squared(DIGITS)
    similarities = scipy_sparse.csr_matrix(similarities) if sparse else similarities
    model = FacilityLocationSelection(100, "precomputed", optimizer=optimizer, random_state=0).fit(
        similarities
    )
    assert model.ranking[:10].tolist() == PUBLISHED_OTHER[optimizer]
    assert len(set(model.ranking.tolist())) == 100


@pytest.fixture(scope="module")
def apricot():
    apricot = pytest.importorskip("apricot", reason="needs apricot-select")
    # it compiles its loops for every object; once will do
    module = importlib.import_module("apricot.functions.facilityLocation")
    for name in ("calculate_gains", "calculate_gains_sparse", "calculate_gains_sieve"):
        setattr(module, name, functools.cache(getattr(module, name)))
    return apricot


def both(apricot, n_samples, rows, *, fit=None, **options):
    """Return the models of both, fitted."""
    theirs = apricot.FacilityLocationSelection(n_samples, **options).fit(rows, **(fit or {}))
    return FacilityLocationSelection(n_samples, **options).fit(rows, **(fit or {})), theirs


def check_same(ours, theirs):
    np.testing.assert_array_equal(ours.ranking, theirs.ranking)
    np.testing.assert_allclose(ours.gains, theirs.gains, rtol=1e-9, atol=1e-9 * theirs.gains.max())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("metric", ["euclidean", "corr", "cosine", "manhattan"])
@pytest.mark.parametrize("optimizer", EXACT)
def test_the_same_picks_as_apricot(apricot, metric, optimizer):
    ours, theirs = both(apricot, 40, DIGITS[:600] + 0.25, metric=metric, optimizer=optimizer)
    check_same(ours, theirs)
    np.testing.assert_array_equal(ours.subset, theirs.subset)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        ("two-stage", {"n_first_selections": 3, "optimizer1": "lazy", "optimizer2": "naive"}),
        ("approximate-lazy", {"beta": 0.7}),
        ("stochastic", {"epsilon": 0.5}),
        ("sample", {"epsilon": 0.6}),
        ("modular", {}),
    ],
)
@pytest.mark.parametrize("seed", [5])
def test_options_of_optimizers(apricot, optimizer, options, seed):
    ours, theirs = both(
        apricot,
        40,
        DIGITS[:500],
        metric="cosine",
        optimizer=optimizer,
        optimizer_kwds=options,
        random_state=seed,
    )
    check_same(ours, theirs)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("optimizer", [*EXACT, "approximate-lazy", "stochastic", "sample", "modular"])
@pytest.mark.parametrize("sparse", [False, True])
def test_sample_costs(apricot, optimizer, sparse):
    costs = np.abs(np.random.RandomState(0).randn(250)) + 1e-6
    similarities = cosine_squared(DIGITS[:250])
    similarities = scipy_sparse.csr_matrix(similarities) if sparse else similarities
    ours, theirs = both(
        apricot,
        25,
        similarities,
        metric="precomputed",
        optimizer=optimizer,
        random_state=0,
        fit={"sample_cost": costs},
    )
    check_same(ours, theirs)
    assert costs[ours.ranking].sum() <= 25


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("optimizer", ["naive", "lazy"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_nearest_neighbors(apricot, optimizer, metric):
    # apricot 0.6.1 makes the matrix of neighbors, and selects from one with 32-bit indices, but not at once
    make = importlib.import_module("apricot.utils")._calculate_pairwise_distances
    matrix = make(DIGITS[:400], metric=metric, n_neighbors=20)
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    theirs = apricot.FacilityLocationSelection(30, "precomputed", optimizer=optimizer).fit(matrix)
    ours = FacilityLocationSelection(30, metric, optimizer=optimizer, n_neighbors=20).fit(DIGITS[:400])
    check_same(ours, theirs)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("optimizer", EXACT)
def test_an_initial_subset_beside_apricot(apricot, optimizer):
    subset = [3, 77, 150, 9]
    ours, theirs = both(apricot, 30, DIGITS[:400], metric="corr", initial_subset=subset, optimizer=optimizer)
    check_same(ours, theirs)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("optimizer", ["naive", "lazy"])
@pytest.mark.parametrize("seed", range(4))
def test_ties_go_where_they_go_in_apricot(apricot, optimizer, seed):
    # few values, so that many gains are equal; as many rows as still add something
    rng = np.random.default_rng(seed)
    half = rng.integers(0, 3, (60, 60)).astype(float)
    ours, theirs = both(apricot, 8, half + half.T, metric="precomputed", optimizer=optimizer)
    assert theirs.gains.min() > 0
    check_same(ours, theirs)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make",
    [
        "NaiveGreedy",
        "LazyGreedy",
        "TwoStageGreedy",
        "ApproximateLazyGreedy",
        "StochasticGreedy",
        "SampleGreedy",
    ],
)
def test_optimizer_objects(apricot, make):
    kind = getattr(importlib.import_module("apricot.optimizers"), make)
    options = {"random_state": 0} if make in ("StochasticGreedy", "SampleGreedy") else {}
    theirs = apricot.FacilityLocationSelection(20, "cosine", optimizer=kind(**options)).fit(DIGITS[:300])
    ours = FacilityLocationSelection(20, "cosine", optimizer=kind(**options)).fit(DIGITS[:300])
    check_same(ours, theirs)


@pytest.mark.parametrize("optimizer", ["naive", "lazy"])
def test_greedy_by_its_definition(optimizer):
    rng = np.random.default_rng(1)
    rows = np.maximum(rng.standard_normal((120, 40)), 0)
    similarities = rows @ rows.T
    model = FacilityLocationSelection(30, "precomputed", optimizer=optimizer).fit(similarities)
    picks, gains = naive_greedy(rows, 30, metric="dot", floor=0.0)
    np.testing.assert_array_equal(model.ranking, picks)
    np.testing.assert_allclose(model.gains, gains)


@pytest.mark.parametrize("optimizer", ["naive", "lazy", "two-stage"])
def test_no_row_is_picked_twice_where_rows_add_nothing(optimizer):
    model = FacilityLocationSelection(30, "precomputed", optimizer=optimizer).fit(np.ones((40, 40)))
    assert len(set(model.ranking.tolist())) == 30
    assert model.gains.tolist() == [40.0] + [0.0] * 29


def test_labels_and_weights_go_along():
    labels, weights = np.arange(200), np.arange(200) / 2
    model = FacilityLocationSelection(5, "cosine").fit(DIGITS[:200])
    chosen = model.ranking
    rows, got = model.transform(DIGITS[:200], labels)
    np.testing.assert_array_equal(got, chosen)
    rows, got, weight = model.transform(DIGITS[:200], labels, weights)
    np.testing.assert_array_equal(weight, chosen / 2)
    rows, none, weight = FacilityLocationSelection(5, "cosine").fit_transform(
        DIGITS[:200], sample_weight=weights
    )
    assert none is None
    np.testing.assert_array_equal(rows, DIGITS[chosen])


def test_a_bar_is_shown(capsys):
    pytest.importorskip("tqdm")
    FacilityLocationSelection(5, "cosine", verbose=True).fit(DIGITS[:100])
    assert "5/5" in capsys.readouterr().err


SQUARE = np.ones((10, 10))


@pytest.mark.parametrize(
    ("model", "fit", "text"),
    [
        ({"n_samples": 0}, None, "n_samples: got 0"),
        (
            {"n_samples": 5, "optimizer": "greedi"},
            None,
            "apricot's 'greedi' is not here, wanted one of 'naive'",
        ),
        ({"n_samples": 5, "optimizer": "lasy"}, None, "did you mean 'lazy'"),
        ({"n_samples": 5, "optimizer": object()}, None, "optimizer: got object"),
        ({"n_samples": 5, "initial_subset": "1"}, None, "initial_subset: got str"),
        ({"n_samples": 11}, {"X": SQUARE}, "n_samples: got 11, wanted at most the 10 rows"),
        ({"n_samples": 5}, {"X": SQUARE[:5]}, r"wanted \(n, n\)"),
        ({"n_samples": 5}, {"X": SQUARE - 2}, "similarities from -1"),
        ({"n_samples": 5}, {"X": SQUARE * np.nan}, "wanted finite"),
        ({"n_samples": 5, "initial_subset": [10]}, {"X": SQUARE}, "initial_subset: got rows 10 to 10"),
        ({"n_samples": 5, "initial_subset": [1.5]}, {"X": SQUARE}, "initial_subset: got dtype float64"),
        ({"n_samples": 5, "initial_subset": [[1.0]]}, {"X": SQUARE}, "got 2 dimensions"),
        ({"n_samples": 8, "initial_subset": [1, 2, 3]}, {"X": SQUARE}, "wanted at most 7 more"),
        ({"n_samples": 5}, {"X": SQUARE, "sample_cost": [1, 2]}, "sample_cost: got shape"),
        ({"n_samples": 5}, {"X": SQUARE, "sample_cost": [1] * 9 + [0]}, "sample_cost: row 9 is 0"),
        ({"n_samples": 5, "metric": "cosine"}, {"X": scipy_sparse.csr_matrix(SQUARE)}, "sparse matrix with"),
    ],
)
def test_bad_input(model, fit, text):
    with pytest.raises(ValueError, match=text):
        FacilityLocationSelection(**{"metric": "precomputed", **model}).fit(**(fit or {"X": SQUARE}))


@pytest.mark.parametrize(
    ("fit", "text"),
    [
        ({"X": [["a", "b"], ["c", "d"]]}, r"X: got \[\['a', .*, wanted an array of numbers"),
        (
            {"X": [[1, 2], [3]]},
            r"X: got .*, wanted an array of numbers; row 1 has shape \(1,\)",
        ),
        ({"X": SQUARE, "sample_cost": ["a"] * 10}, "sample_cost: got .*, wanted an array of numbers"),
    ],
)
def test_words_and_ragged_rows(fit, text):
    with pytest.raises(TypeError, match=text):
        FacilityLocationSelection(2, "precomputed").fit(**fit)


@pytest.mark.parametrize("name", ["X", "initial_subset", "sample_cost"])
def test_masks_are_refused(name):
    given = {"X": SQUARE, "sample_cost": np.ones(10), "initial_subset": np.array([1, 2])}
    given[name] = np.ma.array(given[name])
    subset = given.pop("initial_subset")
    with pytest.raises(TypeError, match=f"^{name}: got a masked array, wanted a plain one"):
        FacilityLocationSelection(5, "precomputed", initial_subset=subset).fit(**given)


@pytest.mark.parametrize("make", ["GreeDi", "BidirectionalGreedy", "SieveGreedy"])
def test_optimizer_objects_that_are_not_here(apricot, make):
    kind = getattr(importlib.import_module("apricot.optimizers"), make)
    with pytest.raises(ValueError, match="is not here, wanted one of 'naive'"):
        FacilityLocationSelection(5, optimizer=kind())


def test_arguments_go_by_the_same_positions(apricot):
    ours, theirs = (
        list(inspect.signature(kind.__init__).parameters)
        for kind in (FacilityLocationSelection, apricot.FacilityLocationSelection)
    )
    assert ours == theirs


def test_streams_are_not_here():
    with pytest.raises(NotImplementedError, match="collect the rows and call fit"):
        FacilityLocationSelection(5).partial_fit(SQUARE)


def test_transform_comes_after_fit():
    with pytest.raises(ValueError, match=r"call fit\(\) first"):
        FacilityLocationSelection(5).transform(SQUARE)
