"""The command line run in this process, on a small pool."""

import numpy as np

from qdit.cli.main import main

RNG = np.random.default_rng(9)
X = RNG.standard_normal((200, 16)).astype(np.float16)
Q = RNG.random(200).astype(np.float32)


def run(line):
    return main(line.split())


def refused(capsys, line, text, code=2):
    """Run a line that must fail with one line on stderr and nothing on stdout."""
    assert run(line) == code
    captured = capsys.readouterr()
    assert captured.err == f"qdit: error: {text}\n"
    assert captured.out == ""
