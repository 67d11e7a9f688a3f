"""Conditions under which worker processes start: one thread each, no display, no Ctrl-C of their own."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MUJOCO_GL": "disable",  # nothing is rendered, and looking for a display prints warnings
}
_changing = threading.RLock()


@contextmanager
def worker_conditions() -> Iterator[None]:
    """Processes started in the block have Ctrl-C blocked and one thread each; this process is as before afterwards.

    The environment belongs to the whole process, so one thread at a time is in such a block.
    """
    resource_tracker.ensure_running()  # the first spawned process starts it, and starting it unblocks Ctrl-C
    with _changing:
        saved = {name: os.environ.get(name) for name in _ENVIRONMENT}
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        os.environ.update(_ENVIRONMENT)
        try:
            yield
        finally:
            for name, value in saved.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def own_environment() -> dict[str, str]:
    """The environment of this process as its user set it, whatever workers are being started meanwhile."""
    with _changing:
        return dict(os.environ)


def usable_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
