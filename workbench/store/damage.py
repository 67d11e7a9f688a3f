"""Files of a run that cannot be read: a sentence that names the file, so that one run is left out and no more."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.errors import WorkbenchError
from workbench.guards import refusal
from workbench.store.spec import RunSpec


class DamagedRunError(WorkbenchError):
    """A file of a run that is cut short, empty, of another kind, or of a version unknown here."""


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Turn whatever comes of a file's content in the block into a `DamagedRunError`.

    That nothing is there, or that the system refuses to read, goes through: the content is not to blame.
    """
    try:
        yield
    except (WorkbenchError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # what readers of JSON and parquet raise at foreign bytes is no short list
        if isinstance(error, OSError) and refusal(error):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DamagedRunError(
            f"{file} cannot be read ({type(error).__name__}: {reason[:120]}): put a copy in its place, or move "
            f"{'the run away' if file.name == 'spec.json' else 'it away to make it anew'}."
        ) from error


def checked(spec: RunSpec) -> RunSpec:
    """A spec whose fields are of the kinds they should be; raises `TypeError` for another."""
    kinds = {"task": str, "agent": str, "preset": str, "settings": dict, "weights": dict, "steps": int}
    for name, kind in kinds.items():
        if not isinstance(getattr(spec, name), kind):
            raise TypeError(f"{name} is no {kind.__name__}")
    if not all(isinstance(seed, int) for seed in spec.seeds):
        raise TypeError("seeds are no whole numbers")
    return spec


def with_columns(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """A table that has all of these columns; raises `KeyError` for another."""
    missing = [name for name in columns if name not in table]
    if missing:
        raise KeyError(f"it has no {', '.join(missing)}")
    return table


def metrics_row(line: str) -> dict[str, Any] | None:
    """A row of metrics from a line, or None for a line that is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and all(isinstance(row.get(name), int) for name in ("step", "seed")) else None
