"""How near a target set the chosen rows come: a selection for it, one without it, and random rows.

    python bench/bench_target.py --data FOLDER --model FOLDER [--k 1000]

Alpaca, and the 218 questions of WizardLM's test set, embedded by the model that embedded the rows. For each
question the cosine similarity to the nearest of the k chosen rows, by `qdit.evaluation.evaluate_coverage` in
float64, on its own path; means with 95% bootstrap intervals over questions, and differences question by
question. Random is ten draws, of which the best and the worst are shown. Before anything is reported picks of
targeted selections are replayed in float64: none may be beaten by any row.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import qdit
from harness import Report
from qdit.evaluation.coverage.api import evaluate_coverage, nearest
from qdit.evaluation.coverage.questions import EncodingOptions, open_encoding, question_vectors
from qdit.evaluation.sets import open_questions

ALPHAS = (0.0, 0.3, 0.7)
TARGET_ALPHAS = (0.0, 0.03, 0.1, *ALPHAS[1:])  # few represented rows gain little: quality weighs more
DRAWS = 10
PLAIN = "QDIT"


def unit(rows: NDArray[np.generic]) -> NDArray[np.float64]:
    values = np.asarray(rows, np.float64)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def replay(sims: NDArray[np.float64], quality: NDArray[np.float64], chosen: qdit.Selection) -> None:
    """Check in float64 that no row scores higher than a pick of a selection; sims: (n, m)."""
    alpha, free = chosen.params["alpha"], np.ones(len(sims), bool)
    best = None
    for pick in chosen.indices:
        gains = sims.sum(axis=1) if best is None else np.maximum(sims - best, 0.0).sum(axis=1)
        scores = (1 - alpha) * gains + alpha * quality
        most = scores[free].max()
        assert scores[pick] >= most - 1e-6 * max(1.0, abs(most)), f"row {pick} is beaten"
        best = sims[pick] if best is None else np.maximum(best, sims[pick])
        free[pick] = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("QDIT_DATA"))
    parser.add_argument("--model", default=os.environ.get("QDIT_MPNET"), help="all-mpnet-base-v2, a folder")
    parser.add_argument("--cache", type=Path, default=None, help="folder that keeps the embedded questions")
    parser.add_argument("--k", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--replayed", type=int, default=50, help="picks")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    data, k = Path(options.data), options.k
    path = data / "alpaca_mpnet_f16.npy"
    rows, quality = np.load(path, mmap_mode="r"), np.load(data / "alpaca_quality.npy").astype(np.float64)
    questions = open_questions({"wizardlm": data / "eval" / "wizardlm_test_set.jsonl"})
    encoding = open_encoding(EncodingOptions(embeddings=path, model=str(options.model)))[1]
    assert encoding is not None
    vectors = question_vectors(questions, encoding, options.cache)
    sims = unit(rows) @ unit(vectors).T

    chosen = {}
    for alpha in ALPHAS:
        chosen[f"{PLAIN}, alpha {alpha:g}"] = qdit.select(rows, quality, alpha, k, threads=options.threads)
    for alpha in TARGET_ALPHAS:
        for scale in ("sum", "per_k") if alpha in ALPHAS[1:] else ("sum",):
            target = qdit.select(
                rows, quality, alpha, k, represent=vectors, gain_scale=scale, threads=options.threads
            )
            if scale == "sum":
                replay(sims, quality, target[: options.replayed])
                assert abs(target.coverage - nearest(rows, target, vectors)[0].mean()) < 1e-5
            label = f"represent, alpha {alpha:g}" + (", per_k" if scale == "per_k" else "")
            chosen[label] = target
    draws = [np.random.default_rng(seed).permutation(len(rows))[:k] for seed in range(DRAWS)]
    draws.sort(key=lambda draw: nearest(rows, draw, vectors)[0].mean())
    picks = {label: one.indices for label, one in chosen.items()}
    picks |= {f"random, worst of {DRAWS}": draws[0], f"random, best of {DRAWS}": draws[-1]}
    picks["all rows"] = np.arange(len(rows))

    found = evaluate_coverage(picks, questions, vectors=vectors, embeddings=path)
    of = {(one.model, one.metric): one.value for one in found.values if one.category is None}
    first = next(iter(picks))
    report = Report(
        "target", f"Alpaca, {len(questions)} questions of WizardLM, k = {k:,}: {__doc__.splitlines()[0]}"
    )
    for label, indices in picks.items():
        difference = of.get((label, f"similarity minus {first}"))
        report.add(
            {
                "selection": label,
                "rows": len(indices),
                "similarity": shown(of[label, "similarity"]),
                "worst tenth": shown(of[label, "similarity, worst 10%"]),
                f"minus {first}": "" if difference is None else shown(difference),
                "mean quality": f"{quality[indices].mean():.3f}",
            }
        )
    report.write(options.out)


def shown(interval: object) -> str:
    return f"{interval.mean:.4f} [{interval.low:.4f}, {interval.high:.4f}]"  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
