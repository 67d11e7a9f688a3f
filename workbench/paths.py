"""Where files live, and writes that are either whole or absent."""

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

NOT_OFFERED = (errno.ENOSYS, errno.ENOLCK, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)
"""Errors by which file systems say that they have no locks, no links, or nothing to flush."""

LONGEST = 255
"""Bytes of the longest name of a file on most file systems."""


def data_dir() -> Path:
    """Folder of datasets: `$WORKBENCH_DATA`, else `~/.cache/sorl-workbench/data`.

    Official files lie in `official/`, each regenerated set in a folder of its own under `regenerated/`.
    """
    root = os.environ.get("WORKBENCH_DATA")
    return Path(root).expanduser() if root else Path.home() / ".cache" / "sorl-workbench" / "data"


def runs_dir() -> Path:
    """Folder of run records: `$WORKBENCH_RUNS`, else `runs/` in the current folder."""
    return Path(os.environ.get("WORKBENCH_RUNS", "runs")).expanduser()


def policies_dir() -> Path:
    """Folder of the policies that come with the package."""
    return Path(__file__).parent / "policies"


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` that replaces it, flushed to disk, only if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            flush(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename in it survives a power cut; not where it may not be listed."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        flush(descriptor)
    finally:
        os.close(descriptor)


def flush(descriptor: int) -> None:
    """Flush to disk, where the file system knows of it."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NOT_OFFERED:
            raise


def _temporary(path: Path) -> Path:
    """A name beside `path` that no other process, on this machine or another, writes to, and no longer than may be."""
    mark = f".{os.getpid()}-{secrets.token_hex(3)}.tmp"
    kept = os.fsencode(path.name)[: LONGEST - 1 - len(mark)].decode(errors="ignore")
    return path.with_name(f".{kept}{mark}")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    with atomic_write(path) as file:
        file.write((json.dumps(value, indent=2, sort_keys=True) + "\n").encode())


def read_json(path: Path) -> Any:
    """Read one JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
