"""From a selection to chosen rows with the evidence: export, explain, verify."""

from .choice import Choice, ChoiceOptions, open_choice
from .explainer import Explanation, Neighbor, explain
from .exporter import ExportOptions, export
from .replay import VerifyOptions
from .verifier import Check, Verification, verify

__all__ = [
    "Check",
    "Choice",
    "ChoiceOptions",
    "Explanation",
    "ExportOptions",
    "Neighbor",
    "Verification",
    "VerifyOptions",
    "explain",
    "export",
    "open_choice",
    "verify",
]
