"""Pools that have a name: where they are, and how their rows are read."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """A data set of the Hugging Face Hub.

    Attributes:
        repository: its id there.
        format: format of its rows.
        data_files: the files that are meant, where the repository holds others too.
        id_column: the column of ids, if it has one.
        gated: whether its terms have to be accepted before it can be read.

    """

    repository: str
    format: str
    data_files: str | None = None
    id_column: str | None = None
    gated: bool = False


ALPACA = Preset("tatsu-lab/alpaca", "alpaca")
DOLLY = Preset("databricks/databricks-dolly-15k", "dolly")
OIG_SMALL_CHIP2 = Preset("laion/OIG", "oig", data_files="unified_chip2.jsonl")
# the 1.5 million dialogues that the paper selects from, not the 200,000 of ultrachat_200k
ULTRACHAT = Preset("stingning/ultrachat", "ultrachat", id_column="id")
LMSYS_CHAT_1M = Preset("lmsys/lmsys-chat-1m", "lmsys", id_column="conversation_id", gated=True)

PRESETS: Mapping[str, Mapping[str, Preset]] = {
    "alpaca": {"alpaca": ALPACA},
    "dolly": {"dolly": DOLLY},
    "oig-small-chip2": {"oig-small-chip2": OIG_SMALL_CHIP2},
    "ultrachat": {"ultrachat": ULTRACHAT},
    "lmsys-chat-1m": {"lmsys-chat-1m": LMSYS_CHAT_1M},
    "mixed-270k": {"alpaca": ALPACA, "dolly": DOLLY, "oig-small-chip2": OIG_SMALL_CHIP2},
}
GATED = frozenset(
    preset.repository for group in PRESETS.values() for preset in group.values() if preset.gated
)
