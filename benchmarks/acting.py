"""How long does one decision take, alone and for many observations, beside the operations it is made of?"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from measuring import Number, in_turn, main, median
from updates import sized

from workbench.cost import decision_cost
from workbench.evaluate.cell import Cell
from workbench.evaluate.policy import Controller, make_controller, make_policy, noise_keys
from workbench.studies.runtime import ACT, OBS
from workbench.sweeps.probe import made_up
from workbench.train import init_seeds, one_seed
from workbench.types import Budget, Decision

BUDGETS = ((1, 1), (8, 1), (1, 32), (8, 32))
IN_A_ROW = 10
"""Decisions of one timing."""


def measure(smoke: bool) -> Iterator[Number]:
    """Milliseconds by M_inf and N, also as multiples of the counted work at the rate of a large product."""
    agent, rounds, side = (sized(8, 1), 2, 64) if smoke else (sized(512, 4), 20, 2048)
    state = init_seeds(agent, made_up(OBS, ACT).example(), (0,))
    controller = make_controller(agent, one_seed(state))
    budgets = {f"M_inf {m}, N {n}": Budget.exactly(m, n, "mean") for m, n in BUDGETS}
    calls = {name: (lambda budget=budget: in_a_row(controller, budget)) for name, budget in budgets.items()}
    matrix = jnp.asarray(np.random.default_rng(0).normal(size=(side, side)), jnp.float32)
    product = jax.jit(jnp.matmul)
    found = in_turn(calls | {"product": lambda: product(matrix, matrix)}, rounds, warm=3)
    rate = 2e-9 * side**3 / float(np.median(found.pop("product")))
    found = {name: [each / IN_A_ROW for each in times] for name, times in found.items()}
    for (m, n), (name, times) in zip(BUDGETS, found.items(), strict=True):
        case = f"one observation, {name}"
        yield median(case, [1e3 * each for each in times], "ms", at_most=1.0 if (m, n) == (1, 1) else None)
        floor = decision_cost(agent, OBS, ACT, m_inf=m, n=n).gflop / rate
        goal = 2.0 if (m, n) == (8, 32) else None
        yield median(case, [each / floor for each in times], "of its floor", at_most=goal)
    yield from batched(agent, state, rounds)


def in_a_row(controller: Controller, budget: Budget) -> Decision:
    """Decisions one after another, each waited for, so that the networks are in the caches as in an episode."""
    x, key = np.zeros(OBS, np.float32), jax.random.key(0)
    for _ in range(IN_A_ROW - 1):
        jax.block_until_ready(controller(x, budget, key))
    return controller(x, budget, key)


def batched(agent, state, rounds: int) -> Iterator[Number]:
    """As an evaluation acts: one call for many episodes."""
    lanes = 32
    policy = make_policy(agent, state, (Cell(8, 1),))
    count = np.zeros((1, 1, lanes), np.int32)
    keys = noise_keys(np.int32(0), np.zeros(1, np.int32), count, count)
    x = np.zeros((1, 1, lanes, OBS), np.float32)
    (times,) = in_turn({"call": lambda: policy(x, keys).a}, rounds, warm=3).values()
    yield median(f"{lanes} observations at once, M_inf 8, N 1", [1e3 * each for each in times], "ms")


if __name__ == "__main__":
    main(__doc__ or "", measure)
