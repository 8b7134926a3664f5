"""Text sources: files of every kind, how rows are reached, what makes a row or a file bad."""

import bz2
import csv
import errno
import gzip
import io
import json
import lzma
import re
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qdit.common import files
from qdit.records import ImportOptions, import_records, is_imported, open_records

ROWS = [{"instruction": f"say {i} é", "input": "", "output": f"{i}\n\tx"} for i in range(20)]
BAD = {"instruction": "", "output": "x"}


def lines(rows, **options):
    return "".join(json.dumps(row, **options) + "\n" for row in rows).encode()


def as_csv(rows, delimiter=","):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def zst(content):
    return pytest.importorskip("zstandard").ZstdCompressor().compress(content)


SQUEEZED = {"": bytes, ".gz": gzip.compress, ".zst": zst, ".xz": lzma.compress, ".bz2": bz2.compress}


def write(path, content):
    path.write_bytes(content)
    return path


def texts(records):
    return [(row.instruction, row.input, row.output) for row in records.rows()]


WANT = [(row["instruction"], row["input"], row["output"]) for row in ROWS]


@pytest.mark.parametrize("squeeze", SQUEEZED)
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.jsonl", lines(ROWS)),
        ("x.ndjson", lines(ROWS, ensure_ascii=False)),
        ("x.json", json.dumps(ROWS, indent=2).encode()),
        ("x.json", lines(ROWS)),
        ("x.jsonl", json.dumps(ROWS).encode()),
        ("x.csv", as_csv(ROWS)),
        ("x.tsv", as_csv(ROWS, "\t")),
        ("x.CSV", b"\xef\xbb\xbf" + as_csv(ROWS)),
        ("x.jsonl", b"\xef\xbb\xbf\n" + lines(ROWS).replace(b"\n", b"\r\n \n") + b"\n\n"),
    ],
    ids=["lines", "utf-8", "array", "lines.json", "array.jsonl", "csv", "tsv", "csv-bom", "crlf"],
)
def test_files(tmp_path, name, content, squeeze):
    content = SQUEEZED[squeeze](content)
    path = write(tmp_path / (name + squeeze), content)
    records = import_records(path, tmp_path / "pool")
    assert (len(records), records.format) == (20, "alpaca")
    assert texts(records) == WANT
    assert records.ids()[3] == "x-3"
    assert records.manifest["sources"][0]["inputs"] == [
        {"path": str(path), "bytes": len(content), "sha256": files.sha256_file(path)}
    ]


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz"])
@pytest.mark.parametrize("squeeze", SQUEEZED)
def test_contents_tell_how_a_file_is_compressed(tmp_path, name, squeeze):
    path = write(tmp_path / name, SQUEEZED[squeeze](lines(ROWS)))
    assert texts(import_records(path, tmp_path / "pool")) == WANT


def test_compressed_twice_or_damaged_at_its_beginning(tmp_path):
    path = write(tmp_path / "x.jsonl.gz.gz", gzip.compress(gzip.compress(lines(ROWS))))
    assert texts(import_records(path, tmp_path / "pool")) == WANT
    for name, squeeze in list(SQUEEZED.items())[1:]:
        cut = write(tmp_path / f"y.jsonl{name}", squeeze(lines(ROWS))[8:])
        problem = f"it does not begin as a {name} file does"
        refuse(cut, tmp_path / "p", f"{cut} is cut off or damaged: {problem}; fetch or compress it again")


def spread(rows, indent=1):
    return "\n".join(json.dumps(row, indent=indent) for row in rows).encode()


def as_columns(rows):
    return {name: [row[name] for row in rows] for name in rows[0]}


def split(rows):
    cells = [list(row.values()) for row in rows]
    return {"columns": list(rows[0]), "index": [*range(len(rows))], "data": cells}


@pytest.mark.parametrize(
    ("rows", "content"),
    [
        (1, spread(ROWS[:1])),
        (20, spread(ROWS)),
        (20, spread(ROWS).replace(b"\n", b"\r\n")),
        (20, lines(ROWS).replace(b"}\n", b"},\n")),
        (20, b"\xef\xbb\xbf" + json.dumps({"version": 1, "tags": ["a"], "data": ROWS}).encode()),
        (20, json.dumps({"rows": ROWS}, indent=2).encode()),
        (20, json.dumps(as_columns(ROWS)).encode()),
        (20, json.dumps({name: dict(enumerate(cells)) for name, cells in as_columns(ROWS).items()}).encode()),
        (20, json.dumps(dict(enumerate(ROWS)), indent=2).encode()),
        (20, json.dumps(split(ROWS)).encode()),
        (3, json.dumps(split(ROWS[:3])).encode()),
        (1, json.dumps({**ROWS[0], "refs": [{"instruction": "x", "output": "y"}]}).encode()),
    ],
    ids=[
        *("one object", "objects", "crlf", "commas", "wrapped", "wrapped lines", "lists", "pandas", "by row"),
        *("split", "as many rows as columns", "a row that has a list"),
    ],
)
def test_shapes_of_json(tmp_path, rows, content):
    path = write(tmp_path / "x.json", content)
    assert texts(import_records(path, tmp_path / "pool")) == WANT[:rows]


def test_a_chat_over_several_lines_is_one_row(tmp_path):
    """Its turns are a list of objects too."""
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    path = write(tmp_path / "x.json", spread([{"messages": turns, "tools": [{"name": "t"}]}]))
    assert texts(import_records(path, tmp_path / "pool")) == [("q", "", "a")]
    bad = write(tmp_path / "z.json", spread([{"messages": turns[:1], "tools": [{"name": "t"}]}]))
    refuse(
        bad,
        tmp_path / "p",
        f"{bad}, row 0 (line 1): field 'messages' has no turn of the assistant after the user's{HINT}",
    )
    named = write(tmp_path / "y.json", spread([{"dialog": turns}]))
    records = import_records(named, tmp_path / "named", columns={"messages": "dialog"})
    assert texts(records) == [("q", "", "a")]


def test_bad_rows_inside_an_object(tmp_path):
    path = write(tmp_path / "x.json", json.dumps({"data": [*ROWS, BAD]}).encode())
    refuse(path, tmp_path / "pool", f"{path}, row 20: field 'instruction' is empty{HINT}")
    assert len(import_records(path, tmp_path / "pool", skip_bad=True)) == 20
    both = write(tmp_path / "y.json", json.dumps({"train": ROWS, "test": ROWS}).encode())
    text = (
        f"{both} is one object with rows under 'train' and 'test'; write those that are meant to a file of "
        """their own, such as by jq '.["train"]' y.json > train.json"""
    )
    refuse(both, tmp_path / "p2", text)
    table = split(ROWS)
    table["data"][7].append("more")
    long = write(tmp_path / "z.json", json.dumps(table).encode())
    with pytest.raises(ValueError, match=r"z\.json, row 0 .*is of no known format: got fields 'columns', "):
        import_records(long, tmp_path / "p2")


def test_a_first_row_that_is_cut_off_can_be_skipped(tmp_path):
    path = write(tmp_path / "x.jsonl", b'{"instruction": "a", "out\n' + lines(ROWS))
    assert texts(import_records(path, tmp_path / "pool", skip_bad=True)) == WANT


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (json.dumps(ROWS).encode("utf-16"), "is UTF-16 text, wanted JSON or CSV; convert it to UTF-8"),
        (json.dumps(ROWS).encode("utf-32"), "is UTF-32 text, wanted JSON or CSV; convert it to UTF-8"),
        (lines(ROWS).decode().encode("utf-16-le"), "is no UTF-8 text: it has zero bytes; convert it"),
        (b"PAR1 ...", "is a Parquet file, wanted JSON or CSV; call it .parquet"),
        (b"PK\x03\x04 ...", "is a zip archive, wanted JSON or CSV; unpack it"),
        (gzip.compress(b"x" * 257 + b"ustar"), "is a tar archive, wanted JSON or CSV; unpack it"),
        (b"<!DOCTYPE html>", "is a web page, wanted JSON or CSV; fetch the file itself"),
        (b"version https://git-lfs.github.com/spec/v1", "is a pointer of Git LFS and not the file itself"),
        *(
            (squeeze(lines(ROWS * 500))[:-20], "is cut off or damaged: ")
            for name, squeeze in SQUEEZED.items()
            if name not in ("", ".zst")
        ),
        (lzma.compress(lines(ROWS))[:20] + b"?" * 80, "is cut off or damaged: "),
        (bz2.compress(lines(ROWS))[:20] + b"?" * 80, "is cut off or damaged: "),
    ],
)
@pytest.mark.parametrize("name", ["x.jsonl", "x.csv"])
def test_files_that_are_no_text(tmp_path, name, content, problem):
    path = write(tmp_path / name, content)
    with pytest.raises(ValueError, match="^" + re.escape(f"{path} {problem}")):
        import_records(path, tmp_path / "pool")


def test_zst_with_a_long_window(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    asked = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    squeezer = zstandard.ZstdCompressor(compression_params=asked).compressobj()
    packed = squeezer.compress(lines(ROWS)) + squeezer.flush()
    assert texts(import_records(write(tmp_path / "x.jsonl.zst", packed), tmp_path / "pool")) == WANT


def test_an_error_of_the_system_names_the_file(tmp_path, monkeypatch):
    path = write(tmp_path / "x.jsonl", lines(ROWS))

    def broken(*arguments):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("qdit.records.textfiles.expand", broken)
    with pytest.raises(OSError, match=re.escape(f"Input/output error: '{path}'")):
        import_records(path, tmp_path / "pool")


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


def refuse(source, pool, text, kind=ValueError, **options):
    with pytest.raises(kind) as caught:
        import_records(source, pool, **options)
    assert str(caught.value) == text
    assert not pool.exists()  # nothing is left


def test_half_a_surrogate_pair_stays_an_escape(tmp_path):
    """UTF-8 has none, and a file that has is read by nobody."""
    rows = [row | {"note": "é\ud83d"} for row in ROWS[:2]]
    path = write(tmp_path / "x.json", json.dumps({"data": rows}).encode())
    records = import_records(path, tmp_path / "pool")
    assert [json.loads(raw.decode())["note"] for raw in records.raws()] == ["é\ud83d"] * 2


HINT = "; mend it, or leave such rows out with skip_bad=True (--skip-bad)"


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


def test_broken_files(tmp_path):
    packed = gzip.compress(lines(ROWS * 5000))
    cut = write(tmp_path / "x.jsonl.gz", packed[:-20])
    text = "Compressed file ended before the end-of-stream marker was reached"
    refuse(cut, tmp_path / "pool", f"{cut} is cut off or damaged: {text}; fetch or compress it again")
    array = write(tmp_path / "z.json", b'[{"instruction": "a", "output": "b"},\n{"instruction": oops}]')
    text = (
        f"{array}, row 1 (line 2): Expecting value: got 'oops}}]'; rows after it cannot be told apart, so it "
        "cannot be skipped: repair the file"
    )
    refuse(array, tmp_path / "pool", text, skip_bad=True)


def test_zst_that_is_cut_off_or_of_several_frames(tmp_path):
    packed = zst(lines(ROWS * 500))
    cut = write(tmp_path / "x.jsonl.zst", packed[:-20])
    text = f"{cut} is cut off or damaged: the compressed data ends early; fetch or compress it again"
    refuse(cut, tmp_path / "pool", text)
    frames = write(tmp_path / "z.jsonl.zst", packed + zst(lines(ROWS)))
    assert len(import_records(frames, tmp_path / "pool")) == 501 * 20


def test_csv_cells(tmp_path):
    content = b'instruction,output\r\n"a, ""b""\r\nc",d\r\n\r\ne,f,g\r\nh,i\r\n'
    path = write(tmp_path / "x.csv", content)
    refuse(path, tmp_path / "pool", f"{path}, row 1 (line 5): has 3 cells, wanted 2{HINT}")
    records = import_records(path, tmp_path / "pool", skip_bad=True)
    assert texts(records) == [('a, "b"\r\nc', "", "d"), ("h", "", "i")]
    assert records.raw(0) == b'{"instruction": "a, \\"b\\"\\r\\nc", "output": "d"}'
    for content, text in [
        (b"\n", "no header line, wanted one with the names of the columns"),
        (b"a,a\n1,2\n", "column 'a' is there twice; give each column its own name"),
    ]:
        refuse(write(path, content), tmp_path / "p2", f"{path}: {text}")
    write(path, b'instruction,output\na,b\n"c,d\n')
    text = (
        f"{path}, line 3: unexpected end of data; rows after it cannot be told apart; mend the quotes there"
    )
    refuse(path, tmp_path / "p2", text, skip_bad=True)
    with pytest.raises(ValueError, match="not UTF-8"):
        import_records(write(path, b"instruction,output\n\xff,b\n"), tmp_path / "p2", skip_bad=True)
    long = "x" * 1_000_000
    big = import_records(write(path, f"instruction,output\na,{long}\n".encode()), tmp_path / "p2")
    assert big.row(0).output == long
