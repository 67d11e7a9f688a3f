"""A sweep in a notebook: a table of its runs that follows the run folders, whoever trains them and wherever."""

import html
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import ipywidgets as widgets

from workbench.errors import told
from workbench.live.detached import answer_nobody
from workbench.sweeps.ledger import STATES, Status, statuses
from workbench.sweeps.plan import plan
from workbench.sweeps.spec import SweepSpec, read_sweep

MOST_ROWS = 40
"""Runs in the table; of the others only their number is told."""
SILENT = 120.0
"""Seconds without a sign of life after which it is told how long ago the last one was."""
FIRST = ("failed", "training", "evaluating", "waiting", "finished")


class SweepView(widgets.VBox):
    """Watches a sweep, `SweepView("cube_single_small")`, on which `workbench sweep` works in a terminal or elsewhere.

    All that is shown is read from the run folders by a thread every `seconds`; the view trains nothing, and may be
    opened and closed at any time. With `pack = "auto"`, seeds that no run has yet are shown one by one.

    `refresh()` looks at once, and `statuses` is what was seen last. Raises what reading and expanding a sweep raises.
    """

    def __init__(self, sweep: str | Path | SweepSpec, *, root: Path | None = None, seconds: float = 2.0) -> None:
        self.sweep = sweep if isinstance(sweep, SweepSpec) else read_sweep(sweep)
        self.root, self.seconds = root, seconds
        self.jobs = plan(self.sweep, root)
        self.statuses: list[Status] = []
        self._looking, self._over = threading.Lock(), threading.Event()
        self.summary, self.table = widgets.HTML(), widgets.HTML()
        self.bar = widgets.FloatProgress(min=0.0, max=1.0, layout={"width": "34em"})
        self.bar.tooltip = "share of the sweep's updates that are trained"
        super().__init__([self.summary, self.bar, self.table])
        self.refresh()
        self._thread = threading.Thread(target=self._follow, name="sweep view", daemon=True)
        self._thread.start()

    def refresh(self) -> list[Status]:
        """Read the folders and show what they tell."""
        with self._looking:
            if self.sweep.pack == "auto":
                self.jobs = plan(self.sweep, self.root)
            self.statuses = found = statuses(self.jobs, self.statuses)
            self.bar.value = sum(each.step for each in found) / max(1, sum(job.spec.steps for job in self.jobs))
            self.summary.value = _summary(self.sweep.file.stem, found)
            self.table.value = _table(found)
        return found

    def close(self) -> None:
        """End the thread and remove the view."""
        if hasattr(self, "_over"):
            self._over.set()
        super().close()

    def _follow(self) -> None:
        answer_nobody()
        while not self._over.wait(self.seconds):
            try:
                if all(each.state == "finished" for each in self.refresh()):
                    return
            except Exception as error:  # a folder may be moved away while it is read; the next look may succeed
                self.summary.value = (
                    f"<span role='status'><b>cannot look</b></span><pre>{html.escape(told(error) or '')}</pre>"
                )


def _summary(name: str, found: Sequence[Status]) -> str:
    counts = Counter(each.state for each in found)
    told_counts = ", ".join(f"{counts[state]:,} {state}" for state in STATES if counts[state])
    return f"<span role='status'><b>{html.escape(name)}</b>: {len(found):,} runs, {told_counts}</span>"


def _table(found: Sequence[Status]) -> str:
    """Runs that failed or are at work first."""
    rows = sorted(found, key=lambda each: (FIRST.index(each.state), each.age is None, each.age or 0.0))
    body = "".join(map(_row, rows[:MOST_ROWS]))
    heads = "".join(f"<th scope='col'>{head}</th>" for head in ("run", "state", "updates", "what", "remarks"))
    left = len(rows) - MOST_ROWS
    more = f"<p>and {left:,} more, {rows[-1].state} or before</p>" if left > 0 else ""
    return f"<table aria-label='runs of the sweep'><tr>{heads}</tr>{body}</table>{more}"


def _row(each: Status) -> str:
    job = each.job
    cells = (f"{each.step:,} of {job.spec.steps:,}", job.label, _remarks(each))
    texts = "".join(f"<td style='text-align:left'>{html.escape(text)}</td>" for text in (each.state, *cells))
    return f"<tr><th scope='row'><code>{job.spec.hash}</code></th>{texts}</tr>"


def _remarks(each: Status) -> str:
    if each.error:
        return each.error.strip().splitlines()[-1 if each.error.startswith("Traceback") else 0]
    if each.age is not None and each.age > SILENT and each.state != "finished":
        return f"nothing new for {each.age / 60:.0f} minutes"
    return ""
