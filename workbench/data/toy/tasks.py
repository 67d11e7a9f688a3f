"""Toy problems: one decision, an action drawn from a known distribution, and a reward that favours part of it."""

from collections.abc import Callable
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from workbench.data.dataset import ACTION_LIMIT, Dataset, Provenance
from workbench.data.toy import mixture
from workbench.data.toy.mixture import Action, Mixture, Scalar, rotation
from workbench.data.toy.shapes import Rings, TwoMoons
from workbench.errors import DatasetError, UnknownNameError
from workbench.numerics import held
from workbench.types import Key

Observation: TypeAlias = Float[Array, " obs"]


class Bump(eqx.Module):
    r"""The reward surface $r(a) = \exp(-\lVert a - c \rVert^2 / 2\ell^2)$: 1 at `centre` c, fading over `width` ℓ."""

    centre: tuple[float, ...] = eqx.field(static=True)
    width: float = eqx.field(static=True, default=0.25)

    def __call__(self, a: Action) -> Scalar:
        """Reward of one action, in (0, 1]."""
        return jnp.exp(-((a - jnp.array(self.centre)) ** 2).sum() / (2 * self.width**2))


class Toy(eqx.Module):
    """A one-step problem: actions follow `behaviour`, each is paid `reward(a)`, and the episode is over.

    With `turn` = 0 the observation is a constant zero. Otherwise x ~ U(-1, 1) and the plane, behaviour and reward
    together, is turned anticlockwise by `turn` · x radians, so that a policy that ignores x cannot be right.
    """

    behaviour: Mixture | Rings | TwoMoons
    reward: Callable[[Action], Scalar]
    turn: float = eqx.field(static=True, default=0.0)

    def sample(self, *, key: Key) -> tuple[Observation, Action]:
        """One observation and the action taken in it, clipped to ±(1 - 1e-5)."""
        key_x, key_a = jax.random.split(key)
        x = jax.random.uniform(key_x, (1,), minval=-1.0, maxval=1.0) if self.turn else jnp.zeros(1)
        a = self._turned(self.behaviour.sample(key=key_a), x)
        return x, jnp.clip(a, -ACTION_LIMIT, ACTION_LIMIT)

    def reward_at(self, x: Observation, a: Action) -> Scalar:
        """Reward of an action taken at x; equals `reward(a)` where `turn` = 0."""
        return self.reward(self._turned(a, -x))

    def reward_grid(self, points: int = 81) -> Float[np.ndarray, "points points"]:
        """`reward` on an even grid over [-1, 1]², first action along columns; for actions of two dimensions."""
        ticks = jnp.linspace(-1, 1, points)
        reward = jax.vmap(jax.vmap(self.reward))
        return np.asarray(jax.jit(reward)(jnp.stack(jnp.meshgrid(ticks, ticks), axis=-1)))

    def mixture_at(self, x: Observation) -> Mixture:
        """The exact distribution of actions at x, before clipping.

        Raises `DatasetError` for rings and moons, which have no closed form.
        """
        if not isinstance(self.behaviour, Mixture):
            raise DatasetError(
                f"{type(self.behaviour).__name__} has no exact velocity field: use one of the Gaussian mixtures."
            )
        return self.behaviour.turned(self.turn * x[0]) if self.turn else self.behaviour

    def _turned(self, a: Action, x: Observation) -> Action:
        return rotation(self.turn * x[0]) @ a if self.turn else a


TOYS: dict[str, Callable[[], Toy]] = {
    "two_modes_1d": lambda: Toy(mixture.two_modes_1d(), Bump((0.5,))),
    "eight_gaussians": lambda: Toy(mixture.ring_of_modes(8), Bump((0.7, 0.0))),
    "eight_gaussians_turning": lambda: Toy(mixture.ring_of_modes(8), Bump((0.7, 0.0)), turn=np.pi),
    "grid": lambda: Toy(mixture.grid_of_modes(3), Bump((0.7, 0.7))),
    "tilted": lambda: Toy(mixture.tilted_modes(), Bump((0.0, 0.5))),
    "rings": lambda: Toy(Rings(), Bump((0.8, 0.0))),
    "two_moons": lambda: Toy(TwoMoons(), Bump((0.275, -0.4125))),
}
"""Makers of the named toy problems; in each, the reward is highest on one mode or stretch of the data."""


def toy(name: str) -> Toy:
    """The named toy problem; raises `UnknownNameError` with suggestions."""
    if name not in TOYS:
        raise UnknownNameError("toy", name, TOYS)
    return TOYS[name]()


@held()
def make_toy(name: str, *, rows: int, seed: int) -> tuple[Dataset, Dataset]:
    """Training data of `rows` transitions and validation data of a tenth as many (at least one), drawn from `seed`.

    Every transition ends its episode: mask 0, r = reward of the stored action. A last row of zeros, not a transition,
    follows them, so that `x_next` (meaningless here) exists for each. Raises `UnknownNameError` for the name and
    `DatasetError` when `rows` < 1.
    """
    problem = toy(name)
    if rows < 1:
        raise DatasetError(f"a toy dataset needs at least one row, got rows={rows}.")
    held_out = max(1, rows // 10)
    x, a, r = (np.asarray(column) for column in _draw(problem, rows + held_out, key=jax.random.key(seed)))

    def build(split: str, part: slice) -> Dataset:
        count = len(r[part])
        provenance = Provenance("toy", name, seed=seed, detail=f"{split} split, {count} rows")
        x_end, a_end, r_end = (_with_end(column[part]) for column in (x, a, r))
        return Dataset.build(x_end, a_end, r_end, np.zeros(count + 1), np.arange(count + 1) < count, provenance)

    return build("training", slice(rows)), build("validation", slice(rows, None))


@eqx.filter_jit
def _draw(
    problem: Toy, count: int, *, key: Key
) -> tuple[Float[Array, "row obs"], Float[Array, "row act"], Float[Array, " row"]]:
    x, a = jax.vmap(lambda key_row: problem.sample(key=key_row))(jax.random.split(key, count))
    return x, a, jax.vmap(problem.reward_at)(x, a)


def _with_end(column: np.ndarray) -> np.ndarray:
    return np.concatenate([column, np.zeros_like(column[:1])])
