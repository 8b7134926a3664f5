"""The options of `qdit.records.import_records`."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..common.options import Options


@dataclass(frozen=True, kw_only=True)
class SourceOptions(Options):
    """How the rows of a source are read.

    Attributes:
        format: alpaca, dolly, sharegpt, messages, prompt, lmsys, ultrachat or oig; None to detect it.
        columns: Columns of fields that are called otherwise, such as {"instruction": "question"}.
        id_column: Column of row ids, which must be there and unique. None keeps a column id, conversation_id
            or prompt_id whose values are unique, else makes ids "<label>-<row number in the source>".
        revision: Commit, tag or branch of a data set on the Hub.
        split: Split of a data set or folder that has several, such as train+test, or all.
        subset: Configuration of a data set that has several; of a folder, those in its README.md.

    """

    format: str | None = None
    columns: Mapping[str, str] | None = None
    id_column: str | None = None
    revision: str | None = None
    split: str = "train"
    subset: str | None = None


@dataclass(frozen=True, kw_only=True)
class ImportOptions(SourceOptions):
    """How rows become records.

    Attributes:
        source_name: Label of the source; None takes the file's name.
        skip_bad: Leave rows out that cannot be used, and list them in records.json.
        limit: Read only so many rows of each source.

    """

    source_name: str | None = None
    skip_bad: bool = False
    limit: int | None = None

    def _check(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit: got {self.limit}, wanted at least 1, or None for all rows")
