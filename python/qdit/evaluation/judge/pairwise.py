"""Statistics of pairwise comparisons: winning score, rates, the categories where a model does worst and best.

Everything is seen from one model: a comparison is won, tied, lost, or null where the judge's answer could not
be read. Each question is compared twice, once in each order of the two answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...common.checks import check_choice
from ...common.types import JSON, Floats, Indices
from ..results import Value
from ..sets import Groups
from ..stats import NOTHING, Interval, bootstrap, ratio_interval, tail_size

Outcome = int | None  # 1 won, 0 tied, -1 lost
COUNTS = ("orders", "questions")
SHARE = 0.4  # of the categories that are called worst, or best


def merge_orders(first: Outcome, second: Outcome) -> Outcome:
    """Return the outcome of a question compared in both orders.

    Won: both won, or one won and one tied. Lost: the same with lost. Tied: both tied, or one of each.
    Null if either is: half a comparison favors whoever the judge favors by position.
    """
    if first is None or second is None:
        return None
    return int(np.sign(first + second))


@dataclass(frozen=True)
class Tail:
    """A rate in the categories where a model does worst, or best.

    Attributes:
        rate: the rate; its n is the number of questions in those categories.
        categories: the categories it is over, the worst (or best) first.

    """

    rate: Interval
    categories: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Tally:
    """What was won and lost, by question.

    Attributes:
        wins, losses, total, nulls: (m,) float64 numbers of comparisons of each question; total counts ties
            too, but no nulls.
        categories: category of each question, or None.

    """

    wins: Floats
    losses: Floats
    total: Floats
    nulls: Floats
    categories: tuple[str | None, ...]

    @classmethod
    def of(
        cls,
        outcomes: Sequence[Sequence[Outcome]],
        categories: Sequence[str | None] | None = None,
        *,
        count: str = "orders",
    ) -> Tally:
        """Count the outcomes of each question, one or both orders.

        count: "orders" takes each order as a comparison; "questions" makes one of both by `merge_orders`.
        """
        check_choice("count", count, COUNTS)
        each = [list(one) for one in outcomes]
        if count == "questions":
            each = [[merge_orders(*one)] for one in outcomes]
        counted = [[one.count(1), one.count(-1), len(one), one.count(None)] for one in each]
        found = np.array(counted, np.float64).reshape(-1, 4)
        named = tuple([None] * len(each) if categories is None else categories)
        if len(named) != len(each):
            raise ValueError(f"categories: got {len(named)}, wanted {len(each)}, one for each question")
        nulls = found[:, 3]
        return cls(found[:, 0], found[:, 1], found[:, 2] - nulls, nulls, named)

    def counts(self) -> dict[str, int]:
        """Return how many comparisons were won, tied, lost and null."""
        each = (self.wins, self.losses, self.total, self.nulls)
        wins, losses, total, nulls = (int(x.sum()) for x in each)
        return {"won": wins, "tied": total - wins - losses, "lost": losses, "null": nulls}

    def take(self, numbers: Sequence[int] | Indices) -> Tally:
        """Return the tally of some questions."""
        rows = np.asarray(numbers, np.int64)
        wins, losses, total, nulls = (x[rows] for x in (self.wins, self.losses, self.total, self.nulls))
        return Tally(wins, losses, total, nulls, tuple(self.categories[i] for i in rows))

    def winning_score(self, **options: Any) -> Interval:
        """Return (won - lost) / comparisons + 1: 0 to 2, 1 if both models are as good.

        options: those of `stats.Bootstrap`, as in all methods below.
        """
        found = self._ratio(self.wins - self.losses, options)
        return Interval(found.mean + 1, found.low + 1, found.high + 1, found.n)

    def win_rate(self, **options: Any) -> Interval:
        """Return the share of comparisons that were won."""
        return self._ratio(self.wins, options)

    def lose_rate(self, **options: Any) -> Interval:
        """Return the share of comparisons that were lost."""
        return self._ratio(self.losses, options)

    def worst_lose_rate(self, share: float = SHARE, **options: Any) -> Tail:
        """Return the lose rate in the `share` of categories with the lowest winning scores.

        It is the mean of the categories' lose rates: each counts once, however many questions it has. Of c
        categories ceil(share * c) are taken; of equal scores the category with the larger lose rate, then the
        name that sorts first. The interval resamples questions within these categories. That they were chosen
        by the same comparisons makes the rate high, for every model alike; the interval does not show that.
        """
        return self._tail(share, self.losses, lowest=True, **options)

    def best_win_rate(self, share: float = SHARE, **options: Any) -> Tail:
        """Return the win rate in the `share` of categories with the highest winning scores.

        As `worst_lose_rate`; of equal scores the category with the larger win rate goes first.
        """
        return self._tail(share, self.wins, lowest=False, **options)

    def _ratio(self, numerators: Floats, options: JSON) -> Interval:
        judged = self.total > 0
        return ratio_interval(numerators[judged], self.total[judged], **options)

    def _tail(self, share: float, counted: Floats, *, lowest: bool, **options: Any) -> Tail:
        groups = self._groups()
        if not groups:
            return Tail(NOTHING, ())
        sign = 1 if lowest else -1

        def rank(name: str) -> tuple[float, float, str]:
            won, lost, total, found = (
                x[groups[name]].sum() for x in (self.wins, self.losses, self.total, counted)
            )
            return sign * (won - lost) / total, -found / total, name

        names = sorted(groups, key=rank)[: tail_size(len(groups), share)]
        # questions of a category side by side
        order = np.concatenate([groups[name] for name in names])
        sizes = [len(groups[name]) for name in names]
        starts: Indices = np.cumsum([0, *sizes[:-1]], dtype=np.int64)

        def statistic(drawn: Indices) -> Floats:
            found, total = (np.add.reduceat(x[order[drawn]], starts, axis=1) for x in (counted, self.total))
            return np.asarray((found / total).mean(axis=1))

        return Tail(bootstrap(len(order), statistic, strata=sizes, **options), tuple(names))

    def _groups(self) -> dict[str, list[int]]:
        """Return the numbers of the judged questions of each category."""
        found: dict[str, list[int]] = {}
        for number, name in enumerate(self.categories):
            if name is not None and self.total[number] > 0:
                found.setdefault(name, []).append(number)
        return found


def comparison_values(
    tally: Tally,
    keys: Groups,
    model: str,
    baseline: str,
    share: float = SHARE,
    **options: Any,
) -> Iterator[Value]:
    """Yield winning score, win rate and lose rate of a model for each group of questions, and the tails.

    The tails over a set's categories are also listed among the numbers over all sets, under the set's name.
    keys: from `sets.groups`.
    """
    tail = f"{share:.0%} of categories"

    def value(name: str, found: Interval, of_set: str | None = None, category: str | None = None) -> Value:
        return Value(model, name, found, of_set, category, against=baseline)

    for (of_set, category), numbers in keys.items():
        part = tally.take(numbers)
        for name, rate in (
            ("winning score", part.winning_score),
            ("win rate", part.win_rate),
            ("lose rate", part.lose_rate),
        ):
            yield value(name, rate(**options), of_set, category)
        if of_set is not None and category is None and len({*part.categories} - {None}) > 1:
            worst = part.worst_lose_rate(share, **options).rate
            best = part.best_win_rate(share, **options).rate
            for name, found in ((f"lose rate, worst {tail}", worst), (f"win rate, best {tail}", best)):
                yield value(name, found, of_set)
                yield value(f"{of_set}: {name}", found)
