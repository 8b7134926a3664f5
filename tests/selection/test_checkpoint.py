"""Checkpoint files: what is read back is whole and true, and belongs to this run."""

import errno
import os
import re

import numpy as np
import pytest

import qdit
from qdit.selection import checkpoint
from qdit.selection.checkpoint import Checkpoint, decode_picks, encode_picks

IDENTITY = {"alpha": 0.5, "seed": 0, "given": None}
INDICES = np.array([5, 0, 7, 3], np.int64)
GAINS = np.array([2**40, -3, 17, 0], np.int64)
N = 9


def reopen(path, identity=IDENTITY):
    with Checkpoint(path, identity, N) as saved:
        return saved.indices.tolist(), saved.gains.tolist(), saved.bounds


@pytest.fixture
def journal(tmp_path):
    """A checkpoint with four picks."""
    with Checkpoint(tmp_path, IDENTITY, N) as saved:
        saved.append(INDICES[:3], GAINS[:3], 0)
        saved.append(INDICES[3:], GAINS[3:], 3)
    return tmp_path


def test_records_come_back():
    content = encode_picks(INDICES, GAINS, 0, key=42).tobytes()
    indices, gains = decode_picks(content, key=42)
    assert (indices.tolist(), gains.tolist()) == (INDICES.tolist(), GAINS.tolist())
    assert len(decode_picks(b"", key=42)[0]) == 0


@pytest.mark.parametrize("size", range(4 * 24))
def test_a_torn_tail_is_dropped(size):
    content = encode_picks(INDICES, GAINS, 0, key=42).tobytes()
    indices, gains = decode_picks(content[:size], key=42)
    assert indices.tolist() == INDICES[: size // 24].tolist()
    assert gains.tolist() == GAINS[: size // 24].tolist()


@pytest.mark.parametrize("byte", range(24, 48))
def test_a_changed_byte_ends_the_journal_before_it(byte):
    content = bytearray(encode_picks(INDICES, GAINS, 0, key=42).tobytes())
    content[byte] ^= 0x10
    assert decode_picks(bytes(content), key=42)[0].tolist() == INDICES[:1].tolist()


def test_records_of_another_run_or_position_are_not_taken():
    content = encode_picks(INDICES, GAINS, 0, key=42).tobytes()
    assert len(decode_picks(content, key=43)[0]) == 0
    assert len(decode_picks(content[24:], key=42)[0]) == 0
    assert len(decode_picks(bytes(96), key=42)[0]) == 0


def test_the_journal_goes_on_after_a_torn_tail(journal):
    path = journal / "picks.bin"
    path.write_bytes(path.read_bytes()[:-5])
    with Checkpoint(journal, IDENTITY, N) as saved:
        assert saved.indices.tolist() == [5, 0, 7]
        assert path.stat().st_size == 3 * 24
        saved.append(np.array([8], np.int64), np.array([1], np.int64), 3)
    assert reopen(journal)[:2] == ([5, 0, 7, 8], [2**40, -3, 17, 1])


def test_replayed_picks_are_compared_not_written_again(journal):
    size = (journal / "picks.bin").stat().st_size
    with Checkpoint(journal, IDENTITY, N) as saved:
        saved.append(INDICES[:2], GAINS[:2], 0)
        saved.append(np.append(INDICES[2:], 1), np.append(GAINS[2:], 9), 2)
    assert (journal / "picks.bin").stat().st_size == size + 24
    assert reopen(journal)[0] == [5, 0, 7, 3, 1]
    with Checkpoint(journal, IDENTITY, N) as saved, pytest.raises(ValueError) as caught:
        saved.append(INDICES[1:3], np.array([-3, 18]), 1)
    assert str(caught.value) == (
        f"checkpoint {journal}: pick 2 is row 7 with gain 18 now and was row 7 with gain 17 in the journal; "
        "pass another directory"
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"alpha": 0.7}, "alpha is 0.7 now and was 0.5"),
        ({"given": "ab12"}, "given is 'ab12' now and was None"),
        (
            {"alpha": 0.7, "seed": 3},
            "alpha is 0.7 now and was 0.5; seed is 3 now and was 0",
        ),
    ],
)
def test_another_run_is_told_what_differs(journal, change, text):
    with pytest.raises(ValueError) as caught:
        Checkpoint(journal, IDENTITY | change, N)
    assert str(caught.value) == (
        f"checkpoint {journal}: {text}; repeat the earlier call to resume it, or pass another directory"
    )
    assert reopen(journal)[0] == INDICES.tolist()


def test_two_runs_at_once_are_refused(journal):
    with Checkpoint(journal, IDENTITY, N):
        with pytest.raises(RuntimeError) as caught:
            Checkpoint(journal, IDENTITY, N)
        assert str(caught.value) == (
            f"checkpoint {journal}: another run is using it; wait for it to end, or pass another directory"
        )
    assert reopen(journal)[0] == INDICES.tolist()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{}", "header.json: got format None, wanted 'qdit-checkpoint'; this file is not qdit's"),
        ('{"format": "qdit-checkpoint", "format_version": 0}', "got format version 0, wanted 1"),
        (
            '{"format": "qdit-checkpoint", "format_version": 1}',
            "header.json is damaged; delete the directory",
        ),
        ("nonsense", "header.json is damaged: Expecting value"),
    ],
)
def test_a_damaged_header_is_refused(journal, content, text):
    (journal / "header.json").write_text(content)
    with pytest.raises(ValueError, match=re.escape(text)):
        Checkpoint(journal, IDENTITY, N)


def test_a_journal_without_a_header_is_refused(journal):
    (journal / "header.json").unlink()
    with pytest.raises(ValueError, match=r"picks\.bin without header\.json; delete the directory$"):
        Checkpoint(journal, IDENTITY, N)


def test_leftover_temporary_files_are_removed(journal):
    names = {path.name for path in journal.iterdir()}
    (journal / ".bounds.bin.0123abcd.tmp").write_bytes(b"half")
    (journal / ".mine.tmp").write_bytes(b"the user's")
    reopen(journal)
    assert {path.name for path in journal.iterdir()} == names | {".mine.tmp"}


BOUNDS = np.arange(N, dtype=np.int64)


def test_bounds_come_back(journal):
    with Checkpoint(journal, IDENTITY, N) as saved:
        assert saved.bounds is None
        assert not saved.snapshot(BOUNDS)
        assert saved.snapshot(BOUNDS, force=True)
    assert reopen(journal)[2].tolist() == BOUNDS.tolist()


def test_bounds_are_saved_rarely(journal):
    now = [0.0]
    with Checkpoint(journal, IDENTITY, N, clock=lambda: now[0]) as saved:
        written = []
        for now[0] in np.arange(0.0, 60.0, 0.25):
            written += [now[0]] if saved.snapshot(BOUNDS) else []
    assert written == [10.0, 20.0, 30.0, 40.0, 50.0]


@pytest.mark.parametrize(
    "damage", ["other run", "other size", "changed", "cut", "more picks than the journal"]
)
def test_bounds_that_do_not_fit_are_not_used(journal, damage):
    with Checkpoint(journal, IDENTITY, N) as saved:
        saved.snapshot(BOUNDS, force=True)
    path = journal / "bounds.bin"
    content = bytearray(path.read_bytes())
    if damage == "other run":
        content[8] ^= 1
    elif damage == "other size":
        content += bytes(8)
    elif damage == "changed":
        content[-1] ^= 1
    elif damage == "cut":
        content = content[:-3]
    else:
        os.truncate(journal / "picks.bin", 3 * 24)
    path.write_bytes(content)
    assert reopen(journal)[2] is None


def test_bounds_from_before_the_first_pick_end_with_it(tmp_path):
    with Checkpoint(tmp_path, IDENTITY, N) as saved:
        saved.snapshot(BOUNDS, force=True)
    assert reopen(tmp_path)[2].tolist() == BOUNDS.tolist()
    with Checkpoint(tmp_path, IDENTITY, N) as saved:
        saved.append(INDICES[:1], GAINS[:1], 0)
    assert reopen(tmp_path)[2] is None


def test_a_finished_run_is_read_where_nothing_can_be_written(tmp_path, monkeypatch):
    x = np.random.default_rng(3).standard_normal((40, 4)).astype(np.float32)
    want = qdit.select(x, alpha=0, k=5, checkpoint=tmp_path)

    def read_only(path, *_given, **_options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(checkpoint, "Lock", read_only)
    again = qdit.select(x, alpha=0, k=5, checkpoint=tmp_path)
    assert again.indices.tolist() == want.indices.tolist()
    assert again.stats == want.stats
    with pytest.raises(ValueError, match=r"metric is 'dot' now and was 'cosine'"):
        qdit.select(x, alpha=0, k=5, metric="dot", checkpoint=tmp_path)
    for k, folder in ((6, tmp_path), (5, tmp_path / "new")):
        with pytest.raises(OSError, match="Read-only file system"):
            qdit.select(x, alpha=0, k=k, checkpoint=folder)
