"""A checked call of `generate`: which questions, which model, what is there already, and the run."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .._version import __version__
from ..common import files
from ..common.identity import REPLACE, check_same
from ..common.types import StrPath
from .journal import Journal
from .local import LocalModel
from .options import GenerateOptions
from .questions import Asked, fields, sha256
from .server import Server

FORMAT = "qdit-answers"
FORMAT_VERSION = 1


@dataclass(frozen=True, eq=False)
class Generated:
    """What `generate` made.

    Attributes:
        path: the answers, one JSON object a line, in the order of the questions: set, id, instruction,
            category, difficulty, reference, model, output, and finish ("stop" or "length").
        manifest: what the file <path>.json says.

    """

    path: Path
    manifest: dict[str, Any] = field(repr=False)


class GenerateJob:
    """A checked call of `generate`."""

    def __init__(self, questions: Sequence[Asked], out: StrPath, options: GenerateOptions) -> None:
        """Look at the model, without its weights; see `generate` for the arguments."""
        if not questions:
            raise ValueError("questions: got none, wanted at least one")
        self.path = Path(out)
        self.questions = questions
        self.options = options
        kind: type[LocalModel | Server] = LocalModel if options.base_url is None else Server
        self.model = kind(options, questions)

    @property
    def manifest_path(self) -> Path:
        """Where the manifest is."""
        return self.path.with_name(self.path.name + ".json")

    @property
    def journal_path(self) -> Path:
        """Where answers are until all are there."""
        return self.path.with_name(self.path.name + ".partial")

    @cached_property
    def identity(self) -> dict[str, Any]:
        """All that decides the answers, as JSON values."""
        return {
            "questions": {"n": len(self.questions), "sha256": sha256(self.questions)},
            "by": self.model.identity,
            "settings": self.options.deciding(),
        }

    def saved(self) -> Generated | None:
        """Return the answers of an earlier run of this very job, or None."""
        if not (self.manifest_path.is_file() and self.path.is_file()):
            return None
        found = files.read_json(self.manifest_path, FORMAT)
        same = {name: found.get(name) for name in self.identity} == self.identity
        if not same or files.sha256_file(self.path) != found["sha256"]:
            return None
        return Generated(self.path, found)

    def estimate(self) -> dict[str, Any]:
        """Return questions, and those left with the size of prompts and answers."""
        done = self.saved() is not None
        with self._journal() if self.journal_path.exists() else nullcontext() as journal:
            estimate = self.model.estimate(journal)
        if done:
            estimate |= dict.fromkeys(("left", "prompt_tokens", "completion_tokens_at_most"), 0)
        return {"questions": len(self.questions), **estimate}

    def run(self, *, progress: Any = None, overwrite: bool = False) -> Generated:
        """Write all answers and the manifest; nothing is done twice.

        Raises:
            ValueError: if the file holds other answers and overwrite is not set, or a prompt is too long.
            EndpointError: if a server refuses, or fails again and again; all answers so far are kept.

        """
        start = time.perf_counter()
        earlier = self.saved()
        if earlier is not None:
            self.journal_path.unlink(missing_ok=True)  # of a run that was stopped at its very end
            return earlier
        self._check_new(overwrite)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._journal() as journal:
                report = self.model.run(journal, progress)
                found = self._write(journal, report, start)
                self.journal_path.unlink()
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(f"repeat the call to go on; answers so far are in {self.journal_path}")
            raise
        return found

    def _journal(self) -> Journal:
        return Journal(self.journal_path, self.model.limit if isinstance(self.model, Server) else None)

    def _write(self, journal: Journal, report: dict[str, Any], start: float) -> Generated:
        answers = [journal[key] for key in self.model.keys]
        lines = []
        for question, answer in zip(self.questions, answers, strict=True):
            own = {"model": self.model.name, "output": answer.output, "finish": answer.finish}
            lines.append(json.dumps(fields(question) | own, ensure_ascii=False) + "\n")
        files.remove_leftovers(self.path.parent, (self.path.name, self.manifest_path.name))
        self.manifest_path.unlink(missing_ok=True)  # it must never describe other answers
        files.write_atomic(self.path, (line.encode("utf-8", "surrogatepass") for line in lines))
        record = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "model": self.model.name,
            **self.identity,
            **report,
            "finish": dict(Counter(answer.finish for answer in answers)),
            "prompt_tokens": sum(answer.prompt_tokens for answer in answers),
            "completion_tokens": sum(answer.completion_tokens for answer in answers),
            "sha256": files.sha256_file(self.path),
            "seconds": time.perf_counter() - start,
            "versions": {"qdit": __version__} | {name: version(name) for name in self.model.libraries},
        }
        files.write_json(self.manifest_path, record)
        return Generated(self.path, record)

    def _check_new(self, overwrite: bool) -> None:
        if not self.path.exists() or overwrite:
            return
        if not self.manifest_path.exists():
            if self.journal_path.exists():
                return  # stopped between the answers and their manifest
            raise ValueError(f"{self.path} is there already and was not made by generate; {REPLACE}")
        found = files.read_json(self.manifest_path, FORMAT)
        then = {name: found.get(name) for name in self.identity}
        check_same(f"{self.path} was made otherwise", then, self.identity, REPLACE)
        raise ValueError(f"{self.path} was changed since it was made; {REPLACE}")
