"""A disk that fills up while a command writes: the error has the path and what to do, and no traceback."""

import re

import pytest

from helpers.command import run
from helpers.export_pools import lines, make
from helpers.small_files import small_files

ROWS = 200


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """rows.jsonl, and a pool with a selection."""
    folder = tmp_path_factory.mktemp("made")
    return make(folder, k=ROWS)


@pytest.mark.parametrize(
    ("command", "needs"),
    [
        ("import {made}/rows.jsonl {out}", ""),
        ("import {made}/rows.parquet {out}", "pyarrow"),
        ("embed {out} --model builtin:hash", ""),
        ("score {out} --by response-words", ""),
        ("select {made}/pool --k 200 --method random --out {out}", ""),
        ("sweep {made}/pool --k 200 --out {out}", ""),
        ("export {made}/chosen {out} --format jsonl", ""),
        ("export {made}/chosen {out} --format json", ""),
        ("export {made}/chosen {out} --format parquet", "pyarrow"),
        ("export {made}/chosen {out} --format hf", "datasets"),
        ("export {made}/chosen {out} --decisions jsonl --columns", ""),
        ("report {made}/chosen --out {out} --no-verbs", "matplotlib"),
        ("convert {made}/rows.parquet {out}/x.npy", "pyarrow"),
    ],
)
def test_the_path_is_told(tmp_path, capsys, made, command, needs):
    if needs:
        pytest.importorskip(needs, reason=f"needs {needs}: pip install 'qdit[all]'")
    folder = made.pool.parent
    if ".parquet" in command and not (folder / "rows.parquet").exists():
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = {"instruction": lines(), "output": lines(), "vector": [[1.0] * 8] * len(lines())}
        pq.write_table(pa.table(columns), folder / "rows.parquet")
    out = tmp_path / "out"
    out.mkdir()
    if "{out}" in command.split()[1]:
        assert run(f"import {folder}/rows.jsonl {out} --no-progress") == 0
    capsys.readouterr()
    with small_files(1000):
        code = run(command.format(made=folder, out=out) + " --no-progress")
    said = capsys.readouterr().err.splitlines()[-1]
    assert re.fullmatch(rf"qdit: error: {out}/\S+: File too large; .*ulimit -f.*", said), said
    assert code == 1
    assert "/." not in said.replace("/.x.npy.partial/", "/")  # no temporary name; that one goes on


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("import {made}/rows.jsonl {out}", "import {made}/rows.jsonl {out} --skip-bad"),
        ("embed {out} --model builtin:hash", "embed {out} --model builtin:hash --dtype float32"),
        (
            "import {made}/rows.jsonl {out}/b --embeddings {made}/pool/embeddings.npy",
            "import {made}/rows.jsonl {out}/b --embeddings {made}/pool/embeddings.npy",
        ),
        ("score {out} --by response-words", "score {out} --by response-chars"),
        ("export {made}/chosen {out} --format jsonl", "export {made}/chosen {out} --format json"),
    ],
)
def test_what_was_there_stays_whole(tmp_path, made, first, second):
    """An overwrite that fails leaves the old result, and nothing else but what it can go on from."""
    folder, out = made.pool.parent, tmp_path / "out"

    def there():
        goes_on = ("embeddings.partial", "scoring")
        found = (path for path in out.rglob("*") if path.is_file() and path.parent.name not in goes_on)
        return {path: path.read_bytes() for path in found}

    if "{out}" in first.split()[1]:
        assert run(f"import {folder}/rows.jsonl {out} --no-progress") == 0
    assert run(first.format(made=folder, out=out) + " --no-progress") == 0
    before = there()
    with small_files(1000):
        assert run(second.format(made=folder, out=out) + " --overwrite --no-progress") == 1
    assert there() == before
