"""Imports: how rows are reached and kept, what makes a row bad, and under which names things are."""

import json
import re
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.small_sources import BAD, HINT, ROWS, WANT, lines, refuse, texts, write
from qdit.records import ImportOptions, import_records, is_imported, open_records


def test_access(tmp_path):
    records = import_records(write(tmp_path / "x.jsonl", lines(ROWS)), tmp_path / "pool")
    again = open_records(tmp_path / "pool")
    assert repr(again) == f"Records(n=20, format='alpaca', directory='{tmp_path / 'pool'}')"
    assert again.sha256 == records.sha256
    assert [again.row(i) for i in range(20)] == list(again.rows())
    assert again.row(-1) == again.row(19)
    assert again.row(np.int64(4)).index == 4
    assert [row.index for row in again.rows(5, 8)] == [5, 6, 7]
    assert list(again.rows(30)) == []
    assert list(again.raws()) == [again.raw(i) for i in range(20)] == lines(ROWS).splitlines()
    assert again.value(2) == ROWS[2]
    assert list(again.values(18)) == ROWS[18:]
    assert list(again.ids()) == [f"x-{i}" for i in range(20)] == again.ids()[:]
    assert again.index_of("x-7") == 7
    with pytest.raises(ValueError, match=r"^no row has the id 'y'; ids look like 'x-0'$"):
        again.index_of("y")
    for i in (20, -21):
        with pytest.raises(IndexError, match=f"^row {i}: the pool has rows 0 to 19$"):
            again.row(i)
    codes, names = again.sources()
    assert (codes.dtype, codes.tolist(), names) == (np.int32, [0] * 20, ["x"])
    again.check()


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=3)


@settings(max_examples=40)
@given(
    st.lists(st.fixed_dictionaries({"output": st.text(), "extra": JSON}), min_size=1, max_size=5), st.data()
)
def test_rows_keep_their_bytes(tmp_path_factory, rows, data):
    folder = tmp_path_factory.mktemp("bytes")
    written = []
    for row in rows:
        spaces = data.draw(st.sampled_from([(",", ":"), (", ", " : ")]))
        text = json.dumps({"instruction": "do", **row}, separators=spaces)
        written.append(data.draw(st.sampled_from(["", " ", "\t"])) + text)
    content = "\n".join(written) + data.draw(st.sampled_from(["", "\n"]))
    records = import_records(write(folder / "x.jsonl", content.encode()), folder / "pool")
    assert list(records.raws()) == [text.encode() for text in written]
    array = write(folder / "x.json", ("[" + ",".join(written) + "]").encode())
    assert list(import_records(array, folder / "pool2").raws()) == [text.strip().encode() for text in written]


@pytest.mark.parametrize("name", ["x.jsonl", "x.json"])
def test_nan_in_a_file_becomes_null(tmp_path, name):
    """json.loads takes it, and no other reader does; the other rows keep their bytes."""
    kept = b'{"instruction":"NaN",  "output": "b", "n": 1e400}'
    line = b'{"instruction": "a", "output": "b", "n": [NaN, -Infinity, 0.5]}'
    content = b"[%b,%b]" % (line, kept) if name == "x.json" else b"%b\n%b\n" % (line, kept)
    records = import_records(write(tmp_path / name, content), tmp_path / "pool")
    null = b'{"instruction": "a", "output": "b", "n": [null, null, 0.5]}'
    assert list(records.raws()) == [null, kept]


def test_values_of_python_in_a_list(tmp_path):
    pd = pytest.importorskip("pandas")
    values = {
        "nan": float("nan"),
        "numbers": np.arange(2000),
        "number": np.float32(0.5),
        "infinite": np.array([np.inf, 1]),
        "time": pd.NaT,
        "missing": pd.NA,
        "mapping": MappingProxyType({"x": 1}),
        5: 2**90,
    }
    rows = [{"instruction": "a", "output": "b", **values}]
    wanted = {"nan": None, "numbers": [*range(2000)], "number": 0.5, "infinite": [None, 1.0], "time": None}
    wanted |= {"missing": None, "mapping": {"x": 1}, "5": 2**90}
    records = import_records(rows, tmp_path / "pool")
    assert records.value(0) == {"instruction": "a", "output": "b"} | wanted
    rows[0]["self"] = rows
    text = "list, row 1: is no JSON: keys must be str, int, float, bool or None, not tuple" + HINT
    refuse([ROWS[0], {(): 1}], tmp_path / "p2", text)
    refuse(rows, tmp_path / "p2", "list, row 0: is no JSON: Circular reference detected" + HINT)


def test_half_a_surrogate_pair_stays_an_escape(tmp_path):
    """UTF-8 has none, and a file that has is read by nobody."""
    rows = [row | {"note": "é\ud83d"} for row in ROWS[:2]]
    path = write(tmp_path / "x.json", json.dumps({"data": rows}).encode())
    records = import_records(path, tmp_path / "pool")
    assert [json.loads(raw.decode())["note"] for raw in records.raws()] == ["é\ud83d"] * 2


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"instruction": "a"}', "field 'output' is missing (the row has 'instruction')"),
        (b'{"instruction": " ", "output": "b"}', "field 'instruction' is empty"),
        (b'{"instruction": 1, "output": "b"}', "field 'instruction' is a number, wanted text"),
        (b"[1, 2]", "is not an object with fields"),
        (
            b'{"instruction": "a", ',
            "is not JSON: Expecting property name enclosed in double quotes (character 22)",
        ),
        (
            b'{"instruction": "a\xff"}',
            "is not UTF-8 (invalid start byte); convert the file, such as by iconv -f CP1252 -t UTF-8",
        ),
        (b'{"instruction": "a",\r"output": "b"}', "has a carriage return inside the line"),
        (
            b'{"instruction": "a\\ud83d", "output": "b"}',
            "has half a surrogate pair at character 2",
        ),
        (
            b'{"instruction": "a", "' + b"o" * 5000 + b'": "b"}',
            f"field 'output' is missing (the row has 'instruction', '{'o' * 56}...)",
        ),
        (
            b'{"instruction": "a", "' + b"o" * 5000 + b'": "b", "' + b"o" * 5000 + b'": "c"}',
            f"field '{'o' * 56}... is there twice in one object",
        ),
        (b"[" * 100_000, "is nested too deeply"),
        (
            b'{"instruction": "a", "output": "b", "output": "c"}',
            "field 'output' is there twice in one object",
        ),
        (
            b'{"instruction": "a", "n": ' + b"1" * 5000 + b"}",
            "has a number of too many digits",
        ),
    ],
)
def test_bad_rows(tmp_path, line, problem):
    path = write(tmp_path / "x.jsonl", lines(ROWS[:3]) + b"\n" + line + b"\n" + lines(ROWS[3:]))
    refuse(path, tmp_path / "pool", f"{path}, row 3 (line 5): {problem}{HINT}")
    records = import_records(path, tmp_path / "pool", skip_bad=True)
    assert texts(records) == WANT
    assert [records.ids()[i] for i in (2, 3, 19)] == ["x-2", "x-4", "x-20"]  # the rows of the file
    report = records.manifest["sources"][0]["skipped"]
    assert report["count"] == 1
    assert report["problems"] == {problem: 1}
    (example,) = report["examples"]
    assert (example["where"], example["row"], example["line"]) == (str(path), 3, 5)
    assert example["excerpt"] is None or len(example["excerpt"]) <= 80


def test_the_report_stays_small(tmp_path):
    bad = [{"instruction": "a" * 10_000, "output": i} for i in range(500)]
    bad += [{"instruction": "a", f"field {i}": 1} for i in range(500)]
    path = write(tmp_path / "x.jsonl", lines(ROWS + bad))
    records = import_records(path, tmp_path / "pool", skip_bad=True)
    report = records.manifest["sources"][0]["skipped"]
    assert (report["count"], len(report["examples"])) == (1000, 10)
    assert sum(report["problems"].values()) == 1000
    assert len(report["problems"]) <= 101
    assert (tmp_path / "pool" / "records.json").stat().st_size < 30_000


def test_nothing_to_keep(tmp_path):
    path = write(tmp_path / "x.jsonl", lines([BAD, BAD]))
    reason = "2 were left out, most of them because: field 'instruction' is empty"
    refuse(path, tmp_path / "pool", f"source: {path} has no row that can be used; {reason}", skip_bad=True)
    empty = write(tmp_path / "y.jsonl", b"")
    refuse(
        empty,
        tmp_path / "pool",
        f"source: {empty} has no row that can be used: it is empty; pass one with rows",
    )
    refuse([], tmp_path / "pool", "source: got an empty list, wanted at least one source")


def test_unknown_formats(tmp_path):
    path = write(tmp_path / "x.jsonl", lines([{"q": "a", "a": "b"}]))
    with pytest.raises(ValueError) as caught:
        import_records(path, tmp_path / "pool")
    start = (
        f"{path}, row 0 (line 1): is of no known format: got fields 'q', 'a', wanted instruction and output"
    )
    assert str(caught.value).startswith(start)
    assert str(caught.value).endswith("(--columns), or pass format (--format)")
    records = import_records(path, tmp_path / "pool", columns={"instruction": "q", "output": "a"})
    assert texts(records) == [("a", "", "b")]


def test_a_named_column_that_is_nowhere(tmp_path):
    path = write(tmp_path / "x.jsonl", lines([{"instruction": "a", "context": "c", "output": "b"}] * 3))
    text = "columns: 'contxt' is in no row of x; check its spelling"
    refuse(path, tmp_path / "pool", text, columns={"input": "contxt"})
    assert import_records(path, tmp_path / "pool", columns={"input": "context"}).row(0).input == "c"


OWN_ROLES = {"user": ["Customer", "問"], "assistant": ["Agent"]}


@pytest.mark.parametrize(
    "roles",
    [
        OWN_ROLES,
        {"user": ("customer", "問"), "assistant": "agent"},
        "user=Customer,assistant=Agent, user=問",
    ],
)
def test_roles_under_names_of_their_own(tmp_path, roles):
    turns = [
        {"from": name, "value": name} for name in ("Customer", "Agent", "問", "gpt")
    ]  # known names stay known
    path = write(tmp_path / "x.jsonl", lines([{"conversations": turns}] * 2))
    told = (
        f"{path}, row 0 (line 1): field 'conversations' has from 'Customer' in turn 0, wanted system, user, "
        'assistant or tool; say whose name that is, as in roles="user=Customer" (--roles "user=Customer"), '
        "or leave such rows out with skip_bad=True (--skip-bad)"
    )
    refuse(path, tmp_path / "pool", told)
    records = import_records(path, tmp_path / "pool", roles=roles)
    want = (("user", "Customer"), ("assistant", "Agent"), ("user", "問"), ("assistant", "gpt"))
    assert records.row(1).turns == open_records(tmp_path / "pool").row(0).turns == want
    assert is_imported(path, tmp_path / "pool", roles=roles)
    assert not is_imported(path, tmp_path / "pool", roles={**OWN_ROLES, "assistant": ["問"], "user": ["x"]})
    if roles is OWN_ROLES:
        assert records.manifest["sources"][0]["roles"] == OWN_ROLES
    other = import_records(path, tmp_path / "other", roles="user=Customer,assistant=Agent,tool=問")
    assert other.sha256 != records.sha256  # what is made of other turns is stale


@pytest.mark.parametrize(
    ("roles", "problem"),
    [
        ("Customer", "got 'Customer', wanted pairs such as user=Customer,assistant=Agent"),
        ("", "got '', wanted pairs such as user=Customer,assistant=Agent"),
        ({"user": 3}, "got {'user': 3}, wanted pairs such as user=Customer,assistant=Agent"),
        (["user"], "got ['user'], wanted pairs such as user=Customer,assistant=Agent"),
        ("users=Customer", "got 'users', wanted one of 'system', 'user', 'assistant', 'tool'; did you mean"),
        ("user=A,assistant=a", "got 'a' twice, wanted each name once"),
    ],
)
def test_roles_that_are_none(roles, problem):
    with pytest.raises(ValueError, match=re.escape(f"roles: {problem}")):
        ImportOptions(roles=roles)
