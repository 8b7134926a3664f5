"""What a judge is asked, how its answers are read, how they are kept, and that keys stay hidden."""

import json

import pytest

from helpers.scoring_pools import KEY, KEY_ENV
from qdit.models.options import JudgeEndpoint
from qdit.models.prompts import make_template
from qdit.records import Row
from qdit.records.templates import user_text
from qdit.scoring.judge import Judge
from qdit.scoring.reward import human_assistant
from qdit.scoring.rubrics import alpagasus, deita

ROW = Row(0, "0", "s", "Add {a}.", "1, 2", "3", (("user", "Add {a}.\n\n1, 2"), ("assistant", "3")))
CHAT = Row(1, "1", "s", "Hi", "", "Hello", (("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello")))


@pytest.mark.parametrize(
    ("answer", "want"),
    [
        ("4.5\nThe response is accurate.", 4.5),
        ("\n 5 \n", 5.0),
        ("0", 0.0),
        ("Score: 4", 4.0),
        ("**Rating: 3.5**", 3.5),
        ("The accuracy is 4.", 4.0),
        ("4/5", 4.0),
        ("<think>Maybe 2?\nNo.</think>\n\n4", 4.0),
        ("Score:\n4\nBecause.", 4.0),
        ("**Score**\n\n**4.5**", 4.5),
        ("[[4]]", 4.0),
        ("```\n4\n```", 4.0),
        ('{"score": 4, "explanation": "5 of 5"}', 4.0),
        ('```json\n{"overall_rating": "4/5"}\n```', 4.0),
        ('{"quality": 4, "accuracy": 5}', None),
        ('{"confidence": 4}', None),
        ('{"score": 4, "expl', None),
        ("<think>\n4", None),
        ("4\n</think>", None),
        ("3?\n</think>\n\n4", 4.0),
        ("4/10", None),
        ("5.5", None),
        ("-1", None),
        ("4 5", None),
        ("4-5", None),
        ("I would say 4, out of 5.", None),
        ("Because it is right.\n4", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_ratings(answer, want):
    assert alpagasus().parse(answer) == want


def test_scale_of_deita():
    rubric = deita("quality")
    assert [rubric.parse(text) for text in ("0", "1", "6", "6/6", "5/5", "7")] == [None, 1, 6, 6, None, None]


def test_alpagasus_asks_as_the_paper_does():
    system, user = alpagasus("helpfulness").messages(ROW)
    assert system["role"] == "system"
    assert system["content"].startswith("We would like to request your feedback on the performance of AI ")
    assert system["content"].endswith("Instruction: Add {a}.\nInput: 1, 2\nResponse: 3")
    assert user["content"].count("the helpfulness") == 2
    assert "accuracy" not in user["content"]


def test_complexity_does_not_see_the_response():
    assert deita("complexity").messages(CHAT)[1]["content"] == "### Instruction\nHi"
    assert deita("quality").messages(ROW)[1]["content"].endswith("### Input\n1, 2\n\n### Response\n3")


def test_texts():
    assert human_assistant(ROW) == "###Human: Add {a}.\n\n1, 2 ###Assistant: 3"
    assert human_assistant(CHAT) == "Be brief. ###Human: Hi ###Assistant: Hello"
    assert (user_text(ROW), user_text(CHAT)) == ("Add {a}.\n\n1, 2", "Hi")
    assert make_template("t", "{{Q}} {prompt} {output}", ())(ROW) == "{Q} Add {a}.\n\n1, 2 3"


@pytest.mark.parametrize(
    "template", ["no field", "{id}", "{output.__class__}", "{output!r}", "{output", "{}", 5, None]
)
def test_wrong_templates(template):
    with pytest.raises(ValueError, match=r"reward_template: .* wanted 'chat' or a format string"):
        make_template("reward_template", template, ("chat",))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"concurrency": 0}, "concurrency: got 0, wanted at least 1"),
        ({"retries": -1}, "retries: got -1"),
        ({"timeout": 0.0}, "timeout: got 0.0"),
        ({"judge_params": {"stream": True}}, "'stream' cannot be set"),
        ({"judge_params": ["max_tokens"]}, "judge_params: wanted fields of a request as JSON.*got list"),
        ({"judge_params": {"seed": {1}}}, "judge_params: wanted fields of a request as JSON.*set"),
        ({"judge_params": {"max_tokens": "many"}}, "judge_params: max_tokens is 'many', wanted a whole"),
        ({"judge_params": {"max_completion_tokens": 0}}, "max_completion_tokens is 0, wanted a whole"),
        ({"judge_params": {"extra_body": [1]}}, "judge_params: extra_body is no object"),
        ({"base_url": "nowhere"}, "base_url: got 'nowhere'"),
        ({"key_env": "sk-123"}, "key_env: wanted the name"),
        ({"key_env": None}, "key_env: wanted the name"),
        ({"base_url": 5}, "base_url: got 5"),
        ({"base_url": None}, "base_url: got none, wanted the URL"),
        ({"judge_model": 5}, "judge_model: got 5, wanted the name"),
        ({"judge_model": ""}, "judge_model: got none, wanted the name"),
        ({"price_in": -1.0}, "price_in: got -1.0, wanted 0 or more"),
    ],
)
def test_wrong_endpoints(options, error):
    with pytest.raises(ValueError, match=error):
        Judge(alpagasus(), JudgeEndpoint(**{"judge_model": "m"} | options))


@pytest.mark.parametrize(
    "params",
    [
        {"extra_headers": {"Authorization": "Bearer sk-not-in-the-environment"}},
        {"extra_query": {"key": "sk-not-in-the-environment"}},
        {"api_key": "sk-not-in-the-environment"},
        {"extra_body": {"user": [f"me/{KEY}"]}},
    ],
)
def test_keys_do_not_stand_in_parameters(params, monkeypatch):
    """They would be written into the manifest."""
    monkeypatch.setenv(KEY_ENV, KEY)
    with pytest.raises(ValueError, match=r"judge_params: .* cannot stand there.*key_env names") as caught:
        Judge(alpagasus(), JudgeEndpoint(judge_model="m", key_env=KEY_ENV, judge_params=params))
    assert KEY not in str(caught.value)
    assert "sk-not" not in str(caught.value)


def test_identity_follows_the_question_and_the_parameters():
    def identity(rubric, **options):
        return json.dumps(Judge(rubric, JudgeEndpoint(judge_model="m", **options)).identity())

    base = identity(alpagasus())
    assert base == identity(alpagasus(), concurrency=3, base_url="http://localhost:1/v1", key_env="X")
    assert base != identity(alpagasus("helpfulness"))
    assert base != identity(alpagasus(), judge_params={"max_tokens": 1})
    assert "temperature" not in identity(alpagasus(), judge_params={"temperature": None})
