"""OGBench's single-task environments, made, copied and reset so that an episode is a function of its seed."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np

from workbench.data.catalogue import parse_task
from workbench.errors import UnknownNameError

SUCCESS_TIMINGS = ("post", "pre")


def make_env(task: str, *, success_timing: str = "post") -> Any:
    """The gymnasium environment of a task such as `cube-single-play-singletask-task2-v0`.

    `success_timing="post"` takes success and reward from the state after the action, as OGBench 1.1 did and as
    published numbers have it; "pre", the default of OGBench 1.2, from the state before. The episode limit is OGBench's.

    Raises `WorkbenchError` when `task` is no task name, `UnknownNameError` for another timing.
    """
    if success_timing not in SUCCESS_TIMINGS:
        raise UnknownNameError("success timing", success_timing, SUCCESS_TIMINGS)
    info, number = parse_task(task)
    import gymnasium
    import ogbench  # noqa: F401  (registers its environments)

    return gymnasium.make(
        f"{info.environment}-singletask-task{number}-v0", success_timing=success_timing, disable_env_checker=True
    )


def make_lanes(task: str, count: int, *, success_timing: str = "post") -> list[Any]:
    """`count` bare environments of one task, without gymnasium's wrappers: the caller keeps the episode limit.

    Those of a manipulation task are copies of one: compiling the robot takes half a second and 120 MB, copying the
    compiled model 40 ms and 60 MB (its meshes, mostly).
    """
    first = make_env(task, success_timing=success_timing).unwrapped
    if parse_task(task)[0].family not in ("cube", "scene", "puzzle"):
        return [first, *(make_env(task, success_timing=success_timing).unwrapped for _ in range(count - 1))]
    reset(first, 0)
    return [first, *(_copy(first) for _ in range(count - 1))]


def reset(env: Any, seed: int) -> np.ndarray:
    """Start the episode that belongs to `seed`; returns its first observation.

    `env.reset(seed=…)` alone is not repeatable in OGBench 1.2.2: mazes and soccer place agent, ball and goal by numpy's
    process-wide generator, and the random actions by which every family settles the goal scene come from a space that
    seeds itself (in the manipulation family these leave their trace in the controls and in the solver's warm start).
    Here both come from `seed`. MuJoCo's own state is reset with each episode, so that what an environment did before
    does not matter: the same seed gives the same episode, bit for bit, on one machine and one version of MuJoCo.
    """
    with _seeded_sources(seed):
        x, _ = env.reset(seed=seed)
    return x


def episode_seed(key_seed: int, seed: int, episode: int) -> int:
    """Reset seed of an episode: the same for every cell, lane and number of workers."""
    return int(np.random.SeedSequence((key_seed, seed, episode)).generate_state(1)[0])


def physics(env: Any) -> dict[str, np.ndarray]:
    """Copies of qpos and qvel, and of the buttons' states where the task has buttons: what `set_state` takes."""
    state = {"qpos": env.data.qpos.copy(), "qvel": env.data.qvel.copy()}
    if hasattr(env, "_cur_button_states"):
        state["button_states"] = np.array(env._cur_button_states, np.int64)
    return state


@contextmanager
def _seeded_sources(seed: int) -> Iterator[None]:
    """Let numpy's process-wide generator and `Box.sample` draw from `seed`; both are as before afterwards."""
    from gymnasium.spaces import Box

    rng = np.random.default_rng(seed)
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        with mock.patch.object(Box, "sample", lambda box: rng.uniform(box.low, box.high).astype(box.dtype)):
            yield
    finally:
        np.random.set_state(before)  # noqa: NPY002


def _copy(env: Any) -> Any:
    """A second manipulation environment with a model and a state of its own (the scene task writes to its model)."""
    import mujoco

    twin = copy.copy(env)
    twin._model = copy.deepcopy(env._model)
    twin._data = mujoco.MjData(twin._model)  # pyright: ignore[reportAttributeAccessIssue]
    return twin
