"""Results and forecasts as text."""

from collections.abc import Sequence
from dataclasses import asdict

from ..common.text import format_bytes, format_seconds, format_table
from ..common.types import JSON
from ..selection.forecast import estimate
from ..selection.run import Job
from ..selection.selection import Selection
from ..selection.tables import covered, format_values, is_of_pool
from ..selection.weighing import describe as describe_balance
from ..selection.weighing import describe_shares, warn_of_balance


def describe_estimate(job: Job) -> str:
    """Return the forecast of a run as a table; calibrates for about a second."""
    rows = job.problem.rows
    found = estimate(job)
    size = format_bytes(rows.nbytes)
    each = f"{found.seconds_per_evaluation * 1e6:,.1f} us each"
    method = job.plan.method
    weighed = job.shares
    warn_of_balance(job.problem, job.plan.k, weighed)
    return format_table(
        {
            "embeddings": f"{rows.n:,} x {rows.d} {rows.dtype}, {size}, {rows.source}",
            "run": f"{job.plan.k:,} picks, method {method.name}, {job.threads} threads",
            "memory needed": f"{format_bytes(found.memory_needed)} beside the embeddings",
            "memory for speed": f"up to {format_bytes(found.spare_bytes)} of {method.spare.value}",
            "evaluations": f"about {found.evaluations:,.0f} at {each}",
            "time": f"about {format_seconds(found.seconds)} (an estimate; half or twice that is likely)",
            **({} if weighed is None else describe_shares(asdict(weighed))),
        }
    )


def describe_selection(selection: Selection, out: str | None) -> str:
    """Return a result as a table; out: where it was saved."""
    params, stats = selection.params, selection.stats
    n = int(params["n"])
    rows = {
        "picked": f"{len(selection):,} of {n:,} rows, method {params['method']}",
        **format_values(selection),
    }
    if not is_of_pool(selection):
        rows["covered"] = covered(selection)
    if params.get("ignored_rows"):
        rows["left out"] = f"{params['ignored_rows']:,} rows of zeros: they have no vector"
    if selection.optimality is not None:
        rows["optimality"] = f"at least {selection.optimality:.2%} of the best possible objective"
    if "budget" in params:
        rows["cost"] = f"{stats['cost']:,.10g} of {params['budget']:,.10g}"
        if "order" in stats:
            rows["cost"] += f", greedy by {stats['order']} (by the other: {_other(selection):.6f})"
    if "survivors" in stats:
        rows["survivors"] = f"{stats['survivors']:,} within tau {params['tau']:g}, {stats['filled']:,} filled"
    if "short_clusters" in stats:
        rows["clusters"] = (
            f"{params['clusters']}, {stats['short_clusters']} of them short by {stats['filled']:,}"
        )
    if "least_similarity" in stats:
        rows["farthest row"] = f"similarity {stats['least_similarity']:.6f} to the nearest row chosen"
    if "cells_drawn_from" in stats:
        least, most = stats["rows_of_a_cell"]
        rows["cells"] = (
            f"{stats['cells_drawn_from']} of {params['clusters']}, {least:,} to {most:,} rows each"
        )
    if "information" in stats:
        reached = f"{stats['labels_informed']:,} of {stats['labels']:,} labels"
        rows["information"] = f"{stats['information']:.6f}, {reached}, {stats['label_edges']:,} pairs alike"
    if "balance" in stats:
        rows |= describe_balance(stats["balance"], len(selection))
    rows["seconds"] = f"{stats['seconds_total']:.1f}"
    rows["evaluations"] = f"{stats['evaluations']:,} ({stats['evaluations'] / n:.2f} for each row)"
    if stats["resumed_picks"]:
        rows["resumed"] = f"{stats['resumed_picks']:,} picks from the checkpoint"
    engine = [stats["backend"], stats["simd"], f"{stats['threads']} thread" + "s" * (stats["threads"] != 1)]
    if "device" in stats:
        engine = [stats["backend"], stats["device"]]
    rows["engine"] = ", ".join(part for part in engine if part)
    rows["saved"] = out if out is not None else "not saved; pass --out DIR"
    return format_table(rows)


def _other(selection: Selection) -> float:
    stats = selection.stats
    return float(min(stats["objective_by_score_per_cost"], stats["objective_by_score"]))


def describe_estimates(estimates: Sequence[JSON]) -> str:
    """Return a table of what the scorers of a job, or its models, have to do."""
    lines = []
    for one in estimates:
        lines.append(f"{one['by']:<17} {one['left']:,} of {one['rows']:,} rows to score")
        if "prompt_tokens" in one:
            lines[-1] = f"{one['by']:<17} {one['left']:,} requests for {one['rows']:,} rows"
            lines.append(f"  prompt tokens   about {one['prompt_tokens']:,} (4 bytes a token)")
            most = one["completion_tokens_at_most"]
            lines.append(f"  answer tokens   {'no limit is set' if most is None else f'at most {most:,}'}")
            lines.append(
                f"  cost            about {one['cost_at_most']:,.2f} at most"
                if "cost_at_most" in one
                else "  cost            pass --price-in and --price-out, per million tokens"
            )
    return "\n".join(lines)
