"""Engines that do the work of a sweep, and the loop around them; here the one that needs nothing: a run at a time."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from workbench.sweeps.ledger import is_finished
from workbench.sweeps.plan import Job
from workbench.sweeps.work import PARTS, attempt


@dataclass(frozen=True)
class Outcome:
    """A run that ended: `error` is the sentence of what went wrong, or None."""

    job: Job
    error: str | None


Engine: TypeAlias = Callable[[Sequence[Job]], Iterable[Outcome]]
"""Does the jobs in any order, and yields each as it ends; a failing one ends alone."""


def serial(jobs: Sequence[Job], *, progress: bool = False, patience: float = 5.0) -> Iterator[Outcome]:
    """Train and evaluate one run after another in this process; `progress` draws a bar for each.

    Runs that another process is at are put off, and looked at again when the others are done, every `patience` seconds:
    so two processes at one sweep share its runs.
    """
    left = list(jobs)
    while left:
        put_off = []
        for job in left:
            if job.folder.busy:
                put_off.append(job)
            else:
                errors = (attempt(job, part, progress=progress) for part in PARTS)
                yield Outcome(job, next((error for error in errors if error), None))
        if len(put_off) == len(left):
            time.sleep(patience)
        left = put_off


def run_sweep(
    jobs: Sequence[Job], engine: Engine = serial, report: Callable[[Outcome], None] = lambda outcome: None
) -> list[Outcome]:
    """Do what is left of a sweep; returns the runs that failed. Finished runs are left alone.

    `report` is called for each run as it ends. Raises `Interrupted` when a stop was asked for: the same call goes on.
    """
    failed = []
    for outcome in engine([job for job in jobs if not is_finished(job)]):
        report(outcome)
        if outcome.error:
            failed.append(outcome)
    return failed
