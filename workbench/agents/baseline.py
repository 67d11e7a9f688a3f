"""What the baselines share: one loss and one optimiser a network, and losses that several use."""

import abc
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from workbench import losses
from workbench.agents.base import AbstractAgent, Adam, TrainState, decide, ema, judge
from workbench.agents.returned import number
from workbench.errors import WorkbenchError
from workbench.flow import Shortcut, euler, euler_unrolled
from workbench.nets import Critic, Value
from workbench.types import Batch, Budget, Decision, Key, LossWeights, Metrics

FLOW_STEPS = 10
"""Euler steps of the flow baselines in training, and of their protocol."""

stop = jax.lax.stop_gradient
Told: TypeAlias = tuple[Float[Array, ""], Metrics]
Loss: TypeAlias = Callable[..., Told]
"""`loss(net, state, batch, weights, *, key)`: its gradient is taken with respect to `net` alone."""
Maker: TypeAlias = Callable[..., Any]
"""`make(key=key)`: a fresh network."""


class AbstractBaseline(AbstractAgent):
    """An agent whose every network descends a loss of its own; what a gradient reaches is what the loss is given.

    Subclasses name makers of their networks (`networks`), their losses in the order of stepping (`terms`), and the
    networks that have an EMA target (`followed`); the actor and all targets move at every `delay`-th update only.
    Networks read from `state` inside a loss get no gradient. `pessimism` aggregates target critics in TD targets: 0
    mean, 1 min; `clip` bounds the norm of each network's gradient.

    Three settings say how an update is put together. Their defaults are what the public code of IQL, ReBRAC, IFQL, FQL,
    FBRAC and FAWAC does, and so what their published scores are of; IDQL, SRPO and CAC were not compared.

    - `in_turn`: a loss reads the networks as the losses before it have left them. Else all gradients are taken at the
      parameters from before the update.
    - `ema_before_update`: the averages read the parameters from before the update, else those after it.
    - `coasts`, where `delay` is above 1: between its moves the actor coasts on its momentum, Adam being stepped with a
      gradient of zero, and the first move is the `delay`-th update. Else it rests, optimiser and all, and moves first
      in the first update. Targets rest between moves either way.
    """

    followed: eqx.AbstractClassVar[tuple[str, ...]]
    delay: ClassVar[int] = 1
    width: int = eqx.field(static=True, default=512)
    depth: int = eqx.field(static=True, default=4)
    ensemble: int = eqx.field(static=True, default=2)
    pessimism: float = eqx.field(static=True, default=0.0)
    clip: float | None = eqx.field(static=True, default=None)
    in_turn: bool = eqx.field(static=True, default=False)
    ema_before_update: bool = eqx.field(static=True, default=True)
    coasts: bool = eqx.field(static=True, default=True)

    @property
    def size(self) -> dict[str, Any]:
        """Width and depth of every network."""
        return {"width": self.width, "depth": self.depth}

    def critic(self, obs: int, act: int) -> dict[str, Maker]:
        """The maker of an ensemble of this agent's size, as "critic"."""
        return {"critic": partial(Critic, obs, act, **self.size, ensemble=self.ensemble)}

    def critic_and_value(self, obs: int, act: int) -> dict[str, Maker]:
        """The makers of "critic" and of "value", V(x)."""
        return self.critic(obs, act) | {"value": partial(Value, obs, **self.size)}

    @abc.abstractmethod
    def networks(self, obs: int, act: int) -> dict[str, Maker]:
        """Makers of the networks by role; each is called with a key of its own."""

    @abc.abstractmethod
    def terms(self) -> dict[str, Loss]:
        """The loss that moves each network, in the order in which they are stepped."""

    def init(self, example: Batch, *, key: Key) -> TrainState:
        key_nets, key = jax.random.split(key)
        makers = self.networks(example.x.shape[-1], example.a.shape[-1])
        keys = jax.random.split(key_nets, len(makers)) if len(makers) > 1 else [key_nets]
        nets = {role: make(key=key_role) for (role, make), key_role in zip(makers.items(), keys, strict=True)}
        return TrainState(
            nets=nets,
            targets={role: nets[role] for role in self.followed},
            opts={role: Adam(self.clip).init(nets[role]) for role in self.terms()},
            key=key,
            step=jnp.zeros((), jnp.int32),
        )

    def update(self, state: TrainState, batch: Batch, weights: LossWeights) -> tuple[TrainState, Metrics]:
        terms = self.terms()
        key, *keys = jax.random.split(state.key, 1 + len(terms))
        moved, told = state, {}
        for (role, loss), key_role in zip(terms.items(), keys, strict=True):
            read = moved if self.in_turn else state
            grads, metrics = self._gradient(read, role, loss, batch, weights, key=key_role)
            moved = self._step(moved, role, grads, weights.lr)
            told |= metrics
        source = (state if self.ema_before_update else moved).nets
        targets = ema(state.targets, {role: source[role] for role in self.followed}, weights.tau)
        targets = self._if_due(state.step, targets, state.targets)
        return TrainState(nets=moved.nets, targets=targets, opts=moved.opts, key=key, step=state.step + 1), told

    def _if_due(self, step: Int[Array, ""], moved: Any, still: Any) -> Any:
        """`moved` at every `delay`-th update, else `still`; `step` counts the updates before this one."""
        if self.delay == 1:
            return moved
        due = (step + 1 if self.coasts else step) % self.delay == 0
        return jax.tree.map(lambda new, old: jnp.where(due, new, old) if eqx.is_array(new) else new, moved, still)

    def _gradient(
        self, state: TrainState, role: str, loss: Loss, batch: Batch, weights: LossWeights, *, key: Key
    ) -> tuple[Any, Metrics]:
        """Gradient of a loss with respect to the network of `role`, and what to report of it."""
        import optax  # late, as in `Adam`

        def checked(net: Any) -> Told:
            return self._told(role, loss(net, state, batch, weights, key=key))

        (value, metrics), grads = eqx.filter_value_and_grad(checked, has_aux=True)(state.nets[role])
        return grads, {f"loss_{role}": value, f"grad_norm_{role}": optax.tree.norm(grads), **metrics}

    def _told(self, role: str, told: Any) -> Told:
        """What the loss of `role` returns; raises `WorkbenchError` where that is not a number and metrics."""
        what = f"the loss of '{role}' of agent '{self.name}'"
        if not isinstance(told, tuple) or len(told) != 2:
            raise WorkbenchError(f"{what} must return a pair, the loss and a dict of metrics.")
        return number(what, told[0]), told[1]

    def _step(self, state: TrainState, role: str, grads: Any, lr: Float[Array, ""]) -> TrainState:
        """One step of Adam on the network of `role`; the others stay. An actor that is not due coasts or rests."""
        before = state.nets[role], state.opts[role]
        if role == "actor" and self.coasts:
            grads = self._if_due(state.step, grads, jax.tree.map(jnp.zeros_like, grads))
        net, opt, _ = Adam(self.clip).step(before[1], before[0], grads, lr)
        if role == "actor" and not self.coasts:
            net, opt = self._if_due(state.step, (net, opt), before)
        return TrainState(
            nets=state.nets | {role: net},
            targets=state.targets,
            opts=state.opts | {role: opt},
            key=state.key,
            step=state.step,
        )

    def validate(self, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Metrics:
        terms = self.terms()
        keys = jax.random.split(key, len(terms))
        return {
            f"val_{role}": self._told(role, loss(state.nets[role], state, batch, weights, key=key_role))[0]
            for (role, loss), key_role in zip(terms.items(), keys, strict=True)
        }


def td_loss(critic: Critic, y: Float[Array, " batch"], batch: Batch) -> Told:
    """Mean squared error of every critic against targets `y`, which are stopped, and how large the values are."""
    q = jax.vmap(critic)(batch.x, batch.a)
    loss = jnp.mean(jax.vmap(losses.td)(q, stop(y)))
    return loss, {"q_mean": q.mean(), "q_min": q.min(), "q_max": q.max()}


def bootstrap(batch: Batch, gamma: Float[Array, ""], v_next: Float[Array, " batch"]) -> Float[Array, " batch"]:
    """TD targets of a batch from the value of the next state."""
    return jax.vmap(losses.td_target, in_axes=(0, 0, None, 0))(batch.r, batch.mask, gamma, v_next)


def values(
    critic: Critic,
    x: Float[Array, "batch obs"],
    a: Float[Array, "batch act"],
    pessimism: float = 0.0,
    deviations: float = 0.0,
) -> Float[Array, " batch"]:
    """Q of a batch, aggregated over the ensemble by `losses.aggregate`: the mean (pessimism 0) or the minimum (1)."""
    return jax.vmap(lambda x, a: losses.aggregate(critic(x, a), pessimism, deviations))(x, a)


class ImplicitValues(eqx.Module):
    r"""Value and critic of implicit Q-learning (Kostrikov et al. 2022), which never ask for an action not in the data.

    $$L_V = L_2^{\mathrm{level}}\big(\min_i \bar Q_i(x, a) - V(x)\big), \qquad
      L_Q = \mathrm{mean}_i \big(Q_i(x, a) - r - \gamma\, \mathrm{mask}\, V(x')\big)^2$$

    The public code of IQL and IFQL sums L_Q over the critics: a factor that Adam does not see, but logged losses do.
    """

    level: float = eqx.field(static=True)

    def value_loss(self, value: Value, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Told:
        """Expectile regression of V to the smaller target critic."""
        v = jax.vmap(value)(batch.x)
        u = values(state.targets["critic"], batch.x, batch.a, 1.0) - v
        return jnp.mean(jax.vmap(lambda u: losses.expectile(u, self.level))(u)), {"v_mean": v.mean()}

    def critic_loss(self, critic: Critic, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Told:
        """Squared error against r + γ V(x')."""
        return td_loss(critic, bootstrap(batch, weights.gamma, jax.vmap(state.nets["value"])(batch.x_next)), batch)


def advantage_weights(
    state: TrainState, batch: Batch, alpha: Float[Array, ""], pessimism: float
) -> Float[Array, " batch"]:
    """How much each action of the batch counts: `losses.advantage_weight` of Q(x, a) - V(x)."""
    advantage = values(state.nets["critic"], batch.x, batch.a, pessimism) - jax.vmap(state.nets["value"])(batch.x)
    return jax.vmap(losses.advantage_weight, in_axes=(0, None))(advantage, alpha)


def flow_loss(
    velocity: Shortcut,
    batch: Batch,
    *,
    key: Key,
    weight: Float[Array, " batch"] | None = None,
) -> Float[Array, ""]:
    """Flow-matching loss of a velocity field, t ~ U[0, 1], mean over the batch and the action's dimensions."""
    key_noise, key_t = jax.random.split(key)
    a_0 = jax.random.normal(key_noise, batch.a.shape)
    t = jax.random.uniform(key_t, batch.r.shape)
    one = jnp.ones(())
    row = jax.vmap(lambda a_0, a, t, x: losses.flow_matching(velocity, a_0, a, t, one, x))
    per_row = row(a_0, batch.a, t, batch.x)
    return jnp.mean(per_row if weight is None else weight * per_row)


def flow_samples(velocity: Shortcut, x: Float[Array, "batch obs"], act: int, *, key: Key) -> Float[Array, "batch act"]:
    """One action a row by `FLOW_STEPS` Euler steps; differentiable through all of them."""
    a_0 = jax.random.normal(key, (len(x), act))
    return jax.vmap(lambda a_0, x: euler_unrolled(velocity, a_0, x, FLOW_STEPS))(a_0, x)


def flow_values(
    state: TrainState, x: Float[Array, "batch obs"], act: int, pessimism: float, *, key: Key
) -> Float[Array, " batch"]:
    """Target value of one sample of the flow in `nets["actor"]` for each observation."""
    a_pi = flow_samples(state.nets["actor"], x, act, key=key)
    return values(state.targets["critic"], x, a_pi, pessimism)


def decide_by_flow(state: TrainState, x: Float[Array, " obs"], budget: Budget, *, key: Key) -> Decision:
    """The best of N samples of the flow in `nets["actor"]`, each by M_inf Euler steps."""
    actor = state.nets["actor"]
    return decide(
        lambda key: euler(actor, jax.random.normal(key, (actor.act,)), x, budget.m_inf),
        lambda a: judge(state.nets, budget, x, a),
        budget,
        key=key,
    )


def decide_by_mean(state: TrainState, x: Float[Array, " obs"], budget: Budget) -> Decision:
    """The one action of a policy without noise: M_inf and N change nothing."""
    a = jnp.clip(state.nets["actor"](x), -1.0, 1.0)
    q = judge(state.nets, budget, x, a)
    return Decision(
        a=a,
        q=q,
        candidates=jnp.broadcast_to(a, (budget.n_max, *a.shape)),
        q_candidates=jnp.broadcast_to(q, (budget.n_max,)),
    )
