"""The order of a run: what an earlier one made, the refusal of another's, the work, the manifest last."""

import pytest

from qdit.common import files
from qdit.common.identity import OtherRunError
from qdit.common.job import Job


class Upper(Job[str]):
    """Writes a text in capitals."""

    verb, format, dated = "shout", "test-shout", True

    def __init__(self, folder, text, stop=False):
        self.path, self.manifest_path = folder / "out.txt", folder / "out.json"
        self.text, self.stop, self.runs = text, stop, 0

    def _identity(self):
        return {"text": self.text, "sizes": (1, 2)}

    def _load(self, manifest):
        text = self.path.read_text()
        return text if text == manifest["made"] else None

    def _how_on(self):
        return "go on"

    def estimate(self):
        return len(self.text)

    def _make(self, progress, overwrite):
        self.runs += 1
        if self.stop:
            raise KeyboardInterrupt
        self.path.write_text(self.text.upper())
        files.write_json(self.manifest_path, self._record({**self.identity, "made": self.text.upper()}))
        return self.text.upper()


def test_work_is_done_once(tmp_path):
    first, again = Upper(tmp_path, "a"), Upper(tmp_path, "a")
    assert (first.saved(), first.run(), again.run()) == (None, "A", "A")
    assert (first.runs, again.runs) == (1, 0)
    names = ["format", "format_version", "created", "text", "sizes", "made", "seconds", "versions"]
    assert list(first.found()) == names
    assert first.found()["sizes"] == [1, 2]


def test_another_result_is_kept(tmp_path):
    Upper(tmp_path, "a").run()
    other = Upper(tmp_path, "b")
    with pytest.raises(OtherRunError, match=r"made otherwise: text is 'b' now and was 'a'; pass"):
        other.run()
    assert other.run(overwrite=True) == "B"
    other.path.write_text("mine")
    with pytest.raises(OtherRunError, match="was changed since it was made"):
        other.run()
    other.manifest_path.unlink()
    with pytest.raises(OtherRunError, match="is there already and was not made by shout"):
        other.run()


def test_a_manifest_of_something_else_is_never_replaced(tmp_path):
    job = Upper(tmp_path, "a")
    job.run()
    job.manifest_path.write_text('{"format": "other"}')
    with pytest.raises(ValueError, match="this file is not qdit's"):
        job.run(overwrite=True)


def test_ctrl_c_says_how_to_go_on(tmp_path):
    with pytest.raises(KeyboardInterrupt) as caught:
        Upper(tmp_path, "a", stop=True).run()
    assert caught.value.__notes__ == ["repeat the call to go on"]
