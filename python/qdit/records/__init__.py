"""Records: rows of any source in a pool directory, and the normal form they are read in."""

from ..common.progress import RowProgress
from .importing import import_records, is_imported
from .records import Records, open_records
from .row import Row, RowError
from .sources import Source

__all__ = [
    "Records",
    "Row",
    "RowError",
    "RowProgress",
    "Source",
    "import_records",
    "is_imported",
    "open_records",
]
