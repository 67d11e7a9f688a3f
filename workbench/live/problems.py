"""What is trained on, and what is shown of a policy while it trains: samples, paths, reward, distance to the data."""

import time
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from workbench.agents.base import AbstractAgent, TrainState
from workbench.data.dataset import Dataset
from workbench.data.toy import Toy, toy
from workbench.live.branch import Branch
from workbench.live.snapshot import MOST, Settings, Value
from workbench.nets import ShortcutActor
from workbench.train import one_seed, validate
from workbench.types import Budget, Key, as_int32

POINTS = 256
"""Samples of each policy in a picture."""

PROBE_EVERY = 0.25
"""Least seconds between two probes of a branch."""

PROBE_SHARE = 0.05
"""Most of the time that probes may take; where one costs more, they come less often."""

PATHS = 24
"""Samples whose way from noise to action is drawn."""

MEANINGS = {
    "reward": "mean reward of the policy's actions, with the budget that the controls show",
    "energy_m1": "energy distance of one-step actions to held-out data; 0 when they are distributed alike",
    "energy_m_disc": "the same of actions in as many steps as the training discretisation has",
}
"""What the metrics of a picture mean; the others of a history are in `agents.metrics`."""


@dataclass(frozen=True)
class Problem:
    """A task with its data; `toy` is the toy problem where the task is one."""

    task: str
    train: Dataset
    held_out: Dataset
    toy: Toy | None

    @classmethod
    def of(cls, task: str, train: Dataset, held_out: Dataset) -> "Problem":
        """A problem from data that is already loaded."""
        kind, _, name = task.partition(":")
        return cls(task, train, held_out, toy(name) if kind == "toy" else None)

    @cached_property
    def reward_grid(self) -> Float[np.ndarray, "81 81"] | None:
        """`Toy.reward_grid`; None where the reward is no one surface."""
        if self.toy is None or self.train.act != 2 or self.toy.turn:
            return None
        return self.toy.reward_grid()


@dataclass(frozen=True)
class Picture:
    """Samples of one seed's policy in the plane.

    `clouds` has one row a policy, named by `labels`: first that of the controls' budget, then one step, then as many
    steps as the training discretisation has. `paths` are ways from noise to the first points of the first cloud, each
    that of the candidate which the critic chose. `values` are metrics.
    """

    labels: tuple[str, ...]
    clouds: Float[np.ndarray, "policy point 2"]
    paths: list[Float[np.ndarray, "time 2"]]
    values: dict[str, float]


class Probes:
    """Measures branches now and then, in the trainer's thread: losses on held-out data, and the policy in a picture."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.picture: Picture | None = None
        self.values: dict[str, float] = {}
        self.under: Settings | None = None
        self._last: dict[str, tuple[float, float, tuple[Value, ...]]] = {}
        self._seen: Any = None

    def due(self, branch: Branch) -> bool:
        """Whether enough time has passed since the branch's last probe; less is enough where it would look another."""
        last, cost, budget = self._last.get(branch.name, (0.0, 0.0, ()))
        turned = _budget(branch.dials.read()[1]) != budget
        return time.perf_counter() - last >= (max(0.1, cost) if turned else max(PROBE_EVERY, cost / PROBE_SHARE))

    def take(self, branch: Branch, *, shown: bool, others: int = 0) -> dict[str, float]:
        """Metrics of a branch as it is; the picture is kept where the branch is the one `shown`.

        Its dials as they were read for it are in `under`.
        The next one is due when this one and those of `others` cost no more than `PROBE_SHARE` of the time between.
        """
        start = time.perf_counter()
        version, settings = branch.dials.read()
        self.under = settings
        with branch.spec.arithmetic():
            held_out = jax.device_get(validate(branch.agent, self.problem.held_out, settings.weights(), branch.state))
            picture = draw(branch.agent, branch.state, self.problem, settings)
        values = {name: float(np.mean(value)) for name, value in held_out.items()} | (picture.values if picture else {})
        if shown:
            self.picture, self.values, self._seen = picture, values, (branch, branch.step, version)
        now = time.perf_counter()
        self._last[branch.name] = (now, (now - start) * (1 + others), _budget(settings))
        return values

    def stale(self, branch: Branch) -> bool:
        """Whether the picture shows another branch, update or setting than this one's."""
        return self._seen != (branch, branch.step, branch.dials.read()[0])


def _budget(settings: Settings) -> tuple[Value, ...]:
    """What changes a picture at once; a weight changes it by training."""
    return tuple(settings.values[name] for name in ("m_inf", "n", "verifier"))


def draw(agent: AbstractAgent, state: TrainState, problem: Problem, settings: Settings) -> Picture | None:
    """The picture of a state's first seed; None where actions are not points in the plane or the task is no toy.

    The noise is the same each time, so the samples move only when the policy does. No setting compiles anew.
    """
    if problem.toy is None or problem.train.act != 2:
        return None
    m_inf, n = (int(settings.values[name]) for name in ("m_inf", "n"))
    m_disc = getattr(agent, "m_disc", 8)
    clouds, paths, values = jax.device_get(
        _draw(agent, problem.toy, problem.held_out, one_seed(state), settings.budget(), as_int32(n), as_int32(m_disc))
    )
    candidates = f", best of {n}" if n > 1 else ""
    labels = (f"controls: M_inf = {m_inf}{candidates}", "M_inf = 1", f"M_inf = {m_disc}")
    ways = [np.ascontiguousarray(path[: m_inf + 1]) for path in paths]
    return Picture(labels, clouds, ways, {name: float(value) for name, value in values.items()})


@eqx.filter_jit
def _draw(agent, toy, held_out, state, budget, n, m_disc):
    rows = jax.vmap(held_out.transition)(jnp.arange(POINTS) % held_out.size)
    keys = jax.random.split(jax.random.key(0), POINTS)

    def sample(budget: Budget, n: Int[Array, ""]) -> tuple[Float[Array, "point 2"], Int[Array, " point"]]:
        return jax.vmap(partial(_best_of, agent, state, budget, n))(rows.x, keys)

    one, finest = (Budget(m_inf=m, verifier=budget.verifier, k=budget.k) for m in (1, m_disc))
    chosen, number = sample(budget, n)
    (single, _), (fine, _) = sample(one, as_int32(1)), sample(finest, as_int32(1))
    actor = state.nets.get("actor")
    shortcut = isinstance(actor, ShortcutActor)
    paths = (
        jax.vmap(partial(_path, actor, m=budget.m_inf))(rows.x[:PATHS], keys[:PATHS], number[:PATHS])
        if shortcut
        else ()
    )
    values = {
        "reward": jax.vmap(toy.reward_at)(rows.x, chosen).mean(),
        "energy_m1": _energy_distance(single, rows.a),
        "energy_m_disc": _energy_distance(fine, rows.a),
    }
    return jnp.stack([chosen, single, fine]), paths, values


def _best_of(
    agent: AbstractAgent, state: TrainState, budget: Budget, n: Int[Array, ""], x: Float[Array, " obs"], key: Key
) -> tuple[Float[Array, " act"], Int[Array, ""]]:
    """The best of n candidates and its number; drawn one after another, so that n is traced and costs what it is."""

    def better(i: Int[Array, ""], best: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        decision = agent.act(state, x, budget, key=jax.random.fold_in(key, i))
        return jax.tree.map(partial(jnp.where, decision.q > best[1]), (decision.a, decision.q, i), best)

    first = agent.act(state, x, budget, key=jax.random.fold_in(key, 0))
    a, _, chosen = jax.lax.fori_loop(1, n, better, (first.a, first.q, as_int32(0)))
    return a, chosen


def _path(
    actor, x: Float[Array, " obs"], key: Key, number: Int[Array, ""], *, m: Int[Array, ""]
) -> Float[Array, "time act"]:
    """The m + 1 points of the way to a candidate of `_best_of`, then the rest of a buffer for the largest m."""
    h = 1.0 / m.astype(x.dtype)
    a_0 = jax.random.normal(jax.random.fold_in(jax.random.fold_in(key, number), 0), (2,))

    def step(j: Int[Array, ""], points: Float[Array, "time act"]) -> Float[Array, "time act"]:
        return points.at[j + 1].set(points[j] + h * actor(points[j], j * h, h, x))

    return jax.lax.fori_loop(0, m, step, jnp.zeros((MOST["m_inf"] + 1, 2)).at[0].set(a_0))


def _energy_distance(a: Float[Array, "point act"], b: Float[Array, "point act"]) -> Float[Array, ""]:
    r"""$2\,\mathbb E|A - B| - \mathbb E|A - A'| - \mathbb E|B - B'|$ of two samples of one size, without bias."""

    def mean(u: Float[Array, "point act"], v: Float[Array, "point act"], pairs: int) -> Float[Array, ""]:
        return jnp.sqrt(jnp.sum((u[:, None] - v) ** 2, axis=-1) + 1e-12).sum() / pairs

    size = len(a)
    return 2 * mean(a, b, size**2) - mean(a, a, size * (size - 1)) - mean(b, b, size * (size - 1))
