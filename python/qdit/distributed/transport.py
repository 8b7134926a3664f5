"""How the driver reaches its workers: an interface, and one that runs them in this process.

A call is answered with a `Ref`, at once; a `Ref` may be an argument of another call, and then its value goes
from worker to worker without passing by the driver.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..common.closing import Closing
from .messages import EngineOptions, Traffic, WorkerLostError, payload
from .sources import Source
from .worker import Worker


@dataclass(frozen=True, eq=False)
class Ref:
    """A value that a worker makes.

    Attributes:
        handle: how the transport finds it.
        nbytes: its size, where it goes to other workers.

    """

    handle: Any
    nbytes: int = 0


class Transport(Closing, ABC):
    """Workers 0 .. count - 1, one for each shard. Use it as a context manager.

    Attributes:
        traffic: what was sent so far.
        lost: how many workers were lost and replaced.

    """

    def __init__(self, sources: Sequence[Source], options: EngineOptions) -> None:
        """Start one worker for each source."""
        self.sources = list(sources)
        self.options = options
        self.traffic = Traffic()
        self.lost = 0

    @property
    def count(self) -> int:
        """Number of workers."""
        return len(self.sources)

    def call(self, worker: int, method: str, *arguments: Any, makes: int = 0) -> Ref:
        """Call a method of a worker; makes: bytes of the result, if it is for other workers."""
        self.traffic.messages += 1
        for argument in arguments:
            if isinstance(argument, Ref):
                self.traffic.between += argument.nbytes
            else:
                self.traffic.sent += payload(argument)
        handles = [argument.handle if isinstance(argument, Ref) else argument for argument in arguments]
        return Ref(self._call(worker, method, handles), makes)

    def get(self, refs: Sequence[Ref]) -> list[Any]:
        """Wait for values and fetch them; WorkerLostError if a worker that they need has died."""
        values = self._get([ref.handle for ref in refs])
        self.traffic.received += sum(payload(value) for value in values)
        return values

    def all(self, method: str, *arguments: Any) -> list[Any]:
        """Call the same of every worker and wait: one round."""
        self.traffic.rounds += 1
        return self.get([self.call(worker, method, *arguments) for worker in range(self.count)])

    def name(self, worker: int) -> str:
        """Return what errors call the shard of a worker."""
        source = self.sources[worker]
        what = source if isinstance(source, str) else getattr(source, "source", "memory")
        return f"shard {worker} ({what})"

    @abstractmethod
    def revive(self) -> None:
        """Replace the workers that died by new ones of the same shards; all have to begin again."""

    @abstractmethod
    def _call(self, worker: int, method: str, arguments: list[Any]) -> Any: ...

    @abstractmethod
    def _get(self, handles: list[Any]) -> list[Any]: ...


MakeTransport = Callable[[Sequence[Source], EngineOptions], Transport]


class LocalTransport(Transport):
    """Workers in this process, one after the other: the protocol without a network."""

    def __init__(
        self,
        sources: Sequence[Source],
        options: EngineOptions,
        *,
        fails: Callable[[int, str, int], bool] = lambda worker, method, message: False,
    ) -> None:
        """Start workers; fails(worker, method, number of the message) tells where one dies instead."""
        super().__init__(sources, options)
        self._fails = fails
        self._workers: list[Worker | None] = [None] * len(self.sources)
        self.revive()

    def revive(self) -> None:
        """Make new workers where there are none."""
        for number, source in enumerate(self.sources):
            if self._workers[number] is None:
                self._workers[number] = Worker(source, self.name(number), self.options)

    def _call(self, worker: int, method: str, arguments: list[Any]) -> Any:
        if self._fails(worker, method, self.traffic.messages):
            self._workers[worker] = None
            self.lost += 1
        found = self._workers[worker]
        gone = any(isinstance(argument, WorkerLostError) for argument in arguments)
        if found is None or gone:
            return WorkerLostError(f"{self.name(worker)} is gone")
        return getattr(found, method)(*arguments)

    def _get(self, handles: list[Any]) -> list[Any]:
        for handle in handles:
            if isinstance(handle, WorkerLostError):
                raise handle
        return handles
