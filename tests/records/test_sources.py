"""Ids, several sources at once, folders, limits and progress."""

import json
import sys

import pytest

from helpers.small_sources import BAD, HINT, ROWS, WANT, as_csv, lines, refuse, texts, write
from qdit.records import RowProgress, Source, import_records
from qdit.records.importing import describe_records


def test_ids_that_are_made_are_unlike_those_of_other_sources(tmp_path):
    made = [{"instruction": f"a{i}", "output": "x"} for i in range(4)]
    kept = [{"id": f"a-{i + 3}", "instruction": f"b{i}", "output": "x"} for i in range(4)]
    records = import_records({"a": made, "b": kept}, tmp_path / "pool")
    assert list(records.ids()) == [f"{name}-{i}" for name in "ab" for i in range(4)]
    with pytest.raises(ValueError, match="row 3 of a would get the id 'a-3', which a row of an earlier"):
        import_records({"b": kept, "a": made}, tmp_path / "other")
    assert len({*import_records({"b": kept, "c": made}, tmp_path / "other").ids()}) == 8


def test_ids_are_kept_where_they_can_be(tmp_path):
    rows = [{"id": i * 7, **row} for i, row in enumerate(ROWS)]
    path = write(tmp_path / "x.jsonl", lines(rows))
    records = import_records(path, tmp_path / "a")
    assert list(records.ids()) == [str(i * 7) for i in range(20)]
    assert records.row(2).id == records.ids()[2] == "14"
    assert records.index_of("14") == 2
    rows[5]["id"] = rows[3]["id"]
    write(path, lines(rows))
    assert import_records(path, tmp_path / "b").ids()[5] == "x-5"
    text = (
        "id_column: 'id' of x is not unique: row 3 has 21 as 'id', row 5 has 21; name another column, or "
        "leave id_column out to have ids made"
    )
    refuse(path, tmp_path / "c", text, id_column="id")
    del rows[5]["id"]
    write(path, lines(rows))
    assert import_records(path, tmp_path / "d").ids()[5] == "x-5"
    text = f"{path}, row 5 (line 6): field 'id' has no id, wanted text or an integer{HINT}"
    refuse(path, tmp_path / "e", text, id_column="id")
    assert len(import_records(path, tmp_path / "e", id_column="id", skip_bad=True)) == 19
    named = [{"key": f"k{i}", **row} for i, row in enumerate(ROWS)]
    assert import_records(named, tmp_path / "f", id_column="key").ids()[3] == "k3"


@pytest.mark.parametrize(
    ("id", "said"),
    [
        ("i3", "row 3 has 'i3' as 'id', row 6 has 'i3'"),
        (7, "row 5 has '7' as 'id', row 6 has 7"),
        (None, "row 6 has None as 'id', wanted text or an integer"),
        (0.5, "row 6 has 0.5 as 'id', wanted text or an integer"),
        ("\ud800", "row 6 has '\\ud800' as 'id', wanted text or an integer"),
    ],
)
def test_new_ids_are_told_with_their_reason(tmp_path, id, said):
    rows = [{"id": "7" if i == 5 else f"i{i}", **row} for i, row in enumerate(ROWS)]
    rows[1]["output"] = None  # a bad row: numbers are those of the source
    rows[6]["id"] = id
    records = import_records(rows, tmp_path, skip_bad=True)
    assert records.ids()[4] == "rows-5"
    assert describe_records(records).splitlines()[0].endswith(f"  (new ids for all rows: {said})")


def test_several_sources(tmp_path):
    alpaca = write(tmp_path / "alpaca.jsonl", lines([{"id": "1", **ROWS[0]}, BAD, {"id": "2", **ROWS[1]}]))
    dolly = write(
        tmp_path / "dolly.json", json.dumps([{"instruction": "q", "context": "c", "response": "r"}]).encode()
    )
    chat = [{"id": 1, "conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}]}]
    records = import_records([alpaca, dolly, chat], tmp_path / "pool", skip_bad=True)
    assert texts(records) == [WANT[0], WANT[1], ("q", "c", "r"), ("x", "", "y")]
    assert [row.source for row in records.rows()] == ["alpaca", "alpaca", "dolly", "rows"]
    assert [row.id for row in records.rows()] == list(records.ids()) == ["1", "2", "dolly-0", "rows-0"]
    assert [row.index for row in records.rows(1, 4)] == [1, 2, 3]
    assert records.raw(2) == b'{"instruction": "q", "context": "c", "response": "r"}'
    assert records.format == "mixed"
    codes, names = records.sources()
    assert (codes.tolist(), names) == ([0, 0, 1, 2], ["alpaca", "dolly", "rows"])
    named = import_records({"a": alpaca, "b": dolly}, tmp_path / "named", skip_bad=True)
    assert named.sources()[1] == ["a", "b"]
    twice = import_records([dolly, dolly], tmp_path / "twice")
    assert list(twice.ids()) == ["dolly-0", "dolly-2-0"]
    source = Source(alpaca, name="mine")
    assert import_records(source, tmp_path / "one", skip_bad=True).sources()[1] == ["mine"]
    with pytest.raises(ValueError, match=r"^source: label 'mine' is given twice"):
        import_records([source, source], tmp_path / "two", skip_bad=True)


def test_folders(tmp_path):
    folder = tmp_path / "shards"
    (folder / "sub").mkdir(parents=True)
    write(folder / "b.jsonl", lines(ROWS[10:]))
    write(folder / "a.jsonl", lines(ROWS[:10]))
    write(folder / "README.md", b"text")
    write(folder / ".hidden.json", b"text")
    records = import_records(folder, tmp_path / "pool")
    assert texts(records) == WANT
    assert (records.sources()[1], records.ids()[15]) == (["shards"], "shards-15")
    assert records.manifest["sources"][0]["left_out"] == {
        str(folder / ".hidden.json"): "hidden, by its name",
        str(folder / "README.md"): "unknown suffix",
    }
    write(folder / "sub" / "c.csv", as_csv(ROWS))
    text = f"source: {folder} holds .csv and .jsonl files; give the ones that are meant, one by one"
    refuse(folder, tmp_path / "p", text)
    (tmp_path / "none").mkdir()
    known = ".json, .jsonl, .ndjson, .csv, .tsv, .parquet"
    what = f"source: {tmp_path / 'none'} holds no file of {known}, nor what save_to_disk writes"
    text = f"{what}; pass one that does"
    refuse(tmp_path / "none", tmp_path / "p", text)
    write(tmp_path / "none" / "x.arrow", b"")
    write(tmp_path / "none" / ".x.jsonl", lines(ROWS))
    reasons = ".x.jsonl (hidden, by its name); x.arrow (unknown suffix)"
    refuse(tmp_path / "none", tmp_path / "p", f"{text}: {reasons}")


def test_paths_that_lead_nowhere(tmp_path):
    missing = tmp_path / "x.jsonl"
    text = (
        f"source: no such file or folder: {missing}; data sets of the Hub are named owner/name, pools: "
        "alpaca, dolly, oig-small-chip2, ultrachat, lmsys-chat-1m, mixed-270k"
    )
    refuse(missing, tmp_path / "pool", text, FileNotFoundError)
    refuse("alpacca", tmp_path / "pool", text.replace(str(missing), "alpacca"), FileNotFoundError)
    refuse("my/x.jsonl", tmp_path / "pool", text.replace(str(missing), "my/x.jsonl"), FileNotFoundError)
    wanted = ".json, .jsonl, .ndjson, .csv, .tsv, .parquet (also with .gz, .zst, .xz, .bz2)"
    other = write(tmp_path / "x.txt", b"")
    refuse(other, tmp_path / "pool", f"source: {other}: unknown suffix, wanted one of {wanted}")


def test_limit(tmp_path):
    path = write(tmp_path / "x.jsonl", lines(ROWS))
    assert texts(import_records(path, tmp_path / "a", limit=3)) == WANT[:3]
    assert len(import_records([path, path], tmp_path / "b", limit=3)) == 6
    with pytest.raises(ValueError, match=r"^limit: got 0, wanted at least 1"):
        import_records(path, tmp_path / "c", limit=0)


def test_progress(tmp_path, capsys):
    seen = []
    path = write(tmp_path / "x.jsonl", lines(ROWS * 1000))
    import_records(path, tmp_path / "a", progress=seen.append)
    assert all(isinstance(moment, RowProgress) for moment in seen)
    assert (seen[-1].phase, seen[-1].rows, seen[-1].total, seen[-1].share) == ("done", 20_000, 20_000, 1.0)
    assert all(0 < moment.share <= 1 for moment in seen)
    import_records(path, tmp_path / "b", progress=True)
    assert capsys.readouterr().err.startswith("      done  100%  20,000/20,000 rows  ")
    with pytest.raises(
        TypeError, match=r"^progress: got 3, wanted True, False, None or a callable that takes a RowProgress$"
    ):
        import_records(path, tmp_path / "c", progress=3)


def test_a_name_that_only_the_hub_may_know(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)  # as if it were not installed
    why = "to read no/such from the Hugging Face Hub, as no file or folder has that name"
    text = f"datasets is needed {why}: pip install 'qdit[data]'"
    refuse("no/such", tmp_path / "pool", text, ImportError)
