"""The command line: a verb for each step from text to a report."""

from __future__ import annotations

import errno
import inspect
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from jsonargparse import auto_cli

from .._version import __version__
from ..distributed.simulate import simulate_command
from . import paper
from .convert import convert_command
from .demo import demo_command
from .embed import embed_command
from .evaluate import alpacaeval_command, hh_command, judge_command, loss_command, table_command
from .evaluate_models import (
    evaluate_benchmarks_command,
    evaluate_coverage_command,
    evaluate_humaneval_command,
)
from .export import explain_command, export_command, verify_command
from .generate import generate_command
from .import_ import import_command
from .info import info_command
from .report import report_command
from .run import run_command
from .score import score_command
from .select import select_command
from .sweep import sweep_command
from .train import train_command

_REMEDIES = {
    errno.ENOSPC: "make room on this disk, or write to another; repeated, the command goes on",
    errno.EDQUOT: "make room on this disk, or write to another; repeated, the command goes on",
    errno.EROFS: "this disk is mounted read-only; write to another",
    errno.EACCES: "check who may read and write there, or pass another path",
    errno.ENOTDIR: "a part of this path is a file; pass another path",
    errno.EEXIST: "a file is where a directory is wanted; pass another path",
}
OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
_COMMANDS: dict[str, Any] = {  # a dict in it is a verb with verbs of its own
    "import": import_command,
    "convert": convert_command,
    "embed": embed_command,
    "score": score_command,
    "select": select_command,
    "sweep": sweep_command,
    "simulate": simulate_command,
    "export": export_command,
    "explain": explain_command,
    "verify": verify_command,
    "report": report_command,
    "train": train_command,
    "generate": generate_command,
    "evaluate": {
        "_help": "Say what a model trained on chosen rows, or the choice itself, is worth.",
        "hh": hh_command,
        "judge": judge_command,
        "loss": loss_command,
        "coverage": evaluate_coverage_command,
        "benchmarks": evaluate_benchmarks_command,
        "humaneval": evaluate_humaneval_command,
        "alpacaeval": alpacaeval_command,
        "table": table_command,
    },
    "paper": {
        "_help": "The figures and tables of arXiv 2311.14736, one command each.",
        **paper.COMMANDS,
    },
    "run": run_command,
    "info": info_command,
    "demo": demo_command,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    0 done; 1 it failed while running; 2 wrong usage or input; 130 interrupted by Ctrl-C.
    """
    arguments = normalise(sys.argv[1:] if argv is None else argv)
    try:
        auto_cli(
            _COMMANDS,
            args=arguments,
            prog="qdit",
            version=__version__,
            description="Choose fine-tuning data that is both good and diverse.",
        )
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


def normalise(argv: Sequence[str]) -> list[str]:
    """Return arguments as the parser wants them.

    ``--dry-run`` becomes ``--dry_run=true``, ``--no-progress`` becomes ``--progress=false``, and a config
    file goes before the other options, because what comes later wins.
    """
    before: list[str] = []
    config: list[str] = []
    after: list[str] = []
    words = list(argv)
    verb: Any = _COMMANDS
    while words and isinstance(verb, dict):
        word = words.pop(0)
        if word in verb and not word.startswith("_"):
            verb = verb[word]
            before.append(word)
        else:
            before.append(_spelled(word, words, frozenset()))
    flags = frozenset[str]() if isinstance(verb, dict) else _flags(verb)
    while words:
        word = words.pop(0)
        if word == "--":
            after += [word, *words]
            break
        word = _spelled(word, words, flags)
        if word == "--config":
            config += [word, *words[:1]]
            words = words[1:]
        else:
            (config if word.startswith("--config=") else after).append(word)
    return before + config + after


def _flags(command: Callable[..., Any]) -> frozenset[str]:
    """Return the options of a command that are on or off."""
    parameters = inspect.signature(command).parameters
    return frozenset(name for name, found in parameters.items() if found.annotation in (bool, "bool"))


def _spelled(word: str, following: list[str], flags: frozenset[str]) -> str:
    match = re.fullmatch(r"--([a-zA-Z][\w-]*)(=.*)?", word, re.DOTALL)
    if match is None:
        return word
    name, value = match[1].replace("-", "_"), match[2] or ""
    if name.startswith("no_") and name[3:] in flags and not value:
        return f"--{name[3:]}=false"
    if name in flags and not value and following[:1] not in (["true"], ["false"]):
        return f"--{name}=true"
    return f"--{name}{value}"


def _describe(error: OSError) -> str:
    """Return what an error says; the system's own gets a remedy, ours have one."""
    if error.errno is None or error.filename is None:
        return str(error) or type(error).__name__
    path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else error.filename
    remedy = _REMEDIES.get(error.errno, "check the path and that you may read and write there")
    return f"{path}: {error.strerror}; {remedy}"


def _complain(message: str) -> None:
    print(f"qdit: {message}", file=sys.stderr)
