"""The options of a selection over shards."""

from dataclasses import dataclass

from ..common.checks import check_choice, check_seed, check_threads
from ..common.text import parse_bytes
from ..selection.methods import METHODS
from ..selection.options import BACKENDS, Objective

IN_PROCESS = "in-process"  # the address of no cluster: all shards in this process
NAMES = ("auto", *(method.name for method in METHODS.values() if method.distributed))


@dataclass(frozen=True, kw_only=True)
class ShardOptions(Objective):
    """What is chosen from shards, by `Objective` as in `qdit.select`, and by what actors.

    Attributes:
        k: Number of rows, or a fraction of n between 0 and 1.
        seed: Of method "sparse", and of the partition of `two_round`.
        backend: "cpu", "cuda" (each actor asks Ray for a GPU), "reference", or "auto" = "cpu".
        memory_budget: Bytes, or text such as "2GiB", for the pairs of each actor; None takes half of the
            available memory of the driver's machine, divided among the actors. Changes no result but that of
            "sparse" where not all pairs of a graph fit.
        threads: Of each actor, which asks Ray for as many CPUs; None for 1. Never changes the result.
        address: "local" starts Ray on this machine, "auto" finds its cluster, or the address of a cluster;
            None takes the Ray that is connected, else starts one here. "in-process" needs no Ray: all
            shards in this process, one after the other.

    """

    k: int | float = 10_000
    seed: int = 0
    backend: str = "auto"
    memory_budget: int | str | None = None
    threads: int | None = None
    address: str | None = None

    def _check(self) -> None:
        if self.gain_scale == "balanced":
            raise ValueError(
                "gain_scale: got 'balanced' for shards, wanted 'sum' or 'per_k'; what it is measured on is a "
                "sample of one file"
            )
        self._set("seed", check_seed(self.seed))
        check_choice("backend", self.backend, BACKENDS)
        self._set("backend", "cpu" if self.backend == "auto" else self.backend)
        parse_bytes("memory_budget", self.memory_budget)
        for name in ("represent", "weights"):
            if getattr(self, name) is not None:
                raise ValueError(f"{name}: shards cover all rows alike; use qdit.select, on one machine")
        self._set("threads", check_threads(1 if self.threads is None else self.threads))


@dataclass(frozen=True, kw_only=True)
class ShardSelectOptions(ShardOptions):
    """All options of `qdit.distributed.select`.

    Attributes:
        method: "exact" (every actor lists the pairs that can still add something, so that later picks move
            few bytes), "lazy" (the same picks without lists: gains are evaluated when their bound comes to
            the top, at least two round trips a pick), "sparse" (see `qdit.distributed.sparse`: approximate,
            candidates by a graph for each shard), or "auto" = "exact", "lazy" where a backend keeps no lists
            for others ("cuda", "reference"). At alpha = 1 all are "quality".

    """

    method: str = "auto"

    def _check(self) -> None:
        check_choice("method", self.method, NAMES)


@dataclass(frozen=True, kw_only=True)
class TwoRoundOptions(ShardOptions):
    """All options of `qdit.distributed.two_round`.

    Attributes:
        parts: Random parts, on one actor after the other; None for one for each shard. Each has k rows or
            more.

    """

    parts: int | None = None
