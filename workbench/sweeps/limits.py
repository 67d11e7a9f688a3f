"""What a sweep may use of a machine: so many of its cores, so many hours."""

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from workbench.errors import BusyError, WorkbenchError
from workbench.guards import only_one
from workbench.processes import usable_cores

HOUR = 3600.0


@contextmanager
def cores(count: int | None, folder: Path | None = None) -> Iterator[None]:
    """Keep this process, and workers that it starts, on `count` cores that no other sweep with a count is on.

    Threads of a numerical library take the cores they find when it starts, so enter this before. A core is claimed by a
    lock file, which the system releases when the process ends. None changes nothing. Raises `WorkbenchError` where
    there are not so many cores, or not so many free ones.
    """
    if count is None:
        yield
        return
    if not hasattr(os, "sched_setaffinity"):
        raise WorkbenchError("--cores needs Linux, where a process can be kept on some cores: leave it out.")
    if not 1 <= count <= usable_cores():
        raise WorkbenchError(f"--cores must lie between 1 and the {usable_cores()} of this machine, not {count}.")
    before = os.sched_getaffinity(0)
    with ExitStack() as held:
        claimed = _claim(held, sorted(before), count, folder or Path(tempfile.gettempdir()))
        os.sched_setaffinity(0, claimed)
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)


def _claim(held: ExitStack, cores: list[int], count: int, folder: Path) -> set[int]:
    """Take locks of `count` cores into `held`."""
    claimed: set[int] = set()
    for core in cores:
        try:
            held.enter_context(only_one(folder / f"sorl-workbench-{os.getuid()}-core-{core}.lock", "using a core"))
        except BusyError:
            continue
        claimed.add(core)
        if len(claimed) == count:
            return claimed
    raise WorkbenchError(
        f"only {len(claimed)} of {len(cores)} cores are free of other sweeps with --cores: ask for fewer, or wait."
    )


class Deadline:
    """Whether the time of a budget is over."""

    def __init__(self) -> None:
        self.over = False


@contextmanager
def deadline(hours: float | None) -> Iterator[Deadline]:
    """Ask this process to stop after some hours, as Ctrl-C does: training saves a checkpoint and ends.

    None never does. Raises `WorkbenchError` for a time that is not above 0.
    """
    reached = Deadline()
    if hours is None:
        yield reached
        return
    if not hours > 0:
        raise WorkbenchError(f"--budget-hours must be above 0, not {hours:g}.")

    def stop() -> None:
        reached.over = True
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(hours * HOUR, stop)
    timer.daemon = True
    # A shell starts what it puts in the background with this signal ignored.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer.start()
    try:
        yield reached
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, former)
