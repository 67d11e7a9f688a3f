r"""What a decision and an update cost: floating-point operations counted from the algorithm, never by a compiler.

Only matrix products are counted, where all but a few per cent of the work is: a product of (m, k) and (k, n) is
$2mkn$ operations. Biases, activations, normalisation, the optimiser and the moving averages are left out.
"""

import itertools
from dataclasses import dataclass

from workbench.agents.sorl import SORL
from workbench.flow import deal_steps
from workbench.verifiers import Rule, asks

GIGA = 1e9


@dataclass(frozen=True)
class DecisionCost:
    """Work of one decision: evaluations of one network for one row, by network, and GFLOP of all."""

    m_inf: int
    n: int
    actor_evaluations: int
    critic_evaluations: int
    gflop: float


def mlp_flop(inputs: int, outputs: int, *, width: int, depth: int) -> int:
    r"""Operations of one forward pass of an MLP with `depth` hidden layers, for one row.

    $$F = 2 \sum_{l=0}^{\text{depth}} w_l\, w_{l+1}, \qquad w = (\text{inputs}, \text{width}, \dots, \text{outputs})$$
    """
    sizes = [inputs, *[width] * depth, outputs]
    return 2 * sum(i * o for i, o in itertools.pairwise(sizes))


def actor_flop(agent: SORL, obs: int, act: int) -> int:
    """Operations of one shortcut s(a_t, t, h, x), for one row."""
    return mlp_flop(obs + act + 2, act, width=agent.width, depth=agent.depth)


def critic_flop(agent: SORL, obs: int, act: int) -> int:
    """Operations of one member of the critic ensemble, for one row."""
    steps = int(agent.departures.critic_sees_steps)
    return mlp_flop(obs + act + steps, 1, width=agent.width, depth=agent.depth)


def in_sample_flop(agent: SORL, obs: int, act: int) -> int:
    """Operations of one member of the in-sample critics, for one row."""
    return mlp_flop(obs + act, 1, width=agent.width, depth=agent.depth)


def decision_cost(agent: SORL, obs: int, act: int, *, m_inf: int, n: int, verifier: str = "mean") -> DecisionCost:
    r"""Cost of one action that is made of `n` candidates of `m_inf` Euler steps each, as `verifier` says (a `Rule`).

    $$C = N\,(M_{inf}\, F_{actor} + E\, F_{critic}), \qquad E = \text{ensemble}$$

    Network evaluations are N M_inf of the actor, one after another in groups of N, and N E of the critics. A single
    candidate is judged too, because a `Decision` reports its value; so is an action that is not the best candidate. The
    verifier `in_sample` asks as many critics, which know nothing of steps.
    """
    rule = Rule.parse(verifier)
    made = n > 1 and rule.selection != "best"
    actor, critic = n * m_inf, (n + made) * agent.ensemble
    asked = critic_flop if asks(rule.verifier) == "critic" else in_sample_flop
    flop = actor * actor_flop(agent, obs, act) + critic * asked(agent, obs, act)
    return DecisionCost(m_inf, n, actor, critic, flop / GIGA)


def update_gflop(agent: SORL, obs: int, act: int, batch: int) -> float:
    r"""GFLOP of one update of SORL on a batch of B rows.

    With K the Euler steps of all rows together (`deal_steps`) and $F_Q = E\, F_{critic}$,
    $$C = \underbrace{K F_a + B F_Q (1 + 3)}_{\text{critic step}}
        + \underbrace{3 K F_a + 2 B F_Q}_{L_{QL}} + \underbrace{3 B F_a}_{L_{FM}} + \underbrace{5 B F_a}_{L_{SC}}.$$
    A forward pass counts 1, and a gradient as much again to the parameters and to the input: 3 for a network that
    learns, 2 for the critic that only passes gradient on to the action, 1 for a target, of which L_SC has two. The
    algorithm is counted as the `paper` and `small` presets have it, without what departures of the released code add.

    With `n_td` candidates of a TD target there are (n_td - 1) K F_a more for them and n_td B F_Q to judge them. With
    `in_sample` there are $B\,(4 F_Q + 4 F_V)$ more: both of its networks learn, and each is a target of the other.
    """
    actor, critic = actor_flop(agent, obs, act), agent.ensemble * critic_flop(agent, obs, act)
    sampled = int(deal_steps(batch, agent.m_btt, every=agent.splits == "any").sum())
    judge = critic_flop if asks(agent.td_rule.verifier) == "critic" else in_sample_flop
    judged = judge(agent, obs, act) * agent.ensemble
    candidates = agent.n_td if agent.n_td > 1 else 0
    critic_step = agent.n_td * sampled * actor + batch * critic * (1 + 3) + candidates * batch * judged
    actor_step = 3 * sampled * actor + batch * critic * 2 + batch * actor * (3 + 2 + 3)
    own = 0
    if agent.in_sample is not None:
        value = mlp_flop(obs, 1, width=agent.width, depth=agent.depth)
        own = batch * (3 + 1) * (agent.ensemble * in_sample_flop(agent, obs, act) + value)
    return (critic_step + actor_step + own) / GIGA
