"""How many environment steps a second does an evaluation take, and what does it add to bare stepping?"""

import time
from collections.abc import Iterator
from multiprocessing import get_context

import numpy as np
from measuring import Number, main, median, seconds
from stepping import TASK, step_alone

from workbench.agents.presets import preset
from workbench.data.catalogue import parse_task
from workbench.evaluate.cell import Cell
from workbench.evaluate.evaluation import MAX_LANES, play
from workbench.evaluate.lanes import LaneBook, Plan
from workbench.evaluate.policy import Choice, Policy, make_policy
from workbench.evaluate.pool import EnvPool
from workbench.processes import worker_conditions
from workbench.sweeps.probe import made_up
from workbench.train import init_seeds

WORKERS, LANES, CELL = 2, MAX_LANES, Cell(8, 1)


def measure(smoke: bool) -> Iterator[Number]:
    """Rounds of both take turns, with the same episodes and actions: what touches something takes longer to simulate.

    Episodes last to their limit, since nothing was trained; resets are in both.
    """
    rounds, limit = (1, 3) if smoke else (9, 100)
    info, _ = parse_task(TASK)
    agent = preset("sorl", "small", info.environment).agent
    state = init_seeds(agent, made_up(info.obs, info.act).example(), (0,))
    policy, plan = make_policy(agent, state, (CELL,)), Plan(TASK, (CELL,), (0,), LANES, 0, 0, "post", {})
    bare, ours = [], []
    with EnvPool(TASK, LANES, workers=WORKERS, episode_limit=limit) as pool:
        actions = played(policy, plan, pool, limit)
        for _ in range(rounds):
            bare.append(bare_rate(actions))
            ours.append(LANES * limit / seconds(lambda: play(policy, LaneBook(plan, LANES), pool, int)))
    yield median("bare stepping, the same actions", bare, "steps/s")
    yield median("evaluation, M_inf 8, N 1", ours, "steps/s")
    added = [100 * (b / o - 1) for b, o in zip(bare, ours, strict=True)]
    yield median("what evaluation adds to a step", added, "%", at_most=None if smoke else 15.0)


def played(policy: Policy, plan: Plan, pool: EnvPool, steps: int) -> np.ndarray:
    """The actions of an evaluation by step and lane; lane i plays episode i."""
    answers: list[np.ndarray] = []

    def listen(x, keys) -> Choice:
        choice = policy(x, keys)
        answers.append(np.asarray(choice.a)[0, 0])
        return choice

    book = LaneBook(plan, LANES)
    play(listen, book, pool, int)
    groups = len(book.groups)
    return np.stack([np.concatenate(answers[groups * step : groups * (step + 1)]) for step in range(steps)])


def bare_rate(actions: np.ndarray) -> float:
    """Steps a second of environments in as many processes that do nothing else."""
    context, pipes, processes = get_context("spawn"), [], []
    with worker_conditions():
        for number in range(WORKERS):
            here, there = context.Pipe()
            lanes = list(range(number, LANES, WORKERS))
            processes.append(context.Process(target=step_alone, args=(there, lanes, actions), daemon=True))
            processes[-1].start()
            pipes.append(here)
    for pipe in pipes:
        pipe.recv()
    start = time.perf_counter()
    for pipe in pipes:
        pipe.send(None)
    for pipe in pipes:
        pipe.recv()
    took = time.perf_counter() - start
    for process in processes:
        process.join()  # what they take to end must not fall on what is measured next
    return actions.shape[0] * LANES / took


if __name__ == "__main__":
    main(__doc__ or "", measure)
