"""Names for kinds of values that many modules pass on."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

StrPath = str | os.PathLike[str]  # fields of options say str | Path: jsonargparse takes null for those
JSON = dict[str, Any]  # an object of JSON values
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]  # row numbers
Ints = NDArray[np.int64]  # counts, offsets, hashes
Array = NDArray[Any]  # of any dtype
# of pyarrow, which is optional
Schema = Any
RecordBatch = Any
ArrowTable = Any
ArrowArray = Any  # an Array or a ChunkedArray
