"""What an agent's settings may be: the type of their field, and a range where the name has one."""

import dataclasses
import math
import typing
from numbers import Integral, Real
from types import NoneType
from typing import Any

import equinox as eqx

from workbench.errors import WorkbenchError

COUNTS = ("width", "depth", "m_disc", "m_btt", "ensemble", "steps", "levels", "backup", "block_width", "blocks", "n_td")
"""Settings that count something: at least 1."""
ABOVE_ZERO = ("clip", "last_scale")
INSIDE = {"level": (0.0, 1.0), "in_sample": (0.0, 1.0)}
"""Open intervals."""
WITHIN = {"pessimism": (0.0, 1.0), "noise": (0.0, math.inf), "noise_clip": (0.0, math.inf), "td_deviations": (0.0, 1e3)}
"""Closed intervals."""
KINDS = {bool: "true or false", int: "a whole number", float: "a number", NoneType: "null"}


def check_settings(module: eqx.Module, prefix: str = "") -> None:
    """Raise `WorkbenchError` for the first field of an agent, or of a module in it, that is not what it may be."""
    for field in dataclasses.fields(module):  # pyright: ignore[reportArgumentType]
        value = getattr(module, field.name)
        if isinstance(value, eqx.Module):
            check_settings(value, f"{prefix}{field.name}.")
        else:
            check_setting(field, value, prefix)


def check_setting(field: dataclasses.Field, value: Any, prefix: str = "") -> None:
    """Raise `WorkbenchError` for a value that a field may not have."""
    kinds = [kind for kind in typing.get_args(field.type) or (field.type,) if kind in KINDS]
    wanted = None
    if kinds and not any(_is_a(kind, value) for kind in kinds):
        wanted = f"be {' or '.join(KINDS[kind] for kind in kinds)}"
    elif _is_a(float, value):
        wanted = _range(field.name, float(value))
    if wanted:
        raise WorkbenchError(f"agent setting '{prefix}{field.name}' must {wanted}, not {value!r}.")


def _is_a(kind: Any, value: Any) -> bool:
    """JSON's true is no number, and its 8.0 is no whole one."""
    if kind in (int, float):
        return isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
    return isinstance(value, kind)


def _range(name: str, value: float) -> str | None:
    """What a number of that name must do, where it does not."""
    if name in COUNTS and value < 1:
        return "be at least 1"
    if name in ABOVE_ZERO and not 0 < value < math.inf:
        return "be above 0"
    if name in INSIDE and not INSIDE[name][0] < value < INSIDE[name][1]:
        return f"lie between {INSIDE[name][0]:g} and {INSIDE[name][1]:g}, and be neither"
    if name in WITHIN and not WITHIN[name][0] <= value <= WITHIN[name][1]:
        return f"lie between {WITHIN[name][0]:g} and {WITHIN[name][1]:g}"
    return None
