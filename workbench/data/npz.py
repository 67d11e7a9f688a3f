"""Reading npz files so that each way of being broken ends in one sentence; the sidecar that lies beside them."""

import hashlib
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import DatasetError
from workbench.paths import read_json

REQUIRED = ("observations", "actions", "terminals")
"""Keys without which a file holds no trajectories."""

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, RuntimeError)
# What numpy, zipfile and zlib raise for damaged bytes, unknown compression and encryption.


@contextmanager
def open_npz(path: Path) -> Iterator[np.lib.npyio.NpzFile]:
    """Open an npz archive; raises `DatasetError` when the file is missing, cut short, or no npz at all."""
    if not path.is_file():
        name = path.stem.removesuffix("-val")
        raise DatasetError(
            f"there is no file {path}: get it with `workbench data fetch {name}` or `workbench data make {name}`."
        )
    try:
        archive = np.load(path, allow_pickle=False)
    except _BROKEN as error:
        raise DatasetError(f"{path} {_not_an_archive(path)}: delete it and fetch or make it again.") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise DatasetError(f"{path} is a single array, not an npz archive: save it with numpy.savez.")
    with archive:
        yield archive


def read_member(archive: np.lib.npyio.NpzFile, key: str, path: Path) -> np.ndarray:
    """Read one array; raises `DatasetError` when it is pickled or its bytes are damaged."""
    try:
        array = archive[key]
    except _BROKEN as error:
        if "allow_pickle" in str(error):
            raise DatasetError(
                f"{path} holds '{key}' as pickled Python objects, which are never loaded: save it as a plain array."
            ) from error
        raise DatasetError(f"{path} is damaged in '{key}' ({error}): delete it and fetch or make it again.") from error
    if not isinstance(array, np.ndarray):
        raise DatasetError(f"{path} holds '{key}', which is not an array: save it with numpy.savez.")
    return array


def read_npz(path: Path, keys: Iterable[str] | None = None, *, also: Iterable[str] = ()) -> dict[str, np.ndarray]:
    """Read the arrays of an npz file, all of them or those named; checksums of what is read are verified.

    Those in `also` are read where they are there.

    Raises `DatasetError` for a file that is missing, cut short or damaged, holds pickled objects, or lacks a key:
    one of `keys`, or without `keys` one of `observations`, `actions`, `terminals`.
    """
    with open_npz(path) as archive:
        missing = [key for key in keys or REQUIRED if key not in archive.files]
        if missing:
            raise DatasetError(
                f"{path} has no {' and no '.join(map(repr, missing))} "
                f"(it has {', '.join(archive.files) or 'nothing'}): run `workbench data check` on it."
            )
        named = archive.files if keys is None else [*keys, *(key for key in also if key in archive.files)]
        return {key: read_member(archive, key, path) for key in named}


def verify_npz(path: Path) -> None:
    """Check every byte of an npz file against its checksums, in constant memory.

    Raises `DatasetError` when the file is not whole or holds none of the arrays of a dataset.
    """
    with open_npz(path) as archive:
        missing = [key for key in REQUIRED if key not in archive.files]
        if missing:
            raise DatasetError(f"{path} has no {' and no '.join(map(repr, missing))}: it is not a dataset.")
        try:
            damaged = archive.zip.testzip() if archive.zip else None
        except _BROKEN as error:
            raise DatasetError(f"{path} is damaged ({error}): delete it and fetch or make it again.") from error
    if damaged:
        raise DatasetError(f"{path} is damaged in '{damaged}': delete it and fetch or make it again.")


def sidecar_path(path: Path) -> Path:
    """The JSON file that describes a dataset pair: `NAME.json` for both `NAME.npz` and `NAME-val.npz`."""
    return path.with_name(path.stem.removesuffix("-val") + ".json")


def read_sidecar(path: Path) -> dict[str, Any] | None:
    """The sidecar of a dataset file, or None when there is none; raises `DatasetError` when it cannot be read."""
    sidecar = sidecar_path(path)
    if not sidecar.exists():
        return None
    try:
        value = read_json(sidecar)
        if not all({"size", "sha256"} <= record.keys() for record in value["files"].values()):
            raise KeyError("files")
    except (ValueError, OSError, LookupError, TypeError, AttributeError) as error:
        raise DatasetError(f"the sidecar {sidecar} cannot be read ({error!r}): delete it, and fetch again.") from error
    return value


def file_record(path: Path) -> dict[str, Any]:
    """Size in bytes and SHA-256 of a file, as a sidecar holds them."""
    with open(path, "rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _not_an_archive(path: Path) -> str:
    with open(path, "rb") as file:
        head = file.read(64)
    size = path.stat().st_size
    if head.startswith(b"PK"):
        return f"is cut short or damaged ({size:,} bytes, no zip directory at its end)"
    if not head:
        return "is empty"
    if head.lstrip().startswith(b"<"):
        return f"is a web page, not a dataset ({size:,} bytes)"
    return f"is not an npz file ({size:,} bytes, starts with {head[:8]!r})"
