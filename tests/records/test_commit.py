"""What an import leaves behind: overwritten, damaged, shared and killed ones."""

import json
import shutil
import signal
import subprocess
import sys
import time

import pytest

from helpers.small_sources import BAD, ROWS, WANT, lines, texts, write
from qdit.records import import_records, is_imported, open_records


def test_what_is_there_is_kept_unless_overwritten(tmp_path):
    path = write(tmp_path / "x.jsonl", lines(ROWS))
    pool = tmp_path / "pool"
    first = import_records([path, path], pool)
    with pytest.raises(ValueError) as caught:
        import_records(path, pool)
    text = f"pool: {pool} holds records already; pass overwrite=True (--overwrite) or another directory"
    assert str(caught.value) == text
    (pool / "quality.npy").write_bytes(b"kept")
    second = import_records(path, pool, overwrite=True)
    assert (len(first), len(second)) == (40, 20)
    assert sorted(file.name for file in pool.iterdir()) == [
        "offsets.npy",
        "quality.npy",
        "records.json",
        "records.jsonl",
    ]
    with pytest.raises(ValueError, match=r"^list, row 0: "):
        import_records([BAD], pool, overwrite=True)
    assert texts(open_records(pool)) == WANT  # a failed import changes nothing
    assert texts(import_records(pool / "records.jsonl", pool, overwrite=True)) == WANT


def test_the_hash_is_of_rows_and_how_they_are_read(tmp_path):
    rows = [{"instruction": "a", "input": "b", "output": "c"}]
    same = [import_records(rows, tmp_path / str(i), source_name=name) for i, name in enumerate("xy")]
    other = import_records(rows, tmp_path / "2", columns={"instruction": "input", "input": "instruction"})
    more = import_records(rows * 2, tmp_path / "3")
    assert same[0].sha256 == same[1].sha256
    assert len({found.sha256 for found in (same[0], other, more)}) == 3


def test_is_imported(tmp_path):
    path = write(tmp_path / "x.jsonl", lines(ROWS))
    pool = tmp_path / "pool"
    assert not is_imported(path, pool)
    import_records(path, pool, limit=5)
    assert is_imported(path, pool, limit=5)
    assert not is_imported(path, pool)
    assert not is_imported([path, path], pool, limit=5)
    assert not is_imported(ROWS, pool)
    write(path, lines(ROWS[::-1]))
    assert not is_imported(path, pool, limit=5)


def test_damaged_pools(tmp_path):
    pool = tmp_path / "pool"
    with pytest.raises(
        FileNotFoundError, match=r"no records\.json, so no complete records; make them with qdit import"
    ):
        open_records(pool)
    import_records(ROWS, pool)
    content = (pool / "records.jsonl").read_bytes()
    write(pool / "records.jsonl", content.replace(b"say 3", b"say 4"))
    with pytest.raises(ValueError, match=r"records\.jsonl is damaged or changed: sha256 is "):
        open_records(pool).check()
    write(pool / "records.jsonl", content + b"\n")
    with pytest.raises(ValueError, match=rf"records\.jsonl has {len(content) + 1} bytes, records\.json says"):
        open_records(pool)
    (pool / "records.jsonl").unlink()
    with pytest.raises(ValueError, match=r"records\.jsonl is missing though records\.json lists it"):
        open_records(pool)
    record = json.loads((pool / "records.json").read_bytes())
    write(pool / "records.json", json.dumps(record | {"format_version": 9}).encode())
    with pytest.raises(ValueError, match="got format version 9, wanted 1; import the records again"):
        open_records(pool)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"sources": []}, r"records\.json is damaged: sources is empty; import the records again"),
        ({"files": []}, r"records\.json is damaged: sources/0/files is empty; "),
        ({"files": ["records.jsonl"]}, r"^records: .*records\.jsonl is "),
        ({"kind": "x"}, "sources/0/kind is 'x', wanted one of 'arrow', 'jsonl'; "),
        ({"format": []}, r"sources/0/format is \[\], wanted one of 'alpaca', "),
        ({"columns": {}}, r"records\.json is damaged: it has no 'instruction'"),
        ({"id_column": "x"}, r"records\.jsonl: row 0 has no 'x'; import the records again"),
    ],
)
def test_a_damaged_manifest(tmp_path, changes, problem):
    import_records(ROWS, tmp_path).close()
    path = tmp_path / "records.json"
    record = json.loads(path.read_bytes())
    record["sources"] = changes.get("sources", [record["sources"][0] | changes])
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match=problem):
        list(open_records(tmp_path).rows())


def test_two_imports_at_once(tmp_path):
    pool = tmp_path / "pool"

    def again(progress):
        with pytest.raises(RuntimeError, match="another run is importing into it; wait for it to end"):
            import_records(ROWS, pool)

    import_records(ROWS, pool, progress=again)


# Ends the process without any clean-up at the n-th time that a file of the pool is touched.
DIE = """
import os, sys
from qdit.records import import_records
left = int(sys.argv[1])
def hook(event, args):
    global left
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "shutil.rmtree") and "/pool" in str(args[0]):
        left -= 1
        if left < 0:
            os._exit(9)
sys.addaudithook(hook)
import_records(sys.argv[2], sys.argv[3], overwrite=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("before", [False, True], ids=["new", "over another"])
def test_killed_at_every_file_operation(tmp_path, before):
    """There are the old records, the new ones or none; never half of them. The next import ends it."""
    pool = tmp_path / "pool"
    path = write(tmp_path / "x.jsonl", lines(ROWS))
    codes, found = [], []
    for operation in range(40):
        if before:
            import_records([{"instruction": "old", "output": "row"}], pool, overwrite=True)
        elif (pool / "records.json").exists():  # killed behind it, while temporary files went
            shutil.rmtree(pool)
        code = [sys.executable, "-c", DIE, str(operation), str(path), str(pool)]
        codes.append(subprocess.run(code, timeout=60, check=False).returncode)
        if (pool / "records.json").exists():
            with open_records(pool) as records:
                records.check()
                found.append(len(records))
                assert texts(records) in (WANT, [("old", "", "row")])
        else:
            found.append(0)
        if codes[-1] == 0:
            break
    assert codes[-1] == 0
    assert codes[:-1] == [9] * (len(codes) - 1)
    assert len(codes) > 8
    assert found == sorted(found, key=(1 if before else 0, 0, 20).index)
    assert sorted(file.name for file in pool.iterdir()) == ["offsets.npy", "records.json", "records.jsonl"]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_while_rows_stream(tmp_path, how):
    path = write(tmp_path / "x.jsonl", lines(ROWS) * 5_000)
    pool = tmp_path / "pool"
    run = "import sys, signal; signal.signal(2, signal.default_int_handler)\n"
    run += "from qdit.records import import_records; import_records(sys.argv[1], sys.argv[2])"
    process = subprocess.Popen([sys.executable, "-c", run, str(path), str(pool)], stderr=subprocess.PIPE)
    while not any(file.stat().st_size for file in pool.glob(".*.tmp/records.jsonl")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert not (pool / "records.json").exists()
    assert (how == signal.SIGINT) == (not pool.exists() or not list(pool.iterdir()))
    records = import_records(path, pool)
    assert len(records) == 100_000
    assert not list(pool.glob(".*"))
