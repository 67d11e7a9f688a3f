"""Every agent on one mixture with a reward on one mode: what each does with the same data and reward."""

import dataclasses
from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from workbench.agents.base import AbstractAgent, TrainState
from workbench.agents.presets import PRESETS, preset
from workbench.agents.protocol import protocol
from workbench.agents.sorl import SORL
from workbench.data.toy import Toy, make_toy, toy
from workbench.evaluate.cell import Cell
from workbench.theory.coverage import mode_coverage
from workbench.train import init_seeds, train_chunk
from workbench.types import Budget

TOY = "eight_gaussians"
X = jnp.zeros(1)
DATA = "data"
GRID = 41
Q_WEIGHT = 30.0
"""w_ql of SORL, 300 times that of the preset, at which it stays with the data."""


@dataclasses.dataclass(frozen=True)
class Size:
    """How much of everything; `network` replaces fields of every agent. `shown` actions of a policy are kept."""

    seeds: tuple[int, ...]
    steps: int
    rows: int
    draws: int
    shown: int
    network: dict[str, int]


FULL = Size(seeds=(0, 1, 2), steps=4000, rows=20_000, draws=2000, shown=500, network={"width": 128})
SMOKE = Size(seeds=(0, 1), steps=20, rows=300, draws=50, shown=20, network={"width": 16, "depth": 1})


def agents_mixture(smoke: bool = False) -> dict[str, pd.DataFrame]:
    """All agents (small, narrower) after equal updates on eight Gaussians, of which one is rewarded.

    - `agents_mixture`: a row an agent, budget and seed: mean `reward` in [0, 1], the share of actions in the
      `rewarded` mode and `outside` of every mode, and the share of modes `covered` (`theory.coverage`). The agent
      `data` is the behaviour itself.
    - `agents_mixture_samples`: `a_1`, `a_2` of actions of the first seed, by agent and budget.
    - `agents_mixture_reward`: `reward` on an even grid of actions.

    Budgets are those of `agents.protocol`; SORL also acts in as many steps as its Q loss reaches. Its w_ql is
    `Q_WEIGHT`, which the tables say as `w_ql`; the other agents have their presets' weights.
    """
    size = SMOKE if smoke else FULL
    problem = toy(TOY)
    data, held_out = make_toy(TOY, rows=size.rows, seed=0)
    behaviour = np.asarray(held_out.a)[: size.draws]
    rows = [{"agent": DATA, "m_inf": 0, "n": 0, "seed": 0} | _scores(problem, behaviour)]
    samples = [_points({"agent": DATA, "m_inf": 0, "n": 0}, behaviour[: size.shown])]
    for name in PRESETS:
        chosen = preset(name, "small", "toy")
        agent, weights = dataclasses.replace(chosen.agent, **size.network), chosen.weights
        if isinstance(agent, SORL):
            weights = dataclasses.replace(weights, ql=jnp.asarray(Q_WEIGHT))
        state = init_seeds(agent, data.example(), size.seeds)
        state, _ = train_chunk(agent, data, weights, state, size.steps, chosen.batch_size)
        for cell in _budgets(name, agent):
            actions = _act(agent, state, cell, size.draws)
            fixed = {"agent": name, "m_inf": cell.m_inf, "n": cell.n}
            rows += [fixed | {"seed": s} | _scores(problem, a) for s, a in zip(size.seeds, actions, strict=True)]
            samples.append(_points(fixed, actions[0, : size.shown]))
    settings = {"steps": size.steps, "draws": size.draws, "w_ql": Q_WEIGHT}
    return {
        "agents_mixture": pd.DataFrame(rows).assign(**settings),
        "agents_mixture_samples": pd.concat(samples, ignore_index=True),
        "agents_mixture_reward": _surface(problem),
    }


def _budgets(name: str, agent: AbstractAgent) -> Iterator[Cell]:
    own = protocol(name, "toy")
    if isinstance(agent, SORL):
        yield Cell(agent.m_btt, own.n, own.verifier)
    yield Cell(own.m_inf, own.n, own.verifier)


def _act(agent: AbstractAgent, state: TrainState, cell: Cell, draws: int) -> Float[np.ndarray, "seed row act"]:
    budget = cell.budget()
    return np.asarray(_actions(agent, state, budget, jax.random.split(jax.random.key(0), draws)))


@eqx.filter_jit
def _actions(agent: AbstractAgent, state: TrainState, budget: Budget, keys: Array) -> Float[Array, "seed row act"]:
    def one_seed(state: TrainState) -> Float[Array, "row act"]:
        return jax.vmap(lambda key: agent.act(state, X, budget, key=key).a)(keys)

    return eqx.filter_vmap(one_seed)(state)


def _scores(problem: Toy, a: Float[np.ndarray, "row act"]) -> dict[str, float]:
    mixture = problem.mixture_at(X)
    found = mode_coverage(mixture, a)
    reward = jax.vmap(problem.reward)
    best = int(jnp.argmax(reward(mixture.mean)))
    return {
        "reward": float(reward(jnp.asarray(a)).mean()),
        "rewarded": float(found.share[best]),
        "outside": found.outside,
        "covered": found.covered(),
    }


def _surface(problem: Toy) -> pd.DataFrame:
    ticks = np.linspace(-1, 1, GRID).round(4)
    a_1, a_2 = np.meshgrid(ticks, ticks)
    reward = problem.reward_grid(GRID).round(4)
    return pd.DataFrame({"a_1": a_1.ravel(), "a_2": a_2.ravel(), "reward": reward.ravel()})


def _points(fixed: dict[str, str | int], a: Float[np.ndarray, "row act"]) -> pd.DataFrame:
    table = pd.DataFrame(np.asarray(a, float).round(4), columns=["a_1", "a_2"])
    return pd.DataFrame(fixed, index=table.index).join(table)
