"""Rendering: the backend probe, captions and tiles, and a video of recorded physics where there is OpenGL."""

import subprocess

import imageio_ffmpeg
import matplotlib.image
import numpy as np
import pytest

from workbench.cli.main import main
from workbench.errors import NoGraphicsError, WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.evaluate.envs import make_env, physics, reset
from workbench.evaluate.rollout import Rollout, save_rollouts
from workbench.render import backend, process, run
from workbench.render.backend import OFF, probe_backend
from workbench.render.panel import CAPTION, GAP, caption, fade, grid_shape, tile
from workbench.render.run import render_rollouts

needs_gl = pytest.mark.skipif(probe_backend() == OFF, reason="no OpenGL on this machine")


def rollout(task: str, steps: int = 5, m_inf: int = 1) -> Rollout:
    """A short recorded episode of no action."""
    env = make_env(task).unwrapped
    reset(env, 0)
    states = [physics(env)]
    for _ in range(steps):
        env.step(np.zeros(env.action_space.shape))
        states.append(physics(env))
    stacked = {name: np.stack([state[name] for state in states]) for name in states[0]}
    act = env.action_space.shape[0]
    return Rollout(
        task=task,
        success_timing="post",
        seed=0,
        episode=0,
        cell=Cell(m_inf, 2),
        qpos=stacked["qpos"],
        qvel=stacked["qvel"],
        button_states=stacked.get("button_states"),
        actions=np.zeros((steps, act), np.float32),
        reward=np.zeros(steps),
        success=np.zeros(steps, bool),
        q=np.linspace(-9, -1, steps, dtype=np.float32),
        candidates=np.zeros((steps, 2, act), np.float32),
        q_candidates=np.zeros((steps, 2), np.float32),
    )


@pytest.fixture
def fresh_probe():
    probe_backend.cache_clear()
    yield
    probe_backend.cache_clear()


def test_the_users_own_backend_is_respected(monkeypatch, fresh_probe):
    monkeypatch.setattr(backend, "_works", None)
    monkeypatch.setenv("MUJOCO_GL", "OSMesa")
    assert probe_backend() == "osmesa"


@pytest.mark.parametrize(("works", "found"), [({"egl", "osmesa"}, "egl"), ({"osmesa"}, "osmesa"), (set(), OFF)])
def test_backends_are_tried_in_turn(monkeypatch, fresh_probe, works, found):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(backend, "_works", lambda name, _: name in works)
    assert probe_backend() == found


def test_a_driver_that_hangs_does_not_work(monkeypatch):
    def hang(*_, timeout, **__):
        raise subprocess.TimeoutExpired("python", timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    assert not backend._works("egl", 0.1)


def test_no_opengl_is_one_sentence_and_exit_code_3(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(run, "probe_backend", lambda: OFF)
    with pytest.raises(NoGraphicsError, match=r"no OpenGL backend works .* apt-get install"):
        render_rollouts(tmp_path / "x.npz", tmp_path)
    monkeypatch.setattr(backend, "probe_backend", lambda: OFF)
    assert main(["video", "whatever"]) == 3
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "MUJOCO_GL" in message


def test_a_caption_lies_over_the_scene_and_changes_with_the_step():
    frame = np.full((90, 200, 3), 7, np.uint8)
    episode = rollout("pointmaze-medium-navigate-singletask-task1-v0")
    first, second = (caption(frame, episode, step) for step in (0, 3))
    assert first.shape == (90 + CAPTION, 200, 3)
    np.testing.assert_array_equal(first[CAPTION:], frame)
    assert (first[:CAPTION] != second[:CAPTION]).any()


def test_the_end_is_pale_and_its_caption_is_not():
    panel = np.random.default_rng(0).integers(0, 256, (CAPTION + 20, 30, 3), np.uint8)
    pale = fade(panel)
    np.testing.assert_array_equal(pale[:CAPTION], panel[:CAPTION])
    assert pale[CAPTION:].min() >= 127
    assert np.corrcoef(pale[CAPTION:].ravel(), panel[CAPTION:].ravel())[0, 1] > 0.99


def test_no_ffmpeg_is_one_sentence(monkeypatch):
    def missing():
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    with pytest.raises(WorkbenchError, match=r"no ffmpeg .* pip install"):
        process._ffmpeg()


def test_tiles_keep_every_frame_and_fill_with_white():
    frames = [np.full((4, 5, 3), value, np.uint8) for value in (10, 20, 30)]
    image = tile(frames, 2)
    assert image.shape == (2 * (4 + GAP), 2 * (5 + GAP), 3)
    assert [int(image[0, 0, 0]), int(image[0, 5 + GAP, 0]), int(image[4 + GAP, 0, 0])] == [10, 20, 30]
    assert (image[4 + GAP :, 5 + GAP :] == 255).all()


@pytest.mark.parametrize(("count", "shape"), [(1, (1, 1)), (4, (1, 4)), (6, (2, 3)), (9, (3, 3))])
def test_grid_shape(count, shape):
    assert grid_shape(count) == shape


@needs_gl
@pytest.mark.parametrize(
    ("task", "frames"),  # ten a second, of 6 states 0.05 s or 0.1 s apart, then one second more
    [("scene-play-singletask-task2-v0", 3 + 10), ("antsoccer-arena-navigate-singletask-task4-v0", 6 + 10)],
)
def test_physics_becomes_a_video_and_a_contact_sheet(tmp_path, task, frames):
    save_rollouts(tmp_path / "r.npz", [rollout(task), rollout(task, steps=3, m_inf=8)])
    paths = render_rollouts(tmp_path / "r.npz", tmp_path, width=160, height=120)
    header, *images = imageio_ffmpeg.read_frames(str(paths["video"]))
    assert (header["size"], header["fps"]) == ((2 * (160 + GAP), 120 + CAPTION + GAP), 10)
    assert len(images) == frames
    assert np.frombuffer(images[-1], np.uint8).std() > 10
    sheet = matplotlib.image.imread(paths["contact sheet"])
    assert sheet.shape[:2] == (2 * (120 + CAPTION + GAP), 6 * (160 + GAP))
    assert sheet[CAPTION:, :160].std() > 0.05
    assert not list(tmp_path.glob(".*"))


@needs_gl
def test_a_process_that_fails_says_why(tmp_path):
    with pytest.raises(WorkbenchError, match=r"rendering .* failed: .*no rollout file"):
        render_rollouts(tmp_path / "missing.npz", tmp_path)
