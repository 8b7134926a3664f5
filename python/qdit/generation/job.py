"""A checked call of `generate`: which questions, which model, what is there already, and the run."""

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from ..common import files
from ..common.job import Job
from ..common.progress import RowProgressLike
from ..common.types import JSON, StrPath
from ..models.answers import WrittenAnswers, without_reasoning
from ..records.store import to_json
from .local import LocalModel
from .options import GenerateOptions
from .questions import Question, as_json, hash_questions
from .server import Server


@dataclass(frozen=True, eq=False)
class Generated:
    """What `generate` made.

    Attributes:
        path: the answers, one JSON object a line, in the order of the questions: set, id, instruction,
            category, difficulty, reference, model, output, and finish ("stop", "length", or what else a
            server says).
        manifest: what the file <path>.json says.

    """

    path: Path
    manifest: JSON = field(repr=False)


class GenerateJob(Job[Generated]):
    """A checked call of `generate`."""

    verb, format, dated = "generate", "qdit-answers", True

    def __init__(self, questions: Sequence[Question], out: StrPath, options: GenerateOptions) -> None:
        """Look at the model, without its weights; see `generate` for the arguments."""
        if not questions:
            raise ValueError("questions: got none, wanted at least one")
        other = next((one for one in questions if not isinstance(one, Question)), None)
        if other is not None:
            wanted = "qdit.generation.questions.Question(set, id, instruction)"
            raise TypeError(f"questions: got one of type {type(other).__name__}, wanted each as {wanted}")
        self.path = Path(out)
        self.manifest_path = self.path.with_name(self.path.name + ".json")
        self.journal_path = self.path.with_name(self.path.name + ".partial")  # until all answers are there
        self.questions = questions
        self.options = options
        kind: type[LocalModel | Server] = LocalModel if options.base_url is None else Server
        self.model = kind(options, questions)

    def _identity(self) -> JSON:
        return {
            "questions": {"n": len(self.questions), "sha256": hash_questions(self.questions)},
            "by": self.model.identity,
            "settings": self.options.deciding(),
        }

    def _load(self, manifest: JSON) -> Generated | None:
        same = files.sha256_file(self.path) == manifest["sha256"]
        return Generated(self.path, manifest) if same else None

    def _is_stopped(self) -> bool:
        return self.journal_path.exists()

    def _tidy(self) -> None:
        self.journal_path.unlink(missing_ok=True)

    def _how_on(self) -> str:
        return f"go on; answers so far are in {self.journal_path}"

    def _libraries(self) -> tuple[str, ...]:
        return self.model.libraries

    def _journal(self) -> WrittenAnswers:
        return WrittenAnswers(self.journal_path, self.model.limit)

    def estimate(self) -> JSON:
        """Return questions, and those left with the size of prompts and answers."""
        done = self.saved() is not None
        with self._journal() if self.journal_path.exists() else nullcontext() as journal:
            estimate = self.model.estimate(journal)
        if done:
            estimate |= dict.fromkeys(("left", "prompt_tokens", "completion_tokens_at_most"), 0)
        return {"questions": len(self.questions), **estimate}

    def _make(self, progress: RowProgressLike, overwrite: bool) -> Generated:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._journal() as journal:  # holds its file
            report = self.model.run(journal, progress)
            found = self._write(journal, report)
            self.journal_path.unlink()
        return found

    def _write(self, journal: WrittenAnswers, report: JSON) -> Generated:
        answers = [journal[key] for key in self.model.keys]
        lines = []
        for question, answer in zip(self.questions, answers, strict=True):
            own = {"model": self.model.name, "output": answer.output, "finish": answer.finish}
            lines.append(to_json(as_json(question) | own) + b"\n")
        files.remove_leftovers(self.path.parent, (self.path.name, self.manifest_path.name))
        with files.new_files(self.path.parent, self.manifest_path.name) as folder:
            made = folder / self.path.name
            files.write_atomic(made, lines)
            record = self._record(
                {
                    "model": self.model.name,
                    **self.identity,
                    **report,
                    "finish": dict(Counter(answer.finish for answer in answers)),
                    "empty": sum(not without_reasoning(answer.output).strip() for answer in answers),
                    "prompt_tokens": sum(answer.prompt_tokens for answer in answers),
                    "completion_tokens": sum(answer.completion_tokens for answer in answers),
                    "sha256": files.sha256_file(made),
                }
            )
            files.write_json(folder / self.manifest_path.name, record)
        return Generated(self.path, record)
