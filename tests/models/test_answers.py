"""Answers on disk: whole lines, kept as they come, of use or not; what of an answer is read."""

import json

import pytest

from qdit.models.answers import (
    RatedAnswers,
    Useless,
    Written,
    WrittenAnswers,
    describe_useless,
    first_line,
    read_object,
    without_reasoning,
)
from qdit.models.client import Answer


def parse(text):
    return float(text) if text.isdigit() else None


def test_answers_are_kept(tmp_path):
    path = tmp_path / "a.jsonl"
    with RatedAnswers([path], parse) as answers:
        answers.add("k", Answer("4", "stop", 10, 2))
        answers.add("é", Answer("no\nnumber", "stop", 11, 3))
        assert ("k" in answers, "x" in answers) == (True, False)
    with RatedAnswers([path], parse) as answers:
        assert answers["k"] == (4.0, 10, 2, None, None)
        assert answers["é"] == (None, 11, 3, None, Useless("without a rating", "no\nnumber"))
    with RatedAnswers([path], parse, retry=True) as answers:
        assert ("k" in answers, "é" in answers) == (True, False)
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_line_cut_off_is_asked_for_again(tmp_path, cut):
    path = tmp_path / "a.jsonl"
    with RatedAnswers([path], parse) as answers:
        answers.add("a", Answer("1", "stop", 1, 1))
        answers.add("b", Answer("2", "stop", 1, 1))
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with RatedAnswers([path], parse) as answers:
        assert ("a" in answers, "b" in answers) == (True, False)
        answers.add("b", Answer("2", "stop", 1, 1))
    assert path.read_bytes() == whole


@pytest.mark.parametrize("line", ["{", "[]", "[" * 100_000, '{"key": "a"}', "\\xff"])
def test_damaged_answers(tmp_path, line):
    path = tmp_path / "a.jsonl"
    good = json.dumps({"key": "a", "answer": "1", "prompt_tokens": 1, "completion_tokens": 1})
    path.write_text(f"{good}\n{line}\n{good}\n")
    for paths in ([path], [tmp_path / "b.jsonl", path]):
        with pytest.raises(ValueError, match=r"a\.jsonl, line 2 is damaged"):
            RatedAnswers(paths, parse)


def test_only_answers_of_no_use_are_bound_to_their_limit(tmp_path):
    path, older = tmp_path / "a.jsonl", tmp_path / "old.jsonl"
    line = {"key": "old", "answer": "<think>", "prompt_tokens": 1, "completion_tokens": 64}
    older.write_text(json.dumps(line) + "\n")
    with RatedAnswers([path, older], parse, limit=64) as answers:
        answers.add("good", Answer("4", "length", 1, 64))
        answers.add("cut", Answer("<think>4", "length", 1, 64))
        assert answers["cut"].useless == Useless("cut off at 64 tokens", "<think>4")
        assert answers["old"].useless == Useless("cut off at 64 tokens", "<think>")  # by its tokens
    with RatedAnswers([path], parse, limit=512) as answers:
        assert ("good" in answers, "cut" in answers) == (True, False)
    with RatedAnswers([path], parse, limit=64) as answers:
        assert ("good" in answers, "cut" in answers) == (True, True)


def test_an_answer_that_was_cut_or_is_longer_than_the_limit_is_written_again(tmp_path):
    path = tmp_path / "a.partial"
    fields = Written("x", "length", 1, 9)._asdict() | {"key": "old"}
    fields.pop("limit")
    path.write_text(json.dumps(fields) + "\n")
    with WrittenAnswers(path, limit=9) as journal:
        journal.add("whole", Answer("x y", "stop", 1, 4))
        journal.add("cut", Answer("x y", "length", 1, 9))
        journal.add("unsaid", Answer("x y", None, 1, 9))
        finishes = [journal[key].finish for key in ("old", "whole", "cut", "unsaid")]
        assert finishes == ["length", "stop", "length", "length"]
    for limit, there in ((9, 4), (20, 2), (3, 1)):  # a line of an earlier version was found by its limit
        with WrittenAnswers(path, limit=limit) as journal:
            assert sum(key in journal for key in ("old", "whole", "cut", "unsaid")) == there


@pytest.mark.parametrize(
    ("answer", "rest"),
    [
        ("4", "4"),
        ("    return 1\n", "    return 1\n"),
        ("<think>Maybe 2?</think>\n\n4", "4"),
        ("\n<thinking>\n2</thinking>    x = 1", "    x = 1"),
        ("[THINK]2[/THINK]4", "4"),
        ("Maybe\n2\n</think>\n4", "4"),
        ("2</think>", ""),
        ("<think>\n4", ""),
        ("<think></think>", ""),
        ("4\nIt writes <think> and </think>.", "4\nIt writes <think> and </think>."),
    ],
)
def test_reasoning_is_no_part_of_an_answer(answer, rest):
    assert without_reasoning(answer) == rest


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (" \n 4 \nBecause.", "4"),
        ("Score:\n\n4\nBecause.", "Score: 4"),
        ("## Rating\n4", "## Rating 4"),
        ("# 4\nBecause", "# 4"),
        ("Score:", "Score:"),
        ("<think>4", ""),
        ("", ""),
    ],
)
def test_first_lines(answer, line):
    assert first_line(answer) == line


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        ('{"overall_score": 4, "why": "x"}', ["overall score: 4", "why: x"]),
        ('<think>{}</think>\n```json\n{"score": "4"}\n```', ["score: 4"]),
        ('{"score": 4, "why": "cut', []),
        ("[4]", []),
        ("{" * 100_000, []),
        ("4", []),
    ],
)
def test_objects(answer, lines):
    assert read_object(answer) == lines


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer("", "stop", 1, 0), "without text"),
        (Answer("<think>4", "stop", 1, 2), "of reasoning alone"),
        (Answer("<think>4", "length", 1, 9), "cut off at 9 tokens"),
        (Answer("", "content_filter", 1, 0), "stopped by the endpoint's content filter"),
        (Answer("word", "stop", 1, 2), None),
        (Answer("<think>4</think>word", "length", 1, 9), None),
    ],
)
def test_why_an_answer_is_of_no_use(tmp_path, answer, why):
    with WrittenAnswers(tmp_path / "a", limit=9) as journal:
        journal.add("k", answer)
        assert journal["k"].useless == (why and Useless(why, answer.text))
        assert journal["k"].output == ("word" if why is None else answer.text)


def test_useless_answers_in_words():
    long = Useless("cut off", "a  b" + "c" * 99)
    found = [long, Useless("without text", ""), Useless("cut off", "d")]
    assert describe_useless(found) == f"2 answers cut off and 1 without text, such as 'a b{'c' * 74}...'"
    assert describe_useless(found[1:2]) == "1 answers without text"
