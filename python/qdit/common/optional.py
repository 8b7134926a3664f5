"""Optional packages: imported when they are needed, named in the error when they are missing."""

import importlib
from typing import Any


def require(module: str, extra: str, why: str) -> Any:
    """Import and return a module of an optional dependency.

    Args:
        module: name to import, such as "pyarrow.parquet".
        extra: the extra of qdit that installs it.
        why: what it is needed for, such as "to read Parquet files".

    Raises:
        ImportError: that names package and extra, if it is not installed.

    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise  # it is there, but something that it needs itself is not
        package = module.partition(".")[0]
        raise ImportError(f"{package} is needed {why}: pip install 'qdit[{extra}]'") from None
