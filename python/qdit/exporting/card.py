"""The README.md of an export: a data set card."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..cleaning.told import cleaning_of
from ..common.types import JSON
from ..selection.tables import covered, format_values, is_of_pool
from .choice import Choice
from .forms import AXOLOTL, LLAMA_FACTORY, PLAIN, SHAREGPT, TRL, remarks
from .trainers import SETTINGS
from .writers import FORMATS

_DECISIONS = "for every row of the pool: kept or not, rank, gain, nearest chosen row"

_SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
_SIZE_NAMES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "n>10M")


def make_card(
    choice: Choice,
    name: str,
    formats: list[str],
    added: list[str],
    license: str | None,
    files: list[str],
    trained: JSON,
) -> str:
    """Return the card, Markdown with YAML front matter.

    added: columns beside the rows' own. files: what the export holds. trained: trainer -> `Reading.as_json`.
    """
    selection = choice.selection
    parts = [
        _front_matter(choice, name, formats, license),
        f"# {name}\n",
        f"{len(selection):,} rows chosen out of {selection.params['n']:,} by qdit, which weighs how well "
        "rows represent the whole pool against their quality ([Bukharin & Zhao]"
        "(https://arxiv.org/abs/2311.14736)). They are in the order in which they were picked.\n",
        "## How they were chosen\n",
        _table(_facts(choice)),
        "## Where they come from\n",
        _table(_sources(choice), ("source", "rows in the pool", "rows chosen")),
        "The licenses of these sources hold for the rows; this card grants nothing beyond them.\n",
        "## Files\n",
        _table(_files(formats, added, files)),
        *_remarks(trained),
        "## Check\n",
        "    qdit verify .            # every hash, and a replay of sampled picks if the pool is there\n"
        "    qdit explain ROW .       # why a row of the pool was chosen or not\n",
    ]
    return "\n".join(parts)


def _front_matter(choice: Choice, name: str, formats: list[str], license: str | None) -> str:
    lines = ["---", f"pretty_name: {json.dumps(name)}"]
    if license is not None:
        lines.append(f"license: {json.dumps(license)}")
    lines += ["task_categories:", "- text-generation", "tags:", "- qdit", "- instruction-tuning"]
    size = _SIZE_NAMES[int(np.searchsorted(_SIZES, len(choice.selection), side="right"))]
    lines += ["size_categories:", f"- {size}"]
    loadable = [FORMATS[name] for name in formats if name != "hf"]
    if loadable:
        lines += ["configs:", "- config_name: default", "  data_files:", "  - split: train"]
        lines.append(f"    path: {loadable[0]}")
    return "\n".join([*lines, "---\n"])


def _facts(choice: Choice) -> dict[str, str]:
    selection = choice.selection
    params = selection.params
    facts = {
        "method": str(params["method"]),
        "alpha (0 diversity, 1 quality)": f"{params['alpha']:g}",
    }
    words = {"coverage": "coverage (mean similarity to the nearest chosen row)"}
    if not is_of_pool(selection):
        words["coverage"] = f"coverage (of {covered(selection)}, mean similarity to the nearest chosen row)"
    facts |= {words.get(name, name): value for name, value in format_values(selection).items()}
    if selection.optimality is not None:
        facts["share of the best possible objective, at least"] = f"{selection.optimality:.2%}"
    facts |= {"seed": str(params.get("seed", "")), "metric": str(params.get("metric", ""))}
    embedded = choice.pool.manifests.get("embeddings") or {}
    named = [f"{key} {embedded[key]}" for key in ("model", "revision") if embedded.get(key)]
    if named:
        facts["embeddings"] = ", ".join(named)
    scorers = (choice.pool.manifests.get("quality") or {}).get("scorers") or []
    if scorers:
        facts["quality"] = ", ".join(str(scorer.get("model") or scorer.get("by")) for scorer in scorers)
    return facts | cleaning_of(choice.pool, selection.indices)


def _sources(choice: Choice) -> list[tuple[str, ...]]:
    return [(label, f"{a:,}", f"{b:,}") for label, a, b in zip(*choice.count_sources(), strict=True)]


def _remarks(trained: JSON) -> list[str]:
    found = [(trainer, trained[trainer]["file"], text) for trainer, text in remarks(trained).items()]
    head = ("trainer", "reads", "and")
    return ["## What trainers do not take\n", _table([*found], head)] if found else []


def _files(formats: list[str], columns: list[str], files: list[str]) -> dict[str, str]:
    added = f", with {' and '.join(filter(None, [', '.join(columns[:-1]), *columns[-1:]]))} added"
    added = added if columns else ", unchanged"
    names = {
        "jsonl": "one row a line",
        "json": "a JSON array",
        "parquet": "a table",
        "hf": "for datasets.load_from_disk",
    }
    found = {f"`{FORMATS[name]}`": f"the rows, {names[name]}{added}" for name in formats}
    other = {
        "indices.npy": "row numbers in the pool, in pick order",
        "decisions.parquet": _DECISIONS,
        "decisions.jsonl": _DECISIONS,
        "selection": "gains and scores of the picks, parameters, hashes of the inputs",
        PLAIN: "the rows in the form that trl reads, and other trainers where their settings name it",
        SHAREGPT: "the rows with calls of tools as LLaMA-Factory has them",
        SETTINGS[LLAMA_FACTORY]: "LLaMA-Factory: `--dataset_dir` is this folder",
        SETTINGS[AXOLOTL]: "axolotl: the `datasets` block",
        SETTINGS[TRL]: f"`trl sft --config {SETTINGS[TRL]} --model_name_or_path MODEL`",
        "manifest.json": "hashes of all inputs and outputs",
    }
    always = {"selection", "manifest.json"}
    return found | {f"`{name}`": text for name, text in other.items() if name in {*files, *always}}


def _table(rows: Mapping[str, str] | list[tuple[str, ...]], head: tuple[str, ...] = ("", "")) -> str:
    cells = list(rows.items()) if isinstance(rows, Mapping) else rows
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(text) for text in row) + " |" for row in cells]
    return "\n".join(lines) + "\n"


def _cell(text: Any) -> str:
    # labels of sources are the user's: no cell may end early, and none may become HTML
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")
