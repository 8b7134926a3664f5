"""run.json: which stages ran, on what, and what they took."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from .._version import __version__
from ..common import files
from ..common.identity import OtherRunError
from ..common.types import JSON

Made = TypeVar("Made")
Say = Callable[[str], object]  # gets a line for what is done


def silent(line: str) -> None:
    """Say nothing."""


FORMAT = "qdit-run"
FORMAT_VERSION = 1
FILE = "run.json"


def fingerprint(**parts: Any) -> str:
    """Return a hash of JSON values."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class State:
    """The record of a run; written anew at the start and the end of every stage."""

    def __init__(self, directory: Path) -> None:
        """Read what earlier runs in the directory left."""
        self._path = directory / FILE
        self._stages: dict[str, JSON] = {}
        if self._path.is_file():
            self._stages = files.read_json(self._path, FORMAT, shape={"stages": {"*": {}}})["stages"]

    def get(self, stage: str) -> JSON:
        """Return the entry of a stage, {} if it never began."""
        return self._stages.get(stage, {})

    def is_done(self, stage: str, key: str) -> bool:
        """Return whether the stage ended with this fingerprint and its result is still as it was left."""
        entry = self.get(stage)
        if entry.get("state") != "done" or entry.get("fingerprint") != key:
            return False
        path = Path(entry["result"])
        path = path if path.is_absolute() else self._path.parent / path
        return path.is_file() and files.sha256_file(path) == entry["sha256"]

    def next(self, stage: str, key: Callable[[], str]) -> tuple[str, str]:
        """Return what to do about a stage that is not done, "run" or "resume", and why."""
        entry = self.get(stage)
        if not entry:
            return "run", "for the first time"
        if entry.get("fingerprint") != key():
            return "run", "options or inputs have changed"
        if entry.get("state") == "started":
            return "resume", "it was interrupted"
        return "run", f"{entry.get('result')} or what it was made of has changed"

    def owns(self, stage: str) -> bool:
        """Return whether what is there may be replaced: an earlier run made it or was about to replace it."""
        entry = self.get(stage)
        return entry.get("state") == "done" or bool(entry.get("overwrite"))

    def begin(self, stage: str, key: str) -> None:
        """Note that a stage is at work."""
        entry = {"state": "started", "fingerprint": key, "started": _now()}
        self._stages[stage] = {**entry, "overwrite": self.owns(stage)}
        self._write()

    def end(self, stage: str, key: str, result: Path, watch: Watch) -> None:
        """Note that a stage is done. result: the file that was written last."""
        inside = result.is_relative_to(self._path.parent)
        self._stages[stage] = {
            "state": "done",
            "fingerprint": key,
            "finished": _now(),
            "result": str(result.relative_to(self._path.parent) if inside else result.resolve()),
            "sha256": files.sha256_file(result),
            **watch.read(),
        }
        self._write()

    def do(self, stage: str, key: str, result: Path, work: Callable[[], object]) -> None:
        """Do a stage: `work` writes the file `result` last."""
        self.begin(stage, key)
        watch = Watch()
        work()
        self.end(stage, key, result, watch)

    def do_once(self, stage: str, key: str, result: Path, work: Callable[[], object]) -> None:
        """Do a stage unless it is done."""
        if not self.is_done(stage, key):
            self.do(stage, key, result, work)

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        record = {"format": FORMAT, "format_version": FORMAT_VERSION, "stages": self._stages}
        files.write_json(self._path, record | {"versions": {"qdit": __version__}})


def with_checkpoint(work: Callable[[], Made], *checkpoints: Path) -> Made:
    """Work, and once more from the start if a checkpoint is one of other inputs or options."""
    try:
        return work()
    except OtherRunError:
        for folder in checkpoints:
            shutil.rmtree(folder, ignore_errors=True)
    return work()


class Watch:
    """Seconds and peak memory of this process since it was made."""

    def __init__(self) -> None:
        """Start the clock."""
        self._start = time.perf_counter()
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak starts again

    def read(self) -> JSON:
        """Return seconds and peak_rss_bytes (mapped files included; None where the system does not say)."""
        try:
            found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
        except OSError:
            found = None
        peak = int(found[1]) * 1024 if found else None
        return {"seconds": time.perf_counter() - self._start, "peak_rss_bytes": peak}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
