"""Methods, pools and kept selections of the study."""

import json
import re

import numpy as np
import pytest

import qdit
from helpers.export_pools import K, N, lines, unit, vectors
from helpers.paper_pools import OPTIONS, make_pool, make_shelf, make_source, scores
from qdit.paper import shelf as module
from qdit.paper.methods import Method, parse, parse_all, random, with_seed
from qdit.paper.methods import qdit as greedy
from qdit.paper.options import FigureOptions
from qdit.paper.shelf import open_shelf
from qdit.paper.sources import open_source
from qdit.selection.options import SelectOptions

ALL = [
    *greedy(0.0, 0.6),
    Method("quality"),
    Method("random", seed=3),
    Method("threshold"),
    Method("cluster", seed=1),
    Method("k_center"),
    Method("kmq", seed=2),
    Method("mig", seed=2),
]


def direct(source, method, k):
    """What `qdit.select` picks when it is called by hand."""
    options = {
        "qdit": {"alpha": method.alpha},
        "quality": {"method": "quality", "alpha": 1.0},
        "random": {"method": "random", "alpha": 0.0, "seed": method.seed},
        "threshold": {"method": "threshold", "alpha": 0.0, "tau": 0.5},
        "cluster": {"method": "cluster", "alpha": 0.0, "seed": method.seed, "clusters": 6},
        "k_center": {"method": "k_center", "alpha": 0.0},
        "kmq": {"method": "kmq", "alpha": 0.0, "seed": method.seed, "clusters": 6, "quality_scale": "minmax"},
        "mig": {"method": "mig", "alpha": 0.0, "seed": method.seed, "clusters": 6, "quality_scale": "minmax"},
    }[method.kind]
    return qdit.select(source.rows, source.quality, k=k, threads=1, **options)


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("qdit", Method("qdit", 0.7)),
        ("qdit:0.1", Method("qdit", 0.1)),
        (" quality ", Method("quality")),
        ("random", Method("random", seed=4)),
        ("random:2", Method("random", seed=2)),
        ("threshold", Method("threshold")),
        ("cluster", Method("cluster", seed=4)),
        ("k_center", Method("k_center")),
        ("kmq:3", Method("kmq", seed=3)),
    ],
)
def test_a_method_is_read_from_text(text, method):
    assert parse(text, seed=4) == method


@pytest.mark.parametrize(
    "text", ["best", "qdit:2", "quality:1", "random:x", "random:1.5", "", "threshold:0.5", "k_center:1"]
)
def test_other_text_is_no_method(text):
    with pytest.raises(ValueError, match=r"method|alpha"):
        parse(text)


def test_methods_are_named_once():
    assert parse_all("random,quality") == [Method("random", seed=0), Method("quality")]
    with pytest.raises(ValueError, match=r"qdit-0\.7 twice"):
        parse_all("qdit,qdit:0.7")
    with pytest.raises(ValueError, match="got 0"):
        random(0)


def test_only_methods_that_draw_have_a_seed():
    assert with_seed(Method("random", seed=0), 5).key == "random-5"
    assert with_seed(Method("cluster", seed=0), 5).family == "cluster"
    assert with_seed(greedy(0.7)[0], 5).key == "qdit-0.7"
    assert {method.key for method in ALL} == {method.key for method in {*ALL}}


def test_a_shelf_holds_what_select_returns(tmp_path):
    source = make_source(tmp_path)
    shelf = make_shelf(source, tmp_path)
    for method, found in shelf.get(ALL, K).items():
        wanted = direct(source, method, K)
        np.testing.assert_array_equal(found.indices, wanted.indices)
        assert found.coverage == wanted.coverage


def test_rows_of_zeros_that_a_pool_keeps_are_left_out_and_said(tmp_path, capsys):
    rows = [{"instruction": f"Say {i} and {i * 7}", "output": "x"} for i in range(40)]
    rows[3] = {"instruction": "...", "output": "..."}
    qdit.import_records(rows, tmp_path / "pool").close()
    qdit.embed(tmp_path / "pool", "builtin:hash", zero_rows="keep")
    figure = FigureOptions(quality=scores(40), threads=1)
    for pool in (tmp_path / "pool", tmp_path / "pool" / "embeddings.npy"):
        shelf = open_shelf(pool, tmp_path / "out", figure)
        assert re.search(
            r"1 rows of \w+ are zeros: they have no vector and are left out", capsys.readouterr().out
        )
        few = [
            method for method in ALL if method.kind in ("qdit", "quality", "random", "threshold", "k_center")
        ]
        found = shelf.get(few, 39)
        assert all(sorted(one.indices) == [i for i in range(40) if i != 3] for one in found.values())


def test_a_smaller_selection_is_a_prefix(tmp_path):
    source = make_source(tmp_path)
    found = make_shelf(source, tmp_path).prefixes(ALL, [K, 7])
    for method in ALL:
        for k in (K, 7):
            wanted = direct(source, method, k)
            np.testing.assert_array_equal(found[method, k].indices, wanted.indices)
            assert found[method, k].coverage == pytest.approx(wanted.coverage, rel=1e-12)


def test_gains_that_depend_on_k_are_selected_for_each(tmp_path):
    source = make_source(tmp_path)
    options = SelectOptions(clusters=6, threads=1, gain_scale="per_k")
    found = make_shelf(source, tmp_path, options).prefixes(greedy(0.5), [K, 7])
    for k in (K, 7):
        wanted = qdit.select(source.rows, source.quality, 0.5, k, gain_scale="per_k", threads=1)
        np.testing.assert_array_equal(found[greedy(0.5)[0], k].indices, wanted.indices)


def test_what_is_there_is_not_made_again(tmp_path, monkeypatch):
    source = make_source(tmp_path)
    first = make_shelf(source, tmp_path).get(ALL, K)
    covered = make_shelf(source, tmp_path).row_coverage(ALL[0], K)
    for name in ("select", "run_sweep", "row_coverage"):
        monkeypatch.setattr(module, name, None)
    shelf = make_shelf(source, tmp_path)
    again = shelf.get(ALL, K)
    assert all(np.array_equal(first[method].indices, again[method].indices) for method in ALL)
    np.testing.assert_array_equal(shelf.row_coverage(ALL[0], K), covered)


@pytest.mark.parametrize("change", ["quality", "options", "file"])
def test_what_has_changed_is_made_again(tmp_path, change):
    source = make_source(tmp_path)
    method, options = Method("threshold"), OPTIONS
    before = make_shelf(source, tmp_path).get([method], K)[method]
    if change == "quality":
        source = open_source(tmp_path / "pool", quality=-scores(), name="small")
    if change == "options":
        options = SelectOptions(tau=0.2, clusters=6, threads=1)
    if change == "file":
        np.save(tmp_path / "selections" / f"k{K}" / method.key / "indices.npy", before.indices[::-1])
        manifest = tmp_path / "selections" / f"k{K}" / method.key / "manifest.json"
        manifest.write_text(manifest.read_text() + " ")
    found = make_shelf(source, tmp_path, options).get([method], K)[method]
    wanted = qdit.select(source.rows, source.quality, 0.0, K, method="threshold", tau=options.tau, threads=1)
    np.testing.assert_array_equal(found.indices, wanted.indices)


@pytest.mark.parametrize("alphas", [(0.4,), (0.1, 0.4)])
def test_an_interrupted_shelf_goes_on(tmp_path, monkeypatch, alphas):
    """Ctrl-C in the middle of a selection, then the same call: the picks of an unbroken run."""
    source = make_source(tmp_path)
    real = {name: getattr(module, name) for name in ("select", "run_sweep")}

    def stop(progress):
        if progress.picks >= 5:
            raise KeyboardInterrupt

    for name in real:
        monkeypatch.setattr(
            module,
            name,
            lambda *given, name=name, **options: real[name](*given, **{**options, "progress": stop}),
        )
    with pytest.raises(KeyboardInterrupt):
        make_shelf(source, tmp_path).get(greedy(*alphas), N // 2)
    monkeypatch.undo()
    found = make_shelf(source, tmp_path).get(greedy(*alphas), N // 2)
    for method, one in found.items():
        np.testing.assert_array_equal(one.indices, direct(source, method, N // 2).indices)
    assert not list(tmp_path.glob("selections/**/checkpoint"))


def test_a_checkpoint_of_other_inputs_is_dropped(tmp_path):
    source = make_source(tmp_path)
    (method,) = greedy(0.4)
    folder = tmp_path / "selections" / f"k{K}" / method.key / "checkpoint"
    qdit.select(source.rows, -scores(), 0.4, K, threads=1, checkpoint=folder)
    found = make_shelf(source, tmp_path).get([method], K)[method]
    np.testing.assert_array_equal(found.indices, direct(source, method, K).indices)


def test_row_coverage_is_the_nearest_pick(tmp_path):
    source = make_source(tmp_path)
    shelf = make_shelf(source, tmp_path)
    chosen = shelf.get([ALL[1]], K)[ALL[1]].indices
    x = unit(vectors())
    np.testing.assert_allclose(shelf.row_coverage(ALL[1], K), (x @ x[chosen].T).max(axis=1), atol=2e-6)


def test_a_pool_may_be_files(tmp_path):
    np.save(tmp_path / "e.npy", vectors())
    np.save(tmp_path / "q.npy", scores())
    (tmp_path / "rows.json").write_text(json.dumps([json.loads(line) for line in lines()]))
    options = {"quality": tmp_path / "q.npy", "records": tmp_path / "rows.json", "work": tmp_path / "work"}
    source = open_source(tmp_path / "e.npy", **options)
    assert source.name == "e"
    assert source.instructions([4, 3]) == [json.loads(lines()[i])["instruction"] for i in (4, 3)]
    made = (tmp_path / "work" / "records" / "records.json").stat().st_mtime_ns
    again = open_source(tmp_path / "e.npy", **options)
    assert (tmp_path / "work" / "records" / "records.json").stat().st_mtime_ns == made
    assert again.hashes == source.hashes
    assert source.hashes["records"] == source.records.sha256


def test_a_pool_without_what_is_needed_says_so(tmp_path):
    np.save(tmp_path / "e.npy", vectors())
    source = open_source(tmp_path / "e.npy")
    with pytest.raises(ValueError, match="quality: e has no scores"):
        _ = source.scores
    with pytest.raises(ValueError, match="records: e has no texts"):
        source.instructions([0])
    with pytest.raises(FileNotFoundError, match="no pool"):
        open_source(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"records: no such file.*nothing\.json"):
        open_source(tmp_path / "e.npy", records=tmp_path / "nothing.json", work=tmp_path)
    pool = make_pool(tmp_path)
    np.save(tmp_path / "short.npy", vectors()[:-1])
    with pytest.raises(ValueError, match=r"239 rows|has 240 rows"):
        open_source(tmp_path / "short.npy", records=pool)
