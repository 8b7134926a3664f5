"""Coverage of evaluation questions by a selection."""

from .api import nearest

__all__ = ["nearest"]
