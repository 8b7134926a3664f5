"""Explanations against plain NumPy, and in words."""

import json

import numpy as np
import pytest
from jsonargparse import auto_cli

from helpers.export_pools import K, make, unit, vectors
from qdit.cli.export import explain_command
from qdit.exporting import explain, export


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("explain"))


def left_over(made):
    return int(np.setdiff1d(np.arange(len(made.x)), made.selection.indices)[5])


def test_a_chosen_row(made):
    at = 7
    row = int(made.selection.indices[at])
    found = explain(row, made.chosen, threads=1)
    assert (found.status, found.rank) == ("chosen", at + 1)
    assert (found.gain, found.score) == (made.selection.gains[at], made.selection.scores[at])
    assert found.quality == made.q[row]
    assert found.final_gain is found.final_score is None
    assert found.reason.startswith("It was pick 8 of 30: it raised the summed coverage by")
    assert all(near.row.index != row for near in found.nearest)


def test_a_row_that_was_not_chosen(made):
    row = left_over(made)
    found = explain(row, made.chosen, threads=1)
    chosen = made.selection.indices
    s = unit(made.x) @ unit(made.x).T
    gain = np.maximum(s[row] - s[:, chosen].max(axis=1), 0).sum()
    order = np.argsort(-s[row, chosen], kind="stable")[:3]
    assert found.status == "not chosen"
    assert found.rank is found.gain is found.score is None
    assert found.final_gain == pytest.approx(gain, abs=1e-4)
    assert found.final_score == pytest.approx(0.4 * gain + 0.6 * made.q[row], abs=1e-4)
    assert found.last_score == made.selection.scores[-1]
    assert found.final_score <= found.last_score
    assert [near.rank for near in found.nearest] == (order + 1).tolist()
    assert [near.similarity for near in found.nearest] == pytest.approx(s[row, chosen[order]], abs=1e-6)
    assert "it would add" in found.reason
    assert f"nearest chosen row is {chosen[order[0]]}" in found.reason


def test_agrees_with_the_decisions(made, tmp_path):
    out = export(made.chosen, tmp_path / "out", decisions="jsonl")
    rows = [json.loads(line) for line in (out / "decisions.jsonl").read_text().splitlines()]
    for row in (left_over(made), int(made.selection.indices[3])):
        found = explain(row, out, threads=1)
        assert found.final_gain == rows[row]["final_gain"]
        assert found.final_score == rows[row]["final_score"]
        assert found.nearest[0].row.index == rows[row]["nearest_row"]
        assert found.nearest[0].similarity == rows[row]["similarity"]


def test_rows_by_number_and_by_id(made):
    want = explain(5, made.chosen)
    assert explain("5", made.chosen) == explain("rows-5", made.chosen) == want
    assert explain("id:rows-5", made.chosen) == want
    with pytest.raises(ValueError, match=r"row: got 240, wanted 0 to 239; for an id write id:240"):
        explain(240, made.chosen)
    with pytest.raises(ValueError, match="no row has the id 'nothing'"):
        explain("nothing", made.chosen)


def test_given_and_zero_rows(tmp_path):
    x = vectors()
    x[4] = 0
    made = make(tmp_path, x=x, zero_rows="ignore", given=[1, 2])
    assert explain(1, made.chosen, given=[1, 2]).status == "given"
    zero = explain(4, made.chosen, given=[1, 2])
    assert (zero.status, zero.nearest, zero.final_gain) == ("zero row", (), None)
    with pytest.raises(ValueError, match="pass given"):
        explain(1, made.chosen)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"alpha": 1.0}, "is not above the last pick's"),
        ({"method": "random", "seed": 3}, "The random order did not reach it."),
        ({"method": "cluster", "clusters": 5}, "Method cluster did not reach it."),
        ({"method": "k_center"}, "Other rows were farther from all that was chosen."),
        ({"method": "kmq", "clusters": 5, "quality_scale": "rank"}, "It was not drawn from its cell."),
        (
            {"method": "mig", "clusters": 5, "quality_scale": "rank"},
            "Other rows added more to the information",
        ),
    ],
)
def test_reasons_of_other_methods(tmp_path, options, text):
    made = make(tmp_path, **options)
    assert text in explain(left_over(made), made.chosen).reason


def test_reason_of_threshold_and_quota(tmp_path):
    made = make(tmp_path, method="threshold", tau=0.3, shortfall="stop")
    s = unit(made.x) @ unit(made.x).T
    chosen = made.selection.indices
    row = next(i for i in range(240) if i not in chosen and s[i, chosen].max() > 0.3)
    assert "is above tau = 0.3" in explain(row, made.chosen).reason
    folder = tmp_path / "quota"
    folder.mkdir()
    groups = np.repeat(["a", "b"], 120)
    made = make(folder, groups=groups, quota={"a": 1}, quota_mode="at_most")
    reasons = [explain(i, made.chosen).reason for i in range(120) if i not in made.selection.indices]
    assert any(reason.endswith("It was passed over: the quota.") for reason in reasons)


def test_command_shows_text_safely(made, capsys):
    auto_cli({"explain": explain_command, "x": explain_command}, args=["explain", "1", str(made.chosen)])
    text = capsys.readouterr().out
    assert "row" in text
    assert "<script>alert(1)</script>" in text
    assert f"of {K}" in text or "it would add" in text


def test_control_characters_do_not_reach_the_terminal(tmp_path, capsys):
    rows = [{"instruction": f"Do \x1b[31m {i}", "input": "", "output": "x"} for i in range(20)]
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = make(tmp_path, x=vectors(20), source=source, k=3)
    explain_command("1", str(made.chosen))
    assert "\x1b" not in capsys.readouterr().out
