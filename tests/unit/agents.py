"""All eleven agents at a tiny size, and a two-step problem whose values and policies are known for each family.

The episode: x = −1, then x = 1, then the end. Actions of both steps come from two Gaussians of deviation 0.08: around
(−0.5, 0) with probability 3/4, around (0.5, 0) with 1/4; only the second step is rewarded, with 1 in the rarer mode.
"""

import dataclasses
from typing import Any

import numpy as np

from workbench.agents.presets import PRESETS, preset
from workbench.data.dataset import Dataset, Provenance
from workbench.types import LossWeights

RARE = 0.25
GAMMA = 0.9
BATCH = 128
KNOBS = {
    "sorl": {"ql": 5.0, "fm": 1.0, "sc": 1.0},
    "iql": {"alpha": 3.0},
    "rebrac": {"alpha": 0.1, "beta": 0.0},
    "srpo": {"beta": 1.0},
    "cac": {"ql": 10.0},
    "fawac": {"alpha": 3.0},
    "fbrac": {"alpha": 0.3},
    "fql": {"alpha": 0.3},
}
"""Coefficients for this problem, where an agent has any."""

NAMES = tuple(PRESETS)


def tiny(name: str) -> Any:
    """The agent of the small preset, smaller still."""
    agent = preset(name, "small", "cube-single").agent
    sizes = {"width": 32, "depth": 2, "block_width": 16, "m_disc": 4}
    return dataclasses.replace(agent, **{key: value for key, value in sizes.items() if hasattr(agent, key)})


def minute(name: str) -> Any:
    """The agent at a size that compiles quickly and learns nothing."""
    agent = tiny(name)
    sizes = {"width": 8, "depth": 1, "block_width": 4, "blocks": 1, "backup": 2, "m_disc": 2, "m_btt": 1}
    return dataclasses.replace(agent, **{key: value for key, value in sizes.items() if hasattr(agent, key)})


def weights_of(name: str, **changes: float) -> LossWeights:
    """Loss weights of the agent for this problem."""
    return LossWeights.named({"gamma": GAMMA, "tau": 0.02, "lr": 2e-3} | KNOBS.get(name, {}) | changes)


def two_modes(episodes: int = 3000, seed: int = 0) -> Dataset:
    """The problem above."""
    rng = np.random.default_rng(seed)
    x = np.tile(np.array([-1.0, 1.0, 0.0], np.float32), episodes)[:, None]
    rare = rng.uniform(size=3 * episodes) < RARE
    centre = np.stack([np.where(rare, 0.5, -0.5), np.zeros(len(rare))], axis=-1)
    a = (centre + 0.08 * rng.normal(size=centre.shape)).astype(np.float32)
    second = x[:, 0] == 1.0
    r = (second & rare).astype(np.float32)
    return Dataset.build(x, a, r, (~second).astype(np.float32), x[:, 0] != 0.0, Provenance("arrays", "two modes"))
