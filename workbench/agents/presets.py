"""Named starting points: an agent, its loss weights and its batch size for one environment."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from workbench.agents.base import AbstractAgent
from workbench.agents.bc import BC
from workbench.agents.cac import CAC
from workbench.agents.departures import Departures
from workbench.agents.fawac import FAWAC
from workbench.agents.fbrac import FBRAC
from workbench.agents.fql import FQL
from workbench.agents.idql import IDQL
from workbench.agents.ifql import IFQL
from workbench.agents.iql import IQL
from workbench.agents.rebrac import ReBRAC
from workbench.agents.settings import EnvironmentSettings, environment_settings
from workbench.agents.sorl import SORL
from workbench.agents.srpo import SRPO
from workbench.errors import UnknownNameError
from workbench.types import LossWeights


@dataclass(frozen=True)
class Preset:
    """Everything a run needs besides its task, its seeds and its length."""

    agent: AbstractAgent
    weights: LossWeights
    batch_size: int


Maker = Callable[[EnvironmentSettings], Preset]


def _paper(env: EnvironmentSettings) -> Preset:
    # The learning rate of the paper's table. The released code moves as if it were 1.4 to 2 times that (`shared_adam`).
    return Preset(SORL(pessimism=env.pessimism), LossWeights(ql=env.ql, gamma=env.gamma), 256)


def _official(env: EnvironmentSettings) -> Preset:
    paper = _paper(env)
    return Preset(SORL(pessimism=env.pessimism, departures=Departures.every()), paper.weights, paper.batch_size)


def _small(env: EnvironmentSettings) -> Preset:
    # The weight of the Q loss was searched for beside squared errors summed over five action dimensions: a fiftieth of
    # the table's is the same beside their mean. `two_cores_pilot` searches anew.
    agent = SORL(width=256, depth=2, m_btt=2, pessimism=env.pessimism)
    return Preset(agent, LossWeights(ql=0.02 * env.ql, gamma=min(env.gamma, 0.98), tau=0.01, lr=1e-3), 256)


def _medium(env: EnvironmentSettings) -> Preset:
    # What did best of the settings tried so far with whole data and 200,000 updates: see `figures/pilot.md`.
    agent = SORL(width=MEDIUM["width"], m_btt=2, pessimism=env.pessimism)
    return Preset(agent, LossWeights(ql=env.ql, gamma=env.gamma, lr=3e-4), 256)


Choice: TypeAlias = Callable[[EnvironmentSettings], tuple[AbstractAgent, Mapping[str, float]]]
"""An agent at its full size, and the weights that are its own, for an environment."""

BASELINES: dict[str, Choice] = {
    "bc": lambda env: (BC(), {}),
    "iql": lambda env: (IQL(), {"alpha": env.baselines.iql}),
    "rebrac": lambda env: (ReBRAC(), dict(zip(("alpha", "beta"), env.baselines.rebrac, strict=True))),
    "idql": lambda env: (IDQL(level=env.baselines.level), {}),
    "srpo": lambda env: (SRPO(level=env.baselines.level), {"beta": env.baselines.srpo}),
    "cac": lambda env: (CAC(pessimism=env.pessimism), {"ql": env.baselines.cac}),
    "fawac": lambda env: (FAWAC(pessimism=env.pessimism), {"alpha": env.baselines.fawac}),
    "fbrac": lambda env: (FBRAC(pessimism=env.pessimism), {"alpha": env.baselines.fbrac}),
    "ifql": lambda env: (IFQL(), {}),
    "fql": lambda env: (FQL(pessimism=env.pessimism), {"alpha": env.baselines.fql}),
}
"""Each baseline at the paper's size, and the coefficients it takes from the environment."""

SMALL = {"width": 256, "depth": 2, "block_width": 64}
"""Sizes of the networks in presets called `small`, where an agent has them."""

MEDIUM = {"width": 128}
"""The same for `medium`, which is as deep as the paper's."""


def own_presets(choose: Choice, batch_size: int = 256) -> dict[str, Maker]:
    """`paper`: the agent as it is chosen, lr 3e-4. `medium`: the same, with sizes as in `MEDIUM`.

    `small`: sizes as in `SMALL`, faster rates, a shorter horizon. The weights that are the agent's own hold in all.
    """

    def make(env: EnvironmentSettings, sizes: Mapping[str, int], rates: Mapping[str, float]) -> Preset:
        agent, own = choose(env)
        fields = {field.name for field in dataclasses.fields(agent)}
        changed = {name: size for name, size in sizes.items() if name in fields}
        return Preset(dataclasses.replace(agent, **changed), LossWeights.named({**rates, **own}), batch_size)

    def small(env: EnvironmentSettings) -> Preset:
        return make(env, SMALL, {"gamma": min(env.gamma, 0.98), "tau": 0.01, "lr": 1e-3})

    return {
        "paper": lambda env: make(env, {}, {"gamma": env.gamma, "lr": 3e-4}),
        "medium": lambda env: make(env, MEDIUM, {"gamma": env.gamma, "lr": 3e-4}),
        "small": small,
    }


PRESETS: dict[str, dict[str, Maker]] = {
    "sorl": {"paper": _paper, "official": _official, "medium": _medium, "small": _small},
    **{name: own_presets(choose) for name, choose in BASELINES.items()},
}
"""Presets by agent: `paper` is the clean algorithm at the paper's size, `official` adds every departure of the released
code except its best-of-N defect. `small` is what learns best in minutes on two cores (see benchmarks/NOTES.md) and
`medium` in an hour or two, with 200,000 updates. For the baselines they have SORL's sizes and rates, `small` residual
blocks of 64, and the paper's coefficients, untuned. Agents of a user's own are added by `registry.register`."""


def preset(agent: str, name: str, environment: str) -> Preset:
    """Look a preset up for an environment such as `cube-single`; raises `UnknownNameError` with suggestions."""
    if agent not in PRESETS:
        raise UnknownNameError("agent", agent, PRESETS, "One of your own must be registered first.")
    if name not in PRESETS[agent]:
        raise UnknownNameError("preset", name, PRESETS[agent])
    return PRESETS[agent][name](environment_settings(environment))
