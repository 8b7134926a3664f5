"""Scores that need no model: columns, lengths, combinations, missing scores, files, the command."""

import inspect
import json
import sys
from dataclasses import asdict

import numpy as np
import pytest
from jsonargparse import ArgumentParser, auto_cli

from helpers.scoring_pools import alpaca_rows, make_pool
from qdit.cli import score as command
from qdit.cli.score import score_command
from qdit.common.files import sha256_file
from qdit.common.lock import LOCK, Lock
from qdit.records.pool import Pool, attach
from qdit.scoring import MissingScoresError, job, prepare, score
from qdit.scoring.combine import combine, fill
from qdit.scoring.options import ScoreOptions
from qdit.scoring.scorer import Scored

NAN = float("nan")


@pytest.fixture
def pool(tmp_path):
    return make_pool(tmp_path, 12)


def scored(*values):
    return Scored(np.array(values, np.float64))


def test_lengths(pool):
    outputs = [row["output"] for row in alpaca_rows(12)]
    assert score(pool, "response-words").quality.tolist() == [len(text.split()) for text in outputs]
    assert score(pool, "response-chars", overwrite=True).quality.tolist() == [len(text) for text in outputs]
    manifest = json.loads((pool / "quality.json").read_text())
    assert manifest["scorers"] == [{"by": "response-chars", "kind": "heuristic"}]


def test_files(pool):
    made = score(pool, "response-words")
    saved = np.load(pool / "quality.npy")
    manifest = json.loads((pool / "quality.json").read_text())
    assert saved.dtype == np.float64
    assert saved.tobytes() == made.quality.tobytes()
    assert manifest == made.manifest
    assert manifest["records"] == {
        "n": 12,
        "sha256": json.loads((pool / "records.json").read_text())["sha256"],
    }
    assert manifest["files"]["quality.npy"]["sha256"] == sha256_file(pool / "quality.npy")
    assert manifest["filled"] == {"policy": "error", "rows": 0, "filled": 0, "value": None}
    assert manifest["seconds"] > 0
    assert set(manifest["versions"]) == {"qdit", "numpy"}
    assert not list(pool.glob("**/*.tmp"))


def test_column_with_nulls(pool):
    want = [row["score"] for row in alpaca_rows(12)]
    with pytest.raises(
        MissingScoresError, match=r"2 of 12 rows .*rows 3, 10\).*missing='lowest' or 'median'"
    ):
        score(pool, "column", column="score")
    assert not (pool / "quality.npy").exists()
    lowest = score(pool, "column", column="score", missing="lowest")
    assert lowest.quality.tolist() == [-1.0 if value is None else value for value in want]
    assert lowest.manifest["filled"] == {"policy": "lowest", "rows": 2, "filled": 2, "value": -1.0}
    median = float(np.median([value for value in want if value is not None]))
    found = score(pool, "column", column="score", missing="median", overwrite=True).quality
    assert found.tolist() == [median if value is None else value for value in want]


@pytest.mark.parametrize(
    ("value", "want"),
    [("4.5", 4.5), ("", None), ("nan", None), (7, 7.0), (True, ""), ("high", ""), ([1], "")],
)
def test_column_values(tmp_path, value, want):
    rows = [row | {"score": 1} for row in alpaca_rows(3)]
    rows[1]["score"] = value
    pool = make_pool(tmp_path, rows)
    if want == "":
        with pytest.raises(ValueError, match=r"row 1 has .* in 'score', wanted a finite number"):
            score(pool, "column", column="score", missing="lowest")
    else:
        found = score(pool, "column", column="score", missing="lowest")
        assert found.quality[1] == (1 if want is None else want)
        assert found.manifest["results"][0]["null"] == (want is None)


def test_column_that_is_not_there(pool):
    with pytest.raises(ValueError, match="row 0 has no column 'stars', it has 'instruction'"):
        score(pool, "column", column="stars")
    with pytest.raises(ValueError, match="wanted the name of a numeric column"):
        score(pool, "column")


def test_several_scorers(pool):
    words, chars = (score(pool, by, overwrite=True).quality for by in ("response-words", "response-chars"))
    both = score(pool, "response-words,response-chars", overwrite=True)
    assert both.quality.tolist() == (words * chars).tolist()
    assert both.manifest["combine"] == "product"
    mean = score(pool, ["response-words", "response-chars"], combine="mean", overwrite=True).quality
    assert mean.tolist() == ((words + chars) / 2).tolist()


def test_product_of_negatives_is_refused():
    with pytest.raises(ValueError, match=r"b is negative \(-1.0 of row 1\).*combine='mean'"):
        combine({"a": scored(1, 2), "b": scored(NAN, -1)}, "product")
    assert combine({"b": scored(1, -1)}, "product").tolist() == [1, -1]


def test_a_row_needs_all_scores():
    values = combine({"a": scored(1, NAN, 3), "b": scored(2, 2, 2)}, "product")
    assert fill(values, "lowest", {})[0].tolist() == [2, 2, 6]


def test_nothing_to_fill_with():
    with pytest.raises(MissingScoresError, match=r"2 of 2 rows have no score.*use another scorer"):
        fill(np.full(2, NAN), "median", {"a": scored(NAN, NAN)})


@pytest.mark.parametrize(
    ("by", "error"),
    [
        ("lenght", "by: got 'lenght', wanted one of"),
        ("alpagasus,alpagasus", "'alpagasus' twice"),
        ("deita,deita-quality", "'deita-quality' twice"),
        ([], "got no scorer"),
        ("alpagasus", "judge_model: got none"),
        ([3], "by: got 3"),
        (3, "by: got 3, wanted one or more of"),
        (None, "by: got None"),
    ],
)
def test_wrong_by(pool, by, error):
    with pytest.raises(ValueError, match=error):
        score(pool, by)


def test_deita_is_two():
    assert job.parse_by("deita, column") == ["deita-complexity", "deita-quality", "column"]


def test_wrong_dimension(pool):
    with pytest.raises(ValueError, match="dimension: got ' ', wanted what to rate"):
        score(pool, "alpagasus", judge_model="m", dimension=" ")


@pytest.mark.parametrize("option", ["missing", "combine"])
def test_wrong_choice(pool, option):
    with pytest.raises(ValueError, match=f"{option}: got 'drop'"):
        score(pool, "response-words", **{option: "drop"})


def test_other_scores_are_not_replaced_by_accident(pool):
    first = score(pool, "response-words")
    with pytest.raises(
        ValueError, match=r"otherwise: scorers\[0\]\.by is .* was 'response-words'; .*--overwrite"
    ):
        score(pool, "response-chars")
    before = (pool / "quality.json").stat().st_mtime_ns
    again = score(pool, "response-words")
    assert again.quality.tolist() == first.quality.tolist()
    assert (pool / "quality.json").stat().st_mtime_ns == before


def test_changed_records_are_scored_again(tmp_path):
    pool = make_pool(tmp_path, 5)
    score(pool, "response-words")
    (tmp_path / "new").mkdir()
    other = make_pool(tmp_path / "new", 6)
    for path in other.iterdir():
        path.replace(pool / path.name)
    with pytest.raises(ValueError, match=r"was made otherwise: records\.n is 6 now and was 5"):
        score(pool, "response-words")
    assert len(score(pool, "response-words", overwrite=True).quality) == 6


def test_scores_put_there_by_hand(pool):
    np.save(pool / "quality.npy", np.zeros(12))
    with pytest.raises(ValueError, match=r"was not made by score; pass .*--overwrite"):
        score(pool, "response-words")
    attach(pool, quality=pool / "quality.npy", overwrite=True).records.close()
    with pytest.raises(ValueError, match="was 'attached file'"):
        score(pool, "response-words")
    assert score(pool, "response-words", overwrite=True).quality.min() > 0


@pytest.mark.parametrize("name", ["write_npy", "write_json", "_listed"])
def test_killed_while_writing(pool, monkeypatch, name):
    first = score(pool, "response-chars").quality
    with monkeypatch.context() as patch:
        patch.setattr(job.files, name, lambda *_: 1 / 0)  # as a kill at that point
        with pytest.raises(ZeroDivisionError):
            score(pool, "response-words", overwrite=True)
    replacing = name == "_listed"  # the old scores are on their way out
    assert (pool / "quality.json").exists() != replacing
    if not replacing:
        assert score(pool, "response-chars").quality.tolist() == first.tolist()
    again = score(pool, "response-words", overwrite=not replacing)
    assert again.quality.tolist() != first.tolist()
    assert not (pool / "scoring" / "writing").exists()


def test_an_opened_pool(pool):
    made = score(pool, "response-words")
    opened = Pool.open(pool)
    with opened.records:
        opened.check()
        assert opened.quality.tolist() == made.quality.tolist()
        assert score(opened, "response-words").manifest == made.manifest


def test_damaged_scores_are_not_reused(pool):
    score(pool, "response-words")
    np.save(pool / "quality.npy", np.zeros(12))
    with pytest.raises(ValueError, match=r"damaged or changed: .*; delete it$"):
        score(pool, "response-words", overwrite=True)
    (pool / "quality.npy").unlink()
    assert score(pool, "response-words").quality.all()
    manifest = json.loads((pool / "quality.json").read_text())
    (pool / "quality.json").write_text(json.dumps({**manifest, "files": {}}))
    with pytest.raises(ValueError, match=r"quality\.json is damaged: it has no 'quality\.npy'; delete it"):
        score(pool, "response-words")


def test_one_run_at_a_time(pool):
    with (
        Lock(pool / "scoring" / LOCK, "scoring"),
        pytest.raises(RuntimeError, match="another run is scoring"),
    ):
        score(pool, "response-words")


def test_no_pool(tmp_path):
    with pytest.raises(FileNotFoundError):
        score(tmp_path / "nothing", "response-words")


def test_progress(pool):
    seen = []
    score(pool, "response-words", progress=seen.append)
    assert (seen[-1].phase, seen[-1].rows, seen[-1].total) == ("done", 12, 12)


def test_command(pool, capsys):
    score_command(
        str(pool), "column,response-words", column="score", missing="lowest", combine="mean", progress=False
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "column            column, 10 rows, -1 to 1.75, mean 0.325"
    assert lines[1].startswith("response-words    heuristic, 12 rows, 3 to 18, mean ")
    assert lines[2] == "filled            2 rows without a score get the lowest, 1"
    assert lines[-1] == f"saved             {pool / 'quality.npy'}"


def test_dry_run_writes_nothing(pool, capsys):
    before = sorted(path.name for path in pool.iterdir())
    score_command(str(pool), "response-words", dry_run=True)
    assert capsys.readouterr().out == "response-words    12 of 12 rows to score\n"
    assert sorted(path.name for path in pool.iterdir()) == before


def test_prepare_and_score_take_the_same_options():
    parser = ArgumentParser()
    parser.add_function_arguments(score_command)
    command = set(vars(parser.get_defaults())) - {"progress", "dry_run", "overwrite"}
    assert command == {"pool", "by", *ScoreOptions.names()}
    assert set(inspect.signature(prepare).parameters) == {"pool", "by", "options"}
    with pytest.raises(TypeError, match=r"score: got option 'judge', wanted one of .*judge_model"):
        score("pool", judge="m")


@pytest.mark.parametrize(
    ("by", "module", "extra"),
    [("reward", "torch", "score"), ("lm-loss", "transformers", "score"), ("deita", "openai", "judge")],
)
def test_missing_packages_are_named(pool, monkeypatch, by, module, extra):
    if module == "transformers":
        pytest.importorskip("torch", reason="torch is asked for first")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"{module} is needed .*: pip install 'qdit\[{extra}\]'"):
        score(pool, by, judge_model="m", lm_model="m", base_url="http://127.0.0.1:1/v1")


def test_options_of_the_command_line(pool, capsys, monkeypatch):
    seen = {}

    class Job:
        directory = pool
        __enter__ = lambda self: self  # noqa: E731
        __exit__ = lambda self, *_: None  # noqa: E731
        estimate = lambda self: []  # noqa: E731

    def prepared(pool, by, options):
        seen.update(asdict(options), args=(pool, by))
        return Job()

    monkeypatch.setattr(command, "ScoreJob", prepared)
    words = ["score", str(pool), "--by=alpagasus,column", '--judge_params={"max_tokens": 16, "seed": null}']
    auto_cli({"score": score_command}, args=[*words, "--price_in=2.5", "--max_length=64", "--dry_run=true"])
    assert seen["args"] == (str(pool), "alpagasus,column")
    assert seen["judge_params"] == {"max_tokens": 16, "seed": None}
    assert (seen["price_in"], seen["max_length"], seen["lm_model"]) == (2.5, 64, None)
    auto_cli({"score": score_command}, args=["score", str(pool), '--by=["column"]', "--dry_run=true"])
    assert seen["args"] == (str(pool), ["column"])
    capsys.readouterr()
