"""Choices of single baselines that constants cannot show: times, noise schedules, and which critic is climbed."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from tests.unit.agents import tiny
from tests.unit.constants import BATCH, KEY, SIZE, answers, rows, run, state
from workbench.agents.cac import CAC
from workbench.nets import Critic, Denoiser, Policy, ResidualDenoiser
from workbench.types import Batch


class Tells(ResidualDenoiser):
    """A denoiser that answers the time it is asked about, or the action it is shown."""

    time: bool = eqx.field(static=True)

    def __init__(self, time: bool) -> None:
        super().__init__(1, 2, width=4, blocks=1, key=KEY)
        self.time = time

    def __call__(self, a_t: Float[Array, " act"], t: Float[Array, ""], x: Float[Array, " obs"]) -> Float[Array, " act"]:
        return jnp.full_like(a_t, t) if self.time else a_t


@pytest.mark.parametrize(
    ("name", "role", "times", "beta_max"),
    [("idql", "actor", np.arange(1, 6) / 5, 10.0), ("srpo", "behaviour", np.linspace(1e-3, 1, 1001), 20.0)],
)
def test_times_and_noise_of_the_diffusion_models(name, role, times, beta_max):
    """In expectation ‖t − z‖² = 2 (t² + 1) and ‖α a + σ z − z‖² = α² ‖a‖² + 2 (σ − 1)², z of two coordinates."""
    loss, many = tiny(name).terms()[role], rows(BATCH, 20_000)
    np.testing.assert_allclose(run(loss, Tells(True), state(), many)[0], 2 * (np.mean(times**2) + 1), rtol=0.02)
    squared = np.exp(-(0.1 * times + 0.5 * (beta_max - 0.1) * times**2))  # α²
    expected = np.mean(0.25 * squared + 2 * (np.sqrt(1 - squared) - 1) ** 2)
    np.testing.assert_allclose(run(loss, Tells(False), state(), many)[0], expected, rtol=0.03)


def test_rebrac_climbs_the_smaller_critic_and_cac_their_mean():
    """On critics that differ row by row, around zero, so that dividing by the mean size does not hide which it was."""
    x = jax.random.normal(jax.random.key(1), (64, 1))
    batch = dataclasses.replace(rows(BATCH, 32), x=x)
    critic = Critic(1, 2, **SIZE)
    for name, actor, pick in (
        ("rebrac", answers(Policy(1, 2, squash=True, **SIZE), 0.0, 0.0), np.min),
        ("cac", answers(Denoiser(1, 2, **SIZE), 0.0, 0.0), np.mean),
    ):
        agent = tiny(name)
        a_pi = jnp.zeros((64, 2)) if name == "rebrac" else _cac_samples(agent, actor, batch)
        q = np.asarray(jax.vmap(critic)(batch.x, a_pi))
        _, told = run(agent.actor_loss, actor, state(actor_target=actor, critic=critic), batch)
        scores = {kind: -kind(q, axis=1).mean() / np.abs(kind(q, axis=1)).mean() for kind in (np.min, np.mean)}
        assert abs(scores[np.min] - scores[np.mean]) > 0.1
        np.testing.assert_allclose(told["loss_ql"], scores[pick], rtol=1e-4)


def _cac_samples(agent: CAC, actor: Denoiser, batch: Batch) -> jax.Array:
    keys = jax.random.split(jax.random.split(KEY, 3)[2], len(batch.r))
    return jax.vmap(lambda x, key: agent._sample(actor, x, 2, key=key))(batch.x, keys)
