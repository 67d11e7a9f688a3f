"""Recorded episodes for tests of what is made of them: real physics of no action, made-up decisions."""

import numpy as np

from workbench.evaluate.cell import Cell
from workbench.evaluate.envs import episode_seed, make_env, physics, reset
from workbench.evaluate.rollout import Rollout


def decided(
    physical: dict[str, np.ndarray],
    act: int,
    *,
    task: str = "cube-single-play-singletask-task2-v0",
    m_inf: int = 1,
    n: int = 1,
    episode: int = 0,
    critic: bool = True,
    flow: bool = True,
    succeeds: bool = True,
) -> Rollout:
    """An episode of some physics with random candidates, the best of them chosen; success is at the last step."""
    rng = np.random.default_rng(episode)
    steps = len(physical["qpos"]) - 1
    candidates = rng.uniform(-1, 1, (steps, n, act)).astype(np.float32)
    q = (np.linspace(-9, -1, steps)[:, None] + rng.normal(0, 0.1, (steps, n))).astype(np.float32)
    actions = np.take_along_axis(candidates, q.argmax(axis=1)[:, None, None], axis=1)[:, 0]
    times = np.linspace(0, 1, m_inf + 1)[:, None]
    noise = rng.normal(size=(steps, 1, act))
    return Rollout(
        task=task,
        success_timing="post",
        seed=0,
        episode=episode,
        cell=Cell(m_inf, n),
        qpos=physical["qpos"],
        qvel=physical["qvel"],
        button_states=physical.get("button_states"),
        actions=actions,
        reward=-np.ones(steps),
        success=np.arange(steps) == (steps - 1 if succeeds else steps),
        q=q.max(axis=1) if critic else np.full(steps, np.nan, np.float32),
        candidates=candidates,
        q_candidates=q if critic else np.full((steps, n), np.nan, np.float32),
        flow=(noise + times * (actions[:, None] - noise)) if flow else None,
        act_ms=0.5 * m_inf,
    )


def made_up(steps: int = 5, act: int = 5, **settings) -> Rollout:
    """An episode of a body that walks straight, in no environment."""
    walk = np.linspace(0, 8, steps + 1)
    return decided({"qpos": np.stack([walk, walk], axis=1), "qvel": np.zeros((steps + 1, 2))}, act, **settings)


def rollout(task: str, steps: int = 5, **settings) -> Rollout:
    """A short episode of no action in a task's own environment."""
    env = make_env(task).unwrapped
    reset(env, episode_seed(0, 0, settings.get("episode", 0)))
    states = [physics(env)]
    for _ in range(steps):
        env.step(np.zeros(env.action_space.shape))
        states.append(physics(env))
    stacked = {name: np.stack([state[name] for state in states]) for name in states[0]}
    return decided(stacked, env.action_space.shape[0], task=task, **settings)
