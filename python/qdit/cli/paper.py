"""The verbs of ``qdit paper``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .paper_figures import (
    paper_cost_command,
    paper_coverage_command,
    paper_fig1_command,
    paper_fig2_command,
    paper_fig9_command,
)
from .paper_study import (
    paper_fig3_command,
    paper_fig4_command,
    paper_loss_command,
    paper_table1_command,
    paper_table2_command,
)

COMMANDS: Mapping[str, Callable[..., None]] = {
    "fig1": paper_fig1_command,
    "fig2": paper_fig2_command,
    "fig3": paper_fig3_command,
    "fig4": paper_fig4_command,
    "fig9": paper_fig9_command,
    "table1": paper_table1_command,
    "table2": paper_table2_command,
    "cost": paper_cost_command,
    "coverage": paper_coverage_command,
    "loss": paper_loss_command,
}
