"""`qdit demo`: everything at once on an instruction set that comes with the project.

In comes a number of rows; out go instructions, a run file, all that a run of it makes, and a table that
compares its choice with diversity alone, quality alone and random rows.

    texts         what instructions are put together from, read from texts.yaml
    instructions  the instruction set: seeded, uneven, with near-duplicates and answers of varied quality
    run           `run_demo`: writes it, runs it, compares
"""

from .run import DemoOptions, run_demo

__all__ = ["DemoOptions", "run_demo"]
