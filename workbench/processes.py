"""How worker processes start and end: one thread each, no display, no Ctrl-C of their own, no main module."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker, spawn
from typing import Any

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

    What they call must stand in a module: the program of this process is not run in them, as multiprocessing would, so
    a script needs no `if __name__ == "__main__"`. The environment belongs to the whole process, so one thread at a time
    is in such a block.
    """
    resource_tracker.ensure_running()  # the first spawned process starts it, and starting it unblocks Ctrl-C
    with _changing:
        prepared, saved = spawn.get_preparation_data, {name: os.environ.get(name) for name in _ENVIRONMENT}
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        os.environ.update(_ENVIRONMENT)
        try:
            spawn.get_preparation_data = _without_main(prepared)
            yield
        finally:
            spawn.get_preparation_data = prepared
            for name, value in saved.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _without_main(prepared: Callable[[str], dict[str, Any]]) -> Callable[[str], dict[str, Any]]:
    """What a spawned process is told, without the main module that it would run again."""
    return lambda name: {key: value for key, value in prepared(name).items() if not key.startswith("init_main")}


def how_it_ended(code: int | None, advice: str) -> str:
    """What became of a process with such an exit code, in words; `advice` is what to do where the system killed it.

    That is the usual end where memory is short, so memory is named there alone.
    """
    ended = f"ended unexpectedly with exit code {code}"
    if code == -signal.SIGKILL:
        return f"{ended}, which often means too little memory: {advice}"
    return f"{ended}: {'run the same again' if code is not None and code < 0 else 'what it printed stands above'}"


def own_environment() -> dict[str, str]:
    """The environment of this process as its user set it, whatever workers are being started meanwhile."""
    with _changing:
        return dict(os.environ)


def usable_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
