"""Every defect of a dataset file in one report: what is wrong, where, and what to do."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.catalogue import DATASETS, DatasetInfo
from workbench.data.findings import DEFECT, NOTE, Finding, check_actions, check_ends, check_finite, check_rows
from workbench.data.npz import REQUIRED, file_record, open_npz, read_member, read_sidecar, sidecar_path
from workbench.data.own_check import check_arrays
from workbench.data.rows import check_form, ends, ends_are_cuts, regular_form, with_cuts
from workbench.data.steps import check_row_steps
from workbench.errors import DatasetError

_REMAKE = "fetch or make it again"
_FLOAT_KEYS = ("observations", "actions", "qpos", "qvel")


@dataclass(frozen=True)
class Report:
    """All findings on one file."""

    path: Path
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no defect."""
        return all(finding.severity != DEFECT for finding in self.findings)


def check_file(path: Path) -> Report:
    """Check one dataset file against its format, its environment (known by its name) and its sidecar.

    A file whose name is not in the catalogue is data of a user's own: `own_check.check_arrays`.
    A file that cannot be opened is a finding as well; a damaged or pickled array leaves the others to be checked.
    """
    name = path.stem.removesuffix("-val")
    info = DATASETS.get(name)
    findings = list(_check_companions(path, info))
    arrays, unreadable = _read_all(path)
    findings += unreadable
    if arrays is not None and info is None:
        damaged = {finding.where for finding in unreadable}
        findings += [regular_form()] if ends_are_cuts(arrays) else []
        findings += [finding for finding in check_arrays(with_cuts(arrays)) if finding.where not in damaged]
    elif arrays is not None and info is not None:
        findings += _check_keys(arrays, unreadable, info)
        loaded = not {"valids", "next_observations"}.isdisjoint(arrays)
        for key, array in arrays.items():
            findings += _check_array(key, array, info, loaded=loaded)
        findings += check_actions(arrays.get("actions"))
        findings += check_rows(arrays, _REMAKE)
        findings += _check_episodes(arrays, _expected_episodes(path, info))
    return Report(path, tuple(findings))


def _check_companions(path: Path, info: DatasetInfo | None) -> Iterator[Finding]:
    """Name, twin and sidecar."""
    if info is None:
        yield Finding(
            NOTE, f"'{path.stem}' is no name of the catalogue: checked as data of your own", "file name",
            "nothing, or name the file as in `workbench data list`",
        )  # fmt: skip
    twin = path.with_name(path.name.replace("-val.npz", ".npz") if _is_val(path) else f"{path.stem}-val.npz")
    if not twin.exists():
        split = "training" if _is_val(path) else "validation"
        own = info is None and not _is_val(path)
        severity, fix = (NOTE, "nothing: a tenth of the episodes will be held out") if own else (DEFECT, _REMAKE)
        yield Finding(severity, f"the {split} file {twin.name} is missing", str(path.parent), fix)
    try:
        sidecar = read_sidecar(path)
    except DatasetError as error:
        yield Finding(DEFECT, str(error), sidecar_path(path).name, "delete it and fetch again")
        return
    known = (sidecar or {}).get("files", {}).get(path.name)
    if known is None and info is not None:
        yield Finding(
            NOTE, "no sidecar records this file: origin unknown, changes cannot be noticed", sidecar_path(path).name,
            "nothing, or fetch or make it again",
        )  # fmt: skip
    elif known is not None and path.is_file() and (found := file_record(path)) != known:
        what = f"{found['size']:,} bytes, sha256 {found['sha256'][:12]}, but {known['size']:,} and "
        yield Finding(DEFECT, f"{what}{known['sha256'][:12]} are recorded", sidecar_path(path).name, _REMAKE)


def _read_all(path: Path) -> tuple[dict[str, np.ndarray] | None, list[Finding]]:
    """The arrays that can be read (None when the file cannot be opened), and a finding for each that cannot."""
    arrays: dict[str, np.ndarray] = {}
    findings = []
    try:
        with open_npz(path) as archive:
            for key in archive.files:
                try:
                    arrays[key] = read_member(archive, key, path)
                except DatasetError as error:
                    findings.append(_from_error(error, key))
    except DatasetError as error:
        return None, [_from_error(error, path.name)]
    return arrays, findings


def _from_error(error: DatasetError, where: str) -> Finding:
    what, _, fix = str(error).rpartition(": ")
    return Finding(DEFECT, what, where, fix.rstrip("."))


def _check_keys(arrays: dict[str, np.ndarray], unreadable: list[Finding], info: DatasetInfo) -> Iterator[Finding]:
    present = {*arrays, *(finding.where for finding in unreadable)}
    needed = [*REQUIRED, "qpos", "qvel"]
    if info.family in ("scene", "puzzle"):
        needed.append("button_states")
    for key in needed:
        if key not in present:
            use = "" if key in REQUIRED else " (rewards of the single tasks are computed from it)"
            yield Finding(DEFECT, f"'{key}' is missing{use}", key, _REMAKE)


def _check_array(key: str, array: np.ndarray, info: DatasetInfo, *, loaded: bool) -> Iterator[Finding]:
    """Dtype, number of axes, width, and values that are not finite; `loaded` is of a dictionary of OGBench's loader."""
    wanted, fits = _dtype_rule(key, array.dtype)
    fits |= loaded and key == "terminals" and bool(np.isin(array, (0, 1)).all())
    if not fits:
        yield Finding(DEFECT, f"dtype is {array.dtype}, not {wanted}", key, f"save it as {wanted}")
    axes = 1 if key == "terminals" else 2
    width = {"observations": info.obs, "actions": info.act}.get(key)
    if key in (*_FLOAT_KEYS, "terminals", "button_states") and array.ndim != axes:
        yield Finding(DEFECT, f"has {array.ndim} axes {array.shape}, not {axes}", key, _REMAKE)
    elif width is not None and array.shape[1] != width:
        what = f"width is {array.shape[1]}, but {info.environment} has {width}"
        yield Finding(DEFECT, what, key, "this is a file of another environment: use the one that belongs to its name")
    yield from check_finite(key, array, _REMAKE)


def _dtype_rule(key: str, dtype: np.dtype) -> tuple[str, bool]:
    """The dtype a key should have in words, and whether `dtype` will do."""
    if key in ("observations", "actions"):
        return "float32", dtype == np.float32
    if key in ("qpos", "qvel"):
        return "float32 or float64", dtype in (np.float32, np.float64)
    if key == "terminals":
        return "bool", dtype == np.bool_
    if key == "button_states":
        return "an integer type", bool(np.issubdtype(dtype, np.integer))
    return "", True


@dataclass(frozen=True)
class _Episodes:
    """Number and length that the episodes of a file should have, where they are known."""

    count: int | None
    rows: int
    source: str
    severity: str


def _expected_episodes(path: Path, info: DatasetInfo) -> _Episodes:
    """From the sidecar of a regenerated set, else the official numbers, which bind only where the sidecar says so."""
    try:
        sidecar = read_sidecar(path) or {}
    except DatasetError:
        sidecar = {}
    if sidecar.get("kind") == "regenerated":
        request: dict[str, Any] = sidecar.get("request", {})
        count = request.get("val_episodes") if _is_val(path) else sidecar.get("episodes")
        return _Episodes(count, request.get("rows") or info.rows, "its sidecar has", DEFECT)
    count = info.episodes // 10 if _is_val(path) else info.episodes
    severity = DEFECT if sidecar.get("kind") == "official" else NOTE
    return _Episodes(count, info.rows, "the official file has", severity)


def _check_episodes(arrays: dict[str, np.ndarray], expected: _Episodes) -> Iterator[Finding]:
    flags = [arrays[key] for key in ("terminals", "valids") if key in arrays]
    if "terminals" not in arrays or any(each.ndim != 1 or len(each) != len(flags[0]) for each in flags):
        return
    transitions = "next_observations" in arrays
    last = ends(arrays)
    if transitions:
        yield regular_form()
    else:
        yield from check_form(arrays)
        yield from check_ends(last)
        x = arrays.get("observations")
        yield from check_row_steps(x, last) if x is not None and x.ndim == 2 and len(x) == len(last) else ()
    lengths = np.diff(np.flatnonzero(last), prepend=-1) + transitions
    if not len(lengths):
        return
    if (lengths != expected.rows).any():
        odd = np.flatnonzero(lengths != expected.rows)
        what = f"{len(odd):,} of {len(lengths):,} episodes do not have the {expected.rows:,} rows {expected.source}"
        where = f"terminals, first episode {odd[0]} with {lengths[odd[0]]:,} rows"
        yield Finding(expected.severity, what, where, _REMAKE)
    if expected.count is not None and len(lengths) != expected.count:
        what = f"{len(lengths):,} episodes, but {expected.source} {expected.count:,}"
        yield Finding(expected.severity, what, "terminals", _REMAKE)


def _is_val(path: Path) -> bool:
    return path.stem.endswith("-val")
