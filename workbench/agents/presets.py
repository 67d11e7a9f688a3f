"""Named starting points: an agent, its loss weights and its batch size for one environment."""

from collections.abc import Callable
from dataclasses import dataclass

from workbench.agents.base import AbstractAgent
from workbench.agents.settings import EnvironmentSettings, environment_settings
from workbench.agents.sorl import SORL, Departures
from workbench.errors import UnknownNameError
from workbench.types import LossWeights


@dataclass(frozen=True)
class Preset:
    """Everything a run needs besides its task, its seeds and its length."""

    agent: AbstractAgent
    weights: LossWeights
    batch_size: int


def _paper(env: EnvironmentSettings) -> Preset:
    return Preset(SORL(pessimism=env.pessimism), LossWeights(ql=env.ql, gamma=env.gamma), 256)


def _official(env: EnvironmentSettings) -> Preset:
    departures = Departures(
        leak_td=True,
        shared_adam=True,
        critic_sees_steps=True,
        ema_sc_target=True,
        deal_sc=True,
        ema_before_update=True,
    )
    paper = _paper(env)
    return Preset(SORL(pessimism=env.pessimism, departures=departures), paper.weights, paper.batch_size)


def _small(env: EnvironmentSettings) -> Preset:
    agent = SORL(width=256, depth=2, m_btt=2, pessimism=env.pessimism)
    return Preset(agent, LossWeights(ql=0.1 * env.ql, gamma=min(env.gamma, 0.98), tau=0.01, lr=1e-3), 256)


PRESETS: dict[str, dict[str, Callable[[EnvironmentSettings], Preset]]] = {
    "sorl": {"paper": _paper, "official": _official, "small": _small}
}
"""Presets by agent: `paper` is the clean algorithm at the paper's size, `official` adds every departure of the released
code except its best-of-N defect, `small` is what learns best in minutes on two cores (see benchmarks/NOTES.md)."""


def preset(agent: str, name: str, environment: str) -> Preset:
    """Look a preset up for an environment such as `cube-single`; raises `UnknownNameError` with suggestions."""
    if agent not in PRESETS:
        raise UnknownNameError("agent", agent, PRESETS)
    if name not in PRESETS[agent]:
        raise UnknownNameError("preset", name, PRESETS[agent])
    return PRESETS[agent][name](environment_settings(environment))
