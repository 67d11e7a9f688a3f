"""What every agent is: an immutable spec that initialises, updates and acts on a threaded state."""

import abc
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float, Int, PyTree

from workbench.agents.limits import check_settings
from workbench.errors import WorkbenchError
from workbench.judging import verdict
from workbench.selection import select
from workbench.types import Batch, Budget, Decision, Key, LossWeights, Metrics
from workbench.verifiers import VERIFIERS, asks


class TrainState(eqx.Module):
    """Everything that changes during training: arrays only (and the networks' fixed structure).

    `nets` and `targets` are keyed by role ("actor", "critic"), `opts` by the loss that steps it.
    """

    nets: dict[str, Any]
    targets: dict[str, Any]
    opts: dict[str, PyTree]
    key: Key
    step: Int[Array, ""]


class AbstractAgent(eqx.Module):
    """An algorithm and its fixed settings. Subclasses are final: nothing is overridden.

    `settings` with traced effect come as `LossWeights`, inference compute as `Budget`; everything here is static.
    `knobs` are the loss weights the agent uses, each with its meaning: what a panel shows and a run's spec records.
    Names that are no fields of `LossWeights` are of the agent's own; it reads them as `weights["name"]`.
    `needs_next_action` says that the agent is trained on `Batch.a_next`: data that do not know it are refused.
    Raises `WorkbenchError` for a setting of another type than its field has, or out of its range (`limits`).
    """

    name: eqx.AbstractClassVar[str]
    needs_next_action: ClassVar[bool] = False

    def __check_init__(self) -> None:
        check_settings(self)

    @property
    @abc.abstractmethod
    def knobs(self) -> dict[str, str]:
        """Loss weights by name, with their meaning; mostly a class variable."""

    @abc.abstractmethod
    def init(self, example: Batch, *, key: Key) -> TrainState:
        """A fresh state for observations and actions shaped like those of one transition."""

    @abc.abstractmethod
    def update(self, state: TrainState, batch: Batch, weights: LossWeights) -> tuple[TrainState, Metrics]:
        """One update on a batch with a leading `batch` axis; metrics are those of its losses as they are taken."""

    @abc.abstractmethod
    def validate(self, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Metrics:
        """The losses on held-out data; nothing is stepped."""

    @abc.abstractmethod
    def act(self, state: TrainState, x: Float[Array, " obs"], budget: Budget, *, key: Key) -> Decision:
        """Choose an action for one observation."""


def optional_field(default: Any, **settings: Any) -> Any:
    """A static field that a run's spec leaves out at its default, so that older runs keep their hash."""
    return eqx.field(static=True, default=default, metadata={"optional": True}, **settings)


RATES = {"gamma": "discount", "tau": "rate of the target networks", "lr": "learning rate of Adam"}
"""Knobs that every agent has."""


class Adam(eqx.Module):
    """Adam behind a clip of the global gradient norm (None: no clip), with the learning rate passed at each step."""

    clip: float | None = eqx.field(static=True)

    @property
    def _transform(self) -> Any:
        import optax  # a tenth of a second that importing the workbench need not take

        clip = optax.identity() if self.clip is None else optax.clip_by_global_norm(self.clip)
        return optax.chain(clip, optax.scale_by_adam())

    def init(self, params: Any) -> PyTree:
        """Optimiser state for the arrays in `params`."""
        return self._transform.init(eqx.filter(params, eqx.is_array))

    def step(self, opt: PyTree, params: Any, grads: Any, lr: Float[Array, ""]) -> tuple[Any, PyTree, Float[Array, ""]]:
        """Stepped parameters, new optimiser state, and the gradient's norm before clipping."""
        import optax

        updates, opt = self._transform.update(grads, opt)
        updates = jax.tree.map(lambda u: -lr * u, updates)
        return eqx.apply_updates(params, updates), opt, optax.tree.norm(grads)


def ema(targets: Any, nets: Any, tau: Float[Array, ""]) -> Any:
    r"""Exponential moving average of parameters: $(1 - \tau)\,\bar\theta + \tau\,\theta$."""
    old, fixed = eqx.partition(targets, eqx.is_array)
    new = eqx.filter(nets, eqx.is_array)
    return eqx.combine(jax.tree.map(lambda o, n: (1.0 - tau) * o + tau * n, old, new), fixed)


SELECTING = 2**32 - 1
"""What a selection's own key is folded with: no candidate has this number."""


def judge(
    nets: Mapping[str, Any], budget: Budget, x: Float[Array, " obs"], a: Float[Array, " act"], *more: Float[Array, ""]
) -> Float[Array, ""]:
    """The value that a budget's verifier gives an action; `more` is what the critic wants beside x and a.

    Only the critic that the verifier asks is evaluated. It is NaN where `nets` lacks that one, which
    `choices.check_rule` refuses beforehand.
    """
    roles = [role for role in dict.fromkeys(("critic", *map(asks, VERIFIERS))) if role in nets]

    def by(role: str) -> Float[Array, ""]:
        return verdict(budget.verifier, nets[role](x, a, *more), budget.k, role)

    if len(roles) == 1:
        return by(roles[0])
    asked = [roles.index(asks(name)) if asks(name) in roles else 0 for name in VERIFIERS]
    return jax.lax.switch(jnp.asarray(asked)[budget.verifier], [partial(by, role) for role in roles])


def decide(
    sample: Callable[[Key], Float[Array, " act"] | tuple[Float[Array, " act"], Int[Array, ""]]],
    verify: Callable[[Float[Array, " act"]], Float[Array, ""]],
    budget: Budget,
    *,
    key: Key,
) -> Decision:
    """Draw candidates and make one action of the first `budget.n`, by their values, as `budget` selects.

    Candidate i uses the i-th key folded from `key`, so the first candidates are the same whatever `n` is. A `sample`
    that heeds `budget.eps` answers its number of steps too. Raises what `check_effort` raises.
    """
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(budget.n_max))
    drawn = jax.vmap(sample)(keys)
    candidates, steps = drawn if isinstance(drawn, tuple) else (drawn, None)
    check_effort(budget, steps)
    q = jax.vmap(verify)(candidates)
    if budget.n_max == 1:
        return Decision(a=candidates[0], q=q[0], candidates=candidates, q_candidates=q, steps=steps)
    live = jnp.arange(budget.n_max) < budget.n
    a = select(budget.selection, candidates, q, live, budget.dial, key=jax.random.fold_in(key, SELECTING))
    value = jax.lax.cond(budget.selection == 0, lambda: jnp.max(jnp.where(live, q, -jnp.inf)), lambda: verify(a))
    return Decision(a=a, q=value, candidates=candidates, q_candidates=q, steps=steps)


def check_effort(budget: Budget, steps: Int[Array, " cand"] | None) -> None:
    """Raise `WorkbenchError` for an `eps` of which an agent, whose decisions have no `steps`, makes nothing.

    Only as far as `eps` is a value and not being traced: inside `jit` it is ignored, and controllers check outside.
    """
    eps = budget.eps
    if steps is None and eps is not None and not isinstance(eps, Tracer) and not math.isnan(float(eps)):
        raise WorkbenchError(
            f"effort by state (eps = {float(eps):g}) compares a shortcut's steps of different sizes, and this "
            "agent is no shortcut: leave eps out."
        )
