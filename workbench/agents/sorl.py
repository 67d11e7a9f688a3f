"""SORL: a shortcut actor trained by flow matching, self-consistency and a Q loss through its own sampler."""

from functools import partial
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from workbench import losses
from workbench.agents import in_sample
from workbench.agents.base import RATES, AbstractAgent, Adam, TrainState, decide, ema, judge, optional_field
from workbench.agents.choices import check_critic
from workbench.agents.departures import SIGMA_MIN, SIGMA_PATH, Departures
from workbench.agents.draws import (
    ActorDraw,
    SamplerDraw,
    VelocityDraw,
    check_splits,
    draw_actor,
    draw_flow_matching,
    draw_self_consistency,
    draw_target,
)
from workbench.agents.targets import as_rule, made
from workbench.agents.terms import Term, as_terms
from workbench.errors import WorkbenchError
from workbench.flow import (
    Shortcut,
    deal_steps,
    euler_dealt_batch,
    euler_refined,
    euler_unrolled,
    interpolate,
    is_power_of_two,
)
from workbench.nets import Critic, ShortcutActor
from workbench.types import Batch, Budget, Decision, Key, LossWeights, Metrics
from workbench.verifiers import Rule

stop = jax.lax.stop_gradient
Nets = dict[str, Any]


def _stop_nets(net: PyTree) -> PyTree:
    return jax.tree.map(lambda leaf: stop(leaf) if eqx.is_array(leaf) else leaf, net)


class SORL(AbstractAgent):
    r"""Scalable offline RL with shortcut models (Espinosa-Dice et al., NeurIPS 2025).

    $$L_\pi = w_{ql} L_{QL} + w_{fm} L_{FM} + w_{sc} L_{SC}, \qquad
      L_Q = \mathrm{mean}_i (Q_i(x, a) - \mathrm{stopgrad}[y])^2, \qquad
      y = r + \gamma\, \mathrm{mask}\, \mathrm{agg}_i \bar Q_i(x', a')$$

    One update is one critic step, one actor step on the stepped critic, and the EMA of both targets. `m_disc` is the
    finest training discretisation, `m_btt` the most steps backpropagated through; both are powers of two, fixed when
    compiled. `pessimism` aggregates the target critics: 0 mean, 1 min. `terms` are loss terms of a user's own, by name
    (`register_term`), added to L_π with a weight each. `in_sample` is the expectile level of a second critic for the
    verifier of that name (`agents.in_sample`), None for none; the others are the same with it and without. `n_td`,
    `td_rule` and `td_deviations` make a' and its value as in `targets.AbstractSampling`. `splits` says which steps are
    trained: `dyadic` ones of sizes 1, 1/2, 1/4, … that equal their halves, or those of `any` size that equal any two
    steps that make them up (`draws`); a_π and a' are then of any m up to `m_btt`.

    Raises `WorkbenchError` for other counts and unknown terms and splits.
    """

    name: ClassVar[str] = "sorl"
    width: int = eqx.field(static=True, default=512)
    depth: int = eqx.field(static=True, default=4)
    m_disc: int = eqx.field(static=True, default=8)
    m_btt: int = eqx.field(static=True, default=8)
    ensemble: int = eqx.field(static=True, default=2)
    pessimism: float = eqx.field(static=True, default=0.0)
    clip: float = eqx.field(static=True, default=1.0)
    departures: Departures = Departures()
    terms: tuple[Term, ...] = optional_field((), converter=as_terms)
    in_sample: float | None = optional_field(None)
    n_td: int = optional_field(1)
    td_rule: Rule = optional_field(Rule(), converter=as_rule)
    td_deviations: float = optional_field(0.0)
    splits: str = optional_field("dyadic")

    def __check_init__(self) -> None:
        for label, m, least in (("m_disc", self.m_disc, 2), ("m_btt", self.m_btt, 1)):
            if m < least or not is_power_of_two(m):
                raise WorkbenchError(
                    f"{label}={m} cannot be trained: step sizes are halved from level to level, so it must be a power "
                    f"of two of at least {least}. Other counts are allowed at inference (m_inf)."
                )
        check_critic(self.td_rule.verifier, () if self.in_sample is None else ("in_sample",))
        check_splits(self.splits, deals=self.departures.deal_sc or self.departures.critic_sees_steps)
        if self.terms and self.departures.critic_sees_steps:
            raise WorkbenchError(
                f"the loss terms {', '.join(term.name for term in self.terms)} ask the critic for Q(x, a), but with "
                "the departure critic_sees_steps it also wants a number of steps: switch that departure off."
            )

    @property
    def knobs(self) -> dict[str, str]:
        """Weights of the three losses and of `terms`, and the rates."""
        three = {
            "ql": "weight of the Q loss",
            "fm": "weight of the flow-matching loss",
            "sc": "weight of the self-consistency loss",
        }
        return three | {term.name: term.about for term in self.terms} | RATES

    @property
    def adam(self) -> Adam:
        """The optimiser of both losses."""
        return Adam(self.clip)

    @property
    def sigma_min(self) -> float:
        """Noise left at t = 1."""
        return SIGMA_MIN if self.departures.deal_sc else 0.0

    def init(self, example: Batch, *, key: Key) -> TrainState:
        obs, act = example.x.shape[-1], example.a.shape[-1]
        key_actor, key_critic, key = jax.random.split(key, 3)
        sees = self.departures.critic_sees_steps
        size: dict[str, Any] = {"width": self.width, "depth": self.depth}
        nets: Nets = {
            "actor": ShortcutActor(obs, act, **size, key=key_actor),
            "critic": Critic(obs, act, **size, ensemble=self.ensemble, sees_steps=sees, key=key_critic),
        }
        if self.departures.shared_adam:
            opts = {"shared": self.adam.init(nets)}
        else:
            opts = {role: self.adam.init(net) for role, net in nets.items()}
        state = TrainState(nets=nets, targets=dict(nets), opts=opts, key=key, step=jnp.zeros((), jnp.int32))
        if self.in_sample is None:
            return state
        return in_sample.fresh(state, example, self.adam, **size, ensemble=self.ensemble, key=key_critic)

    def draw_critic(self, batch: Batch, *, key: Key) -> SamplerDraw:
        """What is random in `critic_loss`."""
        return draw_target(batch, self.m_btt, self.n_td, key=key)

    def draw_actor(self, batch: Batch, *, key: Key) -> ActorDraw:
        """What is random in `actor_loss`."""
        kind: dict[str, Any] = {"deal_sc": self.departures.deal_sc, "splits": self.splits}
        return draw_actor(batch, self.m_disc, self.m_btt, **kind, key=key)

    def _samples(
        self, actor: Shortcut, x: Float[Array, "batch obs"], draw: SamplerDraw
    ) -> tuple[Float[Array, "batch act"], Float[Array, " batch"]]:
        """Differentiable Euler samples of a batch, m over {1, 2, 4, …, m_btt}, and the m of each row."""
        if not self.departures.critic_sees_steps:
            every = self.splits == "any"
            m = jnp.asarray(deal_steps(len(x), self.m_btt, every=every), x.dtype)
            return euler_dealt_batch(actor, draw.a_0, x, self.m_btt, every=every), m
        branches = [
            lambda a_0, x, m=2**k: jax.vmap(lambda a, o: euler_unrolled(actor, a, o, m))(a_0, x)
            for k in range(self.m_btt.bit_length())
        ]
        return jax.lax.switch(draw.level, branches, draw.a_0, x), jnp.full(len(x), 2.0**draw.level, x.dtype)

    def _next_actions(
        self, actor: Shortcut, nets: Nets, x: Float[Array, "batch obs"], draw: SamplerDraw
    ) -> tuple[Float[Array, "batch act"], Float[Array, " batch"]]:
        """The action that a TD target asks about, made of `n_td` samples, and the m of each row."""
        a, m = self._samples(actor, x, draw)
        if draw.more is None or draw.key is None:
            return a, m
        more = jax.vmap(lambda a_0: self._samples(actor, x, draw._replace(a_0=a_0))[0])(draw.more)
        return made(self.td_rule, nets, x, jnp.concatenate([a[None], more]), m, key=draw.key), m

    def critic_loss(
        self, nets: Nets, targets: Nets, batch: Batch, weights: LossWeights, draw: SamplerDraw
    ) -> tuple[Float[Array, ""], Metrics]:
        """TD loss. No gradient reaches the actor unless `departures.leak_td`."""
        actor = nets["actor"] if self.departures.leak_td else _stop_nets(nets["actor"])
        a_next, m = self._next_actions(actor, nets, batch.x_next, draw)
        q_next = jax.vmap(lambda q: losses.aggregate(q, self.pessimism, self.td_deviations))(
            jax.vmap(targets["critic"])(batch.x_next, a_next, m)
        )
        y = jax.vmap(losses.td_target, in_axes=(0, 0, None, 0))(batch.r, batch.mask, weights.gamma, q_next)
        y = y if self.departures.leak_td else stop(y)
        q = jax.vmap(nets["critic"])(batch.x, batch.a, m)
        loss = jnp.mean(jax.vmap(losses.td)(q, y))
        return loss, {"loss_critic": loss, "q_mean": q.mean(), "q_min": q.min(), "q_max": q.max()}

    def actor_loss(
        self, nets: Nets, targets: Nets, batch: Batch, weights: LossWeights, draw: ActorDraw
    ) -> tuple[Float[Array, ""], Metrics]:
        """Weighted sum of the three actor terms and `terms`. No gradient reaches the critic's parameters."""
        actor, critic = nets["actor"], _stop_nets(nets["critic"])
        a_pi, m = self._samples(actor, batch.x, draw.ql)
        q = jnp.mean(jax.vmap(critic)(batch.x, a_pi, m), axis=-1)
        loss_ql = jnp.mean(jax.vmap(losses.q_loss, in_axes=(0, None))(q, jnp.mean(jnp.abs(q))))
        loss_fm, loss_sc = self.velocity_losses(actor, self._sc_target(nets, targets), batch, draw.fm, draw.sc)
        loss = weights.ql * loss_ql + weights.fm * loss_fm + weights.sc * loss_sc
        own = {term.name: term.mean(actor, critic, batch, key=draw.own) for term in self.terms}
        for name, value in own.items():
            loss += weights[name] * value
        saturation = jnp.mean(jnp.abs(a_pi) >= 1.0)
        return loss, {
            "loss_actor": loss,
            "loss_ql": loss_ql,
            "loss_fm": loss_fm,
            "loss_sc": loss_sc,
            "saturation": saturation,
            **{f"loss_{name}": value for name, value in own.items()},
        }

    def velocity_losses(
        self, actor: Shortcut, s_target: Shortcut, batch: Batch, fm: VelocityDraw, sc: VelocityDraw
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Mean flow-matching and self-consistency losses of a batch; the actor is called once for both."""
        sets = self._flow_matching_targets(batch, fm), self._self_consistency_targets(s_target, batch, sc)
        rows = jax.tree.map(lambda *parts: jnp.concatenate(parts), *sets)
        loss_fm, loss_sc = jnp.split(jax.vmap(partial(losses.velocity_error, actor))(rows), 2)
        return jnp.mean(loss_fm), jnp.mean(loss_sc)

    def _flow_matching_targets(self, batch: Batch, draw: VelocityDraw) -> losses.VelocityTarget:
        sigma_path = SIGMA_PATH if self.departures.deal_sc else 0.0
        target = partial(losses.flow_matching_target, sigma_min=self.sigma_min, sigma_path=sigma_path)
        return jax.vmap(target)(draw.a_0, batch.a, draw.t, draw.h, batch.x)

    def _self_consistency_targets(self, s: Shortcut, batch: Batch, draw: VelocityDraw) -> losses.VelocityTarget:
        a_t = jax.vmap(partial(interpolate, sigma_min=self.sigma_min))(draw.a_0, batch.a, draw.t)
        first, second = (0.5 * draw.h, None) if draw.first is None else (draw.first, draw.h - draw.first)
        return jax.vmap(partial(losses.self_consistency_target, s))(a_t, draw.t, first, batch.x, second)

    def _sc_target(self, nets: Nets, targets: Nets) -> Shortcut:
        """The shortcut whose two half steps are the target of one whole step."""
        return targets["actor"] if self.departures.ema_sc_target else nets["actor"]

    def _step(self, state: TrainState, role: str, grads: Nets, lr: Float[Array, ""]) -> tuple[TrainState, Metrics]:
        """Step the networks that `role`'s loss moves."""
        if self.departures.shared_adam:
            nets, opt, norm = self.adam.step(state.opts["shared"], state.nets, grads, lr)
            opts = {"shared": opt}
        else:
            net, opt, norm = self.adam.step(state.opts[role], state.nets[role], grads[role], lr)
            nets, opts = state.nets | {role: net}, state.opts | {role: opt}
        metrics = {f"grad_norm_{role}": norm, f"clipped_{role}": (norm > self.clip).astype(jnp.float32)}
        return TrainState(nets=nets, targets=state.targets, opts=opts, key=state.key, step=state.step), metrics

    def update(self, state: TrainState, batch: Batch, weights: LossWeights) -> tuple[TrainState, Metrics]:
        key, key_critic, key_actor = jax.random.split(state.key, 3)
        draws = self.draw_critic(batch, key=key_critic), self.draw_actor(batch, key=key_actor)
        return self.update_with(eqx.tree_at(lambda s: s.key, state, key), batch, weights, *draws)

    def update_with(
        self, state: TrainState, batch: Batch, weights: LossWeights, draw: SamplerDraw, draw_actor: ActorDraw
    ) -> tuple[TrainState, Metrics]:
        """`update` with its random numbers given: `draw` for the critic's loss, `draw_actor` for the actor's."""
        state, own = in_sample.apart(state)
        before = state.nets
        grads_td, critic_metrics = eqx.filter_grad(self.critic_loss, has_aux=True)(
            state.nets, state.targets, batch, weights, draw
        )
        state, critic_step = self._step(state, "critic", grads_td, weights.lr)
        asked = state.nets | {"critic": before["critic"]} if self.departures.ql_before_step else state.nets
        grads, actor_metrics = eqx.filter_grad(self.actor_loss, has_aux=True)(
            asked, state.targets, batch, weights, draw_actor
        )
        if self.departures.leak_td and not self.departures.shared_adam:
            grads["actor"] = jax.tree.map(jnp.add, grads["actor"], grads_td["actor"])
        state, actor_step = self._step(state, "actor", grads, weights.lr)
        source = before if self.departures.ema_before_update else state.nets
        targets = ema(state.targets, source, weights.tau)
        state = TrainState(nets=state.nets, targets=targets, opts=state.opts, key=state.key, step=state.step + 1)
        state, own_metrics = in_sample.step(state, own, batch, weights, self.in_sample, self.adam)
        return state, critic_metrics | critic_step | actor_metrics | actor_step | own_metrics

    def validate(self, state: TrainState, batch: Batch, weights: LossWeights, *, key: Key) -> Metrics:
        key_fm, key_sc, key_td = jax.random.split(key, 3)
        fm = draw_flow_matching(batch, self.m_disc, splits=self.splits, key=key_fm)
        deal = self.departures.deal_sc
        sc = draw_self_consistency(batch, self.m_disc, deal=deal, splits=self.splits, key=key_sc)
        actor, critic = state.nets["actor"], state.nets["critic"]
        loss_critic, _ = self.critic_loss(
            state.nets, state.targets, batch, weights, self.draw_critic(batch, key=key_td)
        )
        s_target = self._sc_target(state.nets, state.targets)
        val_fm, val_sc = self.velocity_losses(actor, s_target, batch, fm, sc)
        return {
            "val_fm": val_fm,
            "val_sc": val_sc,
            "val_critic": loss_critic,
            **{f"val_{term.name}": term.mean(actor, critic, batch, key=key) for term in self.terms},
            **in_sample.held_out(state, batch, weights, self.in_sample),
        }

    def act(self, state: TrainState, x: Float[Array, " obs"], budget: Budget, *, key: Key) -> Decision:
        actor = state.nets["actor"]
        m = budget.m_inf.astype(x.dtype)
        return decide(
            lambda key: euler_refined(actor, jax.random.normal(key, (actor.act,)), x, budget.m_inf, budget.eps),
            lambda a: judge(state.nets, budget, x, a, m),
            budget,
            key=key,
        )
