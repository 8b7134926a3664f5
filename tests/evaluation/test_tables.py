"""Tables as Markdown, LaTeX and CSV, and result files side by side."""

import csv
import io
import json
import math

import numpy as np
import pytest

from qdit.cli.evaluate import table_command
from qdit.evaluation.results import Value, read_values, tails, value_table, write_result, write_rows
from qdit.evaluation.stats import NOTHING, Interval, tail_mean
from qdit.evaluation.tables import Table

TABLE = Table(
    ("model_name", "score", "n"),
    [
        ["qdit | 0.7", Interval(1.23456, 1.0, 1.5, 9), 1234],
        ["50% & more", 0.5, None],
        ["none", NOTHING, math.nan],
    ],
    "All of #1",
)


def test_markdown():
    assert TABLE.markdown() == (
        "All of #1\n\n"
        "| model_name | score | n |\n"
        "| --- | ---: | ---: |\n"
        "| qdit \\| 0.7 | 1.235 [1.000, 1.500] | 1,234 |\n"
        "| 50% & more | 0.500 | - |\n"
        "| none | - | - |\n"
    )


def test_latex():
    assert TABLE.latex().splitlines() == [
        r"\begin{table}",
        r"\centering",
        r"\caption{All of \#1}",
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"model\_name & score & n \\",
        r"\midrule",
        r"qdit | 0.7 & 1.235 [1.000, 1.500] & 1,234 \\",
        r"50\% \& more & 0.500 & - \\",
        r"none & - & - \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    assert r"\textbackslash{}x\^{}" not in Table(("a",), [["\\x^2~"]]).latex()
    assert r"\textbackslash{}x\textasciicircum{}2\textasciitilde{}" in Table(("a",), [["\\x^2~"]]).latex()
    assert "caption" not in Table(("a",), []).latex()


def test_csv_has_every_digit():
    rows = list(csv.reader(io.StringIO(TABLE.csv())))
    assert rows[0] == ["model_name", "score", "score low", "score high", "n"]
    assert rows[1] == ["qdit | 0.7", "1.23456", "1.0", "1.5", "1234"]
    assert rows[2] == ["50% & more", "0.5", "", "", ""]
    assert rows[3] == ["none", "", "", "", ""]
    assert Table(("a", "b"), []).csv() == "a,b\n"


def test_rows_have_a_cell_for_each_column():
    with pytest.raises(ValueError, match="row 1 has 1 cells, wanted 2"):
        Table(("a", "b"), [[1, 2], [3]])


def test_tails_of_each_group():
    values = np.array([5.0, 1.0, 3.0, 2.0, 4.0, 0.0])
    keys = {(None, None): range(6), ("s", None): [0, 1, 2], ("s", "c"): [0, 2], ("t", None): [3, 4, 5]}
    found = {(one.set, one.category, one.metric): one.value for one in tails(values, "loss", "m", keys)}
    assert found[None, None, "loss"].mean == 2.5
    assert found[None, None, "loss, worst 10%"].mean == 0.0
    assert found[None, None, "loss, best 10%"].mean == 5.0
    assert found["s", None, "loss, worst 10%"].mean == 1.0
    assert found["s", "c", "loss"].mean == 4.0
    assert ("s", "c", "loss, worst 10%") not in found
    turned = tails(values, "loss", "m", keys, larger_is_better=False)
    found = {(one.set, one.category, one.metric): one.value for one in turned}
    assert found[None, None, "loss, worst 10%"].mean == tail_mean(values, 0.1, worst=False) == 5.0


def result(folder, model, metric="HH score", **numbers):
    folder.mkdir()
    values = [
        Value(model, metric, Interval(numbers.get("mean", 1.0), 0.0, 2.0, 4)),
        Value(model, metric, 3.0, "vicuna"),
        Value(model, metric, None, "vicuna", "math"),
        Value(model, metric, 2, "vicuna", "coding", None),
    ]
    write_result(folder / "hh.json", "hh", {"reward_model": "r"}, values, {"seconds": 1.0})
    (folder / "other.json").write_text("{}")
    return values


def test_results_keep_their_values(tmp_path):
    values = result(tmp_path / "a", "one")
    assert read_values(tmp_path / "a") == read_values(tmp_path / "a" / "hh.json") == values
    written = json.loads((tmp_path / "a" / "hh.json").read_text())
    assert written["kind"] == "hh"
    assert set(written["versions"]) == {"qdit", "numpy"}


def test_bad_results(tmp_path):
    with pytest.raises(FileNotFoundError, match="results: no such file"):
        read_values(tmp_path / "x.json")
    with pytest.raises(ValueError, match="holds 0 results of evaluations, wanted one"):
        read_values(tmp_path)
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(ValueError, match=r"x\.json is no result of an evaluation"):
        read_values(tmp_path / "x.json")
    result(tmp_path / "a", "one")
    text = (tmp_path / "a" / "hh.json").read_text()
    (tmp_path / "a" / "hh.json").write_text(text.replace('"value": 3.0', '"value": "high"'))
    with pytest.raises(ValueError, match="got value 'high', wanted a number, an interval or null"):
        read_values(tmp_path / "a")


def test_models_side_by_side(tmp_path, capsys):
    result(tmp_path / "a", "one", mean=1.0)
    result(tmp_path / "b", "two", mean=1.5)
    result(tmp_path / "c", "one", "loss")
    folders = [str(tmp_path / name) for name in "abc"]
    table_command(folders, digits=1)
    assert capsys.readouterr().out == (
        "| model | HH score | loss |\n"
        "| --- | ---: | ---: |\n"
        "| one | 1.0 [0.0, 2.0] | 1.0 [0.0, 2.0] |\n"
        "| two | 1.5 [0.0, 2.0] | - |\n"
    )
    table_command(",".join(folders), layout="metrics", digits=1, caption="Both")
    assert capsys.readouterr().out == (
        "Both\n\n"
        "| metric | one | two |\n"
        "| --- | ---: | ---: |\n"
        "| HH score | 1.0 [0.0, 2.0] | 1.5 [0.0, 2.0] |\n"
        "| loss | 1.0 [0.0, 2.0] | - |\n"
    )
    table_command(folders, str(tmp_path / "t.csv"), by="category", metrics=["loss", "HH score"], format="csv")
    assert capsys.readouterr().out == ""
    assert (tmp_path / "t.csv").read_text() == (
        "set,category,model,loss,HH score\nvicuna,coding,one,2,2\nvicuna,coding,two,,2\n"
    )


def test_numbers_against_several_models_are_columns():
    values = [Value("m", "winning score", 1.0 + i, against=name) for i, name in enumerate(("a", "b"))]
    assert value_table(values, digits=1).markdown().splitlines() == [
        "| model | winning score vs a | winning score vs b |",
        "| --- | ---: | ---: |",
        "| m | 1.0 | 2.0 |",
    ]


def test_tables_that_cannot_be(tmp_path):
    values = result(tmp_path / "a", "one")
    with pytest.raises(ValueError, match="'HH score' of model 'one' is there twice; name models with NAME="):
        value_table([*values, *values])
    with pytest.raises(ValueError, match="metrics: got 'HH scores', wanted one of 'HH score'; did you mean"):
        value_table(values, metrics=["HH scores"])
    with pytest.raises(ValueError, match="by: got 'sets'"):
        value_table(values, by="sets")
    with pytest.raises(ValueError, match="there are no numbers by 'category'"):
        value_table(values[:1], by="category")
    with pytest.raises(ValueError, match="format: got 'html', wanted one of 'markdown', 'latex', 'csv'"):
        table_command(str(tmp_path / "a"), format="html")


def test_rows_are_lines(tmp_path):
    rows = [{"id": "a", "text": "ü\n"}, {"id": "b", "text": None}]
    digest = write_rows(tmp_path / "rows.jsonl", iter(rows))
    lines = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == rows
    assert len(digest) == 64
    write_rows(tmp_path / "rows.jsonl", [{"x": math.nan}])
    assert (tmp_path / "rows.jsonl").read_text() == '{"x": null}\n'
