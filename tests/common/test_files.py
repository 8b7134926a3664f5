"""JSON files of a stage: what is wrong with one is told with its path and what to do."""

import json
import re

import pytest

import qdit
from qdit.common import files
from qdit.common.files import read_json
from qdit.exporting import export
from qdit.exporting.choice import read_export
from qdit.pipeline.state import State
from qdit.records.pool import Pool


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('{"format": "f"', "is damaged: Expecting ',' delimiter"),
        ("[" * 100_000, "is damaged: maximum recursion depth exceeded"),
        ('{"format": "f", "n": ' + "9" * 5000 + "}", "is damaged: Exceeds the limit"),
        ('{"format": "\xff"}', "is damaged: 'utf-8' codec can't decode"),
        ('{"format": "f", "files": {}}', "is damaged: it has no 'rows.npy'; make it again"),
        ('{"format": "f"}', "is damaged: it has no 'files'; make it again"),
        ('{"format": "f", "files": null}', "is damaged: files is null, wanted an object; make it again"),
        ('{"format": "f", "files": {"a": [1]}}', "is damaged: files/a is a list, wanted an object or text;"),
        ('{"format": "f", "params": []}', "is damaged: params is a list, wanted an object; make it again"),
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
    path.write_text('{"format": "f", "files": {"a": "b"}}')
    found = read_json(path, "f")
    assert found == {"format": "f", "files": {"a": "b"}}
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


def change(path, keys, value):
    """Put another value at a place in a file of JSON."""
    record = at = json.loads(path.read_bytes())
    for key in keys[:-1]:
        at = at[key]
    at[keys[-1]] = value
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("name", "keys", "value", "problem"),
    [
        ("pool/records.json", ["sources"], None, "sources is null, wanted a list; import the records again"),
        ("pool/records.json", ["sources", 0, "columns"], [], "sources/0/columns is a list, wanted an object"),
        ("pool/records.json", ["files", "offsets.npy"], "x", "files/offsets.npy is text, wanted an object"),
        ("pool/embeddings.json", ["records"], [], "records is a list, wanted an object"),
        ("pool/embeddings.json", ["settings"], None, "settings is null, wanted an object; delete it"),
        ("pool/costs.json", ["files", "costs.npy"], None, "files/costs.npy is null, wanted an object"),
        ("chosen/manifest.json", ["params", "n"], "9", "params/n is text, wanted a number; select again"),
        (
            "chosen/manifest.json",
            ["result", "coverage"],
            [],
            "result/coverage is a list, wanted a number or",
        ),
        ("chosen/manifest.json", ["inputs"], None, "inputs is null, wanted an object; select again"),
        ("out/manifest.json", ["files", "README.md"], 3, "files/README.md is a number, wanted an object"),
        ("out/manifest.json", ["settings"], None, "settings is null, wanted an object; export again"),
        ("run.json", ["stages", "embed"], [], "stages/embed is a list, wanted an object"),
    ],
)
def test_manifests_with_values_of_another_type_are_named_with_the_key(tmp_path, name, keys, value, problem):
    pool = tmp_path / "pool"
    qdit.import_records([{"instruction": f"Say {i}", "output": "x"} for i in range(9)], pool).close()
    qdit.embed(pool, "builtin:hash")
    opened = Pool.open(pool)
    opened.token_costs()
    qdit.select_pool(pool, 0, 3).save(tmp_path / "chosen")
    export(tmp_path / "chosen", tmp_path / "out", pool=pool, decisions="none")
    (tmp_path / "run.json").write_text('{"format": "qdit-run", "stages": {}}')
    change(tmp_path / name, keys, value)
    read = {
        "pool/records.json": lambda: qdit.open_records(pool),
        "pool/embeddings.json": lambda: qdit.embed(pool, "builtin:hash"),
        "pool/costs.json": opened.token_costs,
        "chosen/manifest.json": lambda: qdit.Selection.load(tmp_path / "chosen"),
        "out/manifest.json": lambda: read_export(tmp_path / "out"),
        "run.json": lambda: State(tmp_path),
    }[name]
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / name} is damaged: {problem}")):
        read()
