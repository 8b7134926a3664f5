"""Figure 1: what the chosen instructions ask for, as pairs of root verb and direct object."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..common import files
from ..common.progress import open_phases
from ..evaluation.tables import Cell as TableCell
from ..evaluation.tables import Table
from ..pipeline.state import State, fingerprint
from ..reporting.verbs import Parser, Verbs, count_pairs, load_parser
from ..selection.selection import Selection
from .drawing import draw_sunbursts, png
from .methods import Method, qdit, random
from .options import FigureOptions
from .results import Result
from .shelf import Shelf

_FORMAT = "qdit-verbs"
_CHUNK = 512
_TOP = 20


@dataclass(frozen=True, kw_only=True)
class Fig1Options(FigureOptions):
    """What Figure 1 is made of.

    Attributes:
        records: Pool directory or data file with the texts of a .npy file's rows.
        k: Rows to choose.
        alpha: Alpha of QDIT.
        seeds: Random choices; the first is drawn, the table has the mean of all.

    """

    records: str | Path | None = None
    k: int = 3_000
    alpha: float = 0.7
    seeds: int = 5


@dataclass(frozen=True)
class Variety:
    """How varied pairs of verb and object are.

    Attributes:
        texts: instructions parsed.
        found: those with a pair.
        verbs: distinct verbs.
        pairs: distinct pairs.
        effective: exp of the entropy of the pairs, the number of equally common pairs that is as varied.
        top: share of the 20 commonest pairs among all that were found.

    """

    texts: int
    found: int
    verbs: int
    pairs: int
    effective: float
    top: float


def variety(verbs: Verbs) -> Variety:
    """Return the numbers of counted pairs; with no pair found all but `texts` are 0."""
    counts = np.array(sorted(verbs.pairs.values(), reverse=True), np.float64)
    if not len(counts):
        return Variety(verbs.texts, 0, 0, 0, 0.0, 0.0)
    shares = counts / counts.sum()
    effective = float(np.exp(-(shares * np.log(shares)).sum()))
    names = {verb for verb, _ in verbs.pairs}
    top = float(shares[:_TOP].sum())
    return Variety(verbs.texts, verbs.found, len(names), len(counts), effective, top)


def fig1(shelf: Shelf, options: Fig1Options, parser: Parser = None) -> Result:
    """Choose rows, parse their instructions, count and draw.

    parser: None loads spaCy's.

    Raises:
        ImportError: without spaCy, an English model, or matplotlib.

    """
    source, k, seeds = shelf.source, options.k, options.seeds
    methods = [*random(seeds), Method("quality"), *qdit(options.alpha)]
    source.instructions([0])  # before anything takes time
    chosen = shelf.get(methods, k)
    counts = Counts(shelf, load_parser() if parser is None else parser)
    found = {method: counts.get(method.key, chosen[method]) for method in methods}
    shown = {method.label: found[method] for method in [methods[0], *methods[seeds:]]}
    return Result(
        "fig1",
        f"Figure 1: verbs and objects of {k:,} instructions chosen from {source.name}",
        {"": _table(found)},
        {"-pairs": _pairs(shown)},
        {".png": png(draw_sunbursts(shown), 16.0, 5.6)},
        inputs=source.hashes,
        options={"k": k, "alpha": options.alpha, "seeds": seeds, "parser": counts.parsed_by},
        notes=[
            "Effective: exp of the entropy of the pairs. The paper parses with benepar; here it is spaCy's "
            "dependency parse of the first sentence, so counts are not comparable with the paper's."
        ],
    )


class Counts:
    """Counts of pairs, each kept with a hash of what was counted: a repeated call parses nothing again."""

    def __init__(self, shelf: Shelf, parser: Parser) -> None:
        """Open the folder "verbs" of a shelf."""
        meta = getattr(parser, "meta", {})
        self.parsed_by = f"{meta.get('lang', '?')}_{meta.get('name', '?')} {meta.get('version', '?')}"
        self._shelf, self._parser, self._folder = shelf, parser, shelf.work / "verbs"
        self._state = State(self._folder)

    def get(self, name: str, chosen: Selection) -> Verbs:
        """Return the counts of a selection's instructions."""
        key = fingerprint(
            records=self._shelf.source.hashes.get("records"),
            rows=files.sha256_array(chosen.indices),
            parser=self.parsed_by,
        )
        path = self._folder / f"{name}-{len(chosen)}.json"
        self._state.do_once(path.name, key, path, lambda: self._count(path, chosen))
        value = files.read_json(path, _FORMAT)
        return Verbs(Counter({(verb, noun): count for verb, noun, count in value["pairs"]}), value["texts"])

    def _count(self, path: Path, chosen: Selection) -> None:
        source, k = self._shelf.source, len(chosen)
        total: Counter[tuple[str, str]] = Counter()
        with open_phases(self._shelf.progress, source.rows.n, k) as phases:
            phases.enter(f"verbs of {path.stem}")
            for start in range(0, k, _CHUNK):
                texts = source.instructions(chosen.indices[start : start + _CHUNK])
                total += count_pairs(self._parser, texts).pairs
                phases.tick((start + len(texts)) / k)
        pairs = [[verb, noun, count] for (verb, noun), count in sorted(total.items())]
        record = {"format": _FORMAT, "texts": k, "pairs": pairs}
        files.write_atomic(path, [json.dumps(record).encode()])


def _table(found: dict[Method, Verbs]) -> Table:
    groups: dict[str, list[Variety]] = {}
    for method, verbs in found.items():
        groups.setdefault(method.label, []).append(variety(verbs))
    rows = []
    for label, all_of in groups.items():
        draws = len(all_of)
        name = f"{label}, mean of {draws}" if draws > 1 else label
        cells = [float(np.mean([getattr(one, field) for one in all_of])) for field in Variety.__match_args__]
        rows.append([name, *(int(x) if x.is_integer() else x for x in cells[:4]), cells[4], 100 * cells[5]])
    columns = ["choice", "parsed", "pair found", "verbs", "pairs", "effective pairs", f"top {_TOP} pairs, %"]
    return Table(columns, rows, digits=1)


def _pairs(found: dict[str, Verbs], verbs: int = 18, nouns: int = 4) -> Table:
    rows: list[Sequence[TableCell]] = []
    for label, one in found.items():
        for verb, total, objects in one.top(verbs, nouns):
            rows += [[label, verb, total, noun, count] for noun, count in objects]
    return Table(["choice", "verb", "with any object", "object", "count"], rows)
