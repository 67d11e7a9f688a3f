"""How many environment steps a second does an evaluation take, and what does it add to bare stepping?"""

import time
import warnings
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection

import numpy as np
from measuring import Number, main, median, seconds

from workbench.agents.presets import preset
from workbench.data.catalogue import parse_task
from workbench.evaluate.cell import Cell
from workbench.evaluate.envs import make_lanes, reset
from workbench.evaluate.evaluation import play
from workbench.evaluate.lanes import LaneBook, Plan
from workbench.evaluate.policy import make_policy
from workbench.evaluate.pool import EnvPool
from workbench.processes import worker_conditions
from workbench.sweeps.probe import made_up
from workbench.train import init_seeds

TASK = "cube-single-play-singletask-task2-v0"
WORKERS, LANES, CELL = 2, 32, Cell(8, 1)


def measure(smoke: bool) -> Iterator[Number]:
    """Rounds of both take turns. Episodes last to their limit, since nothing was trained; resets are in both."""
    rounds, limit = (1, 3) if smoke else (7, 100)
    info, _ = parse_task(TASK)
    agent = preset("sorl", "small", info.environment).agent
    state = init_seeds(agent, made_up(info.obs, info.act).example(), (0,))
    policy, plan = make_policy(agent, state, (CELL,)), Plan(TASK, (CELL,), (0,), LANES, 0, 0, "post", {})
    bare, ours = [], []
    with EnvPool(TASK, LANES, workers=WORKERS, episode_limit=limit) as pool:
        for _ in range(rounds + 1):
            bare.append(bare_rate(limit))
            ours.append(LANES * limit / seconds(lambda: play(policy, LaneBook(plan, LANES), pool, int)))
    bare, ours = bare[1:], ours[1:]  # the first round compiles
    yield median("bare stepping, random actions", bare, "steps/s")
    yield median("evaluation, M_inf 8, N 1", ours, "steps/s")
    added = [100 * (b / o - 1) for b, o in zip(bare, ours, strict=True)]
    yield median("what evaluation adds to a step", added, "%", at_most=None if smoke else 15.0)


def bare_rate(steps: int) -> float:
    """Steps a second of environments in as many processes that do nothing else."""
    context, pipes = get_context("spawn"), []
    with worker_conditions():
        for number in range(WORKERS):
            here, there = context.Pipe()
            context.Process(target=step_alone, args=(there, number, LANES // WORKERS, steps), daemon=True).start()
            pipes.append(here)
    for pipe in pipes:
        pipe.recv()
    start = time.perf_counter()
    for pipe in pipes:
        pipe.send(None)
    for pipe in pipes:
        pipe.recv()
    return LANES * steps / (time.perf_counter() - start)


def step_alone(pipe: Connection, seed: int, lanes: int, steps: int) -> None:
    """Body of such a process: says that it is ready, waits, steps, says that it is done."""
    warnings.filterwarnings("ignore", category=UserWarning, module="gymnasium")
    envs = make_lanes(TASK, lanes)
    actions = np.random.default_rng(seed).uniform(-1, 1, (steps, parse_task(TASK)[0].act))
    pipe.send(None)
    pipe.recv()
    for number, env in enumerate(envs):
        reset(env, 100 * seed + number)
    for action in actions:
        for env in envs:
            env.step(action)
    pipe.send(None)


if __name__ == "__main__":
    main(__doc__ or "", measure)
