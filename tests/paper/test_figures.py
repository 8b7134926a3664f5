"""The numbers of every figure and table that needs no trained model, against cases with known answers."""

import csv
import io
import json
import math
from collections import Counter

import numpy as np
import pytest

from helpers.export_pools import K, N, unit, vectors
from helpers.paper_pools import OPTIONS, FirstWords, make_shelf, make_source, scores
from qdit.evaluation.stats import Bootstrap, mean_interval, tail_interval
from qdit.generation.questions import Question
from qdit.paper import cost as cost_module
from qdit.paper import toy
from qdit.paper.cost import CostOptions, cost
from qdit.paper.coverage import RobustnessOptions, by_set, coverage
from qdit.paper.fig1 import Fig1Options, Variety, fig1, variety
from qdit.paper.fig2 import Fig2Options, fig2
from qdit.paper.fig9 import Fig9Options, fig9_pool, fig9_toy
from qdit.paper.methods import Method
from qdit.paper.methods import qdit as greedy
from qdit.paper.paired import Sample, resampled, statistic
from qdit.paper.published import published, published_table
from qdit.reporting.verbs import Verbs
from qdit.selection.options import SelectOptions

pytest.importorskip("matplotlib", reason="figures need matplotlib: pip install 'qdit[plots]'")


def cells(table) -> list[dict[str, str]]:
    """Return the rows of a table as CSV gives them."""
    return list(csv.DictReader(io.StringIO(table.csv())))


def test_variety_of_equally_common_pairs_is_their_number():
    found = variety(Verbs(Counter({("write", "poem"): 5, ("write", "story"): 5, ("list", "fact"): 5}), 20))
    assert found == Variety(20, 15, 2, 3, pytest.approx(3.0), pytest.approx(1.0))


def test_variety_of_uneven_pairs():
    counts = {("v", str(i)): 1 for i in range(30)} | {("w", "x"): 70}
    found = variety(Verbs(Counter(counts), 100))
    assert found.effective == pytest.approx(math.exp(-(0.7 * math.log(0.7) + 30 * 0.01 * math.log(0.01))))
    assert found.top == pytest.approx(0.7 + 19 * 0.01)
    assert variety(Verbs(Counter(), 3)) == Variety(3, 0, 0, 0, 0.0, 0.0)


def test_fig1_counts_the_chosen_instructions(tmp_path):
    source = make_source(tmp_path)
    shelf = make_shelf(source, tmp_path)
    result = fig1(shelf, Fig1Options(k=K, alpha=0.6, seeds=2), parser=FirstWords())
    (method,) = greedy(0.6)
    texts = source.instructions(shelf.get([method], K)[method].indices)
    words = [(text.rstrip(".").split()[0].lower(), text.rstrip(".").split()[-1].lower()) for text in texts]
    row = cells(result.tables[""])[-1]
    assert row["choice"] == "QDIT, alpha 0.6"
    assert (int(float(row["parsed"])), int(float(row["pairs"]))) == (K, len(set(words)))
    first = [row["choice"] for row in cells(result.tables[""])]
    assert first == ["Random, mean of 2", "Quality", "QDIT, alpha 0.6"]
    counted = Counter(words)
    for row in cells(result.data["-pairs"]):
        if row["choice"] == "QDIT, alpha 0.6":
            assert counted[row["verb"], row["object"]] == int(row["count"])


def test_fig1_parses_once(tmp_path):
    source = make_source(tmp_path)
    spec = Fig1Options(k=K, alpha=0.6, seeds=1)
    first = fig1(make_shelf(source, tmp_path), spec, parser=FirstWords())
    parser = FirstWords()
    parser.pipe = None
    again = fig1(make_shelf(source, tmp_path), spec, parser=parser)
    assert again.tables[""] == first.tables[""]
    parser.meta["version"] = "2"
    with pytest.raises(TypeError):  # another parser counts anew
        fig1(make_shelf(source, tmp_path), spec, parser=parser)


def test_fig2_is_coverage_and_quality_of_each_choice(tmp_path):
    source = make_source(tmp_path)
    shelf = make_shelf(source, tmp_path)
    result = fig2(shelf, Fig2Options(k=K, alpha=(0.0, 0.5, 1.0), seeds=2, file="fig6"))
    x, q = unit(vectors()), scores()
    methods = [*greedy(0.0, 0.5, 1.0), Method("random", seed=0), Method("random", seed=1)]
    runs = cells(result.data["-runs"])
    for method, row in zip(methods, runs, strict=True):
        chosen = shelf.get([method], K)[method].indices
        covered = np.sort((x @ x[chosen].T).max(axis=1))
        assert float(row["coverage"]) == pytest.approx(covered.mean(), abs=2e-6)
        assert float(row["worst"]) == pytest.approx(covered[: N // 10].mean(), abs=2e-6)
        assert float(row["mean_quality"]) == pytest.approx(q[chosen].mean())
    table = cells(result.tables[""])
    assert [row["choice"] for row in table[:3]] == [f"QDIT, alpha {a}" for a in ("0", "0.5", "1")]
    values = [float(row["coverage"]) for row in runs[3:]]
    assert float(table[3]["coverage d/n"]) == pytest.approx(np.mean(values))
    assert float(table[4]["coverage d/n"]) == pytest.approx(abs(values[0] - values[1]))
    assert result.title.startswith("Figure 6:")
    assert set(result.pictures) == {".png"}


def test_alpha_trades_coverage_for_quality(tmp_path):
    source = make_source(tmp_path)
    runs = cells(fig2(make_shelf(source, tmp_path), Fig2Options(k=K, seeds=1)).data["-runs"])[:-1]
    quality = [round(float(row["mean_quality"]), 9) for row in runs]
    cover = [round(float(row["coverage"]), 9) for row in runs]
    assert quality == sorted(quality)
    assert cover == sorted(cover, reverse=True)


def test_toy_rows_have_the_kernel_as_cosines():
    points = np.random.default_rng(0).standard_normal((60, 2)) * 3
    rows = toy.kernel_rows(points, 1.5)
    wanted = np.exp(-((points[:, None] - points[None]) ** 2).sum(axis=2) / (2 * 1.5**2))
    np.testing.assert_allclose(rows @ rows.T, wanted, atol=1e-7)


def test_fig9_gives_every_point_its_ranks():
    result = fig9_toy(Fig9Options(points=120, groups=3, k=12, alpha=0.5, tau=0.5, clusters=4))
    rows = cells(result.data["-points"])
    assert len(rows) == 120
    for kind in ("qdit", "threshold", "cluster"):
        assert sorted(int(row[f"{kind} rank"]) for row in rows if row[f"{kind} rank"]) == list(range(1, 13))
    made = toy.make(toy.Toy(points=120, groups=3))
    picked = [i for i, row in enumerate(rows) if row["threshold rank"]]
    similar = made.rows[picked] @ made.rows[picked].T - np.eye(12)
    assert "QDIT:Threshold found all 12 rows by its own rule." in result.notes
    assert similar.max() <= 0.5 + 1e-6
    by_cluster = next(row for row in cells(result.tables[""]) if row["choice"] == "QDIT:Cluster")
    assert int(by_cluster["rows"]) == 12


def test_fig9_of_a_pool(tmp_path):
    source = make_source(tmp_path)
    result = fig9_pool(
        make_shelf(source, tmp_path), Fig9Options(k=K, alpha=0.6, tau=OPTIONS.tau, clusters=OPTIONS.clusters)
    )
    assert [row["choice"] for row in cells(result.tables[""])] == [
        *("QDIT, alpha 0.6", "QDIT:Threshold", "QDIT:Cluster"),
    ]
    assert len(result.notes) == 3


def test_cost_times_each_cell_once(tmp_path, monkeypatch):
    source = make_source(tmp_path)
    options = CostOptions(methods="random,quality,qdit:0.5,threshold,cluster", k=(5, K))
    shelf = make_shelf(source, tmp_path)
    first = cost(shelf, options)
    rows = cells(first.tables[""])
    assert [(row["choice"], row["k"]) for row in rows[4:6]] == [
        ("QDIT, alpha 0.5", "5"),
        ("QDIT, alpha 0.5", "30"),
    ]
    assert all(float(row["seconds"]) > 0 for row in rows)
    monkeypatch.setattr(cost_module, "select", None)
    assert cost(shelf, options).tables[""] == first.tables[""]
    with pytest.raises(TypeError):  # another number of threads is another time
        cost(make_shelf(source, tmp_path, SelectOptions(clusters=6, threads=2)), options)


def test_the_machine_is_described_without_its_name(tmp_path):
    text = json.dumps(cost_module.describe_machine(OPTIONS))
    assert cost_module.platform.node() not in text or not cost_module.platform.node()


def test_resampling_is_that_of_the_intervals():
    values = np.random.default_rng(1).normal(size=50)
    for share, wanted in (
        (None, mean_interval(values, draws=500)),
        (0.1, tail_interval(values, 0.1, draws=500)),
    ):
        found = Sample([values], share, draws=500).interval()
        assert (found.mean, found.n) == (pytest.approx(wanted.mean), 50)
        assert (found.low, found.high) == (pytest.approx(wanted.low), pytest.approx(wanted.high))


def test_a_constant_difference_has_no_spread():
    values = np.random.default_rng(1).normal(size=40)
    for share in (None, 0.1):
        found = Sample([values + 0.25], share, draws=300).less(Sample([values], share, draws=300))
        assert found.mean == pytest.approx(0.25)
        assert found.high - found.low < 1e-12


def test_seeds_are_averaged():
    low, high = np.zeros(10), np.ones(10)
    found = Sample([low, high], 0.2, draws=50).interval()
    assert (found.mean, found.low, found.high) == (0.5, 0.5, 0.5)
    assert statistic(np.array([3.0, 1.0, 2.0, 5.0]), 0.5) == 1.5
    assert len(resampled(low, None, Bootstrap(draws=7))) == 7


def test_of_no_question_nothing_is_known():
    none = Sample([np.empty(0)], 0.1)
    for found in (none.interval(), none.less(none)):
        assert found.n == 0
        assert math.isnan(found.mean)


def questions(sizes: dict[str, int]) -> list[Question]:
    return [
        Question(name, str(i), f"Question {i}", category=f"c{i % 2}")
        for name, m in sizes.items()
        for i in range(m)
    ]


def test_coverage_of_questions(tmp_path):
    """Every cell of the table is what plain NumPy gives."""
    source = make_source(tmp_path)
    shelf = make_shelf(source, tmp_path)
    asked = questions({"one": 30, "two": 21})
    vectors_of = np.random.default_rng(7).standard_normal((51, vectors().shape[1])).astype(np.float32)
    spec = RobustnessOptions(k=(10, K), alpha=0.3, seeds=2, draws=200)
    result = coverage(shelf, asked, vectors_of, spec, encoder={"name": "none"})
    x, v = unit(vectors()), unit(vectors_of)

    def by_hand(method, k, members, tail):
        near = np.sort((v[members] @ x[shelf.prefixes([method], [k])[method, k].indices].T).max(axis=1))
        return near[: math.ceil(0.1 * len(near))].mean() if tail else near.mean()

    groups = {"": range(51), "-one": range(30), "-two": range(30, 51)}
    for suffix, members in groups.items():
        rows = cells(result.tables[suffix])
        assert len(rows) == 2 * 8
        for row in rows:
            k = int(row["k"])
            for column, tail in (("mean", False), ("worst 10%", True)):
                random = np.mean([by_hand(Method("random", seed=s), k, list(members), tail) for s in (0, 1)])
                if row["choice"] == "Random, mean of 2":
                    assert float(row[column]) == pytest.approx(random)
                    assert row[f"{column}, less random"] == ""
                if row["choice"] == "QDIT, alpha 0.3":
                    own = by_hand(greedy(0.3)[0], k, list(members), tail)
                    assert float(row[column]) == pytest.approx(own)
                    assert float(row[f"{column}, less random"]) == pytest.approx(own - random)
                    assert float(row[f"{column} low"]) <= own <= float(row[f"{column} high"])
    assert result.facts["questions"] == {"all": 51, "one": 30, "two": 21}
    assert len(cells(result.data["-questions"])) == 51
    small = cells(result.data["-categories"])
    assert {(row["set"], row["category"]) for row in small} == {
        (s, c) for s in ("one", "two") for c in ("c0", "c1")
    }


def test_one_set_needs_no_line_for_all():
    assert list(by_set(questions({"one": 3}))) == ["one"]


def test_a_question_without_direction_is_named(tmp_path):
    source = make_source(tmp_path)
    vectors_of = np.ones((3, vectors().shape[1]), np.float32)
    vectors_of[1] = 0
    spec = RobustnessOptions(k=K, alpha=(), seeds=1, draws=10)
    with pytest.raises(ValueError, match=r"'1' of one has a vector of zeros"):
        coverage(make_shelf(source, tmp_path), questions({"one": 3}), vectors_of, spec, encoder={})


def test_published_numbers_name_version_and_source():
    ours = ("table1", "table2", "fig3", "cost")
    assert [len(published(beside)) for beside in ours] == [13, 2, 1, 2]
    for number in (number for beside in ours for number in published(beside)):
        assert number.version in ("1", "3")
        assert number.where
        assert number.source
        assert f"version {number.version}" in number.source  # no number of one version read in another
    assert len(cells(published_table("cost"))) == 2
