"""Workers as Ray actors: one for each shard, on whatever nodes have room."""

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ..common.optional import require
from .messages import EngineOptions, WorkerLostError
from .sources import Source
from .transport import Transport
from .worker import Worker

_START_SECONDS = 120.0


def import_ray() -> Any:
    """Return the module; ImportError says how to get it."""
    return require("ray", "ray", "to select over the actors of a cluster")


def connect(address: str | None) -> bool:
    """Connect to a cluster, or start Ray on this machine; return whether it was this call that did it.

    address: "local" starts Ray here, "auto" finds the cluster of this machine, else the address of a cluster;
        None takes the connection that is there, or starts Ray here.
    """
    ray = import_ray()
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address in (None, "local"):
        ray.init("local", include_dashboard=False, log_to_driver=False, logging_level="error")
    else:
        ray.init(address, log_to_driver=False, logging_level="error")
    return True


class RayTransport(Transport):
    """Workers as actors of a Ray that is connected."""

    def __init__(self, sources: Sequence[Source], options: EngineOptions) -> None:
        """Start the actors; RuntimeError if the cluster has no room for them.

        Each asks for as many CPUs as it has threads, and for a GPU with backend "cuda".
        """
        super().__init__(sources, options)
        self._ray = import_ray()
        cpus, gpus = float(options.threads), float(options.backend == "cuda")
        self._actor = self._ray.remote(Worker).options(num_cpus=cpus, num_gpus=gpus, max_restarts=0)
        self._actors: list[Any] = [None] * len(self.sources)
        try:
            self.revive()
        except BaseException:
            self.close()
            raise

    def revive(self) -> None:
        """Start an actor for each shard that has none that lives."""
        started = []
        for number, actor in enumerate(self._actors):
            if actor is not None and self._lives(actor):
                continue
            if actor is not None:
                self.lost += 1
                with suppress(Exception):
                    self._ray.kill(actor)
            self._actors[number] = self._actor.remote(self.sources[number], self.name(number), self.options)
            started.append(self._actors[number])
        ready = [actor.__ray_ready__.remote() for actor in started]
        done, waiting = (
            self._ray.wait(ready, num_returns=len(ready), timeout=_START_SECONDS) if ready else ([], [])
        )
        if waiting:
            raise RuntimeError(
                f"ray: {len(waiting)} of {len(ready)} actors did not start within {_START_SECONDS:.0f} "
                f"seconds; free are {self._ray.available_resources()}; use fewer shards or threads"
            )
        self._get(done)

    def close(self) -> None:
        """End the actors."""
        for actor in self._actors:
            if actor is not None:
                with suppress(Exception):
                    self._ray.kill(actor)
        self._actors = [None] * len(self.sources)

    def pids(self) -> list[int]:
        """Return the process number of each worker."""
        return list(self._ray.get([actor.pid.remote() for actor in self._actors]))

    def _call(self, worker: int, method: str, arguments: list[Any]) -> Any:
        return getattr(self._actors[worker], method).remote(*arguments)

    def _get(self, handles: list[Any]) -> list[Any]:
        errors = self._ray.exceptions
        try:
            return list(self._ray.get(handles))
        except (errors.RayActorError, errors.ObjectLostError, errors.WorkerCrashedError) as error:
            raise WorkerLostError(f"a worker died: {str(error).splitlines()[0]}") from error
        except errors.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, errors.RayActorError | errors.ObjectLostError):
                raise WorkerLostError(f"a worker died: {str(cause).splitlines()[0]}") from error
            if isinstance(cause, Exception):
                raise cause from None  # as one process would have raised it
            raise

    def _lives(self, actor: Any) -> bool:
        try:
            self._ray.get(actor.pid.remote(), timeout=_START_SECONDS)
        except (self._ray.exceptions.RayError, TimeoutError):
            return False
        return True
