"""Selections as they are named on a command line or in a call."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ..common import npy
from ..common.text import names_of
from ..common.types import Indices, StrPath
from ..engine.rows import Rows
from ..selection.problem import row_indices
from ..selection.selection import Selection
from .choice import selection_folder

SelectionLike = StrPath | Selection | ArrayLike
SelectionsLike = str | Sequence[SelectionLike] | Mapping[str, SelectionLike] | Selection


def labelled(selections: SelectionsLike) -> dict[str, SelectionLike]:
    """Return selections by label; a path without one is called after its last part."""
    if isinstance(selections, Mapping):
        found = dict(selections)
    else:
        if isinstance(selections, str):
            selections = names_of(selections)
        elif isinstance(selections, os.PathLike | Selection | np.ndarray):
            selections = [selections]
        found = {}
        for number, entry in enumerate(selections):
            label, source = str(number), entry
            if isinstance(entry, str | os.PathLike):
                match = re.fullmatch(r"([^=/]+)=(.+)", os.fspath(entry))
                source = match[2] if match else os.fspath(entry)
                label = match[1] if match else Path(source).name.removesuffix(".npy")
            if label in found:
                raise ValueError(f"selections: two are called {label!r}; name them as label=path")
            found[label] = source
    if not found:
        raise ValueError("selections: got none, wanted at least one")
    return found


def read_selection(source: SelectionLike, rows: Rows) -> Indices:
    """Return the row numbers of a selection, checked to be of this pool as far as it tells."""
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if path.suffix == ".npy":
            return row_indices(str(path), npy.open_npy("selections", path), rows.n)
        source = Selection.load(selection_folder(path))
    if isinstance(source, Selection):
        n = int(source.params["n"])
        if n != rows.n:
            raise ValueError(
                f"selections: one was made from {n:,} rows, the pool has {rows.n:,}; pass the pool it was "
                "made from"
            )
        source = source.indices
    return row_indices("selections", source, rows.n)
