"""`qdit select --ray`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..common.checks import check_int
from ..distributed.api import select
from ..distributed.ray_transport import connect, import_ray
from ..distributed.session import IN_PROCESS
from ..distributed.sources import split
from ..selection.selection import Selection

_SUFFIXES = (".npy", ".parquet")


def select_by_ray(
    embeddings: str,
    quality: str | None,
    alpha: float,
    k: int | float | None,
    *,
    address: str,
    actors: int | None,
    unknown: dict[str, Any],
    **options: Any,
) -> Selection:
    """Select from one .npy file cut into shards, or from a folder that has a file for each shard.

    address, options: as in `qdit.distributed.select`. actors: shards of one file; None for the CPUs of the
    cluster. unknown: options that only one process knows; ValueError if one is set.
    """
    for name, value in unknown.items():
        if value not in (None, False):
            raise ValueError(f"{name}: got {value!r} with --ray, which knows no such option; leave it out")
    path = Path(embeddings)
    if k is None:
        k = 10_000
    started = address != IN_PROCESS and connect(address)
    try:
        if path.is_dir():
            if actors is not None:
                raise ValueError(
                    f"actors: got {actors} for the folder {path}, which has a file for each; leave it out"
                )
            shards: list[Any] = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES)
            if not shards:
                raise ValueError(f"embeddings: {path} has no .npy or .parquet files, one for each actor")
        elif path.suffix == ".npy" or not path.exists():
            shards = list(split(path, _cpus(address) if actors is None else check_int("actors", actors)))
        else:
            raise ValueError(
                f"embeddings: got {path}, wanted a .npy file, or a folder with a file for each actor"
            )
        return select(shards, quality, alpha, k, address=address, **options)
    finally:
        if started:
            import_ray().shutdown()


def _cpus(address: str) -> int:
    """Return the CPUs of the cluster that is connected."""
    if address == IN_PROCESS:
        return 1
    return max(1, int(import_ray().cluster_resources().get("CPU", 1)))
