"""Cube, scene and puzzle: the robot arm driven by OGBench's plan oracles (`play`) or Markov oracles (`noisy`)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from workbench.data.catalogue import DatasetInfo
from workbench.data.make.arm import speed_up
from workbench.data.make.episodes import Episode, Step, seed_legacy_numpy

# Range of an episode's probability that a cube's next target is on top of another cube.
_STACKING = {
    "cube-single": (0.0, 0.0),
    "cube-double": (0.0, 0.25),
    "cube-triple": (0.05, 0.35),
    "cube-quadruple": (0.1, 0.5),
}
_STACKING_ELSEWHERE = (0.5, 0.5)

_PLAN = {"noise": 0.1, "noise_smoothing": 0.5}
_MARKOV = {"min_norm": 0.4}
_MARKOV_NOISE_LIMIT = 0.1
_MARKOV_NOISE_SCALE = np.array([1.0, 1.0, 1.0, 3.0, 10.0])
_MARKOV_RANDOM = 0.1
_MARKOV_RANDOM_PUZZLE = 0.2


class ManipulationCollector:
    """The official recipe of the `play` and `noisy` sets of one manipulation environment."""

    def __init__(self, info: DatasetInfo) -> None:
        import gymnasium
        import ogbench.manipspace  # noqa: F401  (registers the environments)

        self._info = info
        self._random_share = _MARKOV_RANDOM_PUZZLE if info.family == "puzzle" else _MARKOV_RANDOM
        self._env: Any = gymnasium.make(
            info.env_id,
            mode="data_collection",
            terminate_at_goal=False,
            visualize_info=False,
            disable_env_checker=True,
        ).unwrapped
        self._oracles = _oracles(self._env, info)
        speed_up(self._env, self._oracles)
        self._state_info = _OnceAStep(self._env)

    def steps(self, rng: np.random.Generator) -> Iterator[Step]:
        """One episode: an oracle pursues the environment's target; when it is done, a new target is drawn."""
        seed_legacy_numpy(rng)
        self._state_info.forget()
        ob, info = self._env.reset(seed=int(rng.integers(2**31)))
        p_stack = rng.uniform(*_STACKING.get(self._info.environment, _STACKING_ELSEWHERE))
        noise = rng.uniform(0, _MARKOV_NOISE_LIMIT) * _MARKOV_NOISE_SCALE
        oracle = self._pursue(ob, info)
        while True:
            action = self._action(oracle, ob, info, noise, rng)
            next_ob, _, _, _, info = self._env.step(action)
            yield ob, action, info
            ob = next_ob
            if oracle.done:
                self._env.set_new_target(return_info=False, p_stack=p_stack)
                # Only the oracle's reset sees the new target; `info` stays the step's, as in the official recipe.
                oracle = self._pursue(ob, self._state_info.compute())

    def accepts(self, episode: Episode) -> bool:
        """Refuse the rare scene episodes in which the cube leaves the table."""
        return self._info.family != "scene" or cube_stays_on_table(episode["qpos"])

    def _pursue(self, ob: np.ndarray, info: dict[str, Any]) -> Any:
        oracle = self._oracles[info["privileged/target_task"]]
        oracle.reset(ob, info)
        return oracle

    def _action(
        self, oracle: Any, ob: np.ndarray, info: dict[str, Any], noise: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        if self._info.kind == "play":
            return np.clip(oracle.select_action(ob, info), -1, 1)
        if rng.random() < self._random_share:
            return rng.uniform(-1, 1, size=noise.shape)
        return np.clip(oracle.select_action(ob, info) + rng.normal(0, noise), -1, 1)


def cube_stays_on_table(qpos: Float[np.ndarray, "row _"]) -> bool:
    """Whether scene's cube is on the table, in the gripper or in the drawer in every row (the official check).

    It is lost where y ≥ 0.29 m, or where y ≤ −0.3 m (over the drawer) at a height outside 0.06 m to 0.08 m.
    """
    y, z = qpos[:, 15], qpos[:, 16]
    lost = (y >= 0.29) | ((y <= -0.3) & ((z < 0.06) | (z > 0.08)))
    return not lost.any()


class _OnceAStep:
    """Makes an environment compute the information of a state once, where OGBench's `step` computes it three times.

    Between the end of one step and the end of the next nothing that it reports changes but the target, which steps do
    not use. `forget` before a reset.
    """

    def __init__(self, env: Any) -> None:
        self.compute = env.compute_ob_info
        self._end_step = env.post_step
        self._known: dict[str, Any] = {}
        env.compute_ob_info, env.post_step = self._recall, self._post_step

    def forget(self) -> None:
        self._known = {}

    def _recall(self) -> dict[str, Any]:
        if not self._known:
            self._known = self.compute()
        return self._known

    def _post_step(self) -> None:
        self._end_step()
        self.forget()


def _oracles(env: Any, info: DatasetInfo) -> dict[str, Any]:
    settings: dict[str, Any]
    if info.kind == "play":
        from ogbench.manipspace.oracles.plan.button_plan import ButtonPlanOracle as Button
        from ogbench.manipspace.oracles.plan.cube_plan import CubePlanOracle as Cube
        from ogbench.manipspace.oracles.plan.drawer_plan import DrawerPlanOracle as Drawer
        from ogbench.manipspace.oracles.plan.window_plan import WindowPlanOracle as Window

        settings = _PLAN
    else:
        from ogbench.manipspace.oracles.markov.button_markov import ButtonMarkovOracle as Button
        from ogbench.manipspace.oracles.markov.cube_markov import CubeMarkovOracle as Cube
        from ogbench.manipspace.oracles.markov.drawer_markov import DrawerMarkovOracle as Drawer
        from ogbench.manipspace.oracles.markov.window_markov import WindowMarkovOracle as Window

        settings = _MARKOV
    if info.family == "puzzle":
        return {"button": Button(env=env, gripper_always_closed=True, **settings)}
    oracles = {"cube": Cube, "button": Button, "drawer": Drawer, "window": Window}
    tasks = oracles if info.family == "scene" else ("cube",)
    return {task: oracles[task](env=env, **settings) for task in tasks}
