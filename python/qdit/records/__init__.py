"""Records: rows of any source in a pool directory, and the normal form they are read in.

Files, data sets of the Hub, tables and lists come in; records.jsonl or records.arrow with records.json go
out, and are opened as `Row`s.

    importing, options     `import_records`, ImportOptions
    sources, presets       what a source is: a path, a name of the Hub, an object, a named pool
    folders                which files of a folder hold rows, of which split and subset
    staging, intake        one source, read, checked and written; what every row passes, ids
    textfiles, jsonarray   rows of JSON Lines, JSON arrays and CSV, streamed
    compressed             what a file is by its first bytes
    typed, hub             rows with types: Parquet, data sets, tables; the Hugging Face Hub
    schemas                types as they are stored, one schema for several files
    formats, row           Alpaca, ShareGPT, messages and others; the normal form
    records, store         the rows of a pool, opened; rows on disk
    pool, tokens           records with embeddings, quality and tokens, checked to belong together
    templates              text made of a row
"""

from ..common.progress import RowProgress
from .importing import import_records, is_imported
from .options import ImportOptions
from .records import Records, open_records
from .row import Row, RowError
from .sources import Source

__all__ = [
    "ImportOptions",
    "Records",
    "Row",
    "RowError",
    "RowProgress",
    "Source",
    "import_records",
    "is_imported",
    "open_records",
]
