"""What a batch system's log says of long work: a line now and then, and one a report of a training."""

import io
import sys
import time

import pytest

from tests.unit.problems import random_data
from tests.unit.test_spec import tiny_spec
from workbench import experiments
from workbench.progress import Bar, Lines, goes_to_a_log, progress_bar
from workbench.sweeps.watch import Watch


class Stream(io.StringIO):
    """Standard error that is a terminal or not."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        """As it was told."""
        return self.terminal


def standard_error(monkeypatch: pytest.MonkeyPatch, *, terminal: bool = False, notebook: bool = False) -> Stream:
    """Replace standard error; a notebook puts its own in the place of the process's."""
    stream = Stream(terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(sys, "__stderr__", None if notebook else stream)
    return stream


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The time, which stands still unless it is set."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("where", "shown", "kind", "disabled"),
    [
        ({}, True, Lines, False),
        ({}, False, Bar, True),
        ({"terminal": True}, True, Bar, False),
        ({"notebook": True}, True, Bar, True),
    ],
)
def test_a_bar_in_a_terminal_lines_in_a_log_nothing_in_a_notebook(monkeypatch, where, shown, kind, disabled):
    standard_error(monkeypatch, **where)
    assert goes_to_a_log() == (not where)
    with progress_bar(total=3, desc="train", unit="update", shown=shown) as bar:
        assert type(bar) is kind
        assert bool(bar.disable) == disabled


def test_lines_come_after_ten_seconds_then_every_minute_and_at_the_end(monkeypatch, clock):
    stream = standard_error(monkeypatch)
    with progress_bar(total=4000, initial=1000, desc="cube", unit="row") as bar:
        for seconds in (1, 9, 10, 30, 69, 71, 80):
            clock[0] = 100.0 + seconds
            bar.update(100)
    assert stream.getvalue().splitlines() == [
        "cube: 1,300 of 4,000 rows (32%), 30/s, 01:30 left",
        "cube: 1,600 of 4,000 rows (40%), 8.45/s, 04:44 left",
        "cube: 1,700 of 4,000 rows (42%), 8.75/s, 04:22 left",
    ]


@pytest.mark.parametrize("total", [0, 5])
def test_where_nothing_was_done_nothing_is_written(monkeypatch, total):
    stream = standard_error(monkeypatch)
    with progress_bar(total=total, desc="cube", unit="row"):
        pass
    assert stream.getvalue() == ""


def test_a_training_writes_a_line_a_report(monkeypatch, clock):
    stream = standard_error(monkeypatch)
    bar = progress_bar(total=20, desc="train 0123", unit="update")
    clock[0] += 2.0
    bar.update(10)
    bar.report(experiments._losses([{"step": 1, "loss_fm": 1.0, "val_loss": 9.0}, {"loss_fm": 2.0}]))
    assert stream.getvalue() == "train 0123: 10 of 20 updates (50%), 5/s, 00:02 left, loss_fm 1.5\n"


def test_a_sweep_writes_how_many_runs_are_done(monkeypatch, tmp_path, clock):
    from workbench.evaluate.cell import Cell
    from workbench.experiments import Schedule
    from workbench.sweeps.plan import Job
    from workbench.sweeps.spec import Evaluation

    stream = standard_error(monkeypatch)
    spec = tiny_spec(random_data())
    job = Job(spec, tmp_path, None, (Cell(1, 1),), (10,), Evaluation(), Schedule())
    with Watch([job], lines=True) as watch:
        assert stream.getvalue() == ""
        clock[0] += 11.0
        job.folder.path.mkdir()
        job.folder.append_metrics([{"step": 5, "seed": 0}])
        watch._look()
    assert stream.getvalue() == "sweep: 5 of 10 updates (50%), 0.455/s, 00:11 left, 0 of 1 runs\n"
