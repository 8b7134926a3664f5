"""Export: the rows' own bytes in pick order, the files beside them, and what is refused."""

import datetime
import importlib.util
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import yaml
from jsonargparse import auto_cli

import qdit
from helpers.export_pools import K, make, vectors, write_pool
from qdit import Selection
from qdit.cli.export import export_command
from qdit.common.files import sha256_file
from qdit.exporting import export, verify


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("export"))


def wanted_lines(made):
    return [made.lines[i] for i in made.selection.indices]


def test_lines_are_the_rows_own_bytes_in_pick_order(made, tmp_path):
    assert export(made.chosen, tmp_path / "out") == tmp_path / "out"
    got = (tmp_path / "out" / "data.jsonl").read_bytes()
    assert got == "".join(line + "\n" for line in wanted_lines(made)).encode()


def test_all_odd_rows_survive(tmp_path):
    made = make(tmp_path, k=240, alpha=0)
    export(made.chosen, tmp_path / "out", decisions="none")
    got = (tmp_path / "out" / "data.jsonl").read_text(encoding="utf-8").splitlines()
    assert set(got) == set(made.lines)


def test_json_array_holds_the_same_bytes(made, tmp_path):
    export(made.chosen, tmp_path / "out", format="json", decisions="none")
    text = (tmp_path / "out" / "data.json").read_text(encoding="utf-8")
    assert json.loads(text) == [json.loads(line) for line in wanted_lines(made)]
    assert text == "[\n" + ",\n".join(wanted_lines(made)) + "\n]\n"


def test_columns_are_added_behind_the_rows_own_bytes(made, tmp_path):
    export(made.chosen, tmp_path / "out", columns=True, decisions="none")
    got = (tmp_path / "out" / "data.jsonl").read_text(encoding="utf-8").splitlines()
    for rank, (line, own) in enumerate(zip(got, wanted_lines(made), strict=True), 1):
        assert line.startswith(own.rstrip("}").rstrip())
        value = json.loads(line)
        assert value["qdit_rank"] == rank
        assert value["qdit_gain"] == made.selection.gains[rank - 1]
        assert value["qdit_quality"] == made.q[made.selection.indices[rank - 1]]
        assert {name: value[name] for name in json.loads(own)} == json.loads(own)


def test_sizes_are_what_each_row_stands_for(made, tmp_path):
    export(made.chosen, tmp_path / "out", columns=True, sizes=True, decisions="none")
    got = [
        json.loads(line)
        for line in (tmp_path / "out" / "data.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert [value["qdit_size"] for value in got] == made.selection.assign(
        made.x, zero_rows="ignore"
    ).sizes.tolist()
    assert (
        "with qdit_rank, qdit_gain, qdit_quality and qdit_size added"
        in (tmp_path / "out/README.md").read_text()
    )
    assert verify(tmp_path / "out").ok
    export(made.chosen, tmp_path / "alone", sizes=True, decisions="none")
    line = json.loads((tmp_path / "alone" / "data.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert "qdit_size" in line
    assert "qdit_rank" not in line


def test_a_field_is_never_written_over(tmp_path):
    rows = [{"instruction": f"Do {i}", "input": "", "output": "x", "qdit_rank": 1} for i in range(20)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = make(tmp_path, x=vectors(20), source=tmp_path / "rows.jsonl", k=3)
    export(made.chosen, tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(ValueError, match=r"row \d+ has a field 'qdit_rank' already; export without columns"):
        export(made.chosen, tmp_path / "out", columns=True, overwrite=True)
    assert contents(tmp_path / "out") == before


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def make_with(tmp_path, values):
    rows = [{"instruction": f"Do {i}", "output": "x", "c": value} for i, value in enumerate(values)]
    return make(tmp_path, x=vectors(len(rows)), source=rows, k=len(rows), alpha=0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["x", 7, None], ["'x' in row 0", "7 in row 1"]),
        ([None, "x", ["x"]], ["'x' in row 1", "['x'] in row 2"]),
        ([{"a": 1}, {"a": {}}], ["{'a': 1} in row 0", "{'a': {}} in row 1"]),
        ([1, 2**64, 0.5], [f"{2**64} in row 1"]),
        (["x", "\ud800"], ["'\\ud800' in row 1"]),
        (
            [{}, {}],
            ["column 'c' is struct<>, which parquet cannot hold (Cannot write ", "child field to Parquet); "],
        ),
    ],
)
def test_rows_that_no_table_holds_are_told_before_the_work(tmp_path, values, said):
    pytest.importorskip("pyarrow")
    rows = [{"instruction": f"Do {i}", "output": "x", "c": value} for i, value in enumerate(values)]
    made = make(tmp_path, x=vectors(len(rows)), source=rows, k=len(rows), alpha=0)
    out = export(made.chosen, tmp_path / "out", decisions="none")
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    with pytest.raises(ValueError) as caught:
        export(made.chosen, out, format="jsonl,parquet", overwrite=True, decisions="none")
    told = str(caught.value)
    assert told.startswith("format: column 'c' ")
    assert told.endswith("; pass --format jsonl, which writes the rows as they are")
    assert all(one in told for one in said)
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before


@pytest.mark.parametrize(("depth", "refused"), [(70, ["hf"]), (400, ["parquet", "hf"])])
def test_a_column_without_a_name_and_one_that_is_nested_deeply(tmp_path, depth, refused):
    deep = 1
    for _ in range(depth):
        deep = {"x": deep}
    rows = [{"": 1, "instruction": f"Do {i}", "output": "x", "deep": deep} for i in range(2)]
    made = make(tmp_path, x=vectors(2), source=rows, k=2, alpha=0)
    out = export(made.chosen, tmp_path / "out", decisions="none")
    assert [json.loads(line)[""] for line in (out / "data.jsonl").read_text().splitlines()] == [1, 1]
    for format in refused:  # pyarrow could not read its own
        if importlib.util.find_spec({"parquet": "pyarrow", "hf": "datasets"}[format]):
            told = rf"^format: column 'deep' is struct<x: .*, which {format} cannot hold \("
            with pytest.raises(ValueError, match=told):
                export(made.chosen, out, format=format, overwrite=True)


def test_types_that_a_hugging_face_data_set_has_not(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("datasets")
    maps = pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int8()))
    table = pa.table({"instruction": ["a", "b"], "output": ["c", "d"], "c": maps})
    made = make(tmp_path, x=vectors(2), source=table, k=2, alpha=0)
    with pytest.raises(
        ValueError, match=r"^format: column 'c' is map<string, int8>, which hf cannot hold \(.*jsonl"
    ):
        export(made.chosen, tmp_path / "out", format="hf", decisions="none")
    assert not (tmp_path / "out").exists()
    export(made.chosen, tmp_path / "out", format="parquet", decisions="none")


@pytest.mark.parametrize("columns", [False, True])
def test_no_nan_is_written_as_json(tmp_path, columns):
    pa = pytest.importorskip("pyarrow")
    scores = pa.array([0.5, float("nan"), float("inf")])
    table = pa.table({"instruction": ["a", "b", "c"], "output": ["d", "e", "f"], "score": scores})
    made = make(tmp_path, x=vectors(3), source=table, k=3, alpha=0)
    out = export(made.chosen, tmp_path / "out", format="jsonl,json", columns=columns)
    rows = [
        json.loads(line, parse_constant=pytest.fail) for line in (out / "data.jsonl").read_text().splitlines()
    ]
    assert {row["instruction"]: row["score"] for row in rows} == {"a": 0.5, "b": None, "c": None}
    assert json.loads((out / "data.json").read_text(), parse_constant=pytest.fail) == rows


def test_the_manifest_lists_every_file_with_its_hash(made, tmp_path):
    out = export(made.chosen, tmp_path / "out", format="jsonl,json")
    record = json.loads((out / "manifest.json").read_text())
    there = {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()} - {"manifest.json"}
    assert there == set(record["files"])
    assert all(entry["sha256"] == sha256_file(out / name) for name, entry in record["files"].items())
    assert record["inputs"]["embeddings"]["sha256"] == made.selection.inputs["embeddings"]["sha256"]
    assert record["rows"] == K
    assert np.load(out / "indices.npy").tolist() == made.selection.indices.tolist()
    assert Selection.load(out / "selection").scores.tolist() == made.selection.scores.tolist()


def test_the_card_has_valid_front_matter(made, tmp_path):
    out = export(made.chosen, tmp_path / "out", name='odd: "name" #1', license="cc-by-nc-4.0")
    _, front, body = (out / "README.md").read_text().split("---\n", 2)
    head = yaml.safe_load(front)
    assert head["pretty_name"] == 'odd: "name" #1'
    assert head["license"] == "cc-by-nc-4.0"
    assert head["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "data.jsonl"}]}
    ]
    assert head["size_categories"] == ["n<1K"]
    assert "| rows | 240 | 30 |" in body


def test_an_export_is_not_replaced_unasked(made, tmp_path):
    out = export(made.chosen, tmp_path / "out", decisions="none", format="json")
    with pytest.raises(ValueError, match="holds an export already; pass --overwrite"):
        export(made.chosen, out)
    export(made.chosen, out, overwrite=True, decisions="none")
    assert not (out / "data.json").exists()  # of the export before
    assert (out / "data.jsonl").exists()


def test_an_export_of_other_files_is_replaced_and_files_of_others_stay(made, tmp_path):
    out = tmp_path / "out"
    export(made.chosen, out, format=["jsonl", "json"], decisions="jsonl")
    (out / "notes.txt").write_text("mine")
    export(made.chosen, out, decisions="none", overwrite=True)
    gone = {"data.json", "decisions.jsonl"}
    want = {*json.loads((out / "manifest.json").read_text())["files"], "manifest.json", "notes.txt"}
    assert {str(name) for name in contents(out)} == want
    assert not want & gone


def test_what_is_no_export_is_never_replaced(made, tmp_path):
    shutil.copytree(made.chosen, tmp_path / "other")
    with pytest.raises(ValueError, match="wanted 'qdit-export'"):
        export(made.chosen, tmp_path / "other", overwrite=True)
    for taken in (made.chosen, made.pool):
        with pytest.raises(ValueError, match="the selection or pool itself"):
            export(made.chosen, taken, overwrite=True)


def test_a_pool_of_other_embeddings_is_refused(made, tmp_path):
    shutil.copytree(made.pool, tmp_path / "pool")
    x = made.x.copy()
    x[7] = -x[7]
    np.save(tmp_path / "pool" / "embeddings.npy", x)
    with pytest.raises(ValueError, match=r"embeddings\.npy has sha256 .* was made of"):
        export(made.chosen, tmp_path / "out", pool=tmp_path / "pool")


def test_a_pool_of_another_size_is_refused(made, tmp_path):
    (tmp_path / "rows.jsonl").write_text("\n".join(made.lines[:50]) + "\n")
    pool = write_pool(tmp_path, tmp_path / "rows.jsonl", made.x[:50], None)
    with pytest.raises(ValueError, match=r"has 50 rows, the selection .* was made from 240"):
        export(made.chosen, tmp_path / "out", pool=pool)


def test_without_a_named_pool_the_error_says_so(made, tmp_path):
    qdit.select(made.x, made.q, k=3, threads=1).save(tmp_path / "chosen")
    with pytest.raises(FileNotFoundError, match=r"names no pool with records; pass pool \(--pool\)"):
        export(tmp_path / "chosen", tmp_path / "out")
    export(tmp_path / "chosen", tmp_path / "out", pool=made.pool)


def test_a_sweep_folder_is_explained(made, tmp_path):
    for alpha, found in qdit.sweep(made.x, made.q, [0, 0.5], 3, threads=1).items():
        found.save(tmp_path / f"alpha-{float(alpha)!r}")
    (tmp_path / "sweep.csv").write_text("")
    with pytest.raises(ValueError, match=r"is a sweep; pass one of its selections: alpha-0.0, alpha-0.5"):
        export(tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"format": "cvs"}, "format: got 'cvs'"),
        ({"format": "jsonl,jsonl"}, "wanted each format once"),
        ({"decisions": "xml"}, "decisions: got 'xml'"),
        ({"final_gains": "some"}, "final_gains: got 'some'"),
    ],
)
def test_bad_options(made, tmp_path, options, text):
    with pytest.raises(ValueError, match=text):
        export(made.chosen, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_progress_names_the_phases(made, tmp_path):
    seen = []
    export(made.chosen, tmp_path / "out", progress=seen.append)
    phases = list(dict.fromkeys(p.phase for p in seen))
    assert phases == ["nearest", "picks", "covering", "final gains", "writing", "done"]


def test_command_and_its_options(made, tmp_path, capsys):
    line = f"{made.chosen} {tmp_path / 'out'} --columns true --decisions jsonl --progress false"
    auto_cli({"export": export_command, "other": export_command}, args=["export", *line.split()])
    text = capsys.readouterr().out
    assert "30 of 240 rows, in pick order" in text
    assert "decisions.jsonl" in text


DIE = """
import os, sys
left = int(sys.argv[1])
def hook(event, args):
    global left
    if event in ("open", "os.rename", "os.remove", "os.mkdir") and "/out" in str(args[0]):
        left -= 1
        if left < 0:
            os._exit(9)
sys.addaudithook(hook)
from qdit.exporting import export
export(sys.argv[2], sys.argv[3], decisions="jsonl", overwrite=True, threads=1)
"""


@pytest.mark.slow
@pytest.mark.parametrize("before", [False, True])
def test_killed_anywhere_and_repeated_gives_the_same_files(made, tmp_path, before):
    """before: an export of other files is being replaced."""
    want = export(made.chosen, tmp_path / "want", decisions="jsonl", name="out")
    hashes = {p.relative_to(want): sha256_file(p) for p in want.rglob("*") if p.is_file()}
    out = tmp_path / "out"
    if before:
        export(made.chosen, out, format="json", decisions="none")
    deaths = 0
    for count in range(0, 1000, 7):
        done = subprocess.run([sys.executable, "-c", DIE, str(count), str(made.chosen), str(out)], timeout=60)
        if done.returncode == 0:
            break
        assert done.returncode == 9
        if (out / "manifest.json").exists():  # killed behind the last file, or before the first change
            listed = json.loads((out / "manifest.json").read_text())["files"]
            assert all(sha256_file(out / name) == entry["sha256"] for name, entry in listed.items())
        deaths += 1
    assert deaths >= 5
    found = {p.relative_to(out): sha256_file(p) for p in out.rglob("*") if p.is_file()}
    differ = {str(name) for name in hashes if found.get(name) != hashes[name]}
    assert set(found) == set(hashes)
    assert differ <= {"manifest.json", "selection/manifest.json"}  # those tell the time


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    pa = pytest.importorskip("pyarrow", reason="Parquet needs pyarrow: pip install 'qdit[data]'")
    folder = tmp_path_factory.mktemp("typed")
    n = 60
    table = pa.table(
        {
            "instruction": [f"Do {i}" for i in range(n)],
            "output": [f"Done {i}" for i in range(n)],
            "day": pa.array([datetime.date(2020, 1, 1 + i % 28) for i in range(n)], pa.date32()),
            "count": pa.array(range(n), pa.int16()),
            "tags": [["a", "b"][: i % 3] for i in range(n)],
        }
    )
    return table, make(folder, x=vectors(n), source=table, k=12)


def test_parquet_keeps_types_and_order(typed, tmp_path):
    import pyarrow.parquet as pq

    table, made = typed
    out = export(made.chosen, tmp_path / "out", format="parquet")
    got = pq.read_table(out / "data.parquet")
    assert got.schema.equals(table.schema)
    assert got.equals(table.take(made.selection.indices))
    with_columns = export(made.chosen, tmp_path / "more", format="parquet", columns=True)
    got = pq.read_table(with_columns / "data.parquet")
    assert got.column_names == [*table.column_names, "qdit_rank", "qdit_gain", "qdit_quality"]
    assert got["qdit_gain"].to_pylist() == made.selection.gains.tolist()


def test_data_set_folder_and_what_the_card_loads(typed, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets", reason="pip install 'qdit[data]'")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    _, made = typed
    out = export(made.chosen, tmp_path / "out", format=["hf", "jsonl"], columns=True)
    kept = datasets.load_from_disk(str(out / "data"))
    assert kept["instruction"] == [f"Do {i}" for i in made.selection.indices]
    assert kept["qdit_rank"] == list(range(1, 13))
    assert kept.features["count"].dtype == "int16"
    loaded = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["instruction"] == kept["instruction"]
    record = json.loads((out / "manifest.json").read_text())
    assert "data/dataset_info.json" in record["files"]


def test_missing_packages_are_named(made, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ImportError, match=r"pip install 'qdit\[data\]'"):
        export(made.chosen, tmp_path / "out", format="parquet")


def test_files_follow_the_umask(made, tmp_path):
    before = os.umask(0o022)
    try:
        out = export(made.chosen, tmp_path / "out")
    finally:
        os.umask(before)
    assert all(p.stat().st_mode & 0o777 == 0o644 for p in out.rglob("*") if p.is_file())
