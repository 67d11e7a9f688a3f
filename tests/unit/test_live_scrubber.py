"""The rollout scrubber without a browser: what it opens, what it shows of a step, and what it says of broken files."""

import io
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.unit.films import SCENE, STRIDE, episodes, shade, write_film
from tests.unit.recorded import made_up
from workbench.errors import WorkbenchError
from workbench.live import RolloutScrubber
from workbench.live.scrubber import open_panels
from workbench.render.scrub import scenes

WAIT = 60.0


@pytest.fixture(name="video", scope="module")
def fixture_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_film(tmp_path_factory.mktemp("film"))


@pytest.fixture(name="scrubber")
def fixture_scrubber(video: Path) -> Iterator[RolloutScrubber]:
    made = RolloutScrubber(video)
    yield made
    made.close()


def grey(jpeg: bytes) -> float:
    """The mean of a picture, and that it is a scene."""
    image = Image.open(io.BytesIO(jpeg))
    assert image.size == SCENE
    return float(np.asarray(image).mean())


@pytest.mark.parametrize(("panel", "step", "seen"), [(0, 0, 0), (0, 7, 6), (0, 12, 12), (1, 4, 4), (1, 7, 7)])
def test_a_step_has_its_scene(scrubber, panel, step, seen):
    scrubber.set(panel=panel, step=step)
    scrubber.result(WAIT)
    assert grey(scrubber.frame.value) == pytest.approx(shade(panel, seen), abs=2.5)


def test_a_step_has_its_numbers_and_its_plots(scrubber):
    rollout = episodes()[1]
    scrubber.set(panel=1, step=3)
    moment = scrubber.result(WAIT)
    candidates = np.sort(rollout.q_candidates[3])
    assert (moment.step, moment.reward, moment.act_ms) == (3, -1.0, 2.0)
    np.testing.assert_allclose((moment.q, moment.best_rejected), candidates[[-1, -2]])
    assert moment.spread == pytest.approx(candidates[-1] - candidates[0])
    assert f"{moment.best_rejected:.4g}".replace("-", "−") in scrubber.numbers.value
    assert "3 (0.15 s)" in scrubber.numbers.value
    before = scrubber.plots.value
    scrubber.set(step=4)
    scrubber.result(WAIT)
    assert differing(before, scrubber.plots.value) > 100
    scrubber.set(step=3)
    scrubber.result(WAIT)
    assert differing(before, scrubber.plots.value) == 0


def differing(one: bytes, other: bytes) -> int:
    """Number of pixels in which two pictures differ."""
    first, second = (np.asarray(Image.open(io.BytesIO(each)).convert("RGB")) for each in (one, other))
    return int((first != second).any(axis=2).sum())


def test_one_candidate_has_no_rejected_one(scrubber):
    moment = scrubber.result(WAIT)
    assert math.isnan(moment.best_rejected)
    assert moment.spread == 0.0


def test_after_the_last_step_is_the_outcome(scrubber):
    scrubber.set(panel=1, step=7)
    moment = scrubber.result(WAIT)
    assert math.isnan(moment.q)
    assert "success in 7 steps, return −7" in scrubber.numbers.value


def test_another_panel_keeps_the_step_as_far_as_there_is_one(scrubber):
    scrubber.set(step=11)
    scrubber.set(panel=1)
    assert scrubber.result(WAIT).step == scrubber.step.value == scrubber.step.max == scrubber.play.max == 7
    assert (scrubber.play.step, scrubber.play.interval) == (STRIDE, 100)
    scrubber.set(panel=0)
    assert scrubber.result(WAIT).step == 7
    assert scrubber.step.max == 12


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [({"panel": 2}, "panel must be 0 to 1, not 2"), ({"panel": 1, "step": 8}, "step must be 0 to 7, not 8")],
)
def test_what_there_is_not_is_one_sentence_and_moves_nothing(scrubber, wish, sentence):
    with pytest.raises(WorkbenchError, match=sentence):
        scrubber.set(**wish)
    assert (scrubber.panel.value, scrubber.step.value) == (0, 0)


def test_it_has_a_picture_for_viewers_without_widgets(scrubber):
    scrubber.set(panel=1, step=3)
    scrubber.result(WAIT)
    bundle = scrubber._repr_mimebundle_()
    assert {"image/png", "application/vnd.jupyter.widget-view+json"} <= set(bundle)
    wide, tall = Image.open(io.BytesIO(scrubber.png())).size
    assert wide > tall + Image.open(io.BytesIO(scrubber.plots.value)).size[0]


def test_a_run_shows_all_its_videos(tmp_path):
    (tmp_path / "video").mkdir()
    write_film(tmp_path / "video", "seed0_episode0")
    write_film(tmp_path / "video", "seed0_episode1")
    scrubber = RolloutScrubber(tmp_path)
    assert len(scrubber.panels) == 4
    assert scrubber.panels[3].label == "M_inf 4, N 4 · seed 0, episode 0 · success in 7 steps"
    scrubber.set(panel=3, step=2)
    scrubber.result(WAIT)
    assert grey(scrubber.frame.value) == pytest.approx(shade(1, 2), abs=2.5)
    assert "seed0_episode1.mp4" in scrubber.status.value
    scrubber.close()


def test_rollouts_that_were_not_filmed_have_all_but_the_scene():
    scrubber = RolloutScrubber([made_up(4, n=3), made_up(4, critic=False, flow=False)])
    scrubber.set(step=2)
    assert scrubber.result(WAIT).step == 2
    assert scrubber.frame.layout.display == "none"
    scrubber.set(panel=1)
    assert math.isnan(scrubber.result(WAIT).q)
    scrubber.close()


def test_what_is_not_there_is_one_sentence(tmp_path, video):
    with pytest.raises(WorkbenchError, match=r"no scrub data .*gone_scrub\.npz: `workbench video RUN` writes it"):
        open_panels(tmp_path / "gone.mp4")
    with pytest.raises(WorkbenchError, match="no video with scrub data in"):
        open_panels(tmp_path)
    with pytest.raises(WorkbenchError, match="no run 'abcdef'"):
        open_panels("abcdef", tmp_path)
    with pytest.raises(WorkbenchError, match="no rollout was given"):
        open_panels([])
    (tmp_path / "x_scrub.npz").write_bytes(b"nothing")
    with pytest.raises(WorkbenchError, match="does not hold a video's scrub data"):
        open_panels(tmp_path / "x_scrub.npz")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "there is no video .*film.mp4"), (b"nonsense", "film.mp4 is not a video that ffmpeg can read to its end")],
)
def test_without_its_video_the_rest_is_shown(tmp_path, video, content, sentence):
    shutil.copy(video.with_name("film_scrub.npz"), tmp_path)
    if content:
        (tmp_path / "film.mp4").write_bytes(content)
    scrubber = RolloutScrubber(tmp_path)
    scrubber.set(panel=1, step=3)
    with pytest.raises(WorkbenchError, match=sentence):
        scrubber.result(WAIT)
    scrubber._show_latest.result(WAIT)
    assert "3 (0.15 s)" in scrubber.numbers.value
    assert "role='alert'" in scrubber.status.value
    assert len(scrubber.png()) > 1000
    scrubber.close()


def test_a_video_that_ends_early_is_one_sentence(tmp_path):
    scrubber = RolloutScrubber(write_film(tmp_path, lost=4))
    with pytest.raises(WorkbenchError, match=r"film\.mp4 ends after 6 of 10 frames"):
        scrubber.result(WAIT)
    scrubber.close()


def test_no_ffmpeg_is_one_sentence(video, monkeypatch):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nowhere/ffmpeg")
    with pytest.raises(WorkbenchError, match=r"no ffmpeg to read .* pip install --force-reinstall imageio-ffmpeg"):
        next(scenes(video, [(0, 0, 8, 8)]))
