"""The sections of a report, from its numbers."""

from dataclasses import dataclass, field

import numpy as np

from ..common.types import Floats, Indices
from ..exporting.choice import Choice
from ..selection.tables import covered, is_of_pool
from ..selection.weighing import describe
from . import figures, page
from .analysis import Curve, Numbers
from .evidence import describe_sample
from .page import Html, Section
from .verbs import Verbs

_SOURCES = 24


@dataclass
class Builder:
    """Collects sections and the PNGs that are in them.

    Attributes:
        choice: the selection and its pool.
        numbers: what was worked out.
        pictures: PNG files by name, light ones.

    """

    choice: Choice
    numbers: Numbers
    pictures: dict[str, bytes] = field(default_factory=dict)

    def _figure(
        self,
        name: str,
        draw: figures.Draw,
        alternative: str,
        caption: str,
        width: float = 7.6,
        height: float = 4.2,
    ) -> Html:
        both = figures.render(draw, width, height)
        self.pictures[f"{name}.png"] = both[0]
        return page.figure(both, alternative, caption)

    @property
    def _sampled(self) -> str:
        return describe_sample(self.choice, self.numbers)

    def map(self) -> Section:
        """Return the section with the 2-D map."""
        found = self.numbers.map
        shown, k = len(found.picks), len(self.choice.selection)
        picks = f"all {k:,} picks" if shown == k else f"{shown:,} of the {k:,} picks, at random"
        caption = (
            f"The pool ({self._sampled}) and {picks}, on the first two principal axes of the unit "
            "embeddings. "
            f"Two axes hold {sum(found.shares):.0%} of the variance, so rows that are close here may be far "
            "apart."
        )
        alternative = f"Scatter plot of the pool with {shown:,} chosen rows over it"
        return Section("map", "Map").add(
            self._figure("map", figures.draw_map(found), alternative, caption, 7.6, 5.4)
        )

    def coverage(self) -> Section:
        """Return the section with coverage against k and the distribution over rows."""
        numbers = self.numbers
        chosen, random = numbers.chosen, list(numbers.random.values())
        final = numbers.random_coverage
        k = len(self.choice.selection)
        section = Section("coverage", "Coverage").add(
            page.paragraph(
                "Coverage is the mean, over the rows of the pool, of the similarity to the nearest chosen "
                f"row. All curves are over {self._sampled}."
            )
        )
        if not is_of_pool(self.choice.selection):
            of = covered(self.choice.selection)
            section.add(
                page.note(
                    f"What was covered is not the pool, but {of}: {self.choice.selection.coverage:.4f}."
                )
            )
        if len(random):
            ahead = _ahead(chosen.ks, chosen.coverage, float(final.mean()))
            section.add(
                page.paragraph(
                    f"The {k:,} picks reach {chosen.coverage[-1]:.4f}; {k:,} random rows reach "
                    f"{final.mean():.4f} (standard deviation of {len(final)} seeds: {_deviation(final)}). "
                    + (f"The first {ahead:,} picks cover as much as {k:,} random rows." if ahead else "")
                )
            )
        caption = "Coverage as rows are taken in pick order; the band is the range of random orders."
        alternative = f"Coverage rises with the number of picks to {chosen.coverage[-1]:.3f}"
        section.add(self._figure("coverage", figures.draw_coverage(chosen, random), alternative, caption))
        if random:
            section.add(self._similarities(random[0]))
        rows = [
            (f"{k:,}", f"{value:.4f}", *(f"{curve.coverage[i]:.4f}" for curve in random))
            for i, (k, value) in enumerate(zip(chosen.ks.tolist(), chosen.coverage.tolist(), strict=True))
        ]
        head = ["rows taken", "chosen", *(f"random, seed {seed}" for seed in numbers.random)]
        return section.add(page.numbers(head, rows, len(head)))

    def _similarities(self, random: Curve) -> Html:
        own = self.numbers.chosen
        left = [curve.similarity[~curve.taken & (curve.nearest >= 0)] for curve in (random, own)]
        if not all(map(len, left)):
            return page.note("All sampled rows are chosen.")
        tenth = [float(np.quantile(values, 0.1)) for values in left]
        names = ("random rows", "chosen rows")
        draw = figures.draw_two_histograms(
            left[0], left[1], names, "similarity to the nearest row taken", random=True
        )
        caption = (
            "How near each row that was not taken is to the nearest one that was. The worst-covered tenth is "
            f"below {tenth[1]:.3f} with the chosen rows, below {tenth[0]:.3f} with as many random ones."
        )
        return self._figure("similarity", draw, "Two histograms of similarities", caption, 7.6, 3.4)

    def quality(self) -> Section:
        """Return the section with the quality histograms."""
        section = Section("quality", "Quality")
        selection, scores = self.choice.selection, self.choice.scores
        if selection.quality is None or scores is None:
            return section.add(page.note("The selection was made without quality scores."))
        caption = (
            f"Quality of the pool (mean {scores.mean():.4g}) and of the chosen rows (mean "
            f"{selection.quality.mean():.4g}), each in percent of its rows."
        )
        draw = figures.draw_two_histograms(scores, selection.quality, ("pool", "chosen"), "quality")
        section.add(self._figure("quality", draw, "Histograms of quality: pool and picks", caption, 7.6, 3.6))
        levels = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
        rows = [
            (f"{level:.0%}", *(f"{np.quantile(values, level):.4g}" for values in (scores, selection.quality)))
            for level in levels
        ]
        return section.add(page.numbers(("quantile", "pool", "chosen"), rows, 3))

    def balance(self) -> Section | None:
        """Return the section with what diversity and quality weighed, where both did."""
        selection = self.choice.selection
        balance = selection.stats.get("balance")
        if balance is None:
            return None
        section = Section("balance", "Balance")
        section.add(
            page.paragraph(
                "What (1 - alpha) * gain and alpha * quality added to scores: how far their middle four "
                "fifths lie apart, among the picks and among rows that were left; and what the picks have in "
                "common with those of diversity (alpha 0) and of quality (alpha 1) alone."
            )
        )
        return section.add(page.table(("what", "found"), describe(balance, len(selection)).items()))

    def sweep(self) -> Section | None:
        """Return the section with the trade-off over alpha, if there is a sweep."""
        points = self.numbers.sweep
        if not points:
            return None
        section = Section("tradeoff", "Trade-off over alpha")
        rows = [
            (
                f"{point.alpha:g}",
                f"{point.coverage:.6f}",
                "" if point.mean_quality is None else f"{point.mean_quality:.6f}",
                f"{point.objective:,.4f}",
            )
            for point in points
        ]
        alpha = float(self.choice.selection.params["alpha"])
        if any(point.mean_quality is not None for point in points):
            random, scores = self.numbers.random_coverage, self.choice.scores
            beside = None
            if scores is not None and len(random) and is_of_pool(self.choice.selection):
                beside = float(random.mean()), float(scores.mean())
            draw = figures.draw_sweep(points, alpha, beside)
            caption = "Each point is a selection of the sweep: alpha 0 is diversity only, 1 quality only."
            section.add(self._figure("sweep", draw, "Coverage against mean quality over alpha", caption))
        head = ("alpha", "coverage", "mean quality", "objective")
        return section.add(page.table(head, rows, numbers=4))

    def sources(self) -> Section:
        """Return the section with the share of each source."""
        labels, pool, picked = self.choice.count_sources()
        section = Section("sources", "Sources")
        order = np.argsort(-pool, kind="stable")
        if len(labels) > 1:
            shown = order[:_SOURCES]
            bars = (100 * counts[shown] / counts.sum() for counts in (pool, picked))
            draw = figures.draw_sources([labels[i] for i in shown], *bars)
            caption = "Share of each source in the pool and among the chosen rows."
            height = 1.4 + 0.42 * len(shown)
            section.add(self._figure("sources", draw, "Bars: share of each source", caption, 7.6, height))
        else:
            section.add(page.paragraph("All rows come from one source."))
        shares = [counts / counts.sum() for counts in (pool, picked)]
        rows = [
            (labels[i], f"{pool[i]:,}", f"{shares[0][i]:.1%}", f"{picked[i]:,}", f"{shares[1][i]:.1%}")
            for i in order
        ]
        head = ("source", "rows in the pool", "share", "rows chosen", "share")
        return section.add(page.table(head, rows, numbers=4))

    def verbs(self, found: tuple[Verbs, Verbs] | None, missing: str) -> Section:
        """Return the section with verbs and nouns, of picks and of the pool; missing: why there are none."""
        section = Section("verbs", "What is asked")
        if found is None:
            return section.add(page.note(f"Verbs and nouns are left out: {missing}"))
        chosen, pool = found
        if not chosen.found:
            return section.add(page.note("No instruction starts with a verb that has an object."))
        all_picks = chosen.texts == len(self.choice.selection)
        which = "all picks" if all_picks else "a random part of the picks"
        section.add(
            page.paragraph(
                f"In {chosen.found:,} of {chosen.texts:,} instructions ({which}) the first sentence has a "
                f"root verb with a direct object: {len(chosen.pairs):,} different pairs. As many random rows "
                f"of the pool ({pool.texts:,}) have {len(pool.pairs):,} different ones in {pool.found:,}."
            )
        )
        top = chosen.top()
        caption = f"The {len(top)} commonest verbs of the picks (inner ring) with their commonest objects."
        alternative = "Sunburst of verbs: " + ", ".join(verb for verb, _, _ in top[:8])
        section.add(self._figure("verbs", figures.draw_sunburst(chosen), alternative, caption, 7.6, 6.9))
        rows = [(verb, ", ".join(f"{noun} {c}" for noun, c in nouns), f"{n:,}") for verb, n, nouns in top]
        return section.add(page.numbers(("verb", "commonest objects", "rows"), rows, 1))


def _ahead(ks: Indices, coverage: Floats, target: float) -> int:
    """Return how many picks reach `target`, between the points of a curve; 0 if they never do."""
    if coverage[-1] < target:
        return 0
    at = int(np.argmax(coverage >= target))
    return (
        int(ks[at])
        if at == 0
        else int(np.ceil(np.interp(target, coverage[at - 1 : at + 1], ks[at - 1 : at + 1])))
    )


def _deviation(values: Floats) -> str:
    return f"{values.std(ddof=1):.4f}" if len(values) > 1 else "unknown"
