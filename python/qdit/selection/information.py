"""Greedy information gain on a label graph: method "mig".

MIG is Chen, Li, Hu, Ma, Ye & Chen, "MIG: Automatic Data Selection for Instruction Tuning by Maximizing
Information Gain in Semantic Space" (arXiv 2504.13835). A row i of quality s_i with labels L_i informs each of
them by s_i (eq. 5), labels that are alike share what they are informed by (eqs. 3, 6 and 7), and a set D has
the information

    E(D) = sum over labels p of phi(x_p),   x = A (sum over i in D of s_i v_i),   phi(x) = x ** exponent

(eqs. 8 and 13). The paper takes the row with the largest derivative of E (eq. 10), an approximation of the
gain; here each pick has the largest gain itself (eq. 9). Labels are alike as far as the mean directions of
their rows are, where the paper embeds their texts.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .._core import Engine
from ..common.types import JSON, Floats, Indices
from ..engine import kmeans
from ..engine.backend import open_engine
from ..engine.rows import Rows
from .allowance import Allowance
from .baselines import free_rows
from .labels import Labels

if TYPE_CHECKING:  # both are made of options, and those name the methods here
    from .plan import Plan
    from .problem import Problem

_BATCH = 512  # picks that are committed together
_LABELS = 512  # that are compared with all others at a time
_ROUNDING = 1e-12  # by how much of it a gain may seem to grow

Pull = tuple[Indices, Floats]  # labels, and what each gets of the information of some label


def by_information(problem: Problem, engine: Engine, plan: Plan, report: JSON) -> Iterator[Indices]:
    """Take the row with the largest information gain, the smaller row number on ties.

    Without labels the cells of k-means are the labels; without quality all rows are alike. Given pool rows
    inform their labels before the first pick.
    """
    search = plan.search
    labels = plan.labels
    if labels is None:
        found = kmeans.spherical(problem.rows, engine, search.clusters, search.seed)
        labels = Labels.of_cells(found.labels, search.clusters)
        report["kmeans_iterations"] = found.iterations
    pulls = propagation(problem, labels, search.label_threshold, search.propagation, engine.threads)
    scores = np.ones(problem.n) if problem.quality is None else problem.scaled
    information = Information(labels, pulls, scores, search.exponent)
    for row in np.setdiff1d(problem.given, engine.ignored).tolist():
        information.add(row)
    allowance = Allowance(problem.n, free_rows(problem, engine.ignored), plan.limits)
    picks: list[int] = []
    for row in _greedy(information, allowance, plan.k):
        picks.append(row)
        if len(picks) == _BATCH:
            yield np.array(picks, np.int64)
            picks = []
    report |= {
        "labels": len(labels.names),
        "label_edges": (sum(len(to) for to, _ in pulls) - len(pulls)) // 2,
        "labels_informed": int((information.x > 0).sum()),
        "information": information.total(),
    }
    yield np.array(picks, np.int64)


def propagation(
    problem: Problem, labels: Labels, threshold: float, strength: float, threads: int
) -> list[Pull]:
    """Return for each label q the labels p that its information reaches, and the shares a_pq of each.

    w_pq is the cosine of the mean directions of p and q where that is at least the threshold, else 0, w_pp is
    1, and a_pq = strength * w_pq / (w_pp + strength * sum over r other than p of w_pr) (eqs. 3 and 6).
    """
    count = len(labels.names)
    means = kmeans.mean_directions(problem.rows, labels.members, labels.codes, count)
    engine = open_engine(Rows(means, "float32"), metric="cosine", zero_rows="ignore", threads=threads)
    everyone = np.arange(count)
    pairs: list[tuple[Indices, Indices, Floats]] = []
    for start in range(0, count, _LABELS):
        some = everyone[start : start + _LABELS]
        cosines = engine.similarities(some, everyone) / engine.scale
        cosines[np.arange(len(some)), some] = -1.0
        p, q = np.nonzero((cosines >= threshold) & (cosines > 0))
        pairs.append((p + start, q, strength * cosines[p, q]))
    p, q, weight = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    p, q = np.concatenate([everyone, p]), np.concatenate([everyone, q])
    weight = np.concatenate([np.ones(count), weight])
    share = weight / np.bincount(p, weight, count)[p]
    order = np.lexsort((p, q))
    ends = np.searchsorted(q[order], everyone, side="right")
    return [(p[part], share[part]) for part in np.split(order, ends[:-1])]


class Information:
    """The information of a set of rows.

    Attributes:
        x: (labels,) what each label is informed by, propagated.

    """

    def __init__(self, labels: Labels, pulls: list[Pull], scores: Floats, exponent: float) -> None:
        self.labels = labels
        self.x = np.zeros(len(labels.names))
        self.scores = scores
        self._pulls = pulls
        self._exponent = exponent
        self._reach: dict[bytes, Pull] = {}

    def key(self, row: int) -> bytes:
        """Return what rows with the same labels have in common."""
        return self._codes(row).tobytes()

    def _codes(self, row: int) -> Indices:
        return self.labels.codes[self.labels.starts[row] : self.labels.starts[row + 1]]

    def _pull(self, row: int) -> Pull:
        """Return the labels that a row informs, and its shares, quality not counted."""
        key = self.key(row)
        if key not in self._reach:
            parts = [self._pulls[code] for code in self._codes(row).tolist()]
            if not parts:
                parts = [(np.empty(0, np.int64), np.empty(0))]
            to, inverse = np.unique(np.concatenate([to for to, _ in parts]), return_inverse=True)
            shares = np.bincount(inverse, np.concatenate([share for _, share in parts]), len(to))
            self._reach[key] = (to, np.asarray(shares, np.float64))
        return self._reach[key]

    def gain(self, row: int) -> float:
        """Return E with the row less E without it."""
        to, shares = self._pull(row)
        before = self.x[to]
        after = before + self.scores[row] * shares
        return float((after**self._exponent - before**self._exponent).sum())

    def add(self, row: int) -> None:
        """Take the row."""
        to, shares = self._pull(row)
        self.x[to] += self.scores[row] * shares

    def total(self) -> float:
        """Return E."""
        return float((self.x**self._exponent).sum())


def _greedy(information: Information, allowance: Allowance, k: int) -> Iterator[int]:
    """Yield up to k rows, each of the largest gain; gains only fall, so old ones are bounds (Minoux 1978).

    Of rows with the same labels the best quality has the largest gain: only that one waits.
    """
    waiting = _by_labels(information, np.flatnonzero(allowance.open))
    heap = [(-information.gain(rows[-1]), rows[-1], key) for key, rows in waiting.items()]
    heapq.heapify(heap)
    for _ in range(k):
        row, key = _best(information, allowance, waiting, heap)
        if row < 0:
            return
        information.add(row)
        allowance.take(row)
        rows = waiting[key]
        rows.pop()
        if rows:
            heapq.heappush(heap, (-information.gain(rows[-1]), rows[-1], key))
        yield row


def _by_labels(information: Information, rows: Indices) -> dict[bytes, list[int]]:
    """Return open rows by their labels, the best of each last."""
    waiting: dict[bytes, list[int]] = {}
    for row in rows[np.lexsort((-rows, information.scores[rows]))].tolist():
        waiting.setdefault(information.key(row), []).append(row)
    return waiting


def _best(
    information: Information,
    allowance: Allowance,
    waiting: dict[bytes, list[int]],
    heap: list[tuple[float, int, bytes]],
) -> tuple[int, bytes]:
    """Take the entry of the row with the largest gain from the heap; return the row, -1 for none, and key."""
    best: tuple[float, int, bytes] | None = None
    evaluated = []
    while heap and (best is None or heap[0][0] <= best[0] * (1.0 - _ROUNDING)):
        key = heapq.heappop(heap)[2]
        rows = waiting[key]
        while rows and not allowance.open[rows[-1]]:
            rows.pop()
        if rows:
            entry = (-information.gain(rows[-1]), rows[-1], key)
            best = entry if best is None else min(best, entry)
            evaluated.append(entry)
    if best is None:
        return -1, b""
    for entry in evaluated:
        if entry is not best:
            heapq.heappush(heap, entry)
    return best[1], best[2]
