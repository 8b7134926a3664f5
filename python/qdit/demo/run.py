"""The demo: an instruction set of the project's own, from text to report."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from ..common import files
from ..common.options import Options
from ..common.progress import AnyProgressLike
from ..common.types import Indices
from ..embedding.options import BUILTIN
from ..pipeline import read_config, run
from ..pipeline.state import Say
from ..records.pool import Pool
from ..reporting.figures import require_matplotlib
from ..selection.evaluate import row_coverage
from ..selection.selection import Selection
from ..selection.tables import alpha_folder
from .instructions import write_instructions

_ALPHAS = (0.0, 0.3, 0.5, 0.7, 0.9, 1.0)
_RANDOM_SEEDS = (0, 1, 2)


@dataclass(frozen=True, kw_only=True)
class DemoOptions(Options):
    """How large the demo is, and what embeds it.

    Attributes:
        rows: Instructions to write.
        k: Instructions to choose.
        model: What embeds them: builtin:hash, a stand-in, or a sentence-transformers model.
        seed: Seed of the instructions.

    """

    rows: int = 3_000
    k: int = 300
    model: str = BUILTIN
    seed: int = 0


def run_demo(out: Path, options: DemoOptions, *, progress: AnyProgressLike = True, say: Say = print) -> Path:
    """Write instructions and a run file, run it, print what choices reach; return the report's path.

    Raises:
        ImportError: if matplotlib is missing, or what the model needs.

    """
    rows, k, seed = options.rows, options.k, options.seed
    require_matplotlib()
    out.mkdir(parents=True, exist_ok=True)
    write_instructions(out / "instructions.jsonl", rows, seed)
    content = {
        "source": "instructions.jsonl",
        "out": ".",
        "embed": {"model": options.model},
        "score": {"by": "column", "column": "rating"},
        "select": {"alpha": 0.7, "k": k},
        "sweep": {"alphas": list(_ALPHAS), "k": k},
        "export": {"columns": True, "license": "apache-2.0"},
        "report": {"title": f"qdit demo: {k:,} of {rows:,} instructions"},
    }
    file = out / "run.yaml"
    text = "# The demo as a run: qdit run run.yaml\n" + yaml.safe_dump(content, sort_keys=False)
    files.write_atomic(file, [text.encode()])
    say(f"{rows:,} instructions, seed {seed}, in {out / 'instructions.jsonl'}")
    if options.model == BUILTIN:
        say("embeddings: builtin:hash, a stand-in that sees words, not meaning; make demo-real takes a model")
    run(read_config(file), progress=progress, say=say)
    say("\n" + format_choices(out, k) + "\n")
    page = out / "report" / "report.html"
    say(f"chosen rows: {out / 'export' / 'data.jsonl'}\nreport: {page}")
    return page


def format_choices(out: Path, k: int) -> str:
    """Return a table: what qdit, diversity alone, quality alone and random choices reach."""
    pool = Pool.open(out / "pool")
    quality, embeddings = pool.quality, pool.embeddings
    assert quality is not None
    assert embeddings is not None
    named = {"qdit, alpha 0.7": 0.7, "diversity only, alpha 0": 0.0, "quality only, alpha 1": 1.0}
    choices: dict[str, list[Indices]] = {
        name: [Selection.load(out / "sweep" / alpha_folder(alpha)).indices] for name, alpha in named.items()
    }
    choices[f"random, mean of {len(_RANDOM_SEEDS)}"] = [
        np.random.default_rng(seed).choice(len(pool), k, replace=False) for seed in _RANDOM_SEEDS
    ]
    lines = [f"{k:,} of {len(pool):,} rows{'':<14}mean quality   coverage   worst 10%"]
    for name, draws in choices.items():
        covers = [np.sort(row_coverage(embeddings, draw)) for draw in draws]
        tenth = max(1, len(pool) // 10)
        good = np.mean([quality[draw].mean() for draw in draws])
        lines.append(
            f"{name:<{lines[0].index('mean')}}{good:>12.3f}{np.mean([c.mean() for c in covers]):>11.4f}"
            f"{np.mean([c[:tenth].mean() for c in covers]):>12.4f}"
        )
    lines.append(
        "coverage: mean similarity of a row to the nearest chosen one; worst 10%: of the rows least covered"
    )
    return "\n".join(lines)
