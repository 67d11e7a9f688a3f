"""Preset `official` against numbers of the released code: losses, samples, gradients, and three full updates."""

from collections.abc import Iterator
from contextlib import nullcontext

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.golden.released import NUMBERS, Released, named
from workbench.agents.presets import preset
from workbench.agents.sorl import SORL
from workbench.flow import euler, euler_unrolled

TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
AGGREGATES = ("mean", "min")


def _released(dtype: str, aggregate: str) -> Iterator[tuple[str, Released]]:
    with jax.enable_x64(True) if dtype == "float64" else nullcontext():
        yield aggregate, Released(getattr(jnp, dtype), aggregate)


@pytest.fixture(scope="module", params=TOLERANCE)
def plain(request) -> Iterator[Released]:
    """For numbers in which no target critic is asked."""
    yield from (known for _, known in _released(request.param, "mean"))


@pytest.fixture(scope="module", params=[("float64", "mean"), ("float64", "min"), ("float32", "mean")])
def released(request) -> Iterator[tuple[str, Released]]:
    yield from _released(*request.param)


def agree(got, key: str) -> None:
    """Equal to a number of the file, relative to the largest of its array or to 1."""
    want, dtype = NUMBERS[key], str(got.dtype)
    assert dtype == ("float64" if jax.config.read("jax_enable_x64") else "float32")
    np.testing.assert_allclose(got, want, rtol=0, atol=TOLERANCE[dtype] * max(1.0, np.abs(want).max()), err_msg=key)


def test_the_preset_is_the_agent_of_the_numbers():
    official = preset("sorl", "official", "cube-single").agent
    assert isinstance(official, SORL)
    assert official.departures == Released(jnp.float32).agent.departures
    assert (official.m_disc, official.m_btt, official.clip) == (8, 8, 1.0)


def test_flow_matching_and_self_consistency(plain):
    velocity_losses, nets = eqx.filter_jit(plain.agent.velocity_losses), (plain.state.nets, plain.state.targets)
    fm, sc = velocity_losses(*(net["actor"] for net in nets), plain.batch, *plain.velocity_draws("draw"))
    agree(fm, "loss.fm")
    agree(sc, "loss.sc")


def test_samples_by_both_samplers(plain):
    actor = plain.state.nets["actor"]
    unrolled, traced = (
        eqx.filter_jit(lambda a_0, x, m, run=run: jax.vmap(lambda a, x: run(actor, a, x, m))(a_0, x))
        for run in (euler_unrolled, euler)
    )
    for m in (1, 2, 4, 8):
        a_0 = plain.sampler("draw", "ql", 0).a_0
        agree(unrolled(a_0, plain.batch.x, m), f"sample.m{m}")
        agree(traced(a_0, plain.batch.x, jnp.asarray(m)), f"sample.m{m}")


def test_critic_loss_and_its_gradient(released):
    aggregate, known = released
    gradient = eqx.filter_jit(eqx.filter_value_and_grad(known.agent.critic_loss, has_aux=True))
    given = known.state.nets, known.state.targets, known.batch, known.weights
    for level in range(4):
        (loss, _), _ = gradient(*given, known.sampler("draw", "critic", level))
        agree(loss, f"{aggregate}.loss.critic.m{2**level}")
    _, grads = gradient(*given, known.critic_draw("draw12"))
    gradients_agree(grads, f"{aggregate}.grad_critic_loss.")


def test_actor_loss_and_its_gradient(released):
    aggregate, known = released
    gradient = eqx.filter_jit(eqx.filter_value_and_grad(known.agent.actor_loss, has_aux=True))
    given = known.state.nets, known.state.targets, known.batch, known.weights
    for level in range(4):
        (_, told), _ = gradient(*given, known.actor_draw("draw", level))
        agree(told["loss_ql"], f"{aggregate}.loss.q.m{2**level}")
    _, grads = gradient(*given, known.actor_draw("draw12"))
    gradients_agree(grads, f"{aggregate}.grad_actor_loss.")


def gradients_agree(grads, prefix: str) -> None:
    """Those that the file names are equal; a network that it does not name gets none."""
    found = named(grads, prefix)
    wanted = {key for key in NUMBERS if key.startswith(prefix)}
    assert wanted <= set(found)
    for key, got in found.items():
        if key in wanted:
            agree(got, key)
        else:
            assert not got.any()


def test_three_full_updates(released):
    aggregate, known = released
    state, update = known.state, eqx.filter_jit(known.agent.update_with)
    for name in ("draw20", "draw21", "draw22"):
        state, _ = update(state, known.batch, known.weights, known.critic_draw(name), known.actor_draw(name))
    found = named(state.nets, f"{aggregate}.after3.") | named(state.targets, f"{aggregate}.after3.target_")
    wanted = [key for key in NUMBERS if key.startswith(f"{aggregate}.after3.")]
    assert sorted(found) == sorted(wanted)
    for key in wanted:
        agree(found[key], key)


def test_every_number_of_the_file_is_used_somewhere():
    groups = ("batch", "start", "draw", "draw12", "draw20", "draw21", "draw22", "loss", "sample", *AGGREGATES)
    assert {key.split(".")[0] for key in NUMBERS} == set(groups)
    assert len(NUMBERS) == 454
