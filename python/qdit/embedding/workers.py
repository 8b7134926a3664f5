"""Processes that encode at the same time, each with a model of its own.

A process is a Python started for it, so scripts and notebooks need nothing for that. It ends when its
connection does, whatever becomes of the process that started it; Ctrl-C reaches that one only.
"""

import os
import pickle
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn

import numpy as np

from ..common.closing import Closing
from ..common.types import Array

_BOOT = """
import sys
from multiprocessing.connection import Connection
link = Connection(int(sys.argv[1]))
sys.path[:] = link.recv()
from qdit.embedding.workers import serve
serve(link)
"""
_SECONDS = 10  # that a process has to end

Encode = Callable[[list[str], int], Array]  # of texts and a batch size


class Workers(Closing):
    """Processes, one for each of some calls; use it as a context manager."""

    def __init__(self, makers: Sequence[Callable[[], Encode]]) -> None:
        """Start the processes and wait until all are ready; the error of one that cannot be.

        makers: what each calls first; pickled, as are texts and vectors.
        """
        self._started: dict[Connection, subprocess.Popen[bytes]] = {}
        try:
            for make in makers:
                self._start(make)
            for link in self._started:
                error = self._receive(link)
                if error is not None:
                    raise error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the processes."""
        for link, process in self._started.items():
            link.close()
            process.terminate()
        for process in self._started.values():
            try:
                process.wait(_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._started.clear()

    def encode(self, parts: Sequence[list[str]], batch_size: int, tick: Callable[[int], object]) -> Array:
        """Return the vectors of all parts in order; after an error of a process those at work are waited for.

        Raises:
            ChildProcessError: if a process has ended.

        """
        found: list[Any] = [None] * len(parts)
        waiting, idle = deque(range(len(parts))), list(self._started)
        busy: dict[Connection, int] = {}
        failed: BaseException | None = None
        done = 0
        while busy or (waiting and failed is None):
            while idle and waiting and failed is None:
                link = idle.pop()
                busy[link] = waiting.popleft()
                self._send(link, (parts[busy[link]], batch_size))
            answered = wait(list(busy))
            for link in [link for link in busy if link in answered]:
                answer, i = self._receive(link), busy.pop(link)
                idle.append(link)
                if isinstance(answer, BaseException):
                    failed = failed or answer
                    continue
                found[i] = answer
                done += len(answer)
                tick(done)
        if failed is not None:
            raise failed
        return np.concatenate(found)

    def _start(self, make: Callable[[], Encode]) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=2,  # results of commands are on stdout
                env=os.environ | {"TQDM_DISABLE": "1"},
                process_group=0,
            )
        link = Connection(ours.detach())
        self._started[link] = process
        self._send(link, sys.path)
        self._send(link, make)

    def _send(self, link: Connection, message: Any) -> None:
        try:
            link.send(message)
        except OSError:
            self._gone(link)

    def _receive(self, link: Connection) -> Any:
        try:
            return link.recv()
        except (EOFError, OSError):
            self._gone(link)

    def _gone(self, link: Connection) -> NoReturn:
        process = self._started[link]
        with suppress(subprocess.TimeoutExpired):
            process.wait(_SECONDS)
        code = process.returncode
        killed = code is not None and code < 0
        how = f"was killed by {signal.Signals(-code).name}" if killed else f"ended with code {code}"
        raise ChildProcessError(
            f"process {process.pid}, which embedded texts, {how}; repeat the call to go on; if memory was "
            "short, with fewer processes or a smaller batch_size"
        ) from None


def serve(link: Connection) -> None:
    """Encode what comes over a connection, until it ends."""
    with suppress(EOFError, OSError):
        make = link.recv()
        try:
            encode = make()
        except Exception as error:
            link.send(_portable(error))
            return
        link.send(None)
        while True:
            texts, batch_size = link.recv()
            try:
                answer = encode(texts, batch_size)
            except Exception as error:  # of many kinds: the one that asked decides
                answer = _portable(error)
            link.send(answer)


def _portable(error: Exception) -> Exception:
    """Return an error that survives pickling: that one if it does."""
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
