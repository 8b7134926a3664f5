"""`qdit select --ray`."""

from pathlib import Path
from typing import Any

from ..common.checks import check_int
from ..common.options import Options
from ..distributed.api import select
from ..distributed.options import IN_PROCESS, ShardSelectOptions
from ..distributed.ray_transport import connect, import_ray
from ..distributed.sources import split
from ..selection.selection import Selection

_SUFFIXES = (".npy", ".parquet")


def select_by_ray(
    embeddings: str, options: Options, address: str, actors: int | None, **how: Any
) -> Selection:
    """Select from one .npy file cut into shards, or from a folder that has a file for each shard.

    Args:
        embeddings: the file or folder.
        options: of the command; ValueError names one that is set and that shards do not know.
        address: as in `qdit.distributed.select`.
        actors: shards of one file; None for the CPUs of the cluster.
        **how: checkpoint and progress, as in `qdit.distributed.select`.

    """
    asked = {name: getattr(options, name) for name in options.names()}
    known = {name: value for name, value in asked.items() if name in ShardSelectOptions.names()}
    for name, value in asked.items():
        if name not in known:
            refuse(name, value, getattr(type(options), name))
    if known["k"] is None:
        del known["k"]
    path = Path(embeddings)
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
        return select(shards, address=address, **known, **how)
    finally:
        if started:
            import_ray().shutdown()


def refuse(name: str, value: Any, default: Any) -> None:
    """Raise ValueError if an option is set that only one process knows."""
    if value != default:
        raise ValueError(f"{name}: got {value!r} with --ray, which knows no such option; leave it out")


def _cpus(address: str) -> int:
    """Return the CPUs of the cluster that is connected."""
    if address == IN_PROCESS:
        return 1
    return max(1, int(import_ray().cluster_resources().get("CPU", 1)))
