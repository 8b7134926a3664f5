"""JSON files of a stage: what is wrong with one is told with its path and what to do."""

import pytest

from qdit.common.files import read_json


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('{"format": "f"', "is damaged: Expecting ',' delimiter"),
        ("[" * 100_000, "is damaged: maximum recursion depth exceeded"),
        ('{"format": "f", "n": ' + "9" * 5000 + "}", "is damaged: Exceeds the limit"),
        ('{"format": "\xff"}', "is damaged: 'utf-8' codec can't decode"),
        ('{"format": "f", "files": {}}', "is damaged: it has no 'rows.npy'; make it again"),
        ('{"format": "f"}', "is damaged: it has no 'files'; make it again"),
    ],
    ids=lambda value: value[:30],
)
def test_a_damaged_file_is_named(tmp_path, content, text):
    path = tmp_path / "record.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError) as caught:
        read_json(path, "f")["files"]["rows.npy"]
    assert str(caught.value).startswith(f"{path} {text}")


def test_what_was_read_is_a_dictionary_like_any_other(tmp_path):
    path = tmp_path / "record.json"
    path.write_text('{"format": "f", "files": {"a": 1}}')
    found = read_json(path, "f")
    assert found == {"format": "f", "files": {"a": 1}}
    assert found.get("none") is None
    assert "none" not in found["files"]
