import random

import pytest

import qdit
from helpers import error_form, mutation_run
from helpers.good_sources import SOURCES
from helpers.mutations import make_variant, mutate_bytes
from helpers.plain_reading import BAD, read_plainly
from qdit.records import records

pytest.importorskip("pyarrow", reason="pip install 'qdit[data]'")
NAME = "alpaca.jsonl"


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "saved" and "zst" not in name])
def test_a_seed_makes_the_same_variant_again(name):
    variants = [make_variant(name, seed) for seed in range(20)]
    assert variants == [make_variant(name, seed) for seed in range(20)]
    assert len({repr(files) for files in variants}) > 13


def test_bytes_change():
    data = bytes(range(256))
    assert len({mutate_bytes(random.Random(seed), data) for seed in range(50)} - {data}) > 45


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("x.jsonl: is no JSON; mend it", ""),
        ("x.jsonl: is no JSON", "has no remedy"),
        ("ArrowInvalid: x.jsonl; no", "has raw words of a library: ArrowInvalid:"),
        ("some file is damaged; mend it", "names no file"),
    ],
)
def test_the_form_of_an_error(text, want, monkeypatch, tmp_path):
    monkeypatch.setattr(error_form, "_PACKAGE", __file__)
    with pytest.raises(ValueError) as raised:
        raise ValueError(text)
    assert error_form.complaint(raised.value, "x.jsonl") == want
    monkeypatch.undo()
    assert "was raised in" in error_form.complaint(raised.value, "x.jsonl")
    assert "is of a kind" in error_form.complaint(OSError(text).with_traceback(raised.tb), "x.jsonl")


def lose_a_row(self, start=0, stop=None):
    yield from ()


def fail(*_, **__):
    raise KeyError("messages")


def spin(*_, **__):
    while True:
        pass


@pytest.mark.parametrize(
    ("place", "name", "value", "want"),
    [
        (records.Records, "rows", lose_a_row, "rows get lost"),
        (qdit, "embed", fail, "embed, .*KeyError is of a kind that users should not see"),
        (qdit, "embed", spin, "no end after 0.5 s"),
        (mutation_run, "read_plainly", lambda path: [[BAD] * 13], "12 rows and 0 left out, .* have .13"),
        (mutation_run, "READERS", {"TRL": lambda out: [None]}, "TRL gets"),
    ],
)
def test_what_is_wrong_is_found(place, name, value, want, monkeypatch, tmp_path):
    monkeypatch.setattr(mutation_run, "SECONDS", 0.5 if value is spin else 20)
    monkeypatch.setattr(place, name, value)
    with pytest.raises(AssertionError, match=want):
        raise AssertionError(mutation_run.follow(NAME, 0, None, tmp_path).finding)


def test_a_file_is_read_in_every_way_that_it_can_be(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b'{"data": [{"a": 1}, {"a": 2}]}')
    assert [{"a": 1}, {"a": 2}] in read_plainly(path)
    path.write_bytes(b'{"a": 1}\n{"a"\n')
    assert read_plainly(path) == [[{"a": 1}, BAD]]
