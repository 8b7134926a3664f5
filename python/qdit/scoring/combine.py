"""From the scores of several scorers, some of them missing, to one quality per row."""

from collections.abc import Mapping

import numpy as np

from ..common.types import JSON, Floats, Indices
from .scorer import Scored

COMBINE = ("product", "mean")
MISSING = ("error", "lowest", "median")
_ROWS_SHOWN = 5


class MissingScoresError(RuntimeError):
    """Some rows have no score, and the policy is that this is an error."""


def combine(scored: Mapping[str, Scored], how: str) -> Floats:
    """Return one number per row; NaN where any scorer has none.

    Raises:
        ValueError: for a product of negative numbers, which has no order.

    """
    values = [one.values for one in scored.values()]
    if len(values) == 1:
        return values[0].copy()
    if how == "mean":
        return np.asarray(np.mean(values, axis=0))
    for name, one in scored.items():
        if (one.values < 0).any():
            row = int(np.flatnonzero(one.values < 0)[0])
            raise ValueError(
                f"combine: got 'product', but {name} is negative ({one.values[row]} of row {row}), so larger "
                "would not mean better; pass combine='mean'"
            )
    return np.asarray(np.prod(values, axis=0))


def fill(values: Floats, policy: str, scored: Mapping[str, Scored]) -> tuple[Floats, JSON]:
    """Give rows without a score one, by the policy; return the scores and what was done.

    "lowest" gives the smallest score there is, so that no such row is preferred to a scored one; "median"
    gives the median of the scores.

    Raises:
        MissingScoresError: by policy "error", or if no row has a score.

    """
    absent = np.isnan(values)
    missing = np.flatnonzero(absent)
    done: JSON = {"policy": policy, "rows": len(missing), "filled": len(missing), "value": None}
    if len(missing) == 0:
        return values, done
    if policy == "error" or len(missing) == len(values):
        raise MissingScoresError(_explain(values, missing, scored))
    present = values[~absent]
    done["value"] = float(present.min() if policy == "lowest" else np.median(present))
    return np.where(absent, done["value"], values), done


def _explain(values: Floats, missing: Indices, scored: Mapping[str, Scored]) -> str:
    rows = ", ".join(map(str, missing[:_ROWS_SHOWN])) + (", ..." if len(missing) > _ROWS_SHOWN else "")
    counts = {name: int(np.isnan(one.values).sum()) for name, one in scored.items()}
    parts = [f"{name}: {scored[name].why or f'{n} without a value'}" for name, n in counts.items() if n]
    remedies = [one.remedy for one in scored.values() if one.remedy]
    if len(missing) < len(values):
        remedies.append("pass missing='lowest' or 'median' (--missing lowest) to give such rows a score")
    remedy = ", or ".join(remedies) or "there is nothing to fill them with; use another scorer"
    return f"{len(missing)} of {len(values)} rows have no score (rows {rows}); {'; '.join(parts)}; {remedy}"
