"""Counted work: against counts by hand, and within a few per cent of what XLA counts for the real programs."""

import dataclasses
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from tests.unit.problems import random_data
from workbench.agents.presets import preset
from workbench.agents.sorl import SORL
from workbench.cost import decision_cost, mlp_flop, update_gflop
from workbench.types import Budget, LossWeights

DATA = random_data(obs=28, act=5)
TINY = SORL(width=3, depth=1, m_btt=1)
ACTOR, CRITIC = 2 * (9 * 3 + 3 * 2), 2 * (7 * 3 + 3 * 1)
"""Operations of TINY's networks for 5 observations and 2 actions: layers of 9-3-2 and 7-3-1."""


def by_xla(function: Callable, *args: object) -> float:
    """Operations in the program that XLA makes of a call."""
    return eqx.filter_jit(function).lower(*args).compile().compiled.cost_analysis()["flops"]


def test_a_forward_pass_by_hand():
    assert mlp_flop(4, 2, width=3, depth=2) == 2 * (4 * 3 + 3 * 3 + 3 * 2)
    assert mlp_flop(4, 2, width=3, depth=0) == 2 * 4 * 2


def test_a_decision_by_hand():
    cost = decision_cost(TINY, 5, 2, m_inf=4, n=3)
    assert (cost.m_inf, cost.n, cost.actor_evaluations, cost.critic_evaluations) == (4, 3, 12, 6)
    assert cost.gflop == pytest.approx((12 * ACTOR + 6 * CRITIC) / 1e9)


def test_a_critic_that_sees_steps_has_one_more_input():
    departures = dataclasses.replace(TINY.departures, critic_sees_steps=True)
    more = decision_cost(dataclasses.replace(TINY, departures=departures), 5, 2, m_inf=4, n=3)
    extra = more.gflop - decision_cost(TINY, 5, 2, m_inf=4, n=3).gflop
    assert extra * 1e9 == pytest.approx(6 * 2 * 3)


def test_an_update_by_hand():
    """One Euler step a row: 1 + 3 passes of sampling and 8 of matching by the actor, 4 + 2 by each of two critics."""
    assert update_gflop(TINY, 5, 2, 16) == pytest.approx(16 * (12 * ACTOR + 2 * 6 * CRITIC) / 1e9)


def test_more_steps_backpropagated_cost_their_share():
    """With M_BTT = 4 rows are dealt 4, 2 and 1 steps: 7 for three rows where M_BTT = 1 takes 3."""
    four = dataclasses.replace(TINY, m_btt=4)
    extra = update_gflop(four, 5, 2, 12) - update_gflop(TINY, 5, 2, 12)
    assert extra * 1e9 == pytest.approx((28 - 12) * 4 * ACTOR)


@pytest.mark.parametrize("name", ["small", "paper"])
@pytest.mark.parametrize("n", [1, 8])
def test_a_decision_is_what_xla_counts(name, n):
    """At one step, because XLA counts the body of a loop once, and of several rules the dearest."""
    agent = preset("sorl", name, "cube-single").agent
    assert isinstance(agent, SORL)
    state = agent.init(DATA.example(), key=jax.random.key(0))
    found = by_xla(
        lambda state, x, budget, key: agent.act(state, x, budget, key=key),
        state,
        jnp.zeros(28),
        Budget.exactly(1, n),
        jax.random.key(0),
    )
    counted = decision_cost(agent, 28, 5, m_inf=1, n=n, verifier="elite:0.5")
    assert counted.gflop * 1e9 == pytest.approx(found, rel=0.06)
    extra = counted.critic_evaluations - decision_cost(agent, 28, 5, m_inf=1, n=n).critic_evaluations
    assert extra == (agent.ensemble if n > 1 else 0)


@pytest.mark.parametrize("m_btt", [1, 4])
def test_an_update_is_what_xla_counts(m_btt):
    agent = SORL(width=256, depth=2, m_btt=m_btt)
    state = agent.init(DATA.example(), key=jax.random.key(0))
    found = by_xla(agent.update, state, DATA.sample(64, key=jax.random.key(1)), LossWeights())
    assert update_gflop(agent, 28, 5, 64) * 1e9 == pytest.approx(found, rel=0.06)


def test_the_in_sample_critic_costs_four_passes_of_each_of_its_networks():
    value = 2 * (5 * 3 + 3 * 1)
    extra = update_gflop(dataclasses.replace(TINY, in_sample=0.9), 5, 2, 16) - update_gflop(TINY, 5, 2, 16)
    assert extra * 1e9 == pytest.approx(16 * 4 * (2 * CRITIC + value))
    sees = dataclasses.replace(TINY, departures=dataclasses.replace(TINY.departures, critic_sees_steps=True))
    costs = [decision_cost(agent, 5, 2, m_inf=1, n=3, verifier="in_sample").gflop for agent in (TINY, sees)]
    assert costs[0] == costs[1] == decision_cost(TINY, 5, 2, m_inf=1, n=3).gflop
