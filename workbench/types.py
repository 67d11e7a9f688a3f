"""The types that flow through the workbench: a batch, the loss weights, the inference budget, a decision."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float, Int, PRNGKeyArray

from workbench.errors import UnknownNameError, WorkbenchError
from workbench.verifiers import DIALS, Rule, pessimism_of

Key: TypeAlias = PRNGKeyArray
Metrics: TypeAlias = dict[str, Float[Array, "*seed"]]


def as_float32(value: object) -> jax.Array:
    """Convert to a float32 array, so that a changed value is a new argument and never a new trace."""
    return jnp.asarray(value, jnp.float32)


def as_int32(value: object) -> jax.Array:
    """Convert to an int32 array, for the same reason."""
    return jnp.asarray(value, jnp.int32)


def _each_as_float32(values: Mapping[str, object]) -> dict[str, jax.Array]:
    return {name: as_float32(value) for name, value in values.items()}


class Batch(eqx.Module):
    """One transition, or many with the same leading axes.

    `r` is the reward of the transition and `mask` is 0 where the episode ends for good at `x_next` (no bootstrap).
    `a_next` is the action the data took at `x_next`; where the episode ended there it means nothing.
    """

    x: Float[Array, "*batch obs"]
    a: Float[Array, "*batch act"]
    r: Float[Array, "*batch"]
    x_next: Float[Array, "*batch obs"]
    mask: Float[Array, "*batch"]
    a_next: Float[Array, "*batch act"]


class LossWeights(eqx.Module):
    """Everything a slider may move while training runs; a traced argument of every update.

    `ql`, `fm`, `sc` weigh the Q, flow-matching and self-consistency terms of SORL's actor loss; `alpha` and `beta` are
    the coefficients of other agents, whose `knobs` say which of all these they use and what for. `gamma` is the
    discount, `tau` the rate of the target networks, `lr` the learning rate of Adam. A leading `seed` axis on a leaf
    gives each vmapped seed its own value. Change one with `dataclasses.replace`, which keeps the float32 conversion.

    `extra` holds the weights of a user's own loss terms and knobs, by name. `named` and `weights[name]` do not tell
    them from the others.
    """

    ql: Float[Array, "*seed"] = eqx.field(converter=as_float32, default=10.0)
    fm: Float[Array, "*seed"] = eqx.field(converter=as_float32, default=10.0)
    sc: Float[Array, "*seed"] = eqx.field(converter=as_float32, default=10.0)
    gamma: Float[Array, "*seed"] = eqx.field(converter=as_float32, default=0.99)
    tau: Float[Array, "*seed"] = eqx.field(converter=as_float32, default=0.005)
    lr: Float[Array, "*seed"] = eqx.field(converter=as_float32, default=1e-4)
    alpha: Float[Array, "*seed"] = eqx.field(converter=as_float32, default=1.0)
    beta: Float[Array, "*seed"] = eqx.field(converter=as_float32, default=0.0)
    extra: dict[str, Float[Array, "*seed"]] = eqx.field(converter=_each_as_float32, default_factory=dict)

    @classmethod
    def named(cls, values: Mapping[str, Any]) -> "LossWeights":
        """Weights from values by name; a name that is no field goes to `extra`, and the others have their defaults."""
        own = cls.names()
        fields = {name: value for name, value in values.items() if name in own}
        return cls(**fields, extra={name: value for name, value in values.items() if name not in own})

    def replaced(self, values: Mapping[str, Any]) -> "LossWeights":
        """These weights with some replaced by name; those of `extra` too."""
        own = self.names()
        fields = {name: value for name, value in values.items() if name in own}
        extra = {name: value for name, value in values.items() if name not in own}
        return dataclasses.replace(self, **fields, extra=self.extra | extra)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The fields that are weights, without `extra`."""
        return tuple(field.name for field in dataclasses.fields(cls) if field.name != "extra")

    def __contains__(self, name: str) -> bool:
        return name in self.extra or name in self.names()

    def __getitem__(self, name: str) -> Float[Array, "*seed"]:
        """One weight by name; raises `UnknownNameError` where there is none."""
        if name not in self:
            raise UnknownNameError("loss weight", name, [*self.names(), *self.extra])
        return self.extra[name] if name in self.extra else getattr(self, name)


class Budget(eqx.Module):
    """Inference compute of one decision: Euler steps (sequential) and candidates (parallel).

    `m_inf` and `n` are traced, so their sliders never recompile. `n_max` fixes the number of candidates drawn, by
    default `n`; those beyond `n` are never chosen. `pessimism` weighs the verifier between the mean of the critics (0)
    and their min (1); `selection` is a place in `selection.SELECTIONS` and `dial` its number, both traced too.

    Raises `WorkbenchError` unless 1 <= `n` <= `n_max`, as far as `n` is a value and not being traced; what is traced
    needs an `n_max`.
    """

    m_inf: Int[Array, ""]
    n: Int[Array, ""]
    pessimism: Float[Array, ""]
    selection: Int[Array, ""]
    dial: Float[Array, ""]
    n_max: int = eqx.field(static=True)

    def __init__(
        self,
        m_inf: Any = 8,
        n: Any = 1,
        pessimism: Any = 0.0,
        n_max: int | None = None,
        selection: Any = 0,
        dial: Any = 1.0,
    ) -> None:
        if isinstance(n, Tracer):
            if n_max is None:
                raise WorkbenchError("a budget whose n is traced needs n_max, the number of candidates to draw.")
        else:
            n_max = int(n) if n_max is None else n_max
            if not 1 <= int(n) <= n_max:
                raise WorkbenchError(f"a budget chooses among 1 to n_max = {n_max} candidates, not among n = {int(n)}.")
        self.m_inf, self.n, self.pessimism, self.n_max = as_int32(m_inf), as_int32(n), as_float32(pessimism), n_max
        self.selection, self.dial = as_int32(selection), as_float32(dial)

    @staticmethod
    def exactly(m_inf: int, n: int, verifier: str = "mean", n_max: int | None = None) -> "Budget":
        """The budget whose verifier and selection are as the text says; draws `n_max` candidates, by default `n`.

        Raises what `Rule.parse` raises.
        """
        chosen = Rule.parse(verifier)
        place = tuple(DIALS).index(chosen.selection)
        return Budget(m_inf, n, pessimism_of(chosen.verifier), n_max, place, chosen.dial)


class Decision(eqx.Module):
    """The chosen action of one observation, and what it was chosen from."""

    a: Float[Array, " act"]
    q: Float[Array, ""]
    candidates: Float[Array, "cand act"]
    q_candidates: Float[Array, " cand"]

    @property
    def chosen(self) -> Int[Array, ""]:
        """Number of the candidate that is the action, or nearest to it (L1): an agent may play another one."""
        return abs(self.candidates - self.a).sum(axis=1).argmin()
