"""Weights and rates as a spec records them: checked, each a number, a list of one a seed, or a formula."""

import math
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Array

from workbench.agents.presets import Preset
from workbench.agents.terms import TERMS
from workbench.errors import WorkbenchError
from workbench.schedules import Formula

RANGES = {"gamma": (0.0, 1.0), "tau": (0.0, 1.0), "lr": (0.0, math.inf)}
"""Closed ranges of the rates; the weights of the losses may be any number."""


def checked_weight(name: str, value: Any, seeds: int) -> float | list[float]:
    """A weight as it is recorded: a float, so that 10 and 10.0 are the same run, or a list of one a seed."""
    if isinstance(value, list | tuple):
        if len(value) != seeds:
            raise WorkbenchError(f"a weight given as a list needs one value a seed: {seeds}, not {len(value)}.")
        return [_number(name, each) for each in value]
    return _number(name, value)


def checked_formula(name: str, text: str) -> Formula:
    """A weight's formula, all of whose values are legal."""
    try:
        formula = Formula.parse(text)
    except WorkbenchError as error:
        raise WorkbenchError(f"{name}: {error}") from None
    for value in formula.values:
        _number(name, value)
    return formula


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise WorkbenchError(f"{name} must be a number, a list of one a seed, or a schedule, not {value!r}.")
    number, (low, high) = float(value), RANGES.get(name, (-math.inf, math.inf))
    if not low <= number <= high:
        raise WorkbenchError(f"{name} must lie between {low:g} and {high:g}, not {number:g}.")
    return number


def starting_value(chosen: Preset, name: str) -> float:
    """What a knob begins with: the preset says, or the loss term of that name."""
    return _shortest(chosen.weights[name]) if name in chosen.weights else TERMS[name].weight


def _shortest(value: Array) -> float:
    """The shortest decimal number that is this float32: 0.98, not 0.980000019."""
    return float(str(np.float32(value)))
