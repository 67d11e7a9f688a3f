"""Numbers of the released SORL code for fixed weights, batch and draws, as this code's own objects.

`sorl_official.npz` holds numbers alone: 28 observations, 5 actions, actor and two critics of 4 x 32, 33 rows. What each
key means: `batch.*`, `start.NET.LEAF` (weights W, biases b, gains g and offsets c of layer normalisation), `draw*.*`,
`loss.*`, `sample.mM`, and for both aggregates of target critics `AGG.loss.*`, `AGG.grad_*` and `AGG.after3.*`.
"""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from workbench.agents.departures import Departures
from workbench.agents.draws import ActorDraw, SamplerDraw, VelocityDraw
from workbench.agents.sorl import SORL
from workbench.nets import MLP
from workbench.types import Batch, LossWeights

M_DISC = 8
WEIGHTS = {"ql": 10.0, "fm": 10.0, "sc": 10.0, "gamma": 0.99, "tau": 0.005, "lr": 1e-4}

with np.load(Path(__file__).with_name("sorl_official.npz"), allow_pickle=False) as _file:
    NUMBERS = dict(_file)


class Released:
    """The start, the batch and the draws of the file, in one floating-point type; the agent is `official`'s."""

    def __init__(self, dtype: Any, aggregate: str = "mean") -> None:
        self.dtype = dtype
        pessimism = {"mean": 0.0, "min": 1.0}[aggregate]
        self.agent = SORL(width=32, depth=4, m_disc=M_DISC, pessimism=pessimism, departures=Departures.every())
        fields = ("observations", "actions", "rewards", "next_observations", "masks", "actions")
        self.batch = Batch(*(self.array(NUMBERS[f"batch.{name}"]) for name in fields))
        example = jax.tree.map(lambda leaf: leaf[0], self.batch)
        fresh = self.agent.init(example, key=jax.random.key(0))
        nets = self._filled(fresh.nets, "start.")
        state = eqx.tree_at(lambda s: s.nets, fresh, nets)
        state = eqx.tree_at(lambda s: s.targets, state, self._filled(fresh.targets, "start.target_"))
        self.state = eqx.tree_at(lambda s: s.opts, state, {"shared": self.agent.adam.init(nets)})
        names = tuple(WEIGHTS)
        values = [self.array(WEIGHTS[name]) for name in names]
        self.weights = eqx.tree_at(lambda w: [getattr(w, name) for name in names], LossWeights(), values)

    def array(self, value: Any) -> jax.Array:
        return jnp.asarray(value, self.dtype)

    def _filled(self, nets: dict[str, Any], prefix: str) -> dict[str, Any]:
        actor = eqx.tree_at(lambda net: net.mlp, nets["actor"], self._mlp(nets["actor"].mlp, f"{prefix}actor"))
        mlps = tuple(self._mlp(mlp, f"{prefix}critic{i}") for i, mlp in enumerate(nets["critic"].mlps))
        return {"actor": actor, "critic": eqx.tree_at(lambda net: net.mlps, nets["critic"], mlps)}

    def _mlp(self, mlp: MLP, prefix: str) -> MLP:
        normed = bool(mlp.norms)  # tree_at puts a stand-in where a tuple is empty
        known = [self.array(NUMBERS[f"{prefix}.{leaf}"]) for leaf in leaf_names(mlp)]
        return eqx.tree_at(lambda mlp: leaves_of(mlp, normed), mlp, known)

    def sampler(self, name: str, loss: str, level: int) -> SamplerDraw:
        """The noise `name`.`loss` with m = 2^level."""
        return SamplerDraw(self.array(NUMBERS[f"{name}.{loss}"]), jnp.asarray(level))

    def critic_draw(self, name: str) -> SamplerDraw:
        return self.sampler(name, "critic", int(NUMBERS[f"{name}.k_critic"]))

    def velocity_draws(self, name: str) -> tuple[VelocityDraw, VelocityDraw]:
        """Those of flow matching and of self-consistency; rows of the latter are dealt, finest steps first."""
        rows, t_fm = len(self.batch.r), self.array(NUMBERS[f"{name}.t_fm"]) / M_DISC
        h = self.array(np.repeat([1 / 4, 1 / 2, 1.0], rows // 3))
        t_sc = self.array(NUMBERS[f"{name}.t_sc"]) * h
        t_sc = jnp.where(h == 1.0, 0.0, t_sc)
        fm = VelocityDraw(self.array(NUMBERS[f"{name}.fm"]), t_fm, jnp.full_like(t_fm, 1 / M_DISC))
        return fm, VelocityDraw(self.array(NUMBERS[f"{name}.sc"]), t_sc, h)

    def actor_draw(self, name: str, level: int | None = None) -> ActorDraw:
        level = int(NUMBERS[f"{name}.k_ql"]) if level is None else level
        return ActorDraw(self.sampler(name, "ql", level), *self.velocity_draws(name), jax.random.key(0))


def leaf_names(mlp: MLP) -> list[str]:
    """Names of a network's arrays in the file, in the order of `leaves_of`."""
    layers = [f"{letter}{i}" for i in range(len(mlp.layers)) for letter in "Wb"]
    return layers + [f"{letter}{i}" for i in range(len(mlp.norms)) for letter in "gc"]


def leaves_of(mlp: MLP, normed: bool) -> list[Any]:
    """A network's arrays, or whatever stands in their place in a tree of its shape."""
    return [each for part in (*mlp.layers, *(mlp.norms if normed else ())) for each in (part.weight, part.bias)]


def named(nets: dict[str, Any], prefix: str) -> dict[str, np.ndarray]:
    """Every array of an actor and its critics, by its key in the file."""
    mlps = {"actor": nets["actor"].mlp} | {f"critic{i}": mlp for i, mlp in enumerate(nets["critic"].mlps)}
    return {
        f"{prefix}{role}.{name}": np.asarray(leaf)
        for role, mlp in mlps.items()
        for name, leaf in zip(leaf_names(mlp), leaves_of(mlp, bool(mlp.norms)), strict=True)
    }
