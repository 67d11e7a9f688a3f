"""Data of a user's own, from arrays in memory or from an npz file: checked, split by episodes, and on device."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.dataset import Dataset, Provenance
from workbench.data.findings import DEFECT
from workbench.data.hold_out import hold_out
from workbench.data.npz import open_npz, read_member
from workbench.data.own_check import AXES, check_arrays
from workbench.data.rows import Rows, ends, ends_are_cuts, joined, regular_form, with_cuts
from workbench.errors import DatasetError, note
from workbench.paths import data_dir


def from_arrays(
    observations: Any,
    actions: Any,
    rewards: Any,
    terminals: Any,
    *,
    masks: Any = None,
    name: str = "own",
    val_fraction: float = 0.1,
    seed: int = 0,
) -> tuple[Dataset, Dataset]:
    """Training and held-out data from trajectories in rows, as OGBench has them.

    Row t holds a state, the action taken in it and the reward that it earned; row t + 1 is what came of it.
    `terminals` is 1 in the last row of every episode, which has no successor: its reward is not used, and
    its action only as the next one of the row before, by ReBRAC.
    `masks` is 0 in a row whose successor ends the episode for good, so that nothing is expected after it; without it
    every episode was merely cut. A share `val_fraction` of the episodes, drawn from `seed`, is held out.

    For `Trainer(task, data=…)`, `make_spec` and `train_run`, with a task called `own:NAME`. Raises `DatasetError` with
    the first defect that `check_arrays` finds, and where there are fewer than two episodes.
    """
    arrays = {"observations": observations, "actions": actions, "rewards": rewards, "terminals": terminals}
    return _split(_rows(name, arrays | ({} if masks is None else {"masks": masks})), name, val_fraction, seed)


def from_transitions(
    observations: Any,
    actions: Any,
    rewards: Any,
    next_observations: Any,
    terminals: Any,
    *,
    timeouts: Any = None,
    name: str = "own",
    val_fraction: float = 0.1,
    seed: int = 0,
) -> tuple[Dataset, Dataset]:
    """The same from single transitions (x, a, r, x', done), as D4RL and replay buffers have them.

    `terminals` is 1 where x' ends the episode for good (mask 0), `timeouts` where it was cut. Rows whose x' is the next
    row's x are joined to trajectories; in shuffled rows each is an episode of its own, and the next action is not
    known, which ReBRAC alone needs: it refuses them.
    """
    arrays = {"observations": observations, "actions": actions, "rewards": rewards, "terminals": terminals}
    arrays |= {"next_observations": next_observations} | ({} if timeouts is None else {"timeouts": timeouts})
    return _split(_rows(name, arrays), name, val_fraction, seed)


def load_own(name: str, path: Path | None = None) -> tuple[Dataset, Dataset]:
    """Training and held-out data of an npz file with the arrays of `from_arrays` or `from_transitions`.

    Both dictionaries of OGBench's loader are recognised when they were saved as they are (`rows`), and a note says so.
    Without `path` it is `own/NAME.npz` in the data folder. Held out is the file that ends in `-val.npz` if there is
    one, else a tenth of the episodes. Raises `DatasetError` for files and arrays that cannot be used.
    """
    path = path or data_dir() / "own" / f"{name}.npz"
    if not path.is_file():
        raise DatasetError(f"there is no file {path}: give one with --data FILE.npz, or save it there.")
    twin = path.with_name(f"{path.stem}-val.npz")
    if not twin.exists():
        return _split(_rows(name, _read(path)), name, 0.1, 0)
    train, held_out = (_rows(name, _read(each)) for each in (path, twin))
    widths, others = ((rows.x.shape[1], rows.a.shape[1]) for rows in (train, held_out))
    if widths != others:
        raise DatasetError(
            f"{path} holds observations and actions of widths {widths}, but {twin.name} has {others}: held-out data "
            "must be of the same environment."
        )
    return _dataset(train, name, f"training file {path.name}"), _dataset(held_out, name, f"held-out file {twin.name}")


def _read(path: Path) -> dict[str, np.ndarray]:
    with open_npz(path) as archive:
        arrays = {key: read_member(archive, key, path) for key in AXES if key in archive.files}
    if ends_are_cuts(arrays):
        note(f"{path.name}: {regular_form().what}; {regular_form().fix}.")
    return with_cuts(arrays)


def _rows(name: str, given: dict[str, Any]) -> Rows:
    """Checked arrays as rows; what is good to know of them is said."""
    arrays = {key: np.asarray(value) for key, value in given.items()}
    findings = check_arrays(arrays)
    defects = [each for each in findings if each.severity == DEFECT]
    for each in () if defects else findings:
        note(f"data '{name}': {each.where}: {each.what}; {each.fix}.")
    if defects:
        first, more = defects[0], f" ({len(defects) - 1} more)" if len(defects) > 1 else ""
        raise DatasetError(f"data '{name}' cannot be used: {first.where}: {first.what}{more}; {first.fix}.")
    x, a, r = (arrays[key].astype(np.float32) for key in ("observations", "actions", "rewards"))
    last = ends(arrays)
    mask = arrays["masks"].astype(np.float32) if "masks" in arrays else None
    if "next_observations" not in arrays:
        return Rows(x, a, r, np.ones(len(x), np.float32) if mask is None else mask, ~last)
    breaks = last | arrays["timeouts"].astype(bool) if "timeouts" in arrays else last
    mask = 1 - last.astype(np.float32) if mask is None else mask
    return joined(x, a, r, arrays["next_observations"].astype(np.float32), mask, breaks)


def _split(rows: Rows, name: str, val_fraction: float, seed: int) -> tuple[Dataset, Dataset]:
    """Whole episodes held out."""
    episode = np.cumsum(~rows.valid) - ~rows.valid
    held_out = hold_out(f"data '{name}'", int(episode[-1]) + 1, val_fraction, seed)
    count, size = len(held_out), int(held_out.sum())
    parts = [Rows(*(column[held_out[episode] == side] for column in rows)) for side in (False, True)]
    names = (f"{count - size:,} of {count:,} episodes", f"{size:,} of {count:,} episodes, held out")
    return _dataset(parts[0], name, names[0]), _dataset(parts[1], name, names[1])


def _dataset(rows: Rows, name: str, detail: str) -> Dataset:
    """On device, with the SHA-256 of the arrays: data from memory and from a file are the same data."""
    digest = hashlib.sha256()
    for column in rows:
        digest.update(f"{column.shape}".encode() + np.ascontiguousarray(column).tobytes())
    return Dataset.build(*rows, Provenance("arrays", name, digest.hexdigest(), detail=detail))
