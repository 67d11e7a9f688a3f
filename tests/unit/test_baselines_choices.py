"""Choices of single baselines that constants cannot show: times, noise schedules, and which critic is climbed."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from tests.unit.agents import tiny
from tests.unit.constants import BATCH, KEY, SIZE, VALUE, WEIGHTS, answers, fresh, rows, run, state
from workbench.agents.cac import CAC
from workbench.diffusion import noise_level
from workbench.errors import WorkbenchError
from workbench.nets import Critic, Denoiser, Policy, ResidualDenoiser, Velocity
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
    """Per coordinate E (t − z)² = t² + 1 and E (α a + σ z − z)² = α² a² + (σ − 1)², where a² is 1/4 and 0."""
    loss, many = tiny(name).terms()[role], rows(BATCH, 20_000)
    np.testing.assert_allclose(run(loss, Tells(True), state(), many)[0], np.mean(times**2) + 1, rtol=0.02)
    squared = np.exp(-(0.1 * times + 0.5 * (beta_max - 0.1) * times**2))  # α²
    expected = np.mean(0.125 * squared + (np.sqrt(1 - squared) - 1) ** 2)
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


def test_cac_imitates_by_the_mean_over_coordinates():
    """Networks that answer θ: f = skip · (a + σ z) + out · θ, of the same draws, each coordinate counted once."""
    agent, eta = tiny("cac"), dataclasses.replace(WEIGHTS, ql=0.0)
    actor, target = (answers(Denoiser(1, 2, **SIZE), value, value) for value in (1.0, -1.0))
    loss, _ = run(agent.actor_loss, actor, state(actor_target=target, critic=Critic(1, 2, **SIZE)), BATCH, eta)
    key_noise, key_level, _ = jax.random.split(KEY, 3)
    noise, a = np.asarray(jax.random.normal(key_noise, BATCH.a.shape)), np.asarray(BATCH.a)
    levels = jax.random.randint(key_level, BATCH.r.shape, 0, agent.levels - 1)
    low, high = (np.asarray([float(noise_level(i, agent.levels)) for i in levels + step]) for step in (0, 1))

    def f(theta, sigma):
        past, sigma = sigma[:, None] - 0.002, sigma[:, None]
        return 0.25 / (past**2 + 0.25) * (a + sigma * noise) + 0.5 * past / np.sqrt(sigma**2 + 0.25) * theta

    expected = np.mean((f(1.0, high) - f(-1.0, low)) ** 2 * 100 / (high - low)[:, None])
    np.testing.assert_allclose(loss, expected, rtol=1e-3)


@pytest.mark.parametrize("pessimism", [0.0, 1.0])
def test_v_of_fawac_regresses_on_the_action_that_it_is_set_to(pessimism):
    """The data's, or a sample of the flow: here (1, −1) whatever the noise."""
    critic, flow = Critic(1, 2, **SIZE), answers(Velocity(1, 2, **SIZE), 99.0, -99.0)
    nets = state(actor=flow, critic_target=critic)
    pick = np.min if pessimism else np.mean
    sampled = jnp.tile(jnp.asarray([1.0, -1.0]), (2, 1))
    for from_data, a in ((True, BATCH.a), (False, sampled)):
        agent = dataclasses.replace(tiny("fawac"), pessimism=pessimism, value_from_data=from_data)
        q = pick(np.asarray(jax.vmap(critic)(BATCH.x, a)), axis=1)
        np.testing.assert_allclose(run(agent.value_loss, VALUE, nets)[0], np.mean((4.0 - q) ** 2), rtol=1e-5)


@pytest.mark.parametrize(("name", "scale"), [("iql", 0.01), ("rebrac", 0.01), ("bc", 1.0), ("srpo", 1.0)])
def test_the_last_layer_of_an_actor_begins_at_its_scale(name, scale):
    """Variance-scaling(scale, fan_avg, uniform): uniform within √(3 · scale / fan_avg), and hidden layers within √3."""
    agent = dataclasses.replace(tiny(name), width=256)
    for layer in fresh(agent).nets["actor"].mlp.layers:
        bound = np.sqrt(3.0 * (scale if layer.out_features == 2 else 1.0) / np.mean(layer.weight.shape))
        assert 0.97 * bound < float(jnp.abs(layer.weight).max()) <= bound
        np.testing.assert_allclose(jnp.std(layer.weight), bound / np.sqrt(3.0), rtol=0.1)
        assert not jnp.any(layer.bias)


@pytest.mark.parametrize("name", ["iql", "rebrac"])
def test_the_scale_of_the_last_layer_changes_nothing_else(name):
    scaled, whole = (fresh(dataclasses.replace(tiny(name), last_scale=scale)) for scale in (0.01, 1.0))
    last, first = (each.nets["actor"].mlp.layers[-1].weight for each in (scaled, whole))
    np.testing.assert_allclose(last, 0.1 * first, rtol=1e-6)
    again = eqx.tree_at(lambda s: s.nets["actor"].mlp.layers[-1].weight, scaled, first)
    assert eqx.tree_equal(again.nets, whole.nets)
    with pytest.raises(WorkbenchError, match="'last_scale' must be above 0, not 0"):
        dataclasses.replace(tiny(name), last_scale=0.0)
