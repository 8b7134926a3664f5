"""Stanford Alpaca with its known embeddings and scores, from the JSON file to exports."""

import gzip
import json
import re

import numpy as np
import pytest

from helpers.data_folder import data_folder
from qdit.exporting import export, verify
from qdit.records import import_records
from qdit.records.pool import attach
from qdit.selection.pool import select_pool

_BLANKS = re.compile(r'("(?:[^"\\]|\\.)*")|\s+')  # a string, which stays, or blanks
FILES = ("alpaca_data.json.gz", "alpaca_mpnet_f16.npy", "alpaca_quality.npy")


def own_bytes(text: str) -> list[bytes]:
    """Return the characters of every element of a JSON array of objects, but for blanks outside of strings.

    A line of JSON Lines has no room for line breaks between fields.
    """
    decoder, at, found = json.JSONDecoder(), text.index("[") + 1, []
    while (start := text.find("{", at)) >= 0:
        _, at = decoder.raw_decode(text, start)
        found.append(_BLANKS.sub(lambda match: match[1] or "", text[start:at]).encode())
    return found


@pytest.mark.slow
@pytest.mark.real_data
def test_exported_rows_are_the_bytes_of_the_input(tmp_path):
    data = data_folder()
    missing = [name for name in FILES if not (data / name).exists()]
    if missing:
        pytest.skip(f"no {', '.join(missing)} in {data}: set QDIT_DATA to the folder that has them")
    rows = own_bytes(gzip.decompress((data / FILES[0]).read_bytes()).decode())
    pool = tmp_path / "pool"
    import_records(data / FILES[0], pool).close()
    attach(pool, embeddings=data / FILES[1], quality=data / FILES[2])
    chosen = select_pool(pool, alpha=0.7, k=9000)
    assert len(rows) == 52_002
    for k in (3000, 9000):
        chosen[:k].save(tmp_path / f"chosen-{k}")
        out = export(tmp_path / f"chosen-{k}", tmp_path / f"export-{k}", decisions="none")
        lines = (out / "data.jsonl").read_bytes().splitlines()
        assert lines == [rows[i] for i in chosen.indices[:k]]
        assert np.load(out / "indices.npy").tolist() == chosen.indices[:k].tolist()
        assert verify(out, steps=3).ok
