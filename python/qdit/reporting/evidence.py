"""The sections of a report that show rows, bounds and hashes."""

import math
from collections.abc import Mapping

from ..cleaning.told import cleaning_of
from ..common.files import to_json
from ..exporting.choice import Choice
from ..measuring.api import MEASURES
from ..selection.selection import Selection
from ..selection.tables import covered
from . import page
from .analysis import Numbers
from .page import Html, Section

_SHORT_HASH = 16
_LIFTED = (
    " Because some quality is negative, both numbers are first raised by as much as makes the worst row's 0; "
    "else their ratio would say nothing."
)


def describe_sample(choice: Choice, numbers: Numbers) -> str:
    """Return which rows of the pool the numbers are of."""
    n, m = choice.rows.n, len(numbers.sample)
    return f"all {n:,} rows" if m == n else f"a random sample of {m:,} of the {n:,} rows"


def worst(choice: Choice, numbers: Numbers) -> Section:
    """Return the section with the worst covered regions."""
    records = choice.pool.records
    section = Section("worst", "Worst-covered regions").add(
        page.paragraph(
            f"Of {describe_sample(choice, numbers)}, those least similar to any chosen row, grouped by "
            "likeness. Rows here may be rare and valuable, or junk that is better left out: look."
        )
    )
    for region in numbers.regions:
        count = f"{region.count:,} rows" if region.count != 1 else "1 row"
        examples = [records.row(i) for i in region.rows]
        near = page.row_text(records.row(region.nearest), f"chosen, similarity {region.similarity:.3f}")
        rest = [page.row_text(row) for row in examples[1:]]
        section.add(
            page.region(
                page.heading(f"{count}, mean similarity {region.mean:.3f} to the nearest chosen row"),
                page.pair(page.row_text(examples[0], "typical of the region"), near),
                page.details(f"{len(rest)} more examples", *rest) if rest else Html(""),
            )
        )
    return section


def duplicates(choice: Choice, numbers: Numbers, near: float) -> Section:
    """Return the section with picks that are nearly the same."""
    found = numbers.duplicates
    section = Section("duplicates", "Near-duplicate picks")
    counts = ", ".join(f"{count:,} at {level:g} or more" for level, count in found.above.items())
    section.add(
        page.paragraph(
            f"Of {found.compared:,} picks compared, so many have an earlier pick this similar: {counts}."
        )
    )
    if not found.pairs:
        return section.add(page.paragraph(f"No two picks are {near:g} similar or more."))
    records = choice.pool.records
    for row, earlier, similarity in found.pairs:
        section.add(
            page.pair(
                page.row_text(records.row(earlier), "picked earlier"),
                page.row_text(records.row(row), f"similarity {similarity:.4f}"),
            )
        )
    return section


def measures(choice: Choice, numbers: Numbers) -> Section | None:
    """Return the section with the numbers of the picks beside those of random sets, if asked for."""
    if numbers.measured is None:
        return None
    section = Section("measures", "Measures")
    readings = numbers.measured.readings
    sets = len(next(iter(readings.values())).random)
    section.add(
        page.paragraph(
            f"What the {numbers.measured.rows:,} rows are like"
            + (f", beside {sets} random sets of as many rows. " if sets else ". ")
            + ("One more random set would lie in the interval, with 95% probability. " if sets > 1 else "")
            + "Distances are 1 - cosine. None of these is a trained model."
        )
    )
    head = ["measure", "chosen", *["random, mean", "one more random set"][: min(sets, 2)]]
    rows = []
    for name, one in readings.items():
        cells = [_number(one.value), _number(one.mean), f"{_number(one.low)} to {_number(one.high)}"]
        rows.append([MEASURES[name], *cells[: len(head) - 1]])
    return section.add(page.table(head, rows, numbers=len(head) - 1))


def certificate(choice: Choice) -> Section:
    """Return the section with objective and upper bound."""
    selection = choice.selection
    rows = [("objective of these rows", f"{selection.objective:,.6f}")]
    section = Section("certificate", "Certificate")
    if selection.upper_bound is None:
        why = f"Method {selection.params['method']} does not know the gains of all rows at the end"
        if "prefix_of" in selection.params:
            why = "These are the first picks of a longer selection"
        section.add(page.note(f"{why}, so there is no upper bound on what another choice could reach."))
    else:
        rows.append(("no permitted choice exceeds", f"{selection.upper_bound:,.6f}"))
        if selection.optimality is not None:
            rows.append(("share reached, at least", f"{selection.optimality:.3%}"))
            section.add(
                page.paragraph(
                    f"No set of {len(selection):,} rows can have a much larger objective: these reach at "
                    f"least {selection.optimality:.2%} of the best possible. The bound follows from the "
                    "gains of all rows at the end of the run (submodularity), not from a sample."
                    + (_LIFTED if _lifted(selection) else "")
                )
            )
    rows.append((f"coverage, over {covered(selection)}", f"{selection.coverage:.6f}"))
    if selection.mean_quality is not None:
        rows.append(("mean quality", f"{selection.mean_quality:.6f}"))
    return section.add(page.table(("", "value"), rows, numbers=1))


def provenance(choice: Choice) -> Section:
    """Return the section with parameters, hashes and versions."""
    selection, pool = choice.selection, choice.pool
    stats = dict(selection.stats)
    versions = stats.pop("versions", {})
    section = Section("provenance", "Provenance").add(
        page.table(("parameter", "value"), _flat(selection.params), "How the rows were chosen")
    )
    cleaned = cleaning_of(pool, selection.indices)
    if cleaned:
        section.add(page.table(("step", "rows"), [*cleaned.items()], "What was done to the pool before"))
    inputs = [
        (name, " x ".join(map(str, entry["shape"])), entry["dtype"], page.Html(_hash(entry["sha256"])))
        for name, entry in selection.inputs.items()
    ]
    records = pool.records
    inputs.append(("records", f"{len(records):,}", records.format, page.Html(_hash(records.sha256))))
    section.add(page.table(("input", "shape", "type", "sha256"), inputs, "What they were chosen from"))
    for name, made in pool.manifests.items():
        if made:
            section.add(page.details(f"{name}.json", page.table(("", ""), _flat(made))))
    section.add(page.details("Run", page.table(("", ""), _flat(stats))))
    return section.add(page.table(("", ""), _flat(versions), "Versions"))


def _lifted(selection: Selection) -> bool:
    if selection.optimality is None or selection.upper_bound is None:
        return False
    plain = selection.optimality * selection.upper_bound
    return not math.isclose(plain, selection.objective, rel_tol=1e-6)


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:,.5g}"


def _hash(digest: str) -> str:
    return f'<span class="hash" title="{page.escape(digest)}">{page.escape(digest[:_SHORT_HASH])}…</span>'


def _flat(values: Mapping[str, object]) -> list[tuple[str, str]]:
    rows = []
    for name, value in values.items():
        if isinstance(value, float):
            text = f"{value:.10g}"
        elif isinstance(value, dict | list):
            text = to_json(value, ensure_ascii=False, default=str)
            text = text if len(text) <= 600 else text[:599] + "…"
        else:
            text = "none" if value is None else str(value)
        rows.append((str(name), text))
    return rows
