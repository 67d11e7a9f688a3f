"""What losses and updates return, checked where they are traced: anything but a number would be averaged in silence."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from workbench.errors import WorkbenchError

TAKEN = ("step", "seed", "seconds")
"""Columns of a run's metrics beside those that an agent reports."""


def number(what: str, value: Any) -> Float[Array, ""]:
    """A loss, which must be one number of a floating type.

    `what` begins the sentence of the `WorkbenchError` that is raised for anything else.
    """
    shape, dtype = _form(value)
    if shape is None:
        raise WorkbenchError(f"{what} returns {_kind(value)}, not a number: return one JAX scalar.")
    if shape:
        raise WorkbenchError(f"{what} returns an array of shape {shape}, not a number: take its sum or mean in it.")
    if not jnp.issubdtype(dtype, jnp.floating):
        raise WorkbenchError(f"{what} returns a number of type {dtype}, which has no gradient: return a float.")
    return value if isinstance(value, Array) else jnp.asarray(value)


def metrics(agent: str, reported: Any, method: str = "update") -> dict[str, Array]:
    """What an agent's `update` or `validate` reports: a real number by name, with no name in `TAKEN`.

    Raises `WorkbenchError` for anything else.
    """
    where = f"{method} of agent '{agent}'"
    if not isinstance(reported, Mapping) or not all(isinstance(name, str) for name in reported):
        raise WorkbenchError(f"{where} reports {_kind(reported)}: report metrics as a dict of numbers by name.")
    for name, value in reported.items():
        shape, dtype = _form(value)
        if shape is None or jnp.issubdtype(dtype, jnp.complexfloating):
            raise WorkbenchError(f"{where} reports {_kind(value)} as '{name}', not a real number.")
        if shape:
            raise WorkbenchError(f"{where} reports '{name}' of shape {shape}, not a number: report its mean.")
        if name in TAKEN:
            raise WorkbenchError(f"{where} reports '{name}', which is a column of every run already: rename it.")
    return {name: value if isinstance(value, Array) else jnp.asarray(value) for name, value in reported.items()}


def stepped(agent: str, before: Any, returned: Any) -> tuple[Any, dict[str, Array]]:
    """The state and the metrics that an agent's `update` returned for the arrays of a state `before`.

    Raises `WorkbenchError` where they are no such pair, or an array of the state changes its shape or type.
    """
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise WorkbenchError(f"update of agent '{agent}' returns {_kind(returned)}, not a pair: state, metrics.")
    after = eqx.filter(returned[0], eqx.is_array)
    if jax.tree.structure(after) != jax.tree.structure(before):
        raise WorkbenchError(
            f"update of agent '{agent}' returns a state with other parts than it was given: keep every network, target "
            "and optimiser state, and no more."
        )
    for (path, old), new in zip(jax.tree.leaves_with_path(before), jax.tree.leaves(after), strict=True):
        if _form(old) != _form(new):
            was, now = (f"{dtype} {shape}" for shape, dtype in (_form(old), _form(new)))
            raise WorkbenchError(
                f"update of agent '{agent}' makes {now} of {was} in state{jax.tree_util.keystr(path)}: an update must "
                "keep the shape and type of every array."
            )
    return returned[0], metrics(agent, returned[1])


def _form(value: Any) -> tuple[tuple[int, ...] | None, Any]:
    """Shape and type of an array or a number, as JAX would take it; no shape for anything else."""
    if isinstance(value, bool | int | float | complex):
        return (), jnp.result_type(type(value))
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    return (None, None) if shape is None or dtype is None else (tuple(shape), dtype)


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
