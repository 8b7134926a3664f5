"""What a run on many nodes would take: counted on a small pool in this process, scaled up by arithmetic.

`measure` runs the real protocol with workers in this process and counts its messages, rounds, bytes and
products. `predict` scales these to a pool and a cluster. All that comes out is a prediction: it knows
neither stragglers nor a network that is shared, and takes pools to behave like the one that was measured.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..selection.methods import EXACT, SPARSE
from .api import select
from .options import IN_PROCESS
from .sources import open_shard

_SCAN_SECONDS = 4e-9  # of the driver, to score the bound of one candidate and find the best
_GRAPH_PAIRS = 8_000  # products for each row of a graph: rows of probed cells, centroids, k-means
_GRAPH_SLOWER = 3.0  # a pair of a graph takes so many times what one of a dense pass does
_WORKER_WORDS = 5  # (n,) arrays of 8 bytes of a worker that lists pairs, and one more for each thread
_DRIVER_WORDS = 6


@dataclass(frozen=True)
class Rates:
    """What was measured.

    Attributes:
        pairs: similarities a second on one core, of `d` dimensions.
        d: dimensions of the pool that was measured.
        extra: products of method "exact" beyond the first pass, in units of n * n.
        rounds: rounds for each pick.
        bytes: from one worker to the driver, for each pick.

    """

    pairs: float
    d: int
    extra: float
    rounds: float
    bytes: float


@dataclass(frozen=True)
class Cluster:
    """Nodes with one worker each.

    Attributes:
        nodes, cores: how many nodes, and cores of each.
        bandwidth: bytes a second of the network of a node, each way.
        latency: seconds of an empty call and its answer.

    """

    nodes: int = 16
    cores: int = 32
    bandwidth: float = 1.25e9
    latency: float = 1e-3


@dataclass(frozen=True)
class Prediction:
    """A predicted run.

    Attributes:
        method: "exact", "sparse" or "two_round".
        rows: of the pool.
        seconds: in all; of these `compute` on the nodes and `network`, and `driver` alone.
        memory: bytes of a worker beside its rows and its lists of pairs, or of the driver if that is more.
        traffic: bytes that each node receives.
        rounds: round trips of the driver.

    """

    method: str
    rows: int
    seconds: float
    compute: float
    network: float
    driver: float
    memory: float
    traffic: float
    rounds: float


def measure(embeddings: Any = None, quality: Any = None, *, k: int | None = None, d: int = 768) -> Rates:
    """Run "exact" on a pool of some thousand rows, in four shards in this process, and return its rates.

    Args:
        embeddings: rows like those of the large pool, some thousand (or their .npy file); None makes
            clustered random rows of d dimensions.
        quality: their scores; None for diversity alone.
        k: picks; None for a tenth of the rows.
        d: dimensions where there are no embeddings.

    """
    rows = _random_rows(4000, d) if embeddings is None else open_shard(embeddings).array
    picks = len(rows) // 10 if k is None else k
    shards = [np.ascontiguousarray(part) for part in np.array_split(rows, 4)]
    alpha = 0.0 if quality is None else 0.7
    found = select(shards, quality, alpha, picks, method="exact", address=IN_PROCESS)
    stats = found.stats
    pass_pairs = 1 - 1 / (2 * len(shards))
    return Rates(
        pairs=pass_pairs * len(rows) ** 2 / stats["seconds"]["listing"],
        d=rows.shape[1],
        extra=max(0.0, stats["products"] - pass_pairs),
        rounds=stats["rounds"] / picks,
        bytes=stats["bytes_received"] / len(shards) / picks,
    )


def predict(
    rates: Rates, rows: int, k: int, cluster: Cluster, *, d: int = 768, row_bytes: int | None = None
) -> list[Prediction]:
    """Return what each method would take.

    Args:
        rates: measured on a core like those of the cluster.
        rows: of the pool, spread evenly over the nodes.
        k: picks.
        cluster: the nodes.
        d: dimensions.
        row_bytes: size of a row; None for float16.

    """
    at = _Setting(rates, rows, k, cluster, 2 * d if row_bytes is None else row_bytes)
    speed = rates.pairs * rates.d / d * cluster.cores  # pairs a second of a node
    found = []
    for method, work_of in _WORK.items():
        work = work_of(at)
        compute = work.pairs / speed
        sent = (work.traffic + cluster.nodes * work.to_driver) / cluster.bandwidth
        network = sent + work.rounds * cluster.latency
        memory = max(work.worker, 8.0 * rows * _DRIVER_WORDS)
        seconds = compute + network + work.driver
        times = (seconds, compute, network, work.driver)
        found.append(Prediction(method, rows, *times, memory, work.traffic, work.rounds))
    return found


class _Setting(NamedTuple):
    """What is predicted for: rates of a core, rows and picks, nodes, bytes of a row."""

    rates: Rates
    rows: int
    k: int
    cluster: Cluster
    size: int

    @property
    def local(self) -> float:
        """Rows on a node."""
        return self.rows / self.cluster.nodes


class _Work(NamedTuple):
    """What a method takes.

    Attributes:
        pairs: products on a node.
        traffic: bytes to a node.
        rounds: trips of messages.
        to_driver: bytes from a node to the driver.
        worker: bytes beside the rows of a node.
        driver: seconds of the driver.

    """

    pairs: float
    traffic: float
    rounds: float
    to_driver: float
    worker: float
    driver: float = 0.0


def _exact(at: _Setting) -> _Work:
    rates, nodes, rounds = at.rates, at.cluster.nodes, at.rates.rounds * at.k
    return _Work(
        pairs=at.local * at.rows * (1 - 1 / (2 * nodes) + rates.extra),
        traffic=(at.rows - at.local) * at.size,
        rounds=rounds,
        to_driver=rates.bytes * at.k + 8.0 * at.rows,
        worker=8.0 * at.rows * (_WORKER_WORDS + at.cluster.cores),
        driver=rounds * at.rows * _SCAN_SECONDS,
    )


def _sparse(at: _Setting) -> _Work:
    return _Work(
        pairs=at.local * _GRAPH_PAIRS * _GRAPH_SLOWER + 4 * at.k * at.local,
        traffic=4 * at.k * at.size,
        rounds=6.0 + at.rates.rounds * at.k,
        to_driver=16.0 * at.k + at.rates.bytes * at.k,
        worker=8.0 * at.local,
    )


def _two_round(at: _Setting) -> _Work:
    nodes, k = at.cluster.nodes, at.k
    return _Work(
        pairs=at.local * at.local / 2 + 2 * nodes * k * at.local,
        traffic=at.local * at.size + 2 * nodes * k * at.size,
        rounds=6.0 + (at.rates.rounds * k + nodes * k / 512),
        to_driver=16.0 * k + at.rates.bytes * k,
        worker=8.0 * at.local + at.local * at.size,
    )


_WORK = {EXACT.name: _exact, SPARSE.name: _sparse, "two_round": _two_round}


def _random_rows(n: int, d: int) -> np.ndarray[Any, np.dtype[np.float16]]:
    random = np.random.default_rng(0)
    centers = random.standard_normal((n // 20, d))
    rows = centers[random.integers(len(centers), size=n)] + random.standard_normal((n, d))
    return rows.astype(np.float16)
