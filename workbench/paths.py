"""Where files live, and writes that are either whole or absent."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


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
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename in it survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    with atomic_write(path) as file:
        file.write((json.dumps(value, indent=2, sort_keys=True) + "\n").encode())


def read_json(path: Path) -> Any:
    """Read one JSON file."""
    return json.loads(path.read_text())
