"""Every agent on one problem with known answers: values at the first step, and where its policy goes at the second.

Of `tests.unit.agents.two_modes`: an optimal policy earns 1, the data's 1/4. Imitation stays at a quarter, advantage
weights e^{αA} multiply the odds of the rewarded mode by e^α, Q through the sampler and the best of 32 reach it.
"""

import math
from functools import cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.unit import agents
from tests.unit.agents import BATCH, GAMMA, NAMES, RARE, tiny, weights_of
from workbench.agents.base import TrainState
from workbench.agents.protocol import PROTOCOLS
from workbench.train import init_seeds, one_seed, train_chunk
from workbench.types import Budget

UPDATES = 1500
DATA = agents.two_modes()
WEIGHTED = RARE * math.exp(3) / (RARE * math.exp(3) + 1 - RARE)
"""Share of the rewarded mode after weighting with α = 3: 0.87."""

EXPECTILE = 0.9 * RARE / (0.9 * RARE + 0.1 * (1 - RARE))
"""Expectile 0.9 of a reward of 1 with probability 1/4: 0.75."""

FIRST = {"iql": EXPECTILE, "idql": EXPECTILE, "srpo": EXPECTILE, "ifql": EXPECTILE, "fawac": WEIGHTED}
"""Value of reaching the second step; 1 for agents that act there as well as can be."""


@cache
def trained(name: str) -> TrainState:
    agent = tiny(name)
    state, _ = train_chunk(agent, DATA, weights_of(name), init_seeds(agent, DATA.example(), (0,)), UPDATES, BATCH)
    return one_seed(state)


@eqx.filter_jit
def _actions(agent: Any, state: TrainState, budget: Budget):
    keys = jax.random.split(jax.random.key(0), 400)
    return jax.vmap(lambda key: agent.act(state, jnp.ones(1), budget, key=key).a)(keys)


def actions(name: str, n: int) -> np.ndarray:
    """Actions at the second step, by the agent's protocol but for N; SORL's in as many steps as its Q loss has."""
    agent, own = tiny(name), PROTOCOLS[name]
    m_inf = getattr(agent, "m_btt", own.m_inf)
    return np.asarray(_actions(agent, trained(name), Budget.exactly(m_inf, n, own.verifier, n_max=32)))


def share(name: str, n: int = 1, centre: float = 0.5) -> float:
    """Share of actions within 0.3 of a mode, by default the rewarded one."""
    return float((np.linalg.norm(actions(name, n) - [centre, 0.0], axis=-1) < 0.3).mean())


@pytest.mark.parametrize("name", [name for name in NAMES if name != "bc"])
def test_critics_find_the_known_values(name):
    critic = trained(name).nets["critic"]
    q = jax.jit(lambda x, a: critic(x[None], jnp.stack([a, jnp.zeros(())])).mean())
    for a in (-0.5, 0.5):
        assert float(q(1.0, a)) == pytest.approx(float(a > 0), abs=0.1)
        assert float(q(-1.0, a)) == pytest.approx(GAMMA * FIRST.get(name, 1.0), abs=0.12)


def test_bc_sits_between_the_modes():
    np.testing.assert_allclose(actions("bc", 1).mean(0), [-0.25, 0.0], atol=0.06)
    assert share("bc") < share("bc", centre=-0.25)


def test_iql_moves_its_one_action_by_the_advantage_weights():
    np.testing.assert_allclose(actions("iql", 1).mean(0), [WEIGHTED - 0.5, 0.0], atol=0.12)


def test_a_weighted_flow_moves_mass_to_the_rewarded_mode():
    rewarded_side = float((actions("fawac", 1)[:, 0] > 0).mean())
    assert rewarded_side == pytest.approx(WEIGHTED, abs=0.12)


@pytest.mark.parametrize("name", ["rebrac", "srpo"])
def test_deterministic_policies_climb_to_the_rewarded_mode(name):
    assert share(name) == 1.0


@pytest.mark.parametrize("name", ["sorl", "cac", "fbrac", "fql"])
def test_q_through_the_sampler_puts_most_actions_there(name):
    assert share(name) > 0.7


@pytest.mark.parametrize("name", ["idql", "ifql"])
def test_the_best_of_32_is_there_and_one_sample_imitates(name):
    assert share(name, 1) < 0.45
    assert share(name, 32) > 0.9
