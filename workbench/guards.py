"""What may go wrong around long work: a second process at the same work, and file systems that refuse."""

import errno
import fcntl
import functools
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from workbench.errors import BusyError, WorkbenchError
from workbench.paths import NOT_OFFERED, atomic_write

log = logging.getLogger(__name__)

FULL = (errno.ENOSPC, errno.EDQUOT)
REFUSALS = dict.fromkeys(FULL, "no space is left on the disk of {where}: free some") | {
    errno.EROFS: "{where} is on a file system that can only be read: choose a folder on another",
    errno.EACCES: "no permission for {where}: choose a folder you may write to",
    errno.EPERM: "no permission for {where}: choose a folder you may write to",
    errno.ENAMETOOLONG: "the name {where} is longer than its file system takes: choose a shorter one",
    errno.ESTALE: "the network file system no longer knows {where} (stale handle): see that it is still mounted",
    errno.EIO: "the disk of {where} fails (input/output error): choose a folder on another",
    errno.EMFILE: "this process may open no more files, not even {where}: raise the limit (ulimit -n 4096)",
    errno.ENFILE: "this machine has no more open files to give, not even {where}: end other programs",
    errno.ENOTDIR: "{where}: a file stands where a folder should be; choose another",
    errno.EEXIST: "{where}: a file stands where a folder should be; choose another",
    errno.EISDIR: "{where}: a folder stands where a file should be; choose another",
    errno.ELOOP: "{where}: links lead in a circle; choose another",
    errno.EFBIG: "a file in {where} may not be so large: raise the limit (ulimit -f), or choose another disk",
}
"""What a refusal of the system says to a person, and what to do, by its number."""

PROBE = ".workbench-probe"


@contextmanager
def only_one(lock: Path, doing: str) -> Iterator[None]:
    """Hold a lock file, which the system releases when this process ends, however it ends.

    Where the file system has no locks, one of this machine stands for it, with a note. Raises `BusyError` when another
    process holds it; `doing` says what that process does.
    """
    try:
        held = _hold(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BusyError(
            f"another process is {doing} in {lock.parent}: wait until it has finished, then ask again."
        ) from None
    with held:
        yield


@contextmanager
def in_turn(lock: Path) -> Iterator[None]:
    """Hold a lock file, after waiting for whoever holds it; where there are no locks, as `only_one` does."""
    with _hold(lock, fcntl.LOCK_EX):
        yield


def _hold(lock: Path, how: int) -> TextIO:
    """The open file that holds a lock until it is closed."""
    file = open(lock, "a")  # noqa: SIM115
    try:
        fcntl.flock(file, how)
        return file
    except OSError as error:
        file.close()
        if error.errno not in NOT_OFFERED:
            raise
        _say_no_locks(lock.parent.resolve(), str(error.strerror))
    file = open(_of_this_machine(lock), "a")  # noqa: SIM115
    try:
        fcntl.flock(file, how)
    except OSError as error:
        if error.errno not in NOT_OFFERED:  # where it is, no two processes are kept apart, as the note fears
            file.close()
            raise
    return file


@functools.cache
def _say_no_locks(folder: Path, reason: str) -> None:
    log.warning(
        "the file system of %s has no locks (%s): processes of this machine are kept apart, those of others are not, "
        "so do not let two machines work on the same run, sweep or dataset at once.",
        folder,
        reason,
    )


def _of_this_machine(lock: Path) -> Path:
    """A lock in the folder for temporary files that stands for one elsewhere."""
    digest = hashlib.sha256(os.fsencode(lock.resolve())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"workbench-{os.getuid()}-{digest}.lock"


def is_full_disk(error: OSError) -> bool:
    """Whether the system refused a write for lack of space or quota."""
    return error.errno in FULL


def refusal(error: OSError, where: Path | None = None) -> str | None:
    """What a file system refused and what to do, without a full stop; None for an error that is none of `REFUSALS`.

    `where` is what to name in place of the error's own file.
    """
    words = REFUSALS.get(error.errno or 0)
    return None if words is None else words.format(where=where or error.filename or "this folder")


@contextmanager
def refusals_explained(folder: Path, kept: str) -> Iterator[None]:
    """Turn what a file system refuses into a `WorkbenchError` that says what to do and what is kept."""
    try:
        yield
    except OSError as error:
        words = refusal(error, folder)
        if words is None:
            raise
        again = " and run the same command again" if is_full_disk(error) else ""
        raise WorkbenchError(f"{words}{again}; {kept}.") from error


def check_folder(folder: Path, work: str, room: int = 0) -> None:
    """Raise `WorkbenchError` before long work where its result could not be put into `folder`, which is made.

    A file is written there as results are, and `room` bytes must be free; `work` names what has not begun.
    """
    with refusals_explained(folder, f"{work} has not begun"):
        probe = folder / PROBE
        with atomic_write(probe) as file:
            file.write(b"can be written")
        probe.unlink(missing_ok=True)
        free = shutil.disk_usage(folder).free
    if free < room:
        raise WorkbenchError(
            f"{work} needs {room / 1e6:,.0f} MB in {folder}, and {free / 1e6:,.0f} MB are free there: free some, or "
            "choose a folder on another disk."
        )


def link_or_copy(source: Path, target: Path) -> None:
    """Let `target` be the file that `source` is now: a second name of it, or a copy where there are no hard links."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError as error:
        if is_full_disk(error):
            raise
        with atomic_write(target) as file, open(source, "rb") as content:
            shutil.copyfileobj(content, file)
