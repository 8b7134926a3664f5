"""convert_embeddings from every kind of source, each written by the real package."""

import json

import numpy as np
import pytest

import qdit
from helpers.vector_sources import IDS, ROWS, SOURCES, WANTED_IDS
from qdit.vectors import convert_embeddings


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("source_of", SOURCES, ids=lambda source_of: source_of.__name__)
def test_every_source(tmp_path, source_of):
    source, options = source_of(tmp_path)
    made = convert_embeddings(source, tmp_path / "out.npy", block_rows=64, **options)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), ROWS)
    np.testing.assert_array_equal(made.rows.array, ROWS)
    assert made.ids() == WANTED_IDS.get(source_of, IDS)
    assert made.bad == []
    half = convert_embeddings(source, tmp_path / "half.npy", dtype="float16", **options)
    np.testing.assert_array_equal(half.rows.array, ROWS.astype(np.float16))
    assert half.rows.dtype == "float16"
    description = json.loads((tmp_path / "out.json").read_text())
    assert description["stored_dtype"] == "float32"
    assert set(description["files"]) >= {"out.npy"}
    assert sorted(path.name for path in tmp_path.glob(".*")) == []
    want = qdit.select(ROWS, alpha=0, k=20)
    np.testing.assert_array_equal(qdit.select(made.rows, alpha=0, k=20).indices, want.indices)
