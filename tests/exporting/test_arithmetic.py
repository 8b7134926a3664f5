"""A selection is replayed with the arithmetic that it was made with."""

from dataclasses import replace

import numpy as np
import pytest

import qdit
from helpers.export_pools import make, vectors
from qdit import Selection
from qdit.exporting import ChoiceOptions, choice, open_choice, verify

WIDE = vectors(60, 8, np.float32)  # items that float16 rounds
FEW = 8


def test_products_are_those_of_the_selection(tmp_path, cuda):
    made = make(tmp_path, x=WIDE, k=FEW, backend="cuda", precision=cuda.precision)
    found = verify(made.chosen, steps=FEW)
    assert found.ok
    assert "worst off by 0 of it" in " ".join(check.detail for check in found.checks)
    row = int(np.setdiff1d(np.arange(60), made.selection.indices)[0])
    why = qdit.explain(row, made.chosen, device=0)
    taken = [*made.selection.indices.tolist(), row]
    where = {"backend": "cuda", "precision": cuda.precision}
    after, before = (qdit.objective(made.x, rows, alpha=0, **where) for rows in (taken, taken[:-1]))
    assert why.final_gain == pytest.approx(after - before, rel=1e-12)
    # in other products the gains are others
    other = {"float16": "split", "split": "float16"}[cuda.precision]
    params = {**made.selection.params, "precision": other}
    replace(made.selection, params=params).save(tmp_path / "other")
    assert not verify(tmp_path / "other", pool=made.pool, tolerance=0.0).ok


@pytest.mark.parametrize("params", [{"precision": "float16"}, {}])
def test_backend_precision_and_device_are_handed_on(tmp_path, monkeypatch, params):
    """params: "precision" is in the manifests of selections on a device only."""
    made = make(tmp_path, x=WIDE, k=FEW, backend="cpu")
    Selection.save(
        replace(made.selection, params={**made.selection.params, "backend": "cuda", **params}),
        tmp_path / "device",
    )
    asked = []

    def stop(rows, options):
        asked.append(options)
        raise ValueError("enough")

    monkeypatch.setattr(choice, "make_problem", stop)
    with (
        open_choice(tmp_path / "device", ChoiceOptions(pool=made.pool, device=3, threads=2)) as opened,
        pytest.raises(ValueError, match="enough"),
    ):
        _ = opened.problem
    assert (asked[0].backend, asked[0].device, asked[0].threads) == ("cuda", 3, 2)
    assert asked[0].precision == params.get("precision", "auto")
