"""Text made of rows: for embeddings and for prompts."""

import pytest

from qdit.records import Row
from qdit.records.templates import alpaca_prompt, make_template, user_text

PLAIN = Row(0, "a", "s", "Say {hi}.", " ", "hi", ())
WITH = Row(1, "b", "s", "Add.", "1 2", "3", ())


@pytest.mark.parametrize(
    ("template", "plain", "with_input"),
    [
        ("instruction", "Say {hi}.", "Add."),
        ("with_input", "Say {hi}.", "Add.\n1 2"),
        ("{instruction}\n{input}", "Say {hi}.\n ", "Add.\n1 2"),
        ("Q: {instruction} A: {output} {{x}}", "Q: Say {hi}. A: hi {x}", "Q: Add. A: 3 {x}"),
    ],
)
def test_templates(template, plain, with_input):
    assert make_template(template)(PLAIN) == plain
    assert make_template(template)(WITH) == with_input


@pytest.mark.parametrize(
    "template",
    [
        *("", "text", "Instruction", "{question}", "{}", "{0}", "{instruction", "instruction}"),
        *("{instruction.__class__}", "{instruction[0]}", "{instruction!r}", "{instruction:>9}"),
    ],
)
def test_other_templates_are_refused(template):
    with pytest.raises(ValueError, match=r"^template: "):
        make_template(template)


def test_prompts_of_stanford_alpaca():
    assert alpaca_prompt(PLAIN) == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the "
        "request.\n\n### Instruction:\nSay {hi}.\n\n### Response:"
    )
    assert alpaca_prompt(WITH) == (
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        "Write a response that appropriately completes the request.\n\n### Instruction:\nAdd.\n\n### Input:\n"
        "1 2\n\n### Response:"
    )


def test_the_turn_of_the_user():
    assert (user_text(PLAIN), user_text(WITH)) == ("Say {hi}.", "Add.\n\n1 2")
