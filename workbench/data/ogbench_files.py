"""Loading OGBench files: observations and actions as stored, rewards and masks of one task computed from qpos."""

import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.catalogue import DatasetInfo, parse_task
from workbench.data.dataset import Dataset, Provenance
from workbench.data.findings import DEFECT, Finding, check_ends, check_rows
from workbench.data.folders import official_folder, sets_on_disk
from workbench.data.npz import file_record, read_npz, read_sidecar
from workbench.data.rows import Rows, check_form, ends, joined, regular_form
from workbench.data.steps import check_row_steps
from workbench.errors import DatasetError, note
from workbench.paths import data_dir


def locate(name: str) -> Path:
    """Path of a dataset's training file: official first, then the largest regenerated set of that name.

    Raises `DatasetError` saying how to get one.
    """
    found = sets_on_disk(name)
    if not found:
        raise DatasetError(
            f"no file of dataset '{name}' in {data_dir()}: run `workbench data fetch {name}` for the official one or "
            f"`workbench data make {name}` to regenerate it."
        )
    return max(found, key=lambda path: (path.parent == official_folder(), path.stat().st_size, path.parent.name))


def recorded_provenance(path: Path, info: DatasetInfo) -> Provenance:
    """What the sidecar beside a training file says of it, if it is of this very file; else its own SHA-256.

    Raises `DatasetError` where there is no such file.
    """
    record = read_sidecar(path) or {}
    known = record.get("files", {}).get(path.name, {})
    if not path.is_file():
        raise DatasetError(f"there is no file {path}: give one with --data FILE.npz, or leave it out.")
    if "sha256" in known and known.get("size") == path.stat().st_size:
        detail = record.get("detail", "")
        return Provenance(record.get("kind", "arrays"), info.name, known["sha256"], record.get("seed"), detail)
    why = "its sidecar file is of another file" if record else "no sidecar file"
    stat = path.stat()
    return Provenance(
        "arrays", info.name, _sha256(path, stat.st_size, stat.st_mtime_ns), None, f"{why}: origin unknown"
    )


@cache
def _sha256(path: Path, size: int, changed: int) -> str:
    """Of a file as it is now: the five tasks of a dataset read it once."""
    return file_record(path)["sha256"]


def relabel(arrays: dict[str, np.ndarray], env: Any, environment: str) -> tuple[np.ndarray, np.ndarray]:
    """Reward and mask of every row for the task of a single-task environment.

    Success is judged in the row itself (x, not x'). Mazes: r = success − 1; manipulation: r = satisfied subtasks −
    their number; mask = 1 − success.
    """
    from ogbench.relabel_utils import relabel_dataset

    labelled: dict[str, Any] = {key: arrays[key] for key in ("qpos", "button_states") if key in arrays}
    relabel_dataset(environment, env, labelled)
    return labelled["rewards"], labelled["masks"]


def load_task(task: str, path: Path | None = None) -> tuple[Dataset, Dataset]:
    """Training and validation data of a single task; the split is the files' own.

    `path` is the training file (its twin ends in `-val.npz`); without it `locate` finds one. What OGBench's loader
    returned and someone saved is read as the transitions it has (`rows`), and a note says so; another says where no row
    of the training file solves the task. Raises `DatasetError` for files that are missing, broken, or of another
    environment.
    """
    info, number = parse_task(task)
    path = path or locate(info.name)
    twin = path.with_name(f"{path.stem}-val.npz")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the simulator looks for a display, gymnasium remarks on OGBench's spaces
        import gymnasium
        import ogbench  # noqa: F401  (registers its environments)

        env = gymnasium.make(f"{info.environment}-singletask-task{number}-v0")
        provenance = recorded_provenance(path, info)
        try:
            (train, said), (held_out, _) = (_load(file, info, env, provenance) for file in (path, twin))
        finally:
            env.close()
    for each in said:
        note(f"{path}: {each.where}: {each.what}; {each.fix}.")
    if not (np.asarray(train.mask)[np.asarray(train.index)] == 0).any():
        note(f"{path}: no transition starts where {task} is solved, so the rewards never show how it is done.")
    return train, held_out


def _load(path: Path, info: DatasetInfo, env: Any, provenance: Provenance) -> tuple[Dataset, list[Finding]]:
    """The data of a file, and what is good to know of them; raises `DatasetError` for rows that are no trajectories."""
    keys = ["observations", "actions", "terminals", "qpos"]
    keys += ["button_states"] if info.family in ("scene", "puzzle") else []
    arrays = read_npz(path, keys, also=("valids", "next_observations"))
    found = (arrays["observations"].shape[-1], arrays["actions"].shape[-1])
    if found != (info.obs, info.act):
        raise DatasetError(
            f"{path} holds observations and actions of widths {found}, but {info.environment} has "
            f"{(info.obs, info.act)}: it is a file of another environment."
        )
    findings = [*check_rows(arrays, "fetch or make it again"), *_check_reading(arrays, provenance)]
    for each in findings:
        if each.severity == DEFECT:
            raise DatasetError(f"{path}: {each.where}: {each.what}; {each.fix}.")
    r, mask = relabel(arrays, env, info.environment)
    x, a, last = arrays["observations"], arrays["actions"], ends(arrays)
    rows = Rows(x, a, r, mask, ~last)
    if "next_observations" in arrays:
        rows = joined(x, a, r, arrays["next_observations"], mask, last)
    return Dataset.build(*rows, provenance), findings


def _check_reading(arrays: dict[str, np.ndarray], provenance: Provenance) -> Iterator[Finding]:
    """How rows are read, and, where nobody vouches for the file, steps that cannot be right."""
    if "next_observations" in arrays:
        yield regular_form()
        shapes = [arrays[key].shape for key in ("observations", "next_observations")]
        if shapes[0] != shapes[1]:
            what = f"its shape is {shapes[1]}, but that of observations {shapes[0]}"
            yield Finding(DEFECT, what, "next_observations", "save the same rows and columns in both")
        return
    yield from check_form(arrays)
    yield from check_ends(ends(arrays))
    if provenance.kind == "arrays":
        yield from check_row_steps(arrays["observations"], ends(arrays))
