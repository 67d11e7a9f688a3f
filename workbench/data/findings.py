"""What can be wrong with arrays of a dataset, whatever it is of: findings, and the checks that all formats share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

DEFECT, NOTE = "defect", "note"

ACTION_TOLERANCE = 1e-5
"""How far beyond ±1 an action may lie: rounding, not a defect."""


@dataclass(frozen=True)
class Finding:
    """One thing found. `severity` is `defect` (the data should not be used) or `note` (good to know)."""

    severity: str
    what: str
    where: str
    fix: str


def check_finite(key: str, array: np.ndarray, fix: str) -> Iterator[Finding]:
    """NaN and infinity."""
    if array.ndim and np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))
        yield Finding(DEFECT, f"{len(bad):,} values are NaN or infinite", f"{key}, first in row {bad[0][0]}", fix)


def check_actions(actions: np.ndarray | None) -> Iterator[Finding]:
    """Actions outside [-1, 1]."""
    if actions is None or not actions.ndim or not np.issubdtype(actions.dtype, np.number):
        return
    beyond = np.isfinite(actions) & (np.abs(actions) > 1 + ACTION_TOLERANCE)
    if beyond.any():
        first, worst = np.argwhere(beyond)[0][0], np.abs(actions[beyond]).max()
        what = f"{beyond.sum():,} values lie outside [-1, 1], up to {worst:.4g} in size"
        yield Finding(DEFECT, what, f"actions, first in row {first}", "rescale or clip the actions to [-1, 1]")


def check_rows(arrays: Mapping[str, np.ndarray], fix: str) -> Iterator[Finding]:
    """Arrays of different length."""
    counts = {key: len(array) for key, array in arrays.items() if array.ndim}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{key} {count:,}" for key, count in counts.items())
        yield Finding(DEFECT, f"the numbers of rows differ: {listed}", "all arrays", fix)


def check_ends(terminals: np.ndarray) -> Iterator[Finding]:
    """Ends of episodes that are missing, or too many; `terminals` has one axis."""
    ends = np.flatnonzero(terminals)
    if not len(ends):
        yield Finding(DEFECT, "no row is the end of an episode", "terminals", "set it in the last row of every episode")
        return
    if ends[-1] != len(terminals) - 1:
        what = f"the last row is not the end of an episode (the last end is in row {ends[-1]})"
        yield Finding(DEFECT, what, f"terminals, row {len(terminals) - 1}", "the file is cut, or an end is not marked")
    lengths = np.diff(ends, prepend=-1)
    if (lengths == 1).any():
        what = f"{(lengths == 1).sum():,} episodes have a single row, which is no transition"
        where = f"terminals, first in row {ends[lengths == 1][0]}"
        yield Finding(DEFECT, what, where, "mark only the last row of every episode")
