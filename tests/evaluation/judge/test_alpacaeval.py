"""Win rates by hand, by what alpaca_eval printed itself, and of real annotations beside the leaderboard."""

import csv
import json
import math

import pytest

from helpers.evaluation_files import real_file
from qdit.cli.evaluate import alpacaeval_command
from qdit.cli.main import main
from qdit.evaluation.judge.alpacaeval import (
    MismatchError,
    compare,
    find_row,
    read_annotations,
    read_leaderboard,
    win_rate,
)
from qdit.evaluation.judge.pairwise import Tally
from qdit.evaluation.printed import passes, reread

# standard errors: as the files of alpaca_eval 0.1 to 0.6 print them, which have that column
STANDARD_ERRORS = {
    "alpaca-7b": "1.535711469748",
    "gpt4": "0.716281440286153",
    "text_davinci_001": "1.235107892276849",
    "vicuna-13b": "1.6069688407799696",
}
MODELS = tuple(STANDARD_ERRORS)


def annotations(path, preferences, **change):
    rows = [
        {"dataset": "d", "instruction": f"q{i}", "output_1": "ref", "generator_1": "base"}
        | {"output_2": "x" * i, "generator_2": "new", "annotator": "a", "preference": preference}
        | change
        for i, preference in enumerate(preferences)
    ]
    path.write_text(json.dumps(rows))
    return path


def test_by_hand(tmp_path):
    found = win_rate(annotations(tmp_path / "a.json", [2, 2, 1, 0, 1.5, None]))
    assert (found.model, found.reference) == ("new", "base")
    assert (found.n_wins, found.n_wins_base, found.n_draws, found.n_total, found.n_null) == (2, 1, 2, 5, 1)
    assert found.win_rate == found.discrete_win_rate == 60.0
    assert found.winning_score == pytest.approx(1.2)
    # values 1, 1, 0, 1/2, 1/2 around 0.6: squares 0.16 0.16 0.36 0.01 0.01, over 4, over 5
    assert found.standard_error == pytest.approx(100 * math.sqrt(0.7 / 4 / 5))
    assert found.avg_length == 2  # 15 characters over 6 rows, rounded down


def test_preferences_in_between_count_as_they_are(tmp_path):
    found = win_rate(annotations(tmp_path / "a.json", [1.25, 1.75, 2.0]))
    assert found.win_rate == 2 / 3 * 100
    assert found.discrete_win_rate == pytest.approx(200 / 3)
    assert (found.n_wins, found.n_wins_base) == (2, 1)
    found = win_rate(annotations(tmp_path / "a.json", [1.75, 1.75]))
    assert (found.win_rate, found.discrete_win_rate) == (75.0, 100.0)


@pytest.mark.parametrize(
    ("wins", "losses", "draws", "rate", "error"),
    [  # as alpaca_eval printed them for other annotators
        (588, 205, 12, 73.7888198757764, 1.5359801545073597),
        (216, 569, 20, 28.07453416149068, 1.5602183426587484),
        (434, 366, 4, 54.22885572139303, 1.7537289814567856),
        (0, 0, 805, 50.0, 0.0),
    ],
)
def test_standard_errors_that_alpaca_eval_printed(tmp_path, wins, losses, draws, rate, error):
    found = win_rate(annotations(tmp_path / "a.json", [2] * wins + [1] * losses + [0] * draws))
    assert found.win_rate == pytest.approx(rate, rel=1e-14)
    assert found.standard_error == pytest.approx(error, rel=1e-13)


def test_one_annotation(tmp_path):
    found = win_rate(annotations(tmp_path / "a.json", [2]))
    assert found.win_rate == 100.0
    assert math.isnan(found.standard_error)


def test_bad_annotations(tmp_path):
    path = tmp_path / "a.json"
    for bad in (3, -1, 0.5, "2", True, [1]):
        annotations(path, [1, bad])
        with pytest.raises(
            ValueError, match=r"a.json, row 1 .*: field 'preference' is .*, wanted 1 to 2, 0 for"
        ):
            win_rate(path)
    path.write_text(annotations(path, [1]).read_text().replace('"preference"', '"prefers"'))
    with pytest.raises(ValueError, match="field 'preference' is 'missing'"):
        win_rate(path)
    with pytest.raises(ValueError, match="none of 2 annotations has a preference"):
        win_rate(annotations(path, [None, None]))
    with pytest.raises(ValueError, match=r"row 0 .*field 'output_2' is null, wanted text"):
        win_rate(annotations(path, [1], output_2=None))
    rows = [json.loads(annotations(path, [1], generator_2=name).read_text())[0] for name in ("a", "b")]
    path.write_text(json.dumps(rows))
    with pytest.raises(ValueError, match="got 2 pairs of generators, wanted one"):
        win_rate(path)
    with pytest.raises(FileNotFoundError, match="annotations: no such file"):
        win_rate(tmp_path / "b.json")


@pytest.mark.parametrize(
    ("ours", "printed", "wanted"),
    [
        (200 / 3, "66.67", 0),
        (200 / 3, "66.66", None),
        (200 / 3, "66.66666666666667", 0),
        (200 / 3, "66.6666666666667", 0),
        (200 / 3, "66.666666666667", 0),
        (200 / 3, "66.66666666666669", None),  # the next double
        (95.27950310559005, "95.27950310559004", 1),
        (95.27950310559005, "95.27950310559007", None),
        (26.459627329192546, "26.459627329192543", 1),
        (26.459627329192543, "26.459627329192546", None),  # reading takes nothing back
        (396, "396", 0),
        (396, "397", None),
        (396, "396.0", 0),
        (math.nan, "1.0", None),
    ],
)
def test_a_number_that_was_printed(ours, printed, wanted):
    assert passes(ours, printed) == wanted


@pytest.mark.parametrize(
    ("written", "read"),
    [  # what read_csv of pandas 2.3.3 returned
        (95.27950310559005, 95.27950310559004),
        (26.459627329192546, 26.459627329192543),
        (70.43478260869566, 70.43478260869566),
        (15.17412935323383, 15.17412935323383),
        (-95.27950310559005, -95.27950310559004),
        (0.5, 0.5),
        (805.0, 805.0),
        (1e-7, 1e-7),
    ],
)
def test_what_pandas_read(written, read):
    assert reread(written) == read


def leaderboard(path, rows):
    path.write_text("name,win_rate,n_wins,avg_length,samples\n" + "".join(row + "\n" for row in rows))
    return path


def test_rows_of_a_leaderboard(tmp_path):
    rows = read_leaderboard(
        leaderboard(tmp_path / "l.csv", ["new,1.0,,,", "New 2,2.0,,,http://x/results/new-2/out.json"])
    )
    assert find_row("new", rows)["win_rate"] == "1.0"
    assert find_row("new-2", rows)["win_rate"] == "2.0"
    with pytest.raises(ValueError, match="got 0 rows of model 'newest', wanted one"):
        find_row("newest", rows)
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="wanted a leaderboard of alpaca_eval"):
        read_leaderboard(tmp_path / "x.csv")


@pytest.mark.parametrize(
    "content", [b"name,win_rate\n\xff,1\n", b"name,win_rate\n" + b"x" * 200_000 + b",1\n"]
)
def test_a_leaderboard_that_cannot_be_read(tmp_path, content):
    (tmp_path / "x.csv").write_bytes(content)
    before = csv.field_size_limit(1 << 17)  # of the process, where an import of CSV raises it
    try:
        with pytest.raises(ValueError, match=r"x\.csv: is no CSV file in UTF-8 .*; wanted a leaderboard"):
            read_leaderboard(tmp_path / "x.csv")
    finally:
        csv.field_size_limit(before)


@pytest.mark.parametrize("printed", ["a lot", "nan", "1/0"])
def test_a_leaderboard_without_numbers(tmp_path, printed):
    found = win_rate(annotations(tmp_path / "a.json", [2, 1]))
    with pytest.raises(ValueError, match=f"leaderboard: win_rate of 'new' is '{printed}', wanted a number"):
        compare(found, {"win_rate": printed})


def test_the_command_fails_on_a_difference(tmp_path, capsys):
    path = annotations(tmp_path / "a.json", [2, 1, 1])
    alpacaeval_command(str(path), str(leaderboard(tmp_path / "l.csv", ["new,33.33333333333333,1,1,"])))
    assert "| new | n_wins | 1 | 1 | 0 | yes |" in capsys.readouterr().out
    with pytest.raises(
        MismatchError, match=r"2 numbers differ, the first is win_rate of new: got 33\.33.*says 34"
    ):
        alpacaeval_command([str(path)], str(leaderboard(tmp_path / "l.csv", ["new,34.0,1,2,"])))
    assert "| new | avg_length | 1 | 2 | 1 | NO |" in capsys.readouterr().out


@pytest.mark.real_data
@pytest.mark.parametrize("model", MODELS)
def test_real_annotations_give_the_published_numbers(model):
    """All columns of the published file that annotations determine: win_rate and avg_length.

    Its length_controlled_winrate needs a regression over all models.
    """
    found = win_rate(real_file("eval", "alpaca_eval", f"{model}.annotations.json.gz"))
    rows = read_leaderboard(real_file("eval", "alpaca_eval", "alpaca_eval_gpt4_leaderboard.csv"))
    row = find_row(model, rows)
    compared = compare(found, row)
    assert [column for column, *_ in compared] == ["win_rate", "avg_length"]
    assert all(one.same for one in compared)
    assert str(found.avg_length) == row["avg_length"]
    # Character by character. Two of the files were read and written by pandas once more.
    rewritten = model in ("alpaca-7b", "gpt4")
    assert compared[0].passes == int(rewritten)
    assert repr(reread(found.win_rate) if rewritten else found.win_rate) == row["win_rate"]
    assert repr(found.standard_error) == STANDARD_ERRORS[model]


@pytest.mark.real_data
@pytest.mark.parametrize("model", MODELS)
def test_the_winning_score_is_twice_the_win_rate(model):
    path = real_file("eval", "alpaca_eval", f"{model}.annotations.json.gz")
    _, _, found = read_annotations(path)
    tally = Tally.of([[one.outcome] for one in found], [one.dataset for one in found])
    rate = win_rate(path)
    assert tally.winning_score(draws=10).mean == pytest.approx(2 * rate.win_rate / 100, rel=1e-12)
    assert tally.counts() == {
        "won": rate.n_wins,
        "tied": rate.n_draws,
        "lost": rate.n_wins_base,
        "null": rate.n_null,
    }
    worst, best = tally.worst_lose_rate(), tally.best_win_rate()
    assert len(worst.categories) == len(best.categories) == 2  # of five data sets
    assert not set(worst.categories) & set(best.categories)
    assert worst.rate.mean > tally.lose_rate(draws=10).mean
    assert best.rate.mean > tally.win_rate(draws=10).mean


def test_exit_codes(tmp_path, capsys):
    path = str(annotations(tmp_path / "a.json", [2, 1, 1]))
    right = str(leaderboard(tmp_path / "right.csv", ["new,33.33333333333333,1,1,"]))
    wrong = str(leaderboard(tmp_path / "wrong.csv", ["new,33.3,1,1,"]))
    assert main(["evaluate", "alpacaeval", path, "--leaderboard", right]) == 0
    assert main(["evaluate", "alpacaeval", path, "--leaderboard", wrong]) == 0  # as far as it is printed
    gpt4 = str(annotations(tmp_path / "gpt4.json", [2] * 761 + [0] * 12 + [1] * 32))
    reread = str(leaderboard(tmp_path / "reread.csv", ["new,95.27950310559004,761,,"]))
    capsys.readouterr()
    assert main(["evaluate", "alpacaeval", gpt4, "--leaderboard", reread]) == 0
    assert "| yes, rewritten by pandas once |" in capsys.readouterr().out
    wrong = str(leaderboard(tmp_path / "wrong.csv", ["new,33.4,1,1,"]))
    assert main(["evaluate", "alpacaeval", path, "--leaderboard", wrong]) == 1
    assert "1 numbers differ, the first is win_rate of new" in capsys.readouterr().err
    assert main(["evaluate", "alpacaeval", str(tmp_path / "none.json")]) == 2
    assert main(["evaluate", "hh", path]) == 2
    assert "out: got none, wanted a directory" in capsys.readouterr().err
