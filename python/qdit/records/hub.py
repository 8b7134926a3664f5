"""Data sets of the Hugging Face Hub, with errors that say what to do."""

import os
from collections.abc import Iterator
from typing import Any

from ..common.optional import require
from .presets import GATED
from .sources import Source

_OFFLINE = "HF_HUB_OFFLINE"
_TIMEOUT_SECONDS = 30.0


def load_hub(source: Source) -> tuple[Any, str | None]:
    """Download a data set, or take it from the cache; return it and the commit that it is of.

    The revision is first made a commit, so the manifest says exactly what was read; None if the Hub is not
    asked (HF_HUB_OFFLINE).

    Raises:
        ConnectionError: if the Hub cannot be reached.
        PermissionError: if the data set is gated and access has not been granted; says how to log in.
        FileNotFoundError: if there is no such data set or revision.
        ValueError: for a split or subset it does not have.

    """
    name = str(source.location)
    why = f"to read {name} from the Hugging Face Hub, as no file or folder has that name"
    datasets = require("datasets", "data", why)
    try:
        commit = _commit(name, source.revision)
        loaded = datasets.load_dataset(
            name,
            name=source.subset,
            data_files=source.data_files,
            split=source.split,
            revision=commit or source.revision,
        )
    except Exception as error:
        raise _explained(name, source, error) from error
    return loaded, commit


def _commit(name: str, revision: str | None) -> str | None:
    hub = require("huggingface_hub", "data", "to read data sets of the Hugging Face Hub")
    if hub.constants.HF_HUB_OFFLINE:
        return None
    found = hub.HfApi().dataset_info(name, revision=revision, timeout=_TIMEOUT_SECONDS).sha
    return None if found is None else str(found)


def _explained(name: str, source: Source, error: Exception) -> Exception:
    """Return the error to raise for whatever datasets, huggingface_hub or its HTTP client threw."""
    errors: Any = require("huggingface_hub.errors", "data", "to read data sets of the Hugging Face Hub")
    chain = list(_chain(error))
    if any(isinstance(one, errors.GatedRepoError) or "gated dataset" in str(one) for one in chain):
        return PermissionError(_gated(name))
    if isinstance(error, errors.RevisionNotFoundError):
        return FileNotFoundError(f"revision: {name} has none called {source.revision!r}")
    missing = (errors.RepositoryNotFoundError, FileNotFoundError)
    if isinstance(error, missing) and not isinstance(error, errors.LocalEntryNotFoundError):
        return FileNotFoundError(
            f"source: no file or folder {name}, and no data set of that name that can be read on the Hub: "
            f"{_first_line(error)}"
        )
    network = ("httpx", "httpx2", "requests", "urllib3")
    if isinstance(error, OSError) or type(error).__module__.partition(".")[0] in network:
        text = f"source: no file or folder {name}, and the Hugging Face Hub cannot be reached: "
        hint = f"; connect, or set {_OFFLINE}=1 to use what was downloaded before"
        if os.environ.get(_OFFLINE):
            hint = f" and it is not in the cache; unset {_OFFLINE} to download it"
        hint += ", or pass a file" + (". " + _gated(name) if name in GATED else "")
        return ConnectionError(text + _first_line(error) + hint)
    if isinstance(error, ValueError):
        return ValueError(f"source: {name}: {_first_line(error)}")
    return RuntimeError(f"source: {name}: {type(error).__name__}: {_first_line(error)}")


def _gated(name: str) -> str:
    return (
        f"{name} is gated: accept its terms at https://huggingface.co/datasets/{name}, then log in with "
        "`hf auth login` or set the environment variable HF_TOKEN"
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
