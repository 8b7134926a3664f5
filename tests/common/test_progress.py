"""What progress callbacks are told, and what the bar draws."""

import io
import itertools

import numpy as np
import pytest

import qdit
from qdit.common.bar import Bar, format_rate
from qdit.common.progress import Phases, Progress, RowTracker, Tracker, format_progress
from qdit.common.text import format_seconds


class Terminal(io.StringIO):
    def isatty(self):
        return True


def states(updates, **options):
    """Return what a tracker tells after each (seconds, picks, evaluations)."""
    now = [0.0]
    told = []
    tracker = Tracker(told.append, 100, 1000, clock=lambda: now[0], **options)
    for now[0], picks, evaluations in updates:
        tracker.update(picks, evaluations)
    return told


def test_phases_of_a_lazy_run():
    told = states([(1, 0, 500), (2, 1, 1000), (3, 1, 1400), (4, 2, 2000), (5, 100, 2500)], first_pass=True)
    assert [(p.phase, p.share) for p in told] == [
        ("first pass", 0.5),
        ("first pass", 0.0),
        ("first pass", 0.4),
        ("picking", 0.02),
        ("done", 1.0),
    ]
    assert told[0].eta is None
    assert told[-1].eta == 0.0


def test_phases_of_a_resumed_run():
    told = states([(1, 10, 0), (2, 40, 0), (3, 40, 700), (4, 41, 900)], first_pass=True, replay=40)
    assert [p.phase for p in told] == ["replay", "first pass", "first pass", "picking"]
    assert [p.share for p in told] == [0.25, 0.0, 0.7, 0.41]


def test_rate_is_of_the_last_seconds_and_eta_follows():
    told = states([(t, t if t <= 20 else 20 + 10 * (t - 20), 0) for t in range(1, 28)])
    assert told[10].rate == pytest.approx(1.0)
    assert told[10].eta == pytest.approx(89.0)
    assert told[26].rate == pytest.approx(10.0)
    assert told[26].eta == pytest.approx(1.0)


def test_the_time_of_the_first_pass_does_not_slow_the_picks_after_it():
    told = states([(1, 1, 0), (3.9, 1, 900), (4, 1, 1000), (4.1, 11, 1000)], first_pass=True)
    assert told[-1].phase == "picking"
    assert told[-1].rate == pytest.approx(100.0)
    assert told[-1].eta == pytest.approx(0.89)


def test_eta_of_a_run_that_speeds_up_is_below_the_linear_one():
    told = states([(2, 2, 0), (3, 10, 0)], first_pass=True, accelerating=True)
    assert told[0].eta is None  # the first picks say nothing of those that follow
    assert 0 < told[1].eta < (100 - 10) / told[1].rate
    assert format_progress(told[1]).endswith("at most 0:07 left")


def test_a_pace_is_told_from_some_picks():
    """Where a pick takes seconds, its own seconds are not taken for the pace of all others."""
    told = states([(t, t // 2 + (t % 10 == 9), 0) for t in range(2, 60)])
    assert all(0.4 < moment.rate < 0.65 for moment in told[30:])


def test_a_run_that_ends_early_is_done():
    told = []
    tracker = Tracker(told.append, 100, 1000)
    tracker.update(7, 50)
    tracker.end(9)
    assert [(p.phase, p.picks, p.k, p.evaluations) for p in told] == [
        ("picking", 7, 100, 50),
        ("done", 9, 9, 50),
    ]


def test_callbacks_see_the_whole_run():
    told = []
    x = np.random.default_rng(1).standard_normal((800, 16)).astype(np.float32)
    qdit.select(x, alpha=0, k=50, progress=told.append)
    assert all(isinstance(state, Progress) for state in told)
    assert (told[-1].picks, told[-1].phase) == (50, "done")
    assert all(a.picks <= b.picks and a.evaluations <= b.evaluations for a, b in itertools.pairwise(told))
    assert {(state.k, state.n) for state in told} == {(50, 800)}


STATE = Progress(
    picks=30, k=100, evaluations=5, n=10, elapsed=61.0, rate=12.0, eta=6.0, phase="picking", share=0.3
)


def test_a_line_of_progress():
    assert format_progress(STATE) == (
        "   picking   30%  [#######-----------------]  30/100 picks  12/s  1:01  0:06 left"
    )
    assert format_progress(STATE, bar=False) == "   picking   30%  30/100 picks  12/s  1:01  0:06 left"


@pytest.mark.parametrize(
    ("rate", "text"),
    [(0, []), (0.31, ["3.2 s/row"]), (0.004, ["250.0 s/row"]), (1.24, ["1.2/s"]), (4321.9, ["4,322/s"])],
)
def test_rates(rate, text):
    assert format_rate(rate, "row") == text


def test_a_line_counts_what_its_phase_counts():
    """Not picks where none are made, and not those of the whole run where only some are looked at."""
    told = []
    phases = Phases(told.append, 1000, 40)
    phases.enter("pairs")
    phases.tick(0.5)
    phases.enter("assigning", 1000)
    phases.tick(0.25)
    phases.picks = 30
    phases.enter("picking")
    phases.enter("evaluating", 36, "picks")
    phases.tick(1 / 3)
    lines = [format_progress(moment, bar=False) for moment in told]
    assert lines[1] == "     pairs   50%  0:00"
    counts = [line.split("  ")[-2] for line in lines[3:]]
    assert counts == ["250/1,000 rows", "30/40 picks", "0/36 picks", "12/36 picks"]
    first = states([(1, 0, 400)], first_pass=True)[0]
    assert format_progress(first, bar=False) == "first pass   40%  400/1,000 rows  0:01"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (36061, "10:01:01")]
)
def test_seconds(seconds, text):
    assert format_seconds(seconds) == text


def test_on_a_terminal_one_line_is_redrawn():
    stream, now = Terminal(), [0.0]
    bar = Bar(format_progress, stream, clock=lambda: now[0])
    for now[0] in (0.0, 0.01, 0.2):
        bar(STATE)
    bar.close()
    line = format_progress(STATE)
    assert stream.getvalue() == f"\r{line}\r{line}\n"


def test_elsewhere_a_line_now_and_then():
    stream, now = io.StringIO(), [0.0]
    bar = Bar(format_progress, stream, clock=lambda: now[0])
    for now[0] in (1.0, 4.9, 5.0, 9.0, 10.5):
        bar(STATE)
    bar.close()
    assert stream.getvalue() == (format_progress(STATE, bar=False) + "\n") * 2


def test_progress_true_draws_on_stderr(capsys):
    x = np.random.default_rng(1).standard_normal((50, 8)).astype(np.float32)
    qdit.select(x, alpha=0, k=5, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("      done  100%  5/5 picks")
    qdit.select(x, alpha=0, k=5, progress=False)
    assert capsys.readouterr().err == ""


class WriteOnly:
    """What a logger or a service may put in place of stderr."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass


class Gone(WriteOnly):
    def isatty(self):
        return True

    def write(self, text):
        raise BrokenPipeError


@pytest.mark.parametrize("rows", [False, True])
def test_a_bar_needs_no_stderr(monkeypatch, rows):
    closed = io.StringIO()
    closed.close()
    plain = WriteOnly()
    for stream in (None, closed, Gone(), plain):
        monkeypatch.setattr("sys.stderr", stream)
        if rows:
            tracker = RowTracker(True, "import", 3)
            tracker.done(3)
        else:
            x = np.eye(8, dtype=np.float32)
            assert len(qdit.select(x, alpha=0, k=3, progress=True)) == 3
    assert plain.text.endswith("\n")
    assert "\r" not in plain.text
    assert "100%" in plain.text
