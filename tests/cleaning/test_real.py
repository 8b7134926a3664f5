"""Stanford Alpaca: every pair that a product of all rows finds, and planted evaluation rows."""

import gzip
import json

import numpy as np
import pytest

import qdit
from helpers.data_folder import data_folder
from qdit.records.pool import attach

FILES = ("alpaca_data.json.gz", "alpaca_mpnet_f16.npy")
ROUNDING = 1e-6


@pytest.fixture(scope="module")
def alpaca():
    data = data_folder()
    missing = [name for name in FILES if not (data / name).exists()]
    if missing:
        pytest.skip(f"no {', '.join(missing)} in {data}: set QDIT_DATA to the folder that has them")
    return json.loads(gzip.decompress((data / FILES[0]).read_bytes())), np.load(data / FILES[1])


@pytest.mark.slow
@pytest.mark.real_data
def test_pairs_are_those_of_a_product(alpaca):
    rows = alpaca[1].astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    want = set()
    for start in range(0, len(rows), 2048):
        sims = rows[start : start + 2048] @ rows[start:].T
        assert not (np.abs(sims - 0.95) < ROUNDING).any()
        want |= {(start + a, start + b) for a, b in np.argwhere(sims > 0.95).tolist() if a < b}
    found = qdit.dedup(alpaca[1], 0.95)
    assert set(map(tuple, found.pairs.tolist())) == want
    assert len(want) > 300


@pytest.mark.slow
@pytest.mark.real_data
def test_planted_evaluation_rows_are_found(alpaca, tmp_path):
    rng = np.random.default_rng(7)
    sets = [data_folder() / "eval" / f"{name}_test_set.jsonl" for name in ("wizardlm", "vicuna")]
    if not all(path.exists() for path in sets):
        pytest.skip(f"no evaluation sets in {data_folder()}")
    asked = [json.loads(line) for path in sets for line in path.read_text(encoding="utf-8").splitlines()]
    asked = [row.get("Instruction") or row["text"] for row in asked]
    rows, x = alpaca[0][:50_000], alpaca[1][:50_000].copy()
    vectors = rng.standard_normal((len(asked), x.shape[1]))  # of questions, like no row of the pool
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    places = rng.permutation(50_000)[:200].tolist()
    long = [i for i, text in enumerate(asked) if len(text.split()) >= 24]
    for j, place in enumerate(places):
        other = long[j % len(long)] if 100 <= j < 150 else j
        text, words = asked[other], asked[other].split()
        if j < 150:
            cut = " ".join(words[len(words) - max(14, len(words) // 2) :])
            text = (text, text.swapcase().replace(" ", "  "), f"Well: {cut}")[j // 50]
            rows[place] = {**rows[place], "instruction": text, "input": ""}
        else:  # in other words, as the embedding sees it
            rest = rng.standard_normal(x.shape[1])
            rest -= rest @ vectors[other] * vectors[other]
            rest /= np.linalg.norm(rest)
            near = rng.uniform(0.91, 0.97)
            x[place] = near * vectors[other] + np.sqrt(1 - near**2) * rest
    qdit.import_records(rows, tmp_path / "pool").close()
    np.save(tmp_path / "x.npy", x)
    for name, part in zip("ab", np.split(vectors.astype(np.float32), [218]), strict=True):
        np.save(tmp_path / f"{name}.npy", part)
    attach(tmp_path / "pool", embeddings=tmp_path / "x.npy")
    files = [str(tmp_path / "a.npy"), str(tmp_path / "b.npy")]
    found = qdit.decontaminate(tmp_path / "pool", list(map(str, sets)), vectors=files)
    flagged = set(found.flagged.tolist())
    assert set(places) <= flagged
    assert len(flagged) - 200 < 0.001 * 49_800
