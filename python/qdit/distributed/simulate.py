"""What a run on many nodes would take: counted on a small pool in this process, scaled up by arithmetic.

`measure` runs the real protocol with workers in this process and counts its messages, rounds, bytes and
products. `predict` scales these to a pool and a cluster. All that comes out is a prediction: it knows
neither stragglers nor a network that is shared, and takes pools to behave like the one that was measured.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..selection.methods import EXACT, SPARSE
from .api import select
from .options import IN_PROCESS
from .sources import open_shard

METHODS = (EXACT.name, SPARSE.name, "two_round")
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
    size = 2 * d if row_bytes is None else row_bytes
    nodes, local = cluster.nodes, rows / cluster.nodes
    speed = rates.pairs * rates.d / d * cluster.cores  # pairs a second of a node
    found = []
    for method in METHODS:
        rounds, driver = 6.0, 0.0
        to_driver = 16.0 * k
        worker = 8.0 * local
        if method == EXACT.name:
            pairs = local * rows * (1 - 1 / (2 * nodes) + rates.extra)
            traffic = (rows - local) * size
            rounds = rates.rounds * k
            to_driver = rates.bytes * k + 8.0 * rows
            driver = rounds * rows * _SCAN_SECONDS
            worker = 8.0 * rows * (_WORKER_WORDS + cluster.cores)
        elif method == SPARSE.name:
            pairs = local * _GRAPH_PAIRS * _GRAPH_SLOWER + 4 * k * local
            traffic = 4 * k * size
            rounds += rates.rounds * k
            to_driver += rates.bytes * k
        else:
            pairs = local * local / 2 + 2 * nodes * k * local
            traffic = local * size + 2 * nodes * k * size
            rounds += rates.rounds * k + nodes * k / 512
            to_driver += rates.bytes * k
            worker += local * size
        compute = pairs / speed
        network = (traffic + nodes * to_driver) / cluster.bandwidth + rounds * cluster.latency
        seconds = compute + network + driver
        memory = max(worker, 8.0 * rows * _DRIVER_WORDS)
        found.append(Prediction(method, rows, seconds, compute, network, driver, memory, traffic, rounds))
    return found


def _random_rows(n: int, d: int) -> np.ndarray[Any, np.dtype[np.float16]]:
    random = np.random.default_rng(0)
    centers = random.standard_normal((n // 20, d))
    rows = centers[random.integers(len(centers), size=n)] + random.standard_normal((n, d))
    return rows.astype(np.float16)
