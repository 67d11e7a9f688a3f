"""The scene of a task with a camera on it, set to the recorded physics of any step."""

from typing import Any, NamedTuple

import mujoco
import numpy as np
from jaxtyping import UInt8

from workbench.evaluate.envs import episode_seed, make_env, reset
from workbench.evaluate.rollout import Rollout

mj: Any = mujoco  # its names are made at import, where type checkers do not see them

TRAIL_MARKS = 250
"""Most marks on the path of an agent in a maze."""

TRAIL, AGENT, BALL, GOAL = (0.7, 0.2, 0.0, 1.0), (0.8, 0.6, 0.0, 1.0), (0.8, 0.8, 0.8, 1.0), (0.0, 0.6, 0.2, 1.0)


class Goal(NamedTuple):
    """Where an episode's goal is: in a maze (x, y), else the poses of what shows it."""

    xy: Any
    positions: np.ndarray
    turns: np.ndarray


class Stage:
    """One environment, drawn at steps of recorded episodes.

    Manipulation is seen from the front, by day, from somewhat nearer and more from the side than in OGBench; mazes from
    above, with the agent's path, agent, ball and goal marked, which are a few pixels wide otherwise. Nothing casts
    shadows: software OpenGL would take three times as long, and a picture should not depend on the machine.

    Goals are drawn where each episode had them, by its seed; that takes `key_seed` of the evaluation to be its default.
    """

    def __init__(self, task: str, width: int, height: int) -> None:
        self.env: Any = make_env(task).unwrapped
        reset(self.env, 0)  # builds the model
        model = self.env.model
        self.in_maze = hasattr(self.env, "maze_map")
        self.seconds_a_step = float(self.env.dt if self.in_maze else self.env.control_timestep())
        model.vis.global_.offwidth = max(width, model.vis.global_.offwidth)
        model.vis.global_.offheight = max(height, model.vis.global_.offheight)
        if self.in_maze:
            self.camera = _above(self.env.maze_map.shape, width / height)
            self.mark_size = 0.08 * self.env.maze_map.shape[1]
            model.geom("target").rgba[3] = 0.0  # a larger mark takes its place
            model.material("wall").rgba = (0.3, 0.3, 0.33, 1.0)
        else:
            self.camera = _front()
            model.vis.headlight.ambient[:] = 0.5
            _lighten(model)
            goals = (model.body_mocapid[model.geom_bodyid] >= 0) & (model.geom_rgba[:, 3] > 0)
            model.geom_rgba[goals, 3] = 0.25
        self._colours, self._goals = model.geom_rgba.copy(), {}
        self.renderer = mj.Renderer(model, height, width)
        for flag in (mj.mjtRndFlag.mjRND_REFLECTION, mj.mjtRndFlag.mjRND_SHADOW):
            self.renderer.scene.flags[flag] = 0

    def frame(self, rollout: Rollout, step: int) -> UInt8[np.ndarray, "height width 3"]:
        """The scene at one step of a rollout; its length is the step after the last."""
        goal = self.goal(rollout)
        self.env.data.mocap_pos[:], self.env.data.mocap_quat[:] = goal.positions, goal.turns
        buttons = () if rollout.button_states is None else (rollout.button_states[step],)
        self.env.set_state(rollout.qpos[step], rollout.qvel[step], *buttons)
        self.renderer.update_scene(self.env.data, camera=self.camera)
        if self.in_maze:
            self._mark(rollout, step)
        return self.renderer.render()

    def goal(self, rollout: Rollout) -> Goal:
        """The goal of a rollout's episode."""
        key = rollout.seed, rollout.episode
        if key not in self._goals:
            reset(self.env, episode_seed(0, *key))
            self.env.model.geom_rgba[:] = self._colours
            data = self.env.data
            xy = np.array(self.env.cur_goal_xy) if self.in_maze else None
            self._goals[key] = Goal(xy, data.mocap_pos.copy(), data.mocap_quat.copy())
        return self._goals[key]

    def _mark(self, rollout: Rollout, step: int) -> None:
        """Draw the path so far and what matters in a maze."""
        path = rollout.qpos[: step + 1, :2]
        for xy in path[:: -(-len(path) // TRAIL_MARKS)]:
            self._disc(xy, 0.03, 0.3 * self.mark_size, TRAIL)
        self._disc(self.goal(rollout).xy, 0.05, self.mark_size, GOAL)
        self._disc(path[-1], 0.07, 0.6 * self.mark_size, AGENT)
        if rollout.task.startswith("antsoccer"):
            self._disc(rollout.qpos[step, -7:-5], 0.09, 0.8 * self.mark_size, BALL)

    def _disc(self, xy: Any, z: float, radius: float, rgba: tuple[float, ...]) -> None:
        scene = self.renderer.scene
        mj.mjv_initGeom(
            scene.geoms[scene.ngeom],
            mj.mjtGeom.mjGEOM_CYLINDER,
            np.array([radius, 0.01, 0.0]),
            np.array([xy[0], xy[1], z]),
            np.eye(3).ravel(),
            np.array(rgba, np.float32),
        )
        scene.geoms[scene.ngeom].emission = 0.3
        scene.ngeom += 1


def _front() -> Any:
    camera = mj.MjvCamera()
    camera.lookat[:] = (0.37, -0.02, 0.18)
    camera.distance, camera.azimuth, camera.elevation = 1.15, 158, -30
    return camera


def _lighten(model: Any) -> None:
    """A pale sky and a grey floor, instead of night: what happens stays visible in a small picture, and in print."""
    for name, level, contrast in (("skybox", 215, 0.0), ("grid", 100, 0.8)):
        start = model.tex(name).adr[0]
        size = int(model.tex(name).height[0]) * int(model.tex(name).width[0]) * int(model.tex(name).nchannel[0])
        part = slice(start, start + size)
        model.tex_data[part] = np.clip(level + contrast * model.tex_data[part], 0, 255)


def _above(cells: tuple[int, int], aspect: float) -> Any:
    """From above, so that the maze and half its outer walls fill the picture (MuJoCo's field of view is 45 degrees)."""
    unit, tangent = 4.0, np.tan(np.radians(45 / 2))
    camera = mj.MjvCamera()
    rows, columns = cells
    camera.lookat[:] = (unit / 2 * (columns - 3), unit / 2 * (rows - 3), 0.0)
    camera.distance = unit * max(rows - 1, (columns - 1) / aspect) / (2 * tangent)
    camera.azimuth, camera.elevation = 90, -90
    return camera
