"""Committed results: a table or picture with the record of how it was made beside it."""

import hashlib
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from workbench.errors import WorkbenchError
from workbench.paths import atomic_write, read_json, write_json

Table: TypeAlias = pd.DataFrame | np.ndarray
"""Rows with named columns, or a picture: an array of (height, width, 3) bytes."""

SUFFIXES = (".csv", ".png")


def write_table(folder: Path, name: str, table: Table, provenance: dict[str, Any]) -> Path:
    """Write `name`.csv (six significant digits) or, for a picture, `name`.png, then `name`.json with its provenance.

    The provenance gains the file's SHA-256, the number of rows, and the hashes of the runs in the column `hash`.
    """
    if isinstance(table, np.ndarray):
        path = _write_picture(folder / f"{name}.png", table)
        facts: dict[str, Any] = {"height": len(table)}
    else:
        path = folder / f"{name}.csv"
        with atomic_write(path) as file:
            table.to_csv(file, index=False, float_format="%.6g")
        facts = {"rows": len(table)}
        if "hash" in table:
            facts["runs"] = sorted(table["hash"].unique().tolist())
    write_json(folder / f"{name}.json", provenance | facts | {"sha256": sha256(path)})
    return path


def _write_picture(path: Path, picture: np.ndarray) -> Path:
    from PIL import Image

    with atomic_write(path) as file:
        Image.fromarray(picture).quantize(256).save(file, format="PNG", optimize=True)
    return path


def find_table(folder: Path, name: str) -> Path | None:
    """The file of a table, or None when there is none."""
    return next((path for suffix in SUFFIXES if (path := folder / f"{name}{suffix}").exists()), None)


def read_table(folder: Path, name: str) -> Table:
    """A table as it was written; raises `WorkbenchError` when there is no such file, or it cannot be read."""
    path = find_table(folder, name)
    if path is None:
        raise WorkbenchError(
            f"there is no table {name} in {folder}: `workbench study --list` says which study makes it."
        )
    try:
        return _read_picture(path) if path.suffix == ".png" else pd.read_csv(path, dtype={"hash": str, "outcomes": str})
    except (ValueError, OSError) as error:
        raise WorkbenchError(f"{path} cannot be read ({error}): make it again with its study.") from error


def _read_picture(path: Path) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(path).convert("RGB"))


def provenance(folder: Path, name: str) -> dict[str, Any]:
    """How a table was made; empty when nothing is written beside it."""
    path = folder / f"{name}.json"
    return read_json(path) if path.exists() else {}


def sha256(path: Path) -> str:
    """Digest of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
