"""Answers on disk: whole lines, kept as they come."""

import json

import pytest

from qdit.models.answers import RatedAnswers


def parse(text):
    return float(text) if text.isdigit() else None


def test_answers_are_kept(tmp_path):
    path = tmp_path / "a.jsonl"
    with RatedAnswers(path, parse) as answers:
        answers.add("k", "4", 10, 2)
        answers.add("é", "no\nnumber", 11, 3)
        assert ("k" in answers, "x" in answers) == (True, False)
    with RatedAnswers(path, parse) as answers:
        assert answers["k"] == (4.0, 10, 2)
        assert answers["é"] == (None, 11, 3)
    with RatedAnswers(path, parse, retry=True) as answers:
        assert ("k" in answers, "é" in answers) == (True, False)
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_line_cut_off_is_asked_for_again(tmp_path, cut):
    path = tmp_path / "a.jsonl"
    with RatedAnswers(path, parse) as answers:
        answers.add("a", "1", 1, 1)
        answers.add("b", "2", 1, 1)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with RatedAnswers(path, parse) as answers:
        assert ("a" in answers, "b" in answers) == (True, False)
        answers.add("b", "2", 1, 1)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("line", ["{", "[]", '{"key": "a"}', "\\xff"])
def test_damaged_answers(tmp_path, line):
    path = tmp_path / "a.jsonl"
    good = json.dumps({"key": "a", "answer": "1", "prompt_tokens": 1, "completion_tokens": 1})
    path.write_text(f"{good}\n{line}\n{good}\n")
    with pytest.raises(ValueError, match=r"a\.jsonl, line 2 is damaged"):
        RatedAnswers(path, parse)
