"""The command line: ``qdit select``, ``qdit sweep``, ``qdit info``, ``qdit demo``."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

from jsonargparse import auto_cli

from ._version import __version__
from .commands import demo_command, info_command, select_command, sweep_command

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
_VERBS = ("select", "sweep", "info", "demo")
_FLAGS = ("dry_run", "overwrite", "progress")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    0 done; 1 it failed while running; 2 wrong usage or input; 130 interrupted by Ctrl-C.
    """
    arguments = normalise(sys.argv[1:] if argv is None else argv)
    commands: dict[str, Any] = {
        "select": select_command,
        "sweep": sweep_command,
        "info": info_command,
        "demo": demo_command,
    }
    try:
        auto_cli(
            commands,
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
    except (ValueError, TypeError, FileNotFoundError) as error:
        _complain(f"error: {error}")
        return BAD_INPUT
    except (RuntimeError, MemoryError, OSError, ImportError) as error:
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
    while words and words[0] not in _VERBS:
        before.append(_spelled(words.pop(0), words))
    before += words[:1]
    words = words[1:]
    while words:
        word = words.pop(0)
        if word == "--":
            after += [word, *words]
            break
        word = _spelled(word, words)
        if word == "--config":
            config += [word, *words[:1]]
            words = words[1:]
        else:
            (config if word.startswith("--config=") else after).append(word)
    return before + config + after


def _spelled(word: str, following: list[str]) -> str:
    match = re.fullmatch(r"--([a-zA-Z][\w-]*)(=.*)?", word, re.DOTALL)
    if match is None:
        return word
    name, value = match[1].replace("-", "_"), match[2] or ""
    if name.startswith("no_") and name[3:] in _FLAGS and not value:
        return f"--{name[3:]}=false"
    if name in _FLAGS and not value and following[:1] not in (["true"], ["false"]):
        return f"--{name}=true"
    return f"--{name}{value}"


def _complain(message: str) -> None:
    print(f"qdit: {message}", file=sys.stderr)
