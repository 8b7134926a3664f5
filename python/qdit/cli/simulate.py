"""`qdit simulate`."""

from collections.abc import Sequence

import numpy as np

from ..distributed.simulate import Cluster, Prediction, measure, predict


def format_predictions(found: Sequence[Prediction]) -> str:
    """Return predictions as a Markdown table."""
    lines = [
        "| rows | method | hours | compute | network | driver | GB to a node | GB beside rows |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        hours = [f"{value / 3600:.3g}" for value in (one.seconds, one.compute, one.network, one.driver)]
        size = [f"{value / 1e9:.3g}" for value in (one.traffic, one.memory)]
        lines.append(f"| {one.rows:,} | {one.method} | {' | '.join(hours)} | {' | '.join(size)} |")
    return "\n".join(lines)


def simulate_command(
    embeddings: str | None = None,
    rows: str | int | list[int] = "10000000,100000000,1000000000",
    k: int = 10_000,
    *,
    d: int = 768,
    nodes: int = 16,
    cores: int = 32,
    gigabits: float = 10.0,
    latency: float = 0.001,
) -> None:
    """Predict what selections by Ray from large pools would take.

    Args:
        embeddings: .npy file of some thousand rows like those of the pool, to measure on; null for random
            ones.
        rows: Sizes of pools, such as 1000000,10000000.
        k: Rows to pick.
        d: Dimensions of the pool.
        nodes: Nodes of the cluster, one actor each.
        cores: Cores of a node.
        gigabits: Bandwidth of the network of a node, gigabits a second.
        latency: Seconds of an empty call of an actor and its answer.

    """
    sizes = [int(part) for part in rows.split(",")] if isinstance(rows, str) else np.atleast_1d(rows).tolist()
    for name, value in {"k": k, "d": d, "nodes": nodes, "cores": cores, "rows": min(sizes)}.items():
        if value < 1:
            raise ValueError(f"{name}: got {value}, wanted at least 1")
    for name, number in {"gigabits": gigabits, "latency": latency}.items():
        if not number > 0:
            raise ValueError(f"{name}: got {number}, wanted more than 0")
    cluster = Cluster(nodes, cores, gigabits * 1e9 / 8, latency)
    rates = measure(embeddings, d=d)
    print(
        f"measured here: {rates.pairs / 1e6:.1f} million pairs of {rates.d} dimensions a second on one core, "
        f"{rates.rounds:.2f} rounds and {rates.bytes / 1e3:.1f} kB for each pick, {rates.extra:.2f} n x n "
        "products beyond the first pass\n"
        f"predicted for {nodes} nodes of {cores} cores, {gigabits:g} Gbit/s, k = {k:,}, d = {d}:\n"
    )
    print(format_predictions([one for size in sizes for one in predict(rates, size, k, cluster, d=d)]))
