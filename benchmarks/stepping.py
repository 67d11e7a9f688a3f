"""Environments that are stepped by a process that does nothing else: what `evaluation.py` compares with."""

import warnings
from multiprocessing.connection import Connection

import numpy as np

from workbench.evaluate.envs import episode_seed, make_lanes, reset

TASK = "cube-single-play-singletask-task2-v0"


def step_alone(pipe: Connection, lanes: list[int], actions: np.ndarray) -> None:
    """Body of such a process: says that it is ready, waits, steps, says that it is done."""
    warnings.filterwarnings("ignore", category=UserWarning, module="gymnasium")
    envs = dict(zip(lanes, make_lanes(TASK, len(lanes)), strict=True))
    pipe.send(None)
    pipe.recv()
    for lane, env in envs.items():
        reset(env, episode_seed(0, 0, lane))
    for each in actions:
        for lane, env in envs.items():
            env.step(each[lane].copy())
    pipe.send(None)
