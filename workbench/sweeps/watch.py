"""Progress of a sweep in a terminal: one bar for all updates, one line a running run, read from the run folders."""

import threading
from collections.abc import Sequence
from types import TracebackType

from tqdm import tqdm

from workbench.sweeps.ledger import Status, statuses
from workbench.sweeps.plan import Job

EVERY = 1.0
"""Seconds between two looks at the folders."""
LINES = 8
"""Running runs that get a line of their own."""


class Watch:
    """Draws progress while a sweep runs, in a block; off where standard error is no terminal, unless `force`d.

    The bar counts updates of all runs, so its estimate of the time left leaves evaluations out. `lines` adds a line for
    each running run; without it the run at work draws its own.
    """

    def __init__(self, jobs: Sequence[Job], *, lines: bool, force: bool = False) -> None:
        self.jobs, self.lines = list(jobs), lines
        self._found: list[Status] = []
        self._stop = threading.Event()
        total = sum(job.spec.steps for job in jobs)
        off = False if force else None
        self._bar = tqdm(total=total, unit="update", unit_scale=True, desc="sweep", disable=off, smoothing=0.05)
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
        while not self._stop.wait(EVERY):
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
