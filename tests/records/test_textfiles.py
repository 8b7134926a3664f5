"""Text files of every kind and shape, plain and compressed, and those that are none."""

import bz2
import errno
import gzip
import json
import lzma
import re

import pytest

from helpers.small_sources import BAD, HINT, ROWS, WANT, as_csv, lines, refuse, texts, write
from qdit.common import files
from qdit.records import import_records


def zst(content):
    return pytest.importorskip("zstandard").ZstdCompressor().compress(content)


SQUEEZED = {"": bytes, ".gz": gzip.compress, ".zst": zst, ".xz": lzma.compress, ".bz2": bz2.compress}


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
