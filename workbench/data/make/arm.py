"""What OGBench computes around MuJoCo's steps, with less overhead and to the same bits.

The arm's control, its inverse kinematics, the information of a state and the plan of an oracle are replaced in one
environment object and its oracles; the installed package is not touched. Another version of OGBench than the one
they were written after is stepped as it is.
"""

import itertools
import math
from importlib.metadata import version
from typing import Any

import mujoco as typed_mujoco
import numpy as np
from jaxtyping import Float

from workbench.data.make.rotations import Quaternion, about_z, exponential, times, turned, yaw

WRITTEN_AFTER = "1.2.2"

mujoco: Any = typed_mujoco  # whose functions a type checker does not see

_COLOURED = ("_cube_geom_ids_list", "_cube_target_geom_ids_list", "_button_geom_ids_list")


def speed_up(env: Any, oracles: dict[str, Any]) -> None:
    """Replace the slow parts of a manipulation environment that is not rendered, before its first reset."""
    if version("ogbench") != WRITTEN_AFTER:
        return
    env._ik.solve = InverseKinematics(env._ik)
    arm = Arm(env)
    env.set_control, env.compute_ob_info = arm.set_control, arm.state_info
    find_objects = env.post_compilation_objects

    def find_objects_without_colours() -> None:
        # Every step paints cubes and buttons anew, and nothing but a renderer sees it.
        find_objects()
        for name in _COLOURED:
            if hasattr(env, name):
                setattr(env, name, [[] for _ in getattr(env, name)])

    env.post_compilation_objects = find_objects_without_colours
    for oracle in oracles.values():
        if hasattr(oracle, "compute_plan"):
            oracle.compute_plan = Planner(oracle)


class InverseKinematics:
    """`DiffIKController.solve` for its one site, writing into the same few arrays."""

    def __init__(self, controller: Any) -> None:
        (site,) = controller._site_ids
        self._controller, self._site = controller, int(site)
        self._position, self._matrix = controller._data.site_xpos[site], controller._data.site_xmat[site]
        self._error = np.empty(6)
        self._shift, self._turn = self._error[:3], self._error[3:]
        self._quaternion, self._inverse, self._between = np.empty((3, 4))
        self._jacobian = np.empty_like(controller._jac)

    def __call__(
        self,
        pos: Float[np.ndarray, "3"],
        quat: Float[np.ndarray, "4"],
        curr_qpos: Float[np.ndarray, " joint"],
        max_iters: int = 20,
        pos_thresh: float = 1e-4,
        ori_thresh: float = 1e-4,
    ) -> Float[np.ndarray, " joint"]:
        model, data = self._controller._model, self._controller._data
        data.qpos = curr_qpos
        for _ in range(max_iters):
            mujoco.mj_kinematics(model, data)
            np.subtract(pos, self._position, out=self._shift)
            mujoco.mju_mat2Quat(self._quaternion, self._matrix)
            mujoco.mju_negQuat(self._inverse, self._quaternion)
            mujoco.mju_mulQuat(self._between, quat, self._inverse)
            mujoco.mju_quat2Vel(self._turn, self._between, 1.0)
            if _length(self._shift) <= pos_thresh and _length(self._turn) <= ori_thresh:
                break
            mujoco.mj_integratePos(model, data.qpos, self._update(), 1.0)
        return data.qpos.copy()

    def _update(self) -> Float[np.ndarray, " joint"]:
        controller, jacobian = self._controller, self._jacobian
        mujoco.mj_comPos(controller._model, controller._data)  # needed by the Jacobian only
        mujoco.mj_jacSite(controller._model, controller._data, jacobian[:3], jacobian[3:], self._site)
        update = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + controller._damping, self._error)
        largest = np.abs(update).max()
        if largest > controller._max_angle_change:
            update *= controller._max_angle_change / largest
        return update


class Arm:
    """`set_control` and the part of `compute_ob_info` that every manipulation environment has."""

    def __init__(self, env: Any) -> None:
        self._env = env
        self._low, self._span = env.action_low.tolist(), (env.action_high - env.action_low).tolist()
        self._lowest, self._highest = env._workspace_bounds.tolist()
        self._down: Quaternion = env._effector_down_rotation.wxyz.tolist()
        self._up: Quaternion = env._effector_down_rotation.inverse().wxyz.tolist()
        self._quaternion = np.zeros(4)

    def set_control(self, action: Float[np.ndarray, "5"]) -> None:
        """Targets of the joints for an action relative to where the effector is."""
        env, data = self._env, self._env._data
        *shift, turn, close = [
            0.5 * (each + 1) * span + low
            for each, span, low in zip(action.tolist(), self._span, self._low, strict=True)
        ]
        effector = data.site_xpos[env._pinch_site_id].tolist()
        bounds = zip(effector, shift, self._lowest, self._highest, strict=True)
        x, y, z = [_clip(here + by, low, high) for here, by, low, high in bounds]
        heading = yaw(times(times(about_z(turn), about_z(self._effector_yaw())), self._up))
        pinch = times(about_z(_clip(heading, -np.pi, np.pi)), self._down)
        to_attachment = env._T_pa.wxyz_xyz.tolist()
        dx, dy, dz = turned(pinch, to_attachment[4:])
        data.ctrl[env._arm_actuator_ids] = env._ik.solve(
            pos=np.array([dx + x, dy + y, dz + z]),
            quat=np.array(times(pinch, to_attachment[:4])),
            curr_qpos=data.qpos[env._arm_joint_ids],
        )
        data.ctrl[env._gripper_actuator_ids] = 255.0 * _clip(self._gripper_opening() + close, 0.0, 1.0)

    def state_info(self) -> dict[str, Any]:
        """What the environment reports of its state."""
        env, data = self._env, self._env._data
        contact = float(np.linalg.norm(data.body("ur5e/robotiq/right_pad").cfrc_ext)) / 50
        info: dict[str, Any] = {
            "proprio/joint_pos": data.qpos[env._arm_joint_ids],
            "proprio/joint_vel": data.qvel[env._arm_joint_ids],
            "proprio/effector_pos": data.site_xpos[env._pinch_site_id].copy(),
            "proprio/effector_yaw": np.array([self._effector_yaw()]),
            "proprio/gripper_opening": np.array([self._gripper_opening()]),
            "proprio/gripper_vel": data.qvel[[env._gripper_opening_joint_id]],
            "proprio/gripper_contact": np.array([_clip(contact, 0.0, 1.0)]),
        }
        env.add_object_info(info)
        info["prev_qpos"], info["prev_qvel"] = env._prev_qpos.copy(), env._prev_qvel.copy()
        info["qpos"], info["qvel"] = data.qpos.copy(), data.qvel.copy()
        info["control"], info["time"] = data.ctrl.copy(), np.array([data.time])
        return info

    def _effector_yaw(self) -> float:
        mujoco.mju_mat2Quat(self._quaternion, self._env._data.site_xmat[self._env._pinch_site_id])
        return yaw(self._quaternion.tolist())

    def _gripper_opening(self) -> float:
        return _clip(float(self._env._data.qpos[self._env._gripper_opening_joint_id]) / 0.8, 0.0, 1.0)


class Planner:
    """`PlanOracle.compute_plan`, with what depends on a segment only computed once a segment."""

    def __init__(self, oracle: Any) -> None:
        self._oracle = oracle

    def __call__(self, times: list[float], poses: list[Any], grasps: list[float]) -> Float[np.ndarray, "step 5"]:
        from scipy.interpolate import interp1d
        from scipy.ndimage import gaussian_filter1d

        oracle, moments = self._oracle, []
        moment = 0.0
        while moment < oracle._t_max:
            moments.append(moment)
            moment += oracle._env_dt
        at = {"kind": "linear", "axis": 0, "assume_sorted": True}
        plan = np.zeros((len(moments), 5))
        plan[:, :3] = interp1d(times, [pose.translation() for pose in poses], **at)(moments)
        plan[:, 3] = _yaws(np.array(times), [pose.rotation() for pose in poses], np.array(moments))
        plan[:, 4] = interp1d(times, grasps, **at)(moments)
        if oracle._noise > 0:
            # OGBench's oracles draw from the process-wide generator.
            noise = np.random.normal(0, 1, size=plan.shape) * np.array([0.05, 0.05, 0.05, 0.3, 1.0])  # noqa: NPY002
            plan += gaussian_filter1d(noise * oracle._noise, axis=0, sigma=oracle._noise_smoothing)
        return plan


def _yaws(
    times_: Float[np.ndarray, " keyframe"], rotations: list[Any], moments: Float[np.ndarray, " step"]
) -> list[float]:
    """Yaw at each moment, of the rotation between the keyframes before and after it."""
    starts: list[Quaternion] = [rotation.wxyz.tolist() for rotation in rotations]
    paths = [(here.inverse() @ there).log() for here, there in itertools.pairwise(rotations)]
    segments = np.searchsorted(times_, moments, side="right") - 1
    shares = np.clip((moments - times_[segments]) / (times_[segments + 1] - times_[segments]), 0.0, 1.0)
    found = []
    for segment, share in zip(segments.tolist(), shares.tolist(), strict=True):
        tangent = share * paths[segment]
        x, y, z = tangent.tolist()
        turn = exponential(x, y, z, float(tangent @ tangent))
        found.append(yaw(times(starts[segment], turn)))
    return found


def _length(vector: Float[np.ndarray, "3"]) -> float:
    return math.sqrt(vector.dot(vector))


def _clip(value: float, low: float, high: float) -> float:
    return low if value < low else high if value > high else value
