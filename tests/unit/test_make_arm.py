"""What is computed around MuJoCo's steps with less overhead: equal to OGBench's own computations, bit for bit."""

from typing import Any

import numpy as np
import pytest

from workbench.data.catalogue import dataset_info
from workbench.data.make import arm, manipulation
from workbench.data.make.episodes import collect_episode, episode_rng
from workbench.data.make.manipulation import ManipulationCollector
from workbench.data.make.rotations import about_z, exponential, inverse, times, turned, yaw

REPLACED = {"set_control", "compute_ob_info", "post_compilation_objects"}


class AsItIs:
    """In place of `_OnceAStep`: the environment computes its information whenever it asks itself for it."""

    def __init__(self, env: Any) -> None:
        self.compute, self.forget = env.compute_ob_info, lambda: None


@pytest.mark.parametrize("name", ["cube-single-play-v0", "scene-play-v0", "puzzle-3x3-play-v0", "scene-noisy-v0"])
def test_an_episode_is_that_of_the_untouched_environment_and_oracles(name, monkeypatch):
    info = dataset_info(name)
    quick = ManipulationCollector(info)
    monkeypatch.setattr(manipulation, "speed_up", lambda env, oracles: None)
    monkeypatch.setattr(manipulation, "_OnceAStep", AsItIs)
    plain = ManipulationCollector(info)
    assert (REPLACED & set(vars(quick._env)), REPLACED & set(vars(plain._env))) == (REPLACED, set())
    first, second = (collect_episode(each, episode_rng(3, "train", 0), 150) for each in (quick, plain))
    assert {key: array.tobytes() for key, array in first.items()} == {key: a.tobytes() for key, a in second.items()}
    if name == "scene-noisy-v0":
        assert len(np.unique(first["button_states"], axis=0)) > 1


def test_another_version_of_ogbench_is_stepped_as_it_is(monkeypatch):
    monkeypatch.setattr(arm, "WRITTEN_AFTER", "0.0.1")
    collector = ManipulationCollector(dataset_info("cube-single-play-v0"))
    assert "set_control" not in vars(collector._env)
    assert "solve" not in vars(collector._env._ik)
    assert "compute_plan" not in vars(collector._oracles["cube"])


def test_inverse_kinematics_is_ogbenchs_within_reach_and_beyond():
    from ogbench.manipspace.controllers import DiffIKController

    env = ManipulationCollector(dataset_info("cube-single-play-v0"))._env
    rng = np.random.default_rng(0)
    for scale in [0.1] * 20 + [2.0] * 20:
        quat = rng.normal(size=4)
        target = (np.array([0.4, 0.0, 0.3]) + rng.normal(size=3) * scale, quat / np.linalg.norm(quat))
        joints = env._home_qpos + rng.normal(size=6) * scale
        expected = DiffIKController.solve(env._ik, *target, joints)
        assert env._ik.solve(*target, joints).tobytes() == expected.tobytes()


def test_rotations_are_ogbenchs():
    from ogbench.manipspace.lie import SO3

    rng = np.random.default_rng(0)
    angles = np.concatenate([rng.uniform(-7, 7, 300), rng.normal(size=100) * 1e-5, [0.0, 1e-5, np.pi]])
    for angle in angles.tolist():
        tangent, other, vector = np.roll([angle, angle / 3, 0.0], 1), SO3.exp(rng.normal(size=3)), rng.normal(size=3)
        plain = SO3.exp(tangent)
        x, y, z = tangent.tolist()
        mine, theirs = exponential(x, y, z, float(tangent @ tangent)), other.wxyz.tolist()
        assert np.array(mine).tobytes() == plain.wxyz.tobytes()
        assert np.array(about_z(angle)).tobytes() == SO3.from_z_radians(angle).wxyz.tobytes()
        assert np.array(times(mine, theirs)).tobytes() == (plain @ other).wxyz.tobytes()
        assert np.array(inverse(theirs)).tobytes() == other.inverse().wxyz.tobytes()
        assert np.array(turned(theirs, vector.tolist())).tobytes() == (other @ vector).tobytes()
        assert yaw(theirs) == other.compute_yaw_radians()
