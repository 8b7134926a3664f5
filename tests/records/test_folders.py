"""Splits and subsets of local folders, links, and what an import says of files that it does not read."""

import json
import os

import pytest

from qdit.records import Source, import_records
from qdit.records.importing import describe_records

README = """---
license: mit
configs:
- config_name: {first}
  data_files:
  - split: train
    path: [en/a*, en/b.jsonl]
  - split: test
    path: en/t*
- config_name: de
  data_dir: de
{more}---
Text
"""


def make(folder, files, text=None):
    """Write files of one row each, which says what the file is called."""
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"instruction": name, "output": "x"}) + "\n" if text is None else text)
    return folder


def read(folder, pool, **options):
    with import_records(folder, pool, **options) as records:
        return [row.instruction for row in records.rows()], records.manifest["sources"][0]


SHARDS = [
    "data/train-00000-of-00002.jsonl",
    "data/train-00001-of-00002.jsonl.gz",
    "data/dev-00000-of-00001.jsonl",
]
LAYOUTS = {  # files, split asked for, files that are read, splits
    "shards": (SHARDS, "train", [0, 1], "train dev"),
    "shards of a split of one's own": (SHARDS, "dev", [2], "train dev"),
    "all": (SHARDS, "all", [2, 0, 1], "train dev"),
    "several": (SHARDS, "dev+train", [2, 0, 1], "train dev"),
    "folders": (["train/a.jsonl", "valid/a.jsonl", "c.jsonl"], "train", [0], "train validation"),
    "folders before files": (["test/train.jsonl", "my-train/b.jsonl"], "test", [0], "train test"),
    "files": (["my_train.jsonl", "eval.jsonl", "x.jsonl"], "test", [1], "train test"),
    "words": (["trainer.jsonl", "latest.jsonl"], "train", [1, 0], "train"),
    "no names": (["b.jsonl", "a/c.jsonl"], "train", [1, 0], "train"),
}


@pytest.mark.parametrize(("files", "split", "want", "splits"), LAYOUTS.values(), ids=LAYOUTS)
def test_splits_by_names(tmp_path, files, split, want, splits):
    make(tmp_path / "x", files)
    found, entry = read(tmp_path / "x", tmp_path / "pool", split=split)
    assert found == [files[i] for i in want]
    assert entry["splits"] == splits.split()
    assert len(entry["left_out"]) == len(files) - len(want)


@pytest.mark.parametrize(("files", "split", "want", "splits"), LAYOUTS.values(), ids=LAYOUTS)
def test_splits_are_those_of_datasets(tmp_path, files, split, want, splits):
    data_files = pytest.importorskip("datasets.data_files")
    if "dev-" in files[-1]:
        files = [name.removesuffix(".gz") for name in files]
    make(tmp_path, files)
    found = data_files.get_data_patterns(str(tmp_path))
    assert [str(name) for name in found] == splits.split()
    resolved = data_files.DataFilesDict.from_patterns(found, base_path=str(tmp_path))
    asked = splits.split() if split == "all" else split.split("+")
    paths = {os.path.relpath(path, tmp_path) for name in asked for path in resolved[name]}
    assert paths == {files[i] for i in want}


def test_a_split_that_is_not_there(tmp_path):
    folder = make(tmp_path / "x", ["test.jsonl", "train-1.jsonl", "train-2.jsonl"])
    text = (
        f"split: got 'no-such', but {folder} has 'train' (files: 2), 'test' (files: 1); pass one of them "
        "(--split), 'all', or the files that are meant, one by one"
    )
    with pytest.raises(ValueError) as caught:
        import_records(folder, tmp_path / "pool", split="no-such")
    assert str(caught.value) == text
    (folder / "train-1.jsonl").unlink()
    (folder / "train-2.jsonl").unlink()
    with pytest.raises(ValueError, match=r"^split: got 'train', but .* has 'test' \(files: 1\)"):
        import_records(folder, tmp_path / "pool")


def test_files_that_are_named(tmp_path):
    folder = make(tmp_path / "x", ["a/1.jsonl", "a/2.jsonl", "b/1.jsonl"])
    assert read(Source(folder, data_files="**/1.jsonl"), tmp_path / "pool")[0] == ["a/1.jsonl", "b/1.jsonl"]
    with pytest.raises(
        FileNotFoundError, match=r"has no file 'c/\*' of rows for split 'train'; put it there"
    ):
        import_records(Source(folder, data_files="c/*"), tmp_path / "p2")


def test_subsets_of_readme(tmp_path):
    folder = make(
        tmp_path / "x", ["en/a1.jsonl", "en/b.jsonl", "en/t.jsonl", "de/train.jsonl", "de/test.jsonl"]
    )
    make(folder, ["README.md"], README.format(first="en", more="  default: true\n"))
    assert read(folder, tmp_path / "a", subset="en")[0] == ["en/a1.jsonl", "en/b.jsonl"]
    assert read(folder, tmp_path / "b", subset="en", split="test")[0] == ["en/t.jsonl"]
    found, entry = read(folder, tmp_path / "c")
    assert (found, entry["splits"]) == (["de/train.jsonl"], ["train", "test"])
    make(folder, ["README.md"], README.format(first="default", more=""))
    assert read(folder, tmp_path / "d")[0] == ["en/a1.jsonl", "en/b.jsonl"]
    make(folder, ["README.md"], README.format(first="en", more=""))
    for subset in (None, "fr"):
        with pytest.raises(
            ValueError, match=rf"^subset: got {subset!r}, but .* has 'en', 'de'; pass one of them"
        ):
            import_records(folder, tmp_path / "e", subset=subset)
    (folder / "en" / "b.jsonl").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"has no file 'en/b.jsonl' of rows for split 'train'; put it there"
    ):
        import_records(folder, tmp_path / "e", subset="en")
    assert read(folder, tmp_path / "e", subset="en", split="test")[0] == ["en/t.jsonl"]  # it is not asked for
    (folder / "README.md").unlink()
    with pytest.raises(ValueError, match=r"README.md names none; give .*x/en$"):
        import_records(folder, tmp_path / "f", subset="en")


@pytest.mark.parametrize("configs", ["configs: [1]", "configs: {", "a: {configs: 1}"])
def test_a_readme_that_cannot_be_used(tmp_path, configs):
    folder = make(tmp_path / "x", ["a.jsonl"])
    make(folder, ["README.md"], f"---\n{configs}\n---\n")
    with pytest.raises(ValueError, match=r"README.md: configs cannot be read: .*; mend it or move it away$"):
        import_records(folder, tmp_path / "pool")


def test_links(tmp_path):
    far = make(tmp_path / "far", ["a.jsonl", "b.jsonl"])
    folder = make(tmp_path / "x", ["c.jsonl"])
    (folder / "linked").symlink_to(far)
    (folder / "round").symlink_to(folder)
    (folder / "z.jsonl").symlink_to(folder / "c.jsonl")
    found, entry = read(folder, tmp_path / "pool")
    assert found == ["c.jsonl", "a.jsonl", "b.jsonl"]
    assert entry["left_out"] == {
        str(folder / "round"): "a link to a folder that it lies in",
        str(folder / "z.jsonl"): "the same file as c.jsonl, by a link",
    }
    for target in (tmp_path / "gone", folder / "y.jsonl"):
        (folder / "y.jsonl").unlink(missing_ok=True)
        (folder / "y.jsonl").symlink_to(target)
        with pytest.raises(FileNotFoundError, match=r"y\.jsonl is a link that leads nowhere"):
            import_records(folder, tmp_path / "p2")
    with pytest.raises(FileNotFoundError, match="leads nowhere"):
        import_records(folder / "y.jsonl", tmp_path / "p2")


def test_rows_that_are_packed_in_a_way_that_is_not_read(tmp_path):
    folder = make(tmp_path / "x", ["a.jsonl", "b.jsonl.zip", "c.jsonl.lz4"])
    with pytest.raises(
        ValueError, match=r"cannot be read as they are packed; unpack them: b\.jsonl\.zip, c\.jsonl"
    ):
        import_records(folder, tmp_path / "pool")
    with pytest.raises(ValueError, match=r"x\.parquet\.gz: a Parquet file is compressed inside; unpack it$"):
        import_records(make(tmp_path, ["x.parquet.gz"]) / "x.parquet.gz", tmp_path / "pool")


def test_options_that_a_source_cannot_heed(tmp_path):
    file = make(tmp_path / "x", ["a.jsonl", "test.jsonl"]) / "a.jsonl"
    for source, name in [
        (file, "subset"),
        (file, "revision"),
        (tmp_path / "x", "revision"),
        ([{}], "subset"),
    ]:
        with pytest.raises(ValueError, match=rf"^{name}: got 'v', for .*; leave it out$".replace(",", "")):
            import_records(source, tmp_path / "pool", **{name: "v"})
    with pytest.raises(
        ValueError, match=r"^split: got 'test', but .* is a file without splits; leave it out$"
    ):
        import_records(file, tmp_path / "pool", split="test")
    with pytest.raises(ValueError, match=r"^split: got 'test' for rows in memory without splits"):
        import_records([{"instruction": "a", "output": "b"}], tmp_path / "pool", split="test")
    assert read(tmp_path / "x" / "test.jsonl", tmp_path / "pool", split="test")[0] == ["test.jsonl"]


def test_the_import_says_what_it_read_and_what_not(tmp_path):
    folder = make(tmp_path / "x", ["train-1.jsonl", "train-2.jsonl", "test.jsonl", "y.jsonl", ".git/c.jsonl"])
    make(folder, ["README.md", "dataset_info.json"], "{}")
    make(folder, ["train-3.jsonl"], "")
    (folder / os.fsdecode(b"\xff.txt")).touch()
    with import_records(folder, tmp_path / "pool") as records:
        told = describe_records(records).splitlines()
    assert told[0].split() == ["2", "rows", "alpaca", "x"]
    assert told[1].strip() == (
        "3 files read, split train of train, test; not read: .git (hidden, by its name); README.md, "
        "\\udcff.txt (unknown suffix); dataset_info.json (describes the data); test.jsonl (split 'test'); "
        "y.jsonl (of no split); train-3.jsonl (empty)"
    )
    assert len(told) == 2
    with import_records(folder / "y.jsonl", tmp_path / "one") as records:
        assert len(describe_records(records).splitlines()) == 1  # nothing more to say
