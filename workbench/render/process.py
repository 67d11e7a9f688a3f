"""The process that renders: replays recorded physics, draws captions, writes a video and a contact sheet.

Started by `workbench.render.run` with MUJOCO_GL set; prints the paths of what it wrote as JSON.
"""

import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from workbench.errors import WorkbenchError
from workbench.evaluate.rollout import Rollout, load_rollouts
from workbench.paths import atomic_write
from workbench.render.panel import CAPTION, GAP, caption, fade, grid_shape, tile
from workbench.render.stage import Stage

SHEET_COLUMNS = 6
FPS = 10

HOLD = 10
"""Frames for which the end is shown."""

MOST = 300
"""Frames of the longest video, but for its end."""


def panels(stage: Stage, rollout: Rollout, stride: int, count: int) -> Iterator[np.ndarray]:
    """`count` captioned frames, one every `stride` steps; after the episode's end its last state, pale."""
    end = rollout.length
    last = fade(caption(stage.frame(rollout, end), rollout, end))
    for step in range(0, count * stride, stride):
        yield caption(stage.frame(rollout, step), rollout, step) if step < end else last


def write_video(path: Path, stage: Stage, rollouts: list[Rollout], size: tuple[int, int]) -> None:
    """All rollouts side by side, in real time unless that takes more than `MOST` frames; streamed into the encoder."""
    import mediapy

    mediapy.set_ffmpeg(_ffmpeg())
    length = max(rollout.length for rollout in rollouts) + 1
    stride = max(1, round(1 / (FPS * stage.seconds_a_step)), -(-length // MOST))
    streams = [panels(stage, rollout, stride, -(-length // stride) + HOLD) for rollout in rollouts]
    rows, columns = grid_shape(len(rollouts))
    shape = (rows * (size[1] + CAPTION + GAP), columns * (size[0] + GAP))
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.mp4")
    try:
        with mediapy.VideoWriter(temporary, shape, fps=FPS, crf=23) as writer:
            for frames in zip(*streams, strict=True):
                writer.add_image(tile(list(frames), columns))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_sheet(path: Path, stage: Stage, rollouts: list[Rollout]) -> None:
    """Evenly spaced frames, a row for each rollout; two rows where there is only one."""
    from PIL import Image

    count = SHEET_COLUMNS * (2 if len(rollouts) == 1 else 1)
    frames = [
        caption(stage.frame(rollout, step), rollout, step)
        for rollout in rollouts
        for step in np.linspace(0, rollout.length, count).round().astype(int).tolist()
    ]
    with atomic_write(path) as file:
        Image.fromarray(tile(frames, SHEET_COLUMNS)).quantize(192).save(file, format="PNG", optimize=True)


def _ffmpeg() -> str:
    import imageio_ffmpeg

    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise WorkbenchError(
            "there is no ffmpeg to write the video with: pip install --force-reinstall imageio-ffmpeg, "
            "or name one in IMAGEIO_FFMPEG_EXE."
        ) from error


def main(source: Path, stem: Path, width: int, height: int) -> dict[str, str]:
    """Render the rollouts of a file to `stem`.mp4 and `stem`_sheet.png."""
    warnings.filterwarnings("ignore", category=UserWarning, module="gymnasium")
    rollouts = load_rollouts(source)
    stage = Stage(rollouts[0].task, width, height)
    video, sheet = stem.with_suffix(".mp4"), stem.with_name(f"{stem.name}_sheet.png")
    write_sheet(sheet, stage, rollouts)
    write_video(video, stage, rollouts, (width, height))
    return {"video": str(video), "contact sheet": str(sheet)}


if __name__ == "__main__":
    try:
        print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
    except WorkbenchError as error:
        sys.exit(str(error))
