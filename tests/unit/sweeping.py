"""Sweeps small enough for tests, and data for them."""

from pathlib import Path

import numpy as np

MAZE = "pointmaze-medium-stitch-singletask-task1-v0"
MAZE_DATA = "pointmaze-medium-stitch-v0"

TINY = """
agents = ["sorl", "bc"]
tasks = ["toy:grid"]
seeds = 2
presets = ["small"]
steps = 12
batch_size = 8
log_every = 4
save_every = 4

[settings]
width = 8
depth = 1

[agent.sorl.settings]
m_btt = 1
m_disc = 2
"""
"""Four runs that are only trained."""

PLAYED = f"""
agents = ["bc"]
tasks = ["{MAZE}"]
seeds = 1
presets = ["small"]
steps = 12
batch_size = 8
log_every = 4
save_every = 4

[settings]
width = 8
depth = 1

[evaluation]
episodes = 2
scored = [4, 8, 12]
episode_limit = 3
workers = 1
"""
"""One run that is scored at three checkpoints."""


def write(folder: Path, text: str, name: str = "some.toml") -> Path:
    """A sweep's file."""
    (folder / name).write_text(text)
    return folder / name


def write_maze(folder: Path) -> Path:
    """A pair of maze files of noise."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for file in (f"{MAZE_DATA}.npz", f"{MAZE_DATA}-val.npz"):
        state = rng.standard_normal((402, 2)).astype(np.float32)
        actions = rng.uniform(-1, 1, (402, 2)).astype(np.float32)
        ends = np.arange(402) % 201 == 200
        np.savez(folder / file, observations=state, actions=actions, terminals=ends, qpos=state, qvel=state)
    return folder / f"{MAZE_DATA}.npz"
