"""The recorded way of a chosen action from noise is the one its agent went."""

import dataclasses
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.unit.recorded import made_up
from workbench.agents.base import AbstractAgent
from workbench.agents.bc import BC
from workbench.agents.fql import FQL
from workbench.agents.ifql import IFQL
from workbench.agents.sorl import SORL
from workbench.evaluate.cell import Cell
from workbench.evaluate.evaluation import evaluate
from workbench.evaluate.flow_path import chosen_path, has_flow
from workbench.evaluate.policy import make_policy
from workbench.evaluate.rollout import load_rollouts, save_rollouts
from workbench.flow import euler, euler_path
from workbench.train import one_seed
from workbench.types import Batch

OBS, ACT, SEEDS, LANES = 3, 2, 2, 4
SMALL: dict[str, Any] = {"width": 8, "depth": 1}
CELLS = (Cell(1, 1), Cell(4, 3))


def states(agent: AbstractAgent, obs: int = OBS) -> Any:
    """Untrained states of two seeds."""
    x, a, zero = jnp.zeros(obs), jnp.zeros(ACT), jnp.zeros(())
    example = Batch(x=x, a=a, r=zero, x_next=x, mask=zero, a_next=a)
    return eqx.filter_vmap(lambda key: agent.init(example, key=key))(jax.random.split(jax.random.key(0), SEEDS))


@pytest.mark.parametrize("agent", [SORL(**SMALL), IFQL(**SMALL)])
def test_paths_lead_from_noise_to_the_chosen_action(agent):
    keys = jax.random.split(jax.random.key(1), (SEEDS, len(CELLS), LANES))
    x = jax.random.normal(jax.random.key(2), (SEEDS, len(CELLS), LANES, OBS))
    choice = make_policy(agent, states(agent), CELLS, diagnostics=True)(x, keys)
    assert len(choice.flow) == len(CELLS)
    for i, (cell, path) in enumerate(zip(CELLS, choice.flow, strict=True)):
        assert path.shape == (SEEDS, LANES, cell.m_inf + 1, ACT)
        np.testing.assert_allclose(path[..., -1, :].clip(-1, 1), choice.a[:, i], atol=1e-5)
        assert 0.3 < float(jnp.std(path[..., 0, :])) < 3.0


@pytest.mark.parametrize(("agent", "flows"), [(SORL(**SMALL), True), (FQL(**SMALL), False), (BC(**SMALL), False)])
def test_agents_without_a_flow_have_no_paths(agent, flows):
    assert has_flow(states(agent)) == flows


def test_nothing_is_computed_unless_asked_for():
    agent = SORL(**SMALL)
    keys = jax.random.split(jax.random.key(1), (SEEDS, 1, LANES))
    assert make_policy(agent, states(agent), CELLS[:1])(jnp.zeros((SEEDS, 1, LANES, OBS)), keys).flow == ()


@pytest.mark.parametrize("m", [1, 3, 8])
def test_the_path_ends_where_the_sampler_does(m):
    def s(a_t, t, h, x):
        return jnp.sin(3 * a_t) + t * x - h

    a_0, x = jnp.array([0.4, -1.2]), jnp.array([0.5, 0.1])
    path, velocities = euler_path(s, a_0, x, m)
    np.testing.assert_array_equal(path[0], a_0)
    np.testing.assert_allclose(np.diff(path, axis=0), velocities / m, atol=1e-6)
    np.testing.assert_allclose(jnp.clip(path[-1], -1, 1), euler(s, a_0, x, jnp.int32(m)), rtol=1e-5)


def test_recorded_episodes_keep_paths_and_latency(tmp_path: Path):
    task, agent = "pointmaze-medium-navigate-singletask-task1-v0", SORL(**SMALL)
    found = evaluate(
        agent,
        states(agent, obs=2),
        task,
        CELLS,
        seeds=(0, 1),
        episodes=1,
        record=1,
        workers=1,
        episode_limit=4,
        progress=False,
    )
    save_rollouts(tmp_path / "r.npz", found.rollouts)
    for rollout in load_rollouts(tmp_path / "r.npz"):
        assert rollout.flow is not None
        assert rollout.flow.shape == (4, rollout.cell.m_inf + 1, ACT)
        np.testing.assert_allclose(rollout.flow[:, -1].clip(-1, 1), rollout.actions, atol=1e-4)
        assert rollout.act_ms is not None
        assert rollout.act_ms > 0


def test_files_of_the_first_format_are_still_read(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("workbench.evaluate.rollout.FORMAT", 1)
    monkeypatch.setattr("workbench.evaluate.rollout._HEADER", ("task", "success_timing", "seed", "episode", "cell"))
    save_rollouts(tmp_path / "r.npz", [made_up(flow=False)])
    (read,) = load_rollouts(tmp_path / "r.npz")
    assert (read.flow, read.act_ms, read.length) == (None, None, 5)


def test_the_path_is_that_of_the_candidate_that_is_played():
    """Not of the one that is valued most: an agent of one's own may choose otherwise."""
    agent, key, x = SORL(**SMALL), jax.random.key(3), jnp.ones(OBS)
    state = one_seed(states(agent))
    best = agent.act(state, x, Cell(2, 5).budget(), key=key)
    worst = int(best.q_candidates.argmin())
    played = dataclasses.replace(best, a=best.candidates[worst], q=best.q_candidates[worst])
    assert int(best.chosen) == int(best.q_candidates.argmax()) != worst == int(played.chosen)
    for decision in (best, played):
        path = chosen_path(state, x, 2, key, decision)
        np.testing.assert_allclose(path[-1].clip(-1, 1), decision.a, atol=1e-5)
