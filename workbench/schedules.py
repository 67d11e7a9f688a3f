r"""Weights and rates that change while a run trains: a formula as text, and its value at an update, traced.

A formula is one of

- `constant(v)`, the same as the number `v`;
- `linear(v, w, i, j)`: `v` up to update `i`, `w` from update `j` on, and $v + (w - v)\,s$ between, where
  $s = (k - i)/(j - i)$ at update $k$;
- `cosine(v, w, i, j)`: the same with $\tfrac12(1 - \cos \pi s)$ for $s$;
- `warmup(v, j)`: `linear(0, v, 0, j)`;
- `steps(v, i: w, ...)`: `v`, then `w` from update `i` on, and so on, as a hand on a slider makes it.

Updates are counted from 0: the first is made with the value at 0.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from workbench.errors import UnknownNameError, WorkbenchError
from workbench.types import LossWeights

HOLD, LINEAR, COSINE = 0, 1, 2
"""How a value goes on from one knot to the next: places in what `_at` computes."""

ARGUMENTS = {"constant": 1, "linear": 4, "cosine": 4, "warmup": 2}
FORMULAS = (*ARGUMENTS, "steps")
EXAMPLE = "such as 'cosine(30, 3, 0, 20000)' or 'steps(3, 5000: 10)'"
LAST = 2**31 - 1
"""Updates are counted in int32."""


@dataclass(frozen=True)
class Formula:
    """A value over updates: from each of the `updates` its value, and on to the next one as `shape` says.

    `str(formula)` is one text for every formula of the same values, and `Formula.parse` reads it back. Raises
    `WorkbenchError` for updates that do not rise from 0, or values that are not finite.
    """

    updates: tuple[int, ...]
    values: tuple[float, ...]
    shape: int = HOLD

    def __post_init__(self) -> None:
        """Check the knots."""
        if not self.updates or self.updates[0] != 0 or len(self.updates) != len(self.values):
            raise WorkbenchError("a schedule begins with a value at update 0, and has a value for each of its updates.")
        for before, after in pairwise(self.updates):
            if not before < after <= LAST:
                raise WorkbenchError(f"the updates of a schedule must rise, but {after} comes after {before}.")
        for value in self.values:
            if not math.isfinite(value):
                raise WorkbenchError(f"the values of a schedule must be finite numbers, not {value}.")

    @classmethod
    def parse(cls, text: str) -> "Formula":
        """What a text says; raises `WorkbenchError` for what is no formula, `UnknownNameError` for another name."""
        found = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*\((.*)\)\s*", text, re.DOTALL)
        if found is None:
            raise WorkbenchError(f"'{text}' is neither a number nor a schedule, {EXAMPLE}.")
        name, parts = found[1], [part.strip() for part in found[2].split(",")]
        if name not in FORMULAS:
            raise UnknownNameError("schedule", name, FORMULAS)
        if name == "steps":
            return _steps(parts, text)
        if len(parts) != ARGUMENTS[name]:
            raise WorkbenchError(f"{name}(...) takes {ARGUMENTS[name]} numbers, not the {len(parts)} of '{text}'.")
        if name == "constant":
            return cls((0,), (_value(parts[0], text),))
        if name == "warmup":
            return _ramp(0.0, _value(parts[0], text), 0, _update(parts[1], text), LINEAR)
        values, updates = [_value(part, text) for part in parts[:2]], [_update(part, text) for part in parts[2:]]
        return _ramp(values[0], values[1], updates[0], updates[1], LINEAR if name == "linear" else COSINE)

    def __str__(self) -> str:
        """The formula as it is recorded."""
        if len(self.updates) == 1:
            return f"constant({self.values[0]!r})"
        if self.shape == HOLD:
            later = (f"{at}: {value!r}" for at, value in zip(self.updates[1:], self.values[1:], strict=True))
            return f"steps({', '.join([repr(self.values[0]), *later])})"
        name = "linear" if self.shape == LINEAR else "cosine"
        return f"{name}({self.values[0]!r}, {self.values[-1]!r}, {self.updates[-2]}, {self.updates[-1]})"

    def at(self, update: int) -> float:
        """The value of one update, counted from 0."""
        updates, values, shape = self.knots()
        return float(_at(np.asarray(updates), np.asarray(values), shape, update, np))

    def knots(self, length: int | None = None) -> tuple[list[int], list[float], int]:
        """Updates, values and shape, filled up to `length` with knots that are never reached."""
        more = (length or len(self.updates)) - len(self.updates)
        return [*self.updates, *[LAST] * more], [*self.values, *self.values[-1:] * more], self.shape


class WeightSchedule(eqx.Module):
    """The formulas of some weights by name, as arrays: their numbers are traced, their names are not.

    `with_weights` is what an update is made with. Knots are filled up to a power of two, so that schedules of the same
    names and about as many knots are one program.
    """

    names: tuple[str, ...] = eqx.field(static=True)
    updates: Int[Array, "name knot"]
    values: Float[Array, "name knot"]
    shapes: Int[Array, " name"]

    @classmethod
    def of(cls, formulas: Mapping[str, Formula]) -> "WeightSchedule | None":
        """The schedule of formulas by name; None where there are none."""
        if not formulas:
            return None
        length = 2 ** math.ceil(math.log2(max(len(each.updates) for each in formulas.values())))
        updates, values, shapes = zip(*(each.knots(length) for each in formulas.values()), strict=True)
        return cls(
            tuple(formulas), jnp.asarray(updates, jnp.int32), jnp.asarray(values, jnp.float32), jnp.asarray(shapes)
        )

    def with_weights(self, weights: LossWeights, update: Int[Array, ""]) -> LossWeights:
        """The weights of the update that makes state `update` into the next, with those of the schedule put in."""
        found = [_at(*each, update, jnp) for each in zip(self.updates, self.values, self.shapes, strict=True)]
        return weights.replaced(dict(zip(self.names, found, strict=True)))


def _at(updates, values, shape, update, np_):
    """The value at an update between knots, in NumPy or in JAX."""
    i = np_.sum(updates <= update) - 1
    j = np_.minimum(i + 1, updates.shape[0] - 1)
    share = (update - updates[i]) / np_.maximum(updates[j] - updates[i], 1)
    grown = np_.stack([0.0 * share, share, 0.5 * (1 - np_.cos(np.pi * share))])[shape]
    return values[i] + (values[j] - values[i]) * grown


def _ramp(first: float, last: float, begin: int, end: int, shape: int) -> Formula:
    """From one value to another between two updates."""
    begun = ((0,), (first,)) if begin == 0 else ((0, begin), (first, first))
    return Formula((*begun[0], end), (*begun[1], last), shape)


def _steps(parts: Sequence[str], text: str) -> Formula:
    updates, values = [0], [_value(parts[0], text)]
    for part in parts[1:]:
        at, colon, value = part.partition(":")
        if not colon:
            raise WorkbenchError(f"steps(...) takes a value and then pairs 'update: value', not '{part}' in '{text}'.")
        updates.append(_update(at, text))
        values.append(_value(value, text))
    return Formula(tuple(updates), tuple(values))


def _value(part: str, text: str) -> float:
    try:
        return float(part)
    except ValueError:
        raise WorkbenchError(f"'{part.strip()}' in '{text}' is no number; write {EXAMPLE}.") from None


def _update(part: str, text: str) -> int:
    value = _value(part, text)
    if not math.isfinite(value) or value != int(value) or not 0 <= value <= LAST:
        raise WorkbenchError(f"'{part.strip()}' in '{text}' is no count of updates: a whole number from 0 to {LAST:,}.")
    return int(value)
