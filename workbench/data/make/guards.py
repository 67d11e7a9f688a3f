"""What may go wrong around a long job: a second process at the same work, a full disk."""

import contextlib
import errno
import fcntl
from collections.abc import Iterator
from pathlib import Path

from workbench.errors import WorkbenchError


@contextlib.contextmanager
def only_one(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock of a set, which the system releases when this process ends, however it ends.

    Raises `WorkbenchError` when another process holds it.
    """
    with open(folder / f".{name}.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WorkbenchError(
                f"another process is making '{name}' in {folder}: wait until it has finished, then ask again."
            ) from None
        yield


@contextlib.contextmanager
def full_disk_explained(folder: Path) -> Iterator[None]:
    """Turn the system's error for a full disk or quota into a `WorkbenchError` that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise WorkbenchError(
            f"no space is left on the disk of {folder}: free some and run the same command again; "
            "the shards finished so far are kept."
        ) from error
