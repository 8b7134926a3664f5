"""The command line: a verb for each step from text to a report. Only the verb that is asked for is loaded."""

import errno
import os
import re
import sys
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from jsonargparse import ArgumentParser

from .._version import __version__
from ..common.text import printable

_ROOM = "make room on this disk, or write to another; repeated, the command goes on"
_REMEDIES = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: "files may not grow so large here: see ulimit -f, or write to another disk",
    errno.EROFS: "this disk is mounted read-only; write to another",
    errno.EACCES: "check who may read and write there, or pass another path",
    errno.EPERM: "check who may read and write there, or pass another path",
    errno.ENOTDIR: "a part of this path is a file; pass another path",
    errno.EISDIR: "this is a folder where a file is wanted; pass another path",
    errno.EEXIST: "a file is where a directory is wanted; pass another path",
    errno.ENAMETOOLONG: "pass a shorter path",
    errno.EMFILE: "too many files are open: raise the limit with ulimit -n",
    errno.ENFILE: "too many files are open on this machine: close some programs",
    errno.EIO: "the disk fails: check it, and copy what is on it",
}
_NO_BARS = dict.fromkeys(  # of other packages, which read this when they are imported
    ("HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS", "TQDM_DISABLE"), "1"
)
OK, FAILED, BAD_INPUT, INTERRUPTED, UNREAD = 0, 1, 2, 130, 141  # the last two as if a signal had ended it
_HELP = "_help"  # in verbs of a verb: what they are for
_VERBS: dict[str, Any] = {  # where each command is; a dict is a verb with verbs of its own
    "import": "import_.import_command",
    "convert": "convert.convert_command",
    "embed": "embed.embed_command",
    "score": "score.score_command",
    "dedup": "dedup.dedup_command",
    "decontaminate": "dedup.decontaminate_command",
    "select": "select.select_command",
    "sweep": "sweep.sweep_command",
    "simulate": "simulate.simulate_command",
    "export": "export.export_command",
    "explain": "export.explain_command",
    "verify": "export.verify_command",
    "measure": "measure.measure_command",
    "report": "report.report_command",
    "train": "train.train_command",
    "generate": "generate.generate_command",
    "evaluate": {
        _HELP: "Say what a model trained on chosen rows, or the choice itself, is worth.",
        "hh": "evaluate.hh_command",
        "judge": "evaluate.judge_command",
        "loss": "evaluate.loss_command",
        "coverage": "evaluate_models.evaluate_coverage_command",
        "benchmarks": "evaluate_models.evaluate_benchmarks_command",
        "humaneval": "evaluate_models.evaluate_humaneval_command",
        "alpacaeval": "evaluate.alpacaeval_command",
        "table": "evaluate.table_command",
    },
    "paper": {
        _HELP: "The figures and tables of arXiv 2311.14736, one command each.",
        "fig1": "paper_figures.paper_fig1_command",
        "fig2": "paper_figures.paper_fig2_command",
        "fig3": "paper_study.paper_fig3_command",
        "fig4": "paper_study.paper_fig4_command",
        "fig9": "paper_figures.paper_fig9_command",
        "table1": "paper_study.paper_table1_command",
        "table2": "paper_study.paper_table2_command",
        "cost": "paper_figures.paper_cost_command",
        "coverage": "paper_figures.paper_coverage_command",
        "loss": "paper_study.paper_loss_command",
    },
    "run": "run.run_command",
    "info": "info.info_command",
    "demo": "demo.demo_command",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    0 done; 1 it failed while running; 2 wrong usage or input; 130 interrupted by Ctrl-C; 141 done, but nobody
    reads what it prints.
    """
    printed = _Printed(sys.stdout)
    with redirect_stdout(printed):
        code = _finish(list(sys.argv[1:] if argv is None else argv))
        printed.flush()
    if printed.error is None:
        return code
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes what is left when it ends
    if isinstance(printed.error, BrokenPipeError):
        return code or UNREAD
    printed.error.filename = "standard output"
    _complain(f"error: {_describe(printed.error)}")
    return code or FAILED


class _Printed:
    """Standard output, if any. What goes wrong there is kept and the work goes on."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.error: OSError | None = None
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a letter that a terminal lacks is no error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write as far as that is possible."""
        self._do("write", text)
        return len(text)

    def flush(self) -> None:
        """Pass on what was written."""
        self._do("flush")

    def _do(self, name: str, *given: str) -> None:
        if self._stream is not None and self.error is None:
            try:
                getattr(self._stream, name)(*given)
            except OSError as error:
                self.error = error


def _finish(words: Sequence[str]) -> int:
    """Run the command that the words spell, say what is wrong, and return the exit code."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            run(words)
    except SystemExit as stop:  # the parser printed help, a version or what is wrong
        return stop.code if isinstance(stop.code, int) else BAD_INPUT
    except KeyboardInterrupt as interrupt:
        _complain("interrupted" + "".join(f"; {note}" for note in getattr(interrupt, "__notes__", ())))
        return INTERRUPTED
    except OSError as error:
        _complain(f"error: {_describe(error)}")
        return BAD_INPUT if isinstance(error, FileNotFoundError) else FAILED
    except (ValueError, TypeError) as error:
        _complain(f"error: {error}")
        return BAD_INPUT
    except (RuntimeError, MemoryError, ImportError) as error:
        _complain(f"error: {str(error) or type(error).__name__}")
        return FAILED
    return OK


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Say what a warning says; where it comes from only if that is another package."""
    own = Path(filename).is_relative_to(Path(__file__).parents[1])
    _complain(
        f"warning: {message}" if own else warnings.formatwarning(message, category, filename, lineno).strip()
    )


def run(words: Sequence[str]) -> None:
    """Run the command that the words spell; what is wrong is raised."""
    before, verbs, rest = split(words)
    parser = ArgumentParser(
        prog="qdit", version=__version__, description="Choose fine-tuning data that is both good and diverse."
    )
    flags = _add_verbs(parser, _VERBS, verbs)
    found = parser.instantiate(parser.parse_args(before + spelled(rest, flags)))
    command: Any = _VERBS
    while not isinstance(command, str):
        verb = found["subcommand"]
        command, found = command[verb], found[verb]
    options = found.as_dict()
    options.pop("config", None)
    if options.get("progress") is False:
        os.environ.update(_NO_BARS)
    _load(command)(**options)


def _add_verbs(parser: ArgumentParser, verbs: Mapping[str, Any], asked: Sequence[str]) -> frozenset[str]:
    """Add those verbs that are asked for, all where none is; return the options that are on or off."""
    flags = frozenset[str]()
    parser.add_argument("--config", action="config", help="Path to a configuration file.")
    names = [name for name in verbs if name != _HELP]
    subcommands = parser.add_subcommands(required=True, metavar=f"{{{','.join(names)}}}")
    for verb in asked[:1] or names:
        found = verbs[verb] if isinstance(verbs[verb], dict) else _load(verbs[verb])
        about = found[_HELP] if isinstance(found, dict) else str(found.__doc__).partition("\n")[0]
        below = ArgumentParser(description=about)
        subcommands.add_subcommand(verb, below, help=about)
        if isinstance(found, dict):
            flags = _add_verbs(below, found, asked[1:])
        elif asked:  # a list of verbs shows no options
            flags = _add_command(below, found)
    return flags


def _add_command(parser: ArgumentParser, command: Callable[..., None]) -> frozenset[str]:
    if command.__code__.co_argcount + command.__code__.co_kwonlyargcount:
        parser.add_argument("--config", action="config", help="Path to a configuration file.")
    names = parser.add_function_arguments(command, as_group=False, as_positional=True, sub_configs=True)
    defaults = parser.get_defaults()
    return frozenset(name for name in names if isinstance(defaults.get(name), bool))


def _load(command: str) -> Callable[..., None]:
    module, _, name = command.partition(".")
    loaded: Callable[..., None] = getattr(import_module(f"{__package__}.{module}"), name)
    return loaded


def split(words: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Return the words up to the last verb, the verbs among them, and the words that follow."""
    before: list[str] = []
    asked: list[str] = []
    verbs: Any = _VERBS
    for i, word in enumerate(words):
        if isinstance(verbs, str):
            return before, asked, list(words[i:])
        if word in verbs and word != _HELP:
            asked.append(word)
            verbs = verbs[word]
        before.append(_spelled(word, "", frozenset()))
    return before, asked, []


def spelled(words: Sequence[str], flags: Collection[str]) -> list[str]:
    """Return the options of a command as the parser wants them.

    ``--dry-run`` becomes ``--dry_run=true``, ``--no-progress`` becomes ``--progress=false``, and a config
    file goes before the other options, because what comes later wins.

    Args:
        words: what follows the verb.
        flags: the options that are on or off.

    """
    config: list[str] = []
    others: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            others += [word, *left]
            break
        word = _spelled(word, left[0] if left else "", flags)
        if word == "--config":
            config += [word, *left[:1]]
            left = left[1:]
        else:
            (config if word.startswith("--config=") else others).append(word)
    return config + others


def _spelled(word: str, following: str, flags: Collection[str]) -> str:
    match = re.fullmatch(r"--([a-zA-Z][\w-]*)(=.*)?", word, re.DOTALL)
    if match is None:
        return word
    name, value = match[1].replace("-", "_"), match[2] or ""
    if name.startswith("no_") and name[3:] in flags and not value:
        return f"--{name[3:]}=false"
    if name in flags and not value and following not in ("true", "false"):
        return f"--{name}=true"
    return f"--{name}{value}"


def _describe(error: OSError) -> str:
    """Return what an error says; the system's own gets a remedy, ours have one."""
    if error.errno is None:
        return str(error) or type(error).__name__
    remedy = _REMEDIES.get(error.errno)
    if error.filename is None:
        return f"{error.strerror}; {remedy}" if remedy else str(error)
    path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else error.filename
    return f"{path}: {error.strerror}; {remedy or 'check the path and that you may read and write there'}"


def _complain(message: str) -> None:
    if sys.stderr is not None:
        with suppress(OSError):  # nobody reads it
            print(f"qdit: {printable(message)}", file=sys.stderr)
