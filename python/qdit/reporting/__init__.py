"""What a selection looks like, as one HTML page: `qdit.report`.

In comes a folder with a selection (a selection, an export or a run) and its pool; out go report.html, which
needs nothing else, its figures as PNG files, and numbers.json with what they show.

    options     `ReportOptions`: what a report is made of, what it shows, where it goes
    reporter    `report`: from the folder to the files
    analysis    the numbers: coverage curves, map, worst-covered regions, near-duplicates, sweep, measures
    verbs       pairs of verb and object, by spaCy where it is installed
    sections    sections with figures; evidence: sections with rows, bounds and hashes
    figures     drawn with matplotlib, for light and dark pages
    page        parts of HTML, all text escaped; page.css: its style
"""

from .options import ReportOptions
from .reporter import report

__all__ = ["ReportOptions", "report"]
