"""JSON files of a stage: what is wrong with one is told with its path and what to do."""

import json

import pytest

from qdit.common import files
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


def put(folder, names, kind="f", fail=False):
    """Write a result of some files over what is there."""
    with files.new_files(folder, "m.json") as made:
        for name in names:
            (made / name).parent.mkdir(exist_ok=True)
            (made / name).write_text(kind)
        if fail:
            raise ValueError
        (made / "m.json").write_text(json.dumps({"format": kind, "files": dict.fromkeys(names)}))


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_new_result_replaces_the_files_of_the_old_one_and_no_others(tmp_path):
    folder = tmp_path / "x"
    put(folder, ["a", "b", "sub/c"])
    (folder / "mine").touch()
    with pytest.raises(ValueError):
        put(folder, ["a", "d"], fail=True)
    assert names(folder) == {"a", "b", "sub/c", "m.json", "mine"}
    put(folder, ["a", "d"])
    assert names(folder) == {"a", "d", "m.json", "mine"}
    assert not (folder / "sub").exists()
    put(folder, ["e"], kind="other")  # what another stage lists is not ours to delete
    assert names(folder) == {"a", "d", "e", "m.json", "mine"}


def test_a_manifest_lists_only_what_is_beside_it(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "x"
    outside.touch()
    put(folder, [])
    for listed in (["../outside", str(outside)], None, 3, "outside"):
        (folder / "m.json").write_text(json.dumps({"format": "f", "files": listed}))
        put(folder, ["a"])
    assert outside.exists()
    assert names(folder) == {"a", "m.json"}


def test_a_kill_between_old_and_new_leaves_nothing_of_the_old(tmp_path, monkeypatch):
    put(tmp_path, ["a", "b"])
    with monkeypatch.context() as patch:
        patch.setattr(files, "_listed", lambda *_: exit())
        patch.setattr(files.shutil, "rmtree", lambda *_, **how: None)
        with pytest.raises(SystemExit):
            put(tmp_path, ["c"])
    files.remove_temporaries(tmp_path)
    assert "m.json" not in names(tmp_path)
    put(tmp_path, ["c"])
    assert names(tmp_path) == {"c", "m.json"}
