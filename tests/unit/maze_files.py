"""Files of a maze's data, of noise: what reads and lists them needs no more."""

from pathlib import Path

import numpy as np

MAZE_DATA = "pointmaze-medium-stitch-v0"
MAZE = "pointmaze-medium-stitch-singletask-task1-v0"


def write_maze(folder: Path) -> Path:
    """A pair of files of MAZE_DATA, as a regenerated set without a sidecar; returns the first."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for file in (f"{MAZE_DATA}.npz", f"{MAZE_DATA}-val.npz"):
        state = rng.standard_normal((402, 2)).astype(np.float32)
        actions = rng.uniform(-1, 1, (402, 2)).astype(np.float32)
        ends = np.arange(402) % 201 == 200
        np.savez(folder / file, observations=state, actions=actions, terminals=ends, qpos=state, qvel=state)
    return folder / f"{MAZE_DATA}.npz"
