"""One run at a time on a file or a directory."""

import pytest

from qdit.common.lock import LOCK, Lock


def test_a_directory_is_held_by_a_file_in_it_or_itself(tmp_path):
    with Lock(tmp_path / "new" / LOCK, "counting"):
        with pytest.raises(RuntimeError) as caught:
            Lock(tmp_path / "new" / LOCK, "counting")
        assert str(caught.value) == f"{tmp_path / 'new'}: another run is counting; wait for it to end"
    held = Lock(tmp_path / "new", "counting")
    with pytest.raises(RuntimeError) as caught:
        Lock(tmp_path / "new", "counting", name="pool x", remedy="go away")
    assert str(caught.value) == "pool x: another run is counting; go away"
    held.close()
    held.close()
    Lock(tmp_path / "new", "counting").close()


def test_a_block_that_fails_lets_go(tmp_path):
    with pytest.raises(KeyError), Lock(tmp_path / "file", "writing"):
        raise KeyError
    Lock(tmp_path / "file", "writing").close()
