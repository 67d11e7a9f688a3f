"""Every defect of arrays of a user's own: the same report before they are saved, and of their file."""

from collections.abc import Iterator, Mapping

import numpy as np

from workbench.data.findings import DEFECT, NOTE, Finding, check_actions, check_ends, check_finite, check_rows
from workbench.data.rows import check_form, ends, follows
from workbench.data.steps import check_row_steps, check_steps, listed

NEEDED = ("observations", "actions", "rewards", "terminals")
AXES = {
    "observations": 2,
    "actions": 2,
    "rewards": 1,
    "terminals": 1,
    "masks": 1,
    "next_observations": 2,
    "timeouts": 1,
    "valids": 1,
}
"""Arrays that mean something here, with their number of axes; others may be there and are not looked at."""

FLAGS = ("terminals", "timeouts", "masks", "valids")


def check_arrays(arrays: Mapping[str, np.ndarray]) -> tuple[Finding, ...]:
    """All findings on arrays as `from_arrays` and `from_transitions` take them, by name."""
    known = {key: np.asarray(arrays[key]) for key in AXES if key in arrays}
    findings = [*_check_keys(arrays)]
    sound = {}
    for key, array in known.items():
        own = [*_check_one(key, array)]
        findings += own
        if not own:
            sound[key] = array
    findings += check_actions(sound.get("actions"))
    findings += check_rows(known, "save them from one loop: row t of each belongs together")
    findings += _check_together(sound)
    return tuple(findings)


def _check_keys(arrays: Mapping[str, np.ndarray]) -> Iterator[Finding]:
    for key in NEEDED:
        if key not in arrays:
            task_only = key == "rewards" and "qpos" in arrays
            what = f"'{key}' is missing"
            what += ": OGBench's own tasks compute it from qpos, others need it" if task_only else ""
            yield Finding(NOTE if task_only else DEFECT, what, key, f"save an array '{key}'")
    if "masks" not in arrays and "next_observations" not in arrays and "qpos" not in arrays:
        what = "there are no 'masks': every episode counts as cut, not as ended, so its last state has a future value"
        yield Finding(NOTE, what, "masks", "save 'masks', 0 where the next row ends an episode for good, else 1")


def _check_one(key: str, array: np.ndarray) -> Iterator[Finding]:
    """Type, axes and values of one array."""
    real = np.issubdtype(array.dtype, np.number) and not np.issubdtype(array.dtype, np.complexfloating)
    if not (real or array.dtype == np.bool_):
        yield Finding(DEFECT, f"dtype is {array.dtype}, not a real number", key, "save it as float32, or flags as bool")
        return
    if array.ndim != AXES[key]:
        fix = "one row a step, one column a dimension" if AXES[key] == 2 else "one number a row, such as array[:, 0]"
        yield Finding(DEFECT, f"has {array.ndim} axes {array.shape}, not {AXES[key]}", key, fix)
        return
    if array.ndim == 2 and not array.shape[1]:
        yield Finding(DEFECT, "has no columns", key, "save one column a dimension, at least one")
    if not len(array):
        yield Finding(DEFECT, "has no rows", key, "save at least two episodes")
    yield from check_finite(key, array, "find out where they come from, and leave out that episode")
    if key in FLAGS and not np.isin(array, (0, 1)).all():
        row = np.flatnonzero(~np.isin(array, (0, 1)))[0]
        yield Finding(DEFECT, f"holds {array[row]:g}, not only 0 and 1", f"{key}, first in row {row}", "save flags")


def _check_together(arrays: Mapping[str, np.ndarray]) -> Iterator[Finding]:
    """What can only be seen in arrays that are sound by themselves."""
    rewards, terminals = arrays.get("rewards"), arrays.get("terminals")
    if rewards is not None and len(rewards) and (rewards == rewards[0]).all():
        what = f"every reward is {rewards[0]:g}: all actions look equally good"
        yield Finding(NOTE, what, "rewards", "nothing, if only imitation is wanted")
    if "next_observations" not in arrays:
        yield from _check_cuts(terminals, arrays.get("timeouts"))
    elif "observations" in arrays and arrays["observations"].shape[1] != arrays["next_observations"].shape[1]:
        widths = [arrays[key].shape[1] for key in ("observations", "next_observations")]
        what = f"width is {widths[1]}, but observations have {widths[0]}"
        yield Finding(DEFECT, what, "next_observations", "save the same columns in both")
        return
    if terminals is not None and len({len(each) for each in arrays.values()}) == 1:
        yield from check_form(arrays)
        if "next_observations" in arrays:
            yield from _check_transitions(arrays)
        else:
            yield from check_ends(ends(arrays))
            yield from check_row_steps(arrays["observations"], ends(arrays)) if "observations" in arrays else ()


def _check_transitions(arrays: Mapping[str, np.ndarray]) -> Iterator[Finding]:
    """Steps from x to x', and rows that do not follow each other where nothing ends an episode."""
    if "observations" not in arrays:
        return
    x, x_next = arrays["observations"], arrays["next_observations"]
    breaks = np.append(
        (arrays["terminals"].astype(bool) | arrays.get("timeouts", np.zeros(len(x))).astype(bool))[:-1], True
    )
    goes_on = follows(x, x_next)
    apart = np.flatnonzero(~breaks & ~goes_on)
    if len(apart) > 0.5 * len(x):
        what = (
            f"x' is the next row's x in {goes_on.sum():,} of {len(x):,} rows: the order is lost, and with it the next"
        )
        yield Finding(
            NOTE, f"{what} action, which ReBRAC needs", "next_observations", "nothing, or save rows in their order"
        )
    elif len(apart):
        what = f"{len(apart):,} rows end no episode, and the next row's x is not their x': each is taken as cut there"
        yield Finding(NOTE, what, f"next_observations, {listed(apart)}", "say in 'timeouts' where episodes were cut")
    yield from check_steps(x, x_next, np.arange(len(x)), breaks | ~goes_on)


def _check_cuts(terminals: np.ndarray | None, timeouts: np.ndarray | None) -> Iterator[Finding]:
    """Without `next_observations` an episode ends where `terminals` says so, and nothing else is known of a cut one."""
    if terminals is None or timeouts is None or len(terminals) != len(timeouts):
        return
    cut = np.flatnonzero(timeouts.astype(bool) & ~terminals.astype(bool))
    if len(cut):
        what = f"{len(cut):,} rows are cut by 'timeouts' and do not end in 'terminals': episodes would be joined there"
        fix = (
            "save 'next_observations' too, or end every episode in 'terminals' and say in 'masks' which ended for good"
        )
        yield Finding(DEFECT, what, f"timeouts, first in row {cut[0]}", fix)
