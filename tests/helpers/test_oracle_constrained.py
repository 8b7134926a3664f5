"""The judge of constrained selections refuses what is wrong, for the right reason."""

import numpy as np
import pytest

from helpers.oracle import WrongSelectionError, integer_rows, naive_greedy
from helpers.oracle_constrained import Task, check_constrained, constrained_greedy

ROWS = integer_rows(14, 5, seed=1)
BONUS = np.arange(14) % 5 + 40.0
COSTS = np.arange(14) % 4 + 1
GROUPS = np.arange(14) % 3
BUDGET = Task(ROWS, 14, bonus=BONUS, metric="dot", costs=COSTS, budget=12.0)
QUOTA = Task(ROWS, 6, bonus=BONUS, metric="dot", groups=GROUPS, quotas=[1, 3, 2])


def refused(task, picks, text, **options):
    with pytest.raises(WrongSelectionError, match=text):
        check_constrained(task, picks, **options)


@pytest.mark.parametrize("per_cost", [False, True])
def test_its_own_picks_pass(per_cost):
    picks = constrained_greedy(BUDGET, per_cost=per_cost)
    check_constrained(BUDGET, picks, per_cost=per_cost)
    assert COSTS[picks].sum() <= 12
    check_constrained(QUOTA, constrained_greedy(QUOTA))


def test_without_limits_it_is_naive_greedy():
    task = Task(ROWS, 9, weight=0.5, bonus=BONUS, metric="dot", given=[2], excluded=[3])
    picks, _ = naive_greedy(ROWS, 9, weight=0.5, bonus=BONUS, metric="dot", given=[2], excluded=[3])
    assert constrained_greedy(task).tolist() == picks.tolist()
    assert constrained_greedy(Task(ROWS, 3, costs=np.ones(14), budget=99.0)).tolist() == (
        naive_greedy(ROWS, 3)[0].tolist()
    )


def test_wrong_picks_under_a_budget():
    good = constrained_greedy(BUDGET).tolist()
    refused(BUDGET, good[:-1], "still fits")
    refused(BUDGET, [*good[:-1], good[0]], "does not fit")
    refused(BUDGET, good[::-1], "another")
    refused(BUDGET, good, "another", per_cost=True)
    too_much = Task(ROWS, 14, bonus=BONUS, metric="dot", costs=COSTS, budget=COSTS[good].sum() - 1)
    refused(too_much, good, "does not fit")
    worthless = Task(ROWS, 14, weight=0.0, bonus=-BONUS, metric="dot", costs=COSTS, budget=12.0)
    refused(worthless, [0], "lowers")
    check_constrained(worthless, [])


def test_wrong_picks_under_quotas():
    good = constrained_greedy(QUOTA).tolist()
    assert np.bincount(GROUPS[good]).tolist() == [1, 3, 2]
    refused(QUOTA, good[:-1], "wanted 6")
    other = next(row for row in range(14) if GROUPS[row] == 0 and row not in good)
    refused(QUOTA, [*good[:-1], other], "does not fit")
    refused(Task(ROWS, 5, bonus=BONUS, metric="dot"), good, "another|at most 5")


def test_brute_force_looks_at_every_permitted_set():
    task = Task(np.eye(4), 2, bonus=[0, 1, 2, 4], groups=[0, 0, 1, 1], quotas=[1, 1])
    assert sorted(task.sets()) == [(0, 2), (0, 3), (1, 2), (1, 3)]
    assert task.best_objective() == 2 + 1 + 4
    task = Task(np.eye(3), 3, bonus=[1, 1, 5], costs=[1, 1, 3], budget=3.0)
    assert sorted(task.sets()) == [(0,), (0, 1), (1,), (2,)]
    assert task.best_objective() == 6
