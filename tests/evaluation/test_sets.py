"""Evaluation sets: one small file of each schema, what is wrong with bad ones, draws, and the real files."""

import gzip
import json
from dataclasses import replace

import pytest

from helpers.evaluation_files import real_file, write_jsonl
from qdit.evaluation.sets import Questions, load_questions, open_questions
from qdit.generation.questions import Question

SELF_INSTRUCT = {
    "id": "t0",
    "motivation_app": "Grammarly",
    "instruction": "Make it shorter.",
    "instances": [{"input": "A long text.", "output": "Short."}],
}
WIZARDLM = {"idx": 1, "Skill": "Math", "Difficulty": 3, "Instruction": "What is 2 + 2?"}
SHAREGPT = {
    "id": "x1",
    "conversations": [
        {"from": "human", "value": "Hi"},
        {"from": "gpt", "value": "Hello"},
        {"from": "human", "value": "Bye"},
    ],
}
ROWS = {
    "self-instruct": (
        SELF_INSTRUCT,
        Question("self-instruct", "t0", "Make it shorter.\n\nA long text.", "Grammarly", None, "Short."),
    ),
    "wizardlm": (WIZARDLM, Question("wizardlm", "1", "What is 2 + 2?", "Math", 3)),
    "vicuna": (
        {"question_id": 7, "text": "Why?", "category": "generic"},
        Question("vicuna", "7", "Why?", "generic"),
    ),
    "koala": ({"id": "koala_0", "prompt": "List films."}, Question("koala", "koala_0", "List films.")),
    "lima": ({"conversations": ["Help me."], "source": ""}, Question("lima", "0", "Help me.")),
    "alpaca-eval": (
        {"instruction": "Who?", "dataset": "koala", "reference_text_davinci_003": "Me."},
        Question("alpaca-eval", "0", "Who?", "koala", None, "Me."),
    ),
    "sharegpt": (SHAREGPT, Question("sharegpt", "x1", "Hi", None, None, "Hello")),
    "jsonl": ({"instruction": "Go."}, Question("mine", "0", "Go.")),
}


@pytest.mark.parametrize("name", ROWS)
def test_schemas(tmp_path, name):
    row, want = ROWS[name]
    path = write_jsonl(tmp_path / "mine.jsonl", [row])
    found = load_questions(name, path, limit=1)
    assert found == [want]
    sizes = {"sharegpt", "jsonl"}
    assert len(found.notes) == (name not in sizes)
    if found.notes:
        assert f"has 1 questions, the published set {name!r} has" in found.notes[0]


def test_no_input_and_no_output(tmp_path):
    row = SELF_INSTRUCT | {"instances": [{"input": " ", "output": ""}]}
    (found,) = load_questions("self-instruct", write_jsonl(tmp_path / "x.jsonl", [row]))
    assert (found.instruction, found.reference) == ("Make it shorter.", None)


def test_alpaca_eval_under_its_other_name(tmp_path):
    row = {"instruction": "Who?", "dataset": "koala", "output": "You.", "generator": "text_davinci_003"}
    (found,) = load_questions("alpaca-eval", write_jsonl(tmp_path / "x.jsonl", [row]))
    assert found.reference == "You."


def test_own_questions(tmp_path):
    rows = [
        {
            "set": "law",
            "id": 5,
            "instruction": "Sum up.",
            "input": "A text.",
            "category": "c",
            "difficulty": 2,
        },
        {"instruction": "And now?", "reference": "Then."},
    ]
    found = load_questions("jsonl", write_jsonl(tmp_path / "own.v2.jsonl.gz", rows))
    assert found == [
        Question("law", "5", "Sum up.\n\nA text.", "c", 2),
        Question("own", "1", "And now?", None, None, "Then."),
    ]
    assert found.notes == ()


def test_arrays_and_lines_are_the_same(tmp_path):
    rows = [{"id": f"k{i}", "prompt": f"Say {i}."} for i in range(3)]
    lines = load_questions("koala", write_jsonl(tmp_path / "a.jsonl", rows))
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(json.dumps(rows, indent=1).encode()))
    array = load_questions("koala", tmp_path / "b.json.gz")
    assert lines == array
    assert lines.sha256 == array.sha256
    assert lines.sha256 != Questions([*lines[:2], replace(lines[2], category="c")]).sha256


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("wizardlm", {"Skill": None}, "field 'Skill' is null, wanted text"),
        ("wizardlm", {"Difficulty": "3"}, "field 'Difficulty' is no integer"),
        ("wizardlm", {"Difficulty": True}, "field 'Difficulty' is no integer"),
        ("wizardlm", {"idx": ""}, "field 'idx' is no id"),
        ("wizardlm", {"Instruction": " \n"}, "field 'instruction' is empty"),
        ("self-instruct", {"instances": []}, "field 'instances' is no list of one object"),
        (
            "self-instruct",
            {"instances": [{"output": "x"}]},
            "field 'input' is missing",
        ),
        ("lima", {"conversations": [{"from": "human"}]}, "field 'conversations' is no list of texts"),
        ("vicuna", {"text": 3}, "field 'text' is a number, wanted text"),
        ("jsonl", {"category": 3}, "field 'category' is a number"),
    ],
)
def test_bad_rows_are_named(tmp_path, name, change, message):
    good = ROWS[name][0]
    path = write_jsonl(tmp_path / "x.jsonl", [good, good | change])
    with pytest.raises(
        ValueError, match=rf"x.jsonl, row 1 \(line 2\): {message}.*; wanted the schema of set"
    ):
        load_questions(name, path)


def test_bad_files(tmp_path):
    path = tmp_path / "x.jsonl"
    with pytest.raises(FileNotFoundError, match="questions: no such file"):
        load_questions("koala", path)
    path.write_text('{"id": "a", "prompt": "Go."}\n{"id"\n')
    with pytest.raises(ValueError, match=r"row 1 \(line 2\): is not JSON"):
        load_questions("koala", path)
    path.write_text("[3]\n")
    with pytest.raises(ValueError, match=r"row 0 .*: is no object with fields"):
        load_questions("koala", path)
    path.write_text("")
    with pytest.raises(ValueError, match="holds no row"):
        load_questions("koala", path)
    with pytest.raises(ValueError, match=r"set: got 'koalas', wanted one of .*; did you mean 'koala'"):
        load_questions("koalas", path)
    write_jsonl(path, [{"id": 1, "prompt": "a"}, {"id": "1", "prompt": "b"}])
    with pytest.raises(ValueError, match="row 1: id '1' is that of row 0 too; make ids unique"):
        load_questions("koala", path)


def chats(n):
    return [SHAREGPT | {"id": f"x{i}", "conversations": SHAREGPT["conversations"][:2]} for i in range(n)]


def test_sharegpt_draws_200_rows_by_the_seed(tmp_path):
    path = write_jsonl(tmp_path / "s.jsonl", chats(1000))
    found = load_questions("sharegpt", path)
    assert len(found) == 200
    assert found == load_questions("sharegpt", path)
    numbers = [int(one.id[1:]) for one in found]
    assert numbers == sorted(set(numbers))
    other = load_questions("sharegpt", path, seed=1)
    assert found != other
    assert len({one.id for one in found} & {one.id for one in other}) < 100
    assert {one.id for one in load_questions("sharegpt", path, limit=50)} < {one.id for one in found}


def test_rows_that_are_no_chats_change_no_other_draw(tmp_path):
    rows = chats(300)
    want = load_questions("sharegpt", write_jsonl(tmp_path / "a.jsonl", rows), limit=20)
    broken = int(want[3].id[1:])
    rows[broken] = rows[broken] | {"conversations": []}
    found = load_questions("sharegpt", write_jsonl(tmp_path / "b.jsonl", rows), limit=20)
    assert len(set(want) - set(found)) == 1
    assert len(found) == 20
    assert (
        f"1 rows are no chats and cannot be drawn, the first: {tmp_path}/b.jsonl, row {broken}"
        in found.notes[0]
    )


def test_limits(tmp_path):
    path = write_jsonl(tmp_path / "k.jsonl", [{"id": i, "prompt": f"Say {i}."} for i in range(9)])
    found = load_questions("koala", path, limit=4, seed=3)
    assert len(found) == 4
    assert [int(one.id) for one in found] == sorted(int(one.id) for one in found)
    with pytest.raises(ValueError, match=r"limit: got 10, but .* has 9 questions"):
        load_questions("koala", path, limit=10)
    with pytest.raises(ValueError, match="limit: got 0, wanted at least 1"):
        load_questions("koala", path, limit=0)


def test_several_sets(tmp_path):
    koala = write_jsonl(tmp_path / "k.jsonl", [ROWS["koala"][0]])
    vicuna = write_jsonl(tmp_path / "v.jsonl", [ROWS["vicuna"][0]])
    found = open_questions(f"koala={koala}, vicuna={vicuna}")
    assert found == [ROWS["koala"][1], ROWS["vicuna"][1]]
    assert len(found.notes) == 2
    assert open_questions([f"koala={koala}"]) == [ROWS["koala"][1]]
    with pytest.raises(
        ValueError, match=f"got '{koala}', wanted SET=FILE with one of the sets self-instruct"
    ):
        open_questions(str(koala))
    with pytest.raises(ValueError, match="set 'koala' is given twice"):
        open_questions([f"koala={koala}"] * 2)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "file", "size", "categories", "references"),
    [
        ("self-instruct", "user_oriented_instructions.jsonl", 252, 71, 252),
        ("wizardlm", "wizardlm_test_set.jsonl", 218, 29, 0),
        ("vicuna", "vicuna_test_set.jsonl", 80, 9, 0),
        ("koala", "koala_test_set.jsonl", 180, 0, 0),
        ("lima", "lima_test.jsonl", 300, 0, 0),
        ("alpaca-eval", "alpaca_eval/instructions.json", 805, 5, 805),
    ],
)
def test_the_real_sets(name, file, size, categories, references):
    found = load_questions(name, real_file("eval", file))
    assert len(found) == size
    assert found.notes == ()
    assert len({one.category for one in found} - {None}) == categories
    assert sum(one.reference is not None for one in found) == references
    assert all((one.difficulty is not None) == (name == "wizardlm") for one in found)
