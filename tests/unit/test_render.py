"""Rendering: backends, fallback, and a video of recorded physics where there is OpenGL."""

import json
import logging
import subprocess
import sys
import time

import imageio_ffmpeg
import matplotlib.image
import numpy as np
import pytest

from tests.unit.recorded import rollout
from workbench.cli.main import main
from workbench.errors import NoGraphicsError, WorkbenchError
from workbench.evaluate.envs import episode_seed, make_env, reset
from workbench.evaluate.rollout import save_rollouts
from workbench.render import backend, process, run
from workbench.render.backend import OFF, give_up_on, graphics_environment, probe_backend
from workbench.render.gpu import Choice, choose_device
from workbench.render.layout import GAP
from workbench.render.overlay import CAPTION, UNDERLAY
from workbench.render.run import render_frames, render_rollouts
from workbench.render.scrub import load_scrub


def has_graphics() -> bool:
    """Whether frames can be drawn here."""
    try:
        return probe_backend() != OFF
    except NoGraphicsError:
        return False


needs_gl = pytest.mark.skipif(not has_graphics(), reason="no OpenGL on this machine")


@pytest.fixture
def fresh_probe(monkeypatch):
    """Answers about this machine are neither taken from before nor kept."""
    monkeypatch.setattr(backend, "_given_up", set())
    probe_backend.cache_clear()
    choose_device.cache_clear()
    yield
    probe_backend.cache_clear()
    choose_device.cache_clear()


def test_the_users_own_backend_is_respected(monkeypatch, fresh_probe):
    monkeypatch.setattr(backend, "_failure", lambda *_: "")
    monkeypatch.setenv("MUJOCO_GL", "OSMesa")
    assert probe_backend() == "osmesa"
    probe_backend.cache_clear()
    monkeypatch.setenv("MUJOCO_GL", "disabled")
    assert probe_backend() == OFF


def test_the_users_own_backend_that_does_not_work_is_one_sentence(monkeypatch, fresh_probe, capsys):
    monkeypatch.setenv("MUJOCO_GL", "nonsense")
    assert main(["video", "whatever"]) == 3
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "MUJOCO_GL=nonsense does not work" in message
    assert "unset it" in message


@pytest.mark.parametrize(("works", "found"), [({"egl", "osmesa"}, "egl"), ({"osmesa"}, "osmesa"), (set(), OFF)])
def test_backends_are_tried_in_turn(monkeypatch, fresh_probe, works, found):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(backend, "_failure", lambda name, _: "" if name in works else "broken")
    assert probe_backend() == found
    if "egl" in works:
        assert give_up_on("egl") == "osmesa"
        assert probe_backend() == "osmesa"


def test_a_driver_that_hangs_does_not_work(monkeypatch):
    def hang(*_, timeout, **__):
        raise subprocess.TimeoutExpired("python", timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    assert "no answer" in backend._failure("osmesa", 0.1)


def test_no_opengl_is_one_sentence_and_exit_code_3(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(run, "probe_backend", lambda: OFF)
    with pytest.raises(NoGraphicsError, match=r"no OpenGL backend works .* apt-get install"):
        render_rollouts(tmp_path / "x.npz", tmp_path)
    monkeypatch.setattr(backend, "probe_backend", lambda: OFF)
    assert main(["video", "whatever"]) == 3
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "MUJOCO_GL" in message


@pytest.fixture
def faked(monkeypatch, tmp_path, fresh_probe):
    """A renderer in which EGL fails and software works, both as the probe sees them working."""
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(backend, "_failure", lambda *_: "")
    monkeypatch.setattr(run, "choose_device", lambda: Choice(None, "test"))

    made = json.dumps({"video": "v.mp4", "sheet": "v_sheet.png", "scrub": "v_scrub.npz"})

    def fake(egl: str) -> None:
        code = f"import os, sys\nif os.environ['MUJOCO_GL'] == 'egl':\n    {egl}\nprint({made!r})"
        monkeypatch.setattr(run, "PROCESS", (sys.executable, "-c", code))

    return fake


def test_egl_that_fails_is_left_for_software_once(faked, tmp_path, caplog):
    faked("sys.exit('the driver broke')")
    with caplog.at_level(logging.WARNING):
        paths = [render_rollouts(tmp_path / "r.npz", tmp_path).video.name for _ in range(2)]
    assert paths == ["v.mp4", "v.mp4"]
    assert len(caplog.messages) == 1
    assert "the driver broke. Drawing in software (osmesa)" in caplog.messages[0]


def test_what_is_not_the_drivers_fault_is_not_tried_again(faked, tmp_path, caplog):
    faked("print('no such file.', file=sys.stderr); sys.exit(2)")
    with pytest.raises(WorkbenchError, match=r"MUJOCO_GL=egl failed: no such file\.$"):
        render_rollouts(tmp_path / "r.npz", tmp_path)
    assert probe_backend() == "egl"


def test_a_user_who_asked_for_egl_gets_its_error(faked, tmp_path, monkeypatch):
    faked("sys.exit('the driver broke')")
    monkeypatch.setenv("MUJOCO_GL", "egl")
    with pytest.raises(WorkbenchError, match="the driver broke"):
        render_rollouts(tmp_path / "r.npz", tmp_path)


def test_work_that_takes_too_long_is_stopped(faked, tmp_path):
    faked("import time; time.sleep(60)")
    start = time.perf_counter()
    with pytest.raises(WorkbenchError, match=r"took more than 1 s .* MUJOCO_GL=osmesa"):
        render_rollouts(tmp_path / "r.npz", tmp_path, timeout=1.0)
    assert time.perf_counter() - start < 20


def test_a_frame_that_does_not_come_ends_the_process():
    code = (
        "import time\nfrom workbench.render import process\nprocess.STALL = 0.2\n"
        "with process.no_stall():\n    time.sleep(60)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "Timeout (" in done.stderr


def test_no_ffmpeg_is_one_sentence(monkeypatch):
    def missing():
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    with pytest.raises(WorkbenchError, match=r"no ffmpeg .* pip install"):
        process._ffmpeg()


@needs_gl
@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "frames"),  # ten a second, of 6 states 0.05 s or 0.1 s apart, then one second more
    [("scene-play-singletask-task2-v0", 3 + 10), ("antsoccer-arena-navigate-singletask-task4-v0", 6 + 10)],
)
def test_physics_becomes_a_video_a_contact_sheet_and_scrub_data(tmp_path, task, frames):
    episodes = [rollout(task, steps=5, m_inf=1, n=3), rollout(task, steps=3, m_inf=8, n=3)]
    save_rollouts(tmp_path / "r.npz", episodes)
    made = render_rollouts(tmp_path / "r.npz", tmp_path, width=160, height=120)
    header, *images = imageio_ffmpeg.read_frames(str(made.video))
    assert header["fps"] == 10
    assert len(images) == frames
    scrub = load_scrub(made.scrub)
    assert (scrub.frames, scrub.video, scrub.fps) == (frames, "rollouts.mp4", 10)
    assert [track.step.max() for track in scrub.tracks] == [5, 3]
    video = np.frombuffer(images[0], np.uint8).reshape(*header["size"][::-1], 3)
    bare = render_frames(episodes, [[0, 5], [0]], width=160, height=120)
    assert [each.shape for each in bare] == [(2, 120, 160, 3), (1, 120, 160, 3)]
    for track, each in zip(scrub.tracks, bare, strict=True):
        x, y, width, height = track.box
        shown = video[y : y + height, x : x + width]
        assert np.abs(shown.astype(float) - each[0]).mean() < 6  # nothing is written over the scene
    sheet = matplotlib.image.imread(made.sheet)
    assert sheet.shape[0] >= 2 * (120 + CAPTION + GAP)
    assert video.shape[0] >= 120 + CAPTION + UNDERLAY
    assert sheet.std() > 0.05
    assert not list(tmp_path.glob(".*"))


@needs_gl
@pytest.mark.slow
def test_the_goal_is_where_the_episode_had_it(tmp_path):
    task = "antmaze-medium-navigate-singletask-task1-v0"
    code = (
        "import sys, json\nfrom pathlib import Path\nfrom workbench.evaluate.rollout import load_rollouts\n"
        "from workbench.render.stage import Stage\nepisodes = load_rollouts(Path(sys.argv[1]))\n"
        "stage = Stage(episodes[0].task, 64, 48)\n"
        "print(json.dumps([stage.goal(each).xy.tolist() for each in episodes]))"
    )
    episodes = [rollout(task, steps=1, episode=episode) for episode in (0, 3)]
    save_rollouts(tmp_path / "r.npz", episodes)
    command = [sys.executable, "-c", code, str(tmp_path / "r.npz")]
    environment = graphics_environment(probe_backend())
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True)
    env = make_env(task).unwrapped
    for episode, goal in zip((0, 3), json.loads(done.stdout.splitlines()[-1]), strict=True):
        reset(env, episode_seed(0, 0, episode))
        np.testing.assert_allclose(goal, env.cur_goal_xy)


@needs_gl
def test_a_process_that_fails_says_why(tmp_path):
    with pytest.raises(WorkbenchError, match=r"rendering .* failed: .*no rollout file"):
        render_rollouts(tmp_path / "missing.npz", tmp_path)
