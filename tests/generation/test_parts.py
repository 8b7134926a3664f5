"""Draws, stops, prompts and the journal: what needs no model."""

import json
from collections import Counter

import numpy as np
import pytest

from qdit.evaluation.sets import Questions
from qdit.generation import generate
from qdit.generation.options import GenerateOptions
from qdit.generation.questions import Question, draw_key, hash_questions
from qdit.generation.sampling import cut, uniform
from qdit.models.answers import Written, WrittenAnswers
from qdit.models.client import Answer

QUESTIONS = [
    Question("s", "1", "What is rust?", "facts", 3, "Iron oxide."),
    Question("s", "2", "Größe?"),
]


def test_the_hash_of_questions_is_that_of_the_evaluation():
    assert Questions(QUESTIONS).sha256 == hash_questions(QUESTIONS)
    assert hash_questions(QUESTIONS[::-1]) != hash_questions(QUESTIONS)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens: got 0, wanted at least 1"),
        ({"temperature": -1}, "temperature: got -1"),
        ({"top_p": 0}, "top_p: got 0, wanted a number above 0"),
        ({"top_p": 1.5}, "top_p: got 1.5"),
        ({"stop": ("",)}, "stop: got"),
        ({"stop": 5}, "stop: got 5, wanted text"),
        ({"template": 5}, "template: got 5, wanted"),
        ({"seed": -1}, "seed: got -1"),
        ({"template": "x"}, "template: got 'x'"),
    ],
)
def test_wrong_options(options, error):
    with pytest.raises(ValueError, match=error):
        GenerateOptions(**({"model": "m", "template": "alpaca"} | options))


@pytest.mark.parametrize("questions", [[{"instruction": "What is rust?"}], "What is rust?"])
def test_questions_of_another_type(tmp_path, questions):
    with pytest.raises(TypeError, match=r"questions: got one of type \w+, wanted each as .*Question\("):
        generate(questions, tmp_path / "a.jsonl", model="none")


def test_without_draws_the_seed_does_not_count():
    greedy = [GenerateOptions(model="m", **options) for options in ({"seed": 1}, {"seed": 2, "top_p": 0.5})]
    assert greedy[0].deciding() == greedy[1].deciding()
    drawn = [GenerateOptions(model="m", temperature=0.7, seed=seed) for seed in (1, 2)]
    assert drawn[0].deciding() != drawn[1].deciding()
    keys = {draw_key(options.seed, question) for options in drawn for question in QUESTIONS}
    assert len(keys) == 4


def test_numbers_are_uniform_and_depend_on_key_and_step_alone():
    key = draw_key(0, QUESTIONS[0])
    numbers = np.array([uniform(key, step) for step in range(4000)])
    assert uniform(key, 7) == numbers[7]
    assert 0 <= numbers.min() < numbers.max() < 1
    counts = np.histogram(numbers, 10, (0, 1))[0]
    assert abs(counts - 400).max() < 5 * np.sqrt(400)
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.08


def test_draws_have_the_probabilities_of_the_model():
    torch = pytest.importorskip("torch", reason="needs torch: pip install 'qdit[train]'")
    from qdit.generation.sampling import draw

    scores = torch.log(torch.tensor([0.5, 0.0, 0.2, 0.3]))
    numbers = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    rows = scores.repeat(1000, 1)
    assert Counter(draw(rows, numbers, 1.0, 1.0).tolist()) == {0: 500, 2: 200, 3: 300}
    # temperature 0.5 squares them: 25, 4 and 9 of 38
    found = Counter(draw(rows, numbers, 0.5, 1.0).tolist())
    assert [found[i] / 1000 for i in range(4)] == pytest.approx([25 / 38, 0, 4 / 38, 9 / 38], abs=0.002)
    # 0.5 alone is less than 0.6, so 0.3 comes along: 5 to 3
    assert Counter(draw(rows, numbers, 1.0, 0.6).tolist()) == {0: 625, 3: 375}
    assert set(draw(rows, numbers, 1.0, 0.4).tolist()) == {0}
    ends = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    assert draw(rows[:2], ends, 1.0, 1.0).tolist() == [0, 3]


def test_answers_end_before_the_first_stop():
    assert cut("one two three", ("three", "two")) == ("one ", True)
    assert cut("one two three", ("four",)) == ("one two three", False)
    assert cut("one", ()) == ("one", False)
    assert cut("###", ("###",)) == ("", True)


def test_the_journal_keeps_whole_lines(tmp_path):
    path = tmp_path / "answers.jsonl.partial"
    with WrittenAnswers(path, limit=5) as journal:
        journal.add("a", Answer("text é\n", "stop", 3, 4))
        journal.add("b", Answer("cut", "length", 3, 5))
        journal.extend([("c", Written("x", "stop", 1, 2)), ("d", Written("y", "length", 1, 2, 5))])
        with pytest.raises(RuntimeError, match="another run is writing these answers"):
            WrittenAnswers(path)
    whole = path.read_bytes()
    with path.open("ab") as file:
        file.write(b'{"key": "e", "outp')
    with WrittenAnswers(path, limit=5) as journal:
        assert [journal[key].finish for key in "abcd"] == ["stop", "length", "stop", "length"]
        assert journal["a"] == Written("text é\n", "stop", 3, 4, 5)
        assert "e" not in journal
    assert path.read_bytes() == whole
    path.write_bytes(whole.replace(b'"output"', b'"text"', 1))
    with pytest.raises(ValueError, match=r"partial, line 1 is damaged .*; delete that line"):
        WrittenAnswers(path)
    with path.open("w") as file:
        file.write(json.dumps(["no object"]) + "\n")
    with pytest.raises(ValueError, match="line 1 is damaged"):
        WrittenAnswers(path)
