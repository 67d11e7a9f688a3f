"""A small film with its scrub data: two budgets of one start, each frame's shade of grey tells the step it shows."""

from pathlib import Path

import imageio_ffmpeg
import mediapy
import numpy as np

from tests.unit.recorded import made_up
from workbench.evaluate.rollout import Rollout
from workbench.render.scrub import Scrub, make_track, save_scrub

SCENE = (64, 48)
"""Width and height of a scene; the two stand one beside the other."""
STRIDE, HOLD = 2, 3


def shade(panel: int, step: int) -> int:
    """Grey of a panel's scene at a step."""
    return 40 + 6 * step + 20 * panel


def episodes() -> list[Rollout]:
    """A failure of 12 steps with one candidate, and a success of 7 steps with four."""
    return [made_up(12, m_inf=1, n=1, succeeds=False), made_up(7, m_inf=4, n=4)]


def write_film(folder: Path, name: str = "film", lost: int = 0) -> Path:
    """Write `name`.mp4 and its scrub data as `workbench video` does, but for the last `lost` frames; its path."""
    rollouts = episodes()
    wide, tall = SCENE
    steps = np.arange(-(-13 // STRIDE) + HOLD) * STRIDE
    tracks = tuple(make_track(each, steps, (i * wide, 0, wide, tall)) for i, each in enumerate(rollouts))
    video = folder / f"{name}.mp4"
    mediapy.set_ffmpeg(imageio_ffmpeg.get_ffmpeg_exe())
    with mediapy.VideoWriter(video, (tall, 2 * wide), fps=10, crf=10) as writer:
        for i in range(len(steps) - lost):
            greys = [np.full((tall, wide, 3), shade(k, int(each.step[i])), np.uint8) for k, each in enumerate(tracks)]
            writer.add_image(np.concatenate(greys, axis=1))
    save_scrub(folder / f"{name}_scrub.npz", Scrub(video.name, rollouts[0].task, 10, STRIDE, 0.05, tracks))
    return video
