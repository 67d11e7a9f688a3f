"""What may go wrong around long work: a second process at the same work, a full disk."""

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.errors import BusyError, WorkbenchError


@contextmanager
def only_one(lock: Path, doing: str) -> Iterator[None]:
    """Hold a lock file, which the system releases when this process ends, however it ends.

    Raises `BusyError` when another process holds it; `doing` says what that process does.
    """
    with open(lock, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(
                f"another process is {doing} in {lock.parent}: wait until it has finished, then ask again."
            ) from None
        yield


@contextmanager
def in_turn(lock: Path) -> Iterator[None]:
    """Hold a lock file for a moment; another process that asks for it waits."""
    with open(lock, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_full_disk(error: OSError) -> bool:
    """Whether the system refused a write for lack of space or quota."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def full_disk_explained(folder: Path, kept: str) -> Iterator[None]:
    """Turn the error of a full disk into a `WorkbenchError` that says what to do and what is kept."""
    try:
        yield
    except OSError as error:
        if not is_full_disk(error):
            raise
        raise WorkbenchError(
            f"no space is left on the disk of {folder}: free some and run the same command again; {kept}."
        ) from error


@contextmanager
def wait_for(lock: Path) -> Iterator[None]:
    """Hold a lock file, after waiting for whoever holds it."""
    with open(lock, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
