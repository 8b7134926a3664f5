"""What a judge is asked and how its replies are read; files of answers, and those of two models in pairs."""

import pytest

from helpers.evaluation_files import answer_row, question, write_answers, write_jsonl
from qdit.evaluation.answers import open_all, open_answers, pair, read_answers, references
from qdit.evaluation.judge.prompts import FIRST, SECOND, TIE, get_prompt, parse_better, parse_scores


@pytest.mark.parametrize(
    ("reply", "want"),
    [
        ("8 7\nThe first is better.", FIRST),
        ("7 8", SECOND),
        ("7.5 7.5", TIE),
        ("10, 9", FIRST),
        ("8/10 9/10", SECOND),
        ("**8 7**", FIRST),
        ("Assistant 1: 6, Assistant 2: 7", SECOND),
        ("Scores: 6 7", SECOND),
        ("<think>8 1?</think>\n5 6", SECOND),
        ("\n 9 and 8.", FIRST),
        ("9, and 8.", FIRST),
        ("11 5", None),
        ("0 5", None),
        ("5", None),
        ("5 6 7", None),
        ("Both are good.\n8 7", None),
        ("-5 6", None),
        ("", None),
    ],
)
def test_scores(reply, want):
    assert parse_scores(reply) == want


@pytest.mark.parametrize(
    ("reply", "want"),
    [
        ("1", FIRST),
        ("2\nIt is clearer.", SECOND),
        ("Tie.", TIE),
        ("[[2]]", SECOND),
        ("**Assistant 1**", FIRST),
        ("answer 2", SECOND),
        ("3", None),
        ("12", None),
        ("1 or 2", None),
        ("Neither", None),
        ("", None),
    ],
)
def test_better(reply, want):
    assert parse_better(reply) == want


def test_prompts_hold_both_answers_in_order():
    for name in ("scores", "better"):
        prompt = get_prompt(name)
        system, user = prompt.messages("Why {x}?", "Because {a}.", "Since {b}.")
        text = user["content"]
        assert (system["role"], user["role"]) == ("system", "user")
        assert text.index("Why {x}?") < text.index("Because {a}.") < text.index("Since {b}.")
    assert (
        "only two values indicating the scores for Assistant 1 and 2, respectively"
        in (get_prompt("scores").messages("", "", "")[1]["content"])
    )
    with pytest.raises(ValueError, match=r"prompt: got 'score', wanted one of .* did you mean 'scores'"):
        get_prompt("score")


def test_answers_are_read(tmp_path):
    path = write_answers(tmp_path / "a.jsonl.gz", "m", 3)
    found = read_answers(path)
    assert (found.model, len(found)) == ("m", 3)
    assert found.answers[1].question == question(1)
    assert [row.output for row in found.rows(1)] == [one.output for one in found.answers[1:]]
    (row,) = found.rows(2, 9)
    assert row.turns == (("user", question(2).instruction), ("assistant", found.answers[2].output))
    assert open_answers(f"other={path}").model == "other"
    again = read_answers(write_answers(tmp_path / "b.jsonl", "m", 3))
    assert found.sha256 == again.sha256
    assert found.sha256 != read_answers(write_answers(tmp_path / "c.jsonl", "n", 3)).sha256
    odd = write_answers(tmp_path / "a=b.jsonl", "m", 3)
    assert open_answers(str(odd)).model == "m"


def test_outputs_of_alpaca_eval_are_read(tmp_path):
    rows = [{"instruction": "Go.", "output": "Gone.", "generator": "g", "dataset": "koala"}]
    (answer,) = read_answers(write_jsonl(tmp_path / "a.json", rows)).answers
    asked = answer.question
    assert (asked.set, asked.id, asked.category) == ("alpaca-eval", "0", "koala")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"output": None}, "field 'output' is null, wanted text"),
        ({"difficulty": "x"}, "field 'difficulty' is no integer"),
        ({"id": "q0"}, "question 'q0' of set 's' is answered in row 0 already"),
    ],
)
def test_bad_answers(tmp_path, change, message):
    rows = [answer_row(question(i), "m", "x") for i in range(2)]
    path = write_jsonl(tmp_path / "a.jsonl", [rows[0], rows[1] | change])
    with pytest.raises(ValueError, match=rf"a\.jsonl, row 1.*: {message}"):
        read_answers(path)


def test_answers_that_do_not_match(tmp_path):
    a = read_answers(write_answers(tmp_path / "a.jsonl", "a", 3))
    b = read_answers(write_answers(tmp_path / "b.jsonl", "b", 2))
    assert len(pair(b, a)) == 2
    with pytest.raises(
        ValueError, match="b has no answer to 1 of 3 questions of a, the first is 'q2' of set 's'"
    ):
        pair(a, b)
    rows = [answer_row(question(0), "c", "x") | {"instruction": "Else?"}]
    c = read_answers(write_jsonl(tmp_path / "c.jsonl", rows))
    with pytest.raises(ValueError, match="c and a were asked different things as question 'q0'"):
        pair(c, a)
    rows = [answer_row(question(i), f"m{i}", "x") for i in range(2)]
    with pytest.raises(ValueError, match="holds answers of 2 models, 'm0' and 'm1'; wanted a file for each"):
        read_answers(write_jsonl(tmp_path / "d.jsonl", rows))
    with pytest.raises(ValueError, match="are both of model 'a'; tell them apart with NAME=FILE"):
        open_all([str(tmp_path / "a.jsonl")] * 2)
    with pytest.raises(FileNotFoundError, match="answers: no such file: nowhere"):
        open_answers("nowhere")
    with pytest.raises(FileNotFoundError, match=f"answers: got '{tmp_path}', a folder, wanted a file"):
        open_answers(str(tmp_path))
    for given in ("=x", "", "x=", "="):
        with pytest.raises(ValueError, match=f"answers: got '{given}', wanted FILE or NAME=FILE"):
            open_answers(given)
    without = read_answers(write_answers(tmp_path / "e.jsonl", "e", 2, reference=False))
    with pytest.raises(ValueError, match="2 of 2 questions have no reference, the first is 'q0'"):
        references(without)
    assert [one.output for one in references(a).answers] == [one.question.reference for one in a.answers]
