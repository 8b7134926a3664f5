"""Where real data lies that some tests read, if it is there."""

import os
from pathlib import Path


def data_folder() -> Path:
    """Return the folder that QDIT_DATA names, or shared/data beside the checkout."""
    named = os.environ.get("QDIT_DATA")
    return Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"
