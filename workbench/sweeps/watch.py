"""Progress of a sweep, read from the run folders: in a terminal a bar for all updates and a line a running run.

In a log it is a line now and then.
"""

import threading
from collections.abc import Sequence
from types import TracebackType

from tqdm import tqdm

from workbench.progress import Bar, Lines, progress_bar
from workbench.sweeps.ledger import Status, statuses
from workbench.sweeps.plan import Job

EVERY = 1.0
"""Seconds between two looks at the folders."""
LOG_EVERY = 20.0
"""Seconds between two looks for a log, to which a line goes at most every minute."""
LINES = 8
"""Running runs that get a line of their own."""


class Watch:
    """Shows progress while a sweep runs, in a block, where `progress_bar` shows it; `force` draws a bar anywhere.

    The bar counts updates of all runs, so its estimate of the time left leaves evaluations out. `lines` adds a line for
    each running run; without it the run at work draws its own.
    """

    def __init__(self, jobs: Sequence[Job], *, lines: bool, force: bool = False) -> None:
        self.jobs, self.lines = list(jobs), lines
        self._found: list[Status] = []
        self._stop = threading.Event()
        total = sum(job.spec.steps for job in jobs)
        off = False if force else None
        settings = {"total": total, "unit": "update", "desc": "sweep"}
        terminal = {"unit_scale": True, "smoothing": 0.05}
        self._bar = Bar(**settings, **terminal, disable=False) if force else progress_bar(**settings, **terminal)
        self._log = isinstance(self._bar, Lines)
        lines = lines and not self._log
        self._rows = [
            tqdm(total=0, bar_format="{desc}", disable=off, leave=False) for _ in range(LINES if lines else 0)
        ]
        self._thread = threading.Thread(target=self._run, name="sweep progress", daemon=True)

    def __enter__(self) -> "Watch":
        if not self._bar.disable:
            self._look(first=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
            self._look()
        for bar in [*self._rows, self._bar]:
            bar.close()

    def _run(self) -> None:
        while not self._stop.wait(LOG_EVERY if self._log else EVERY):
            self._look()

    def _look(self, first: bool = False) -> None:
        """Read the folders once, and draw."""
        self._found = found = statuses(self.jobs, self._found)
        done = sum(each.step for each in found)
        if first:
            self._bar.initial = done
        finished, failed = (sum(each.state == state for each in found) for state in ("finished", "failed"))
        self._bar.set_postfix_str(f"{finished} of {len(found)} runs" + (f", {failed} failed" if failed else ""))
        self._bar.n = done
        self._bar.refresh()
        running = sorted((each for each in found if each.state in ("training", "evaluating")), key=_age)
        for row, each in zip(self._rows, running, strict=False):
            row.set_description_str(_line(each))
        for row in self._rows[len(running) :]:
            row.set_description_str("")


def _age(each: Status) -> float:
    return float("inf") if each.age is None else each.age


def _line(each: Status) -> str:
    job = each.job
    return f"  {job.folder.path.name}  {each.state:10}  {each.step:>10,} of {job.spec.steps:,}  {job.label}"
