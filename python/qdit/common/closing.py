"""Objects that hold files, locks or connections until they are closed."""

from typing import Self


class Closing:
    """Base of a context manager that is closed at the end of its block."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of what is held. Safe to call twice."""
