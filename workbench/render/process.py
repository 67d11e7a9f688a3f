"""The process that renders: replays recorded physics, draws captions, writes a video and a contact sheet.

Started by `workbench.render.run` with MUJOCO_GL set; prints the paths of what it wrote as JSON.
"""

import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from workbench.data.catalogue import parse_task
from workbench.evaluate.envs import make_env, reset
from workbench.evaluate.rollout import Rollout, load_rollouts
from workbench.paths import atomic_write
from workbench.render.panel import CAPTION, GAP, caption, grid_shape, tile

SHEET_COLUMNS = 6
HOLD = 20
"""Steps for which the end is shown."""

STRIDE = 2
"""Steps from one frame to the next; the video runs in real time."""


class Stage:
    """One environment whose physics is set to that of a recorded step, and a camera on it."""

    def __init__(self, task: str, width: int, height: int) -> None:
        import mujoco

        self.env: Any = make_env(task).unwrapped
        reset(self.env, 0)
        buffer = self.env.model.vis.global_
        buffer.offwidth, buffer.offheight = max(width, buffer.offwidth), max(height, buffer.offheight)
        self.env.model.vis.quality.shadowsize = 1024  # OGBench asks for 4096, which software OpenGL takes long to fill
        self.renderer = mujoco.Renderer(self.env.model, height, width)
        self.renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0  # pyright: ignore[reportAttributeAccessIssue]
        self.camera = self.env.custom_camera if hasattr(self.env, "custom_camera") else _table_camera()

    def frame(self, rollout: Rollout, step: int) -> UInt8[np.ndarray, "height width 3"]:
        """The scene at one step of a rollout."""
        buttons = () if rollout.button_states is None else (rollout.button_states[step],)
        self.env.set_state(rollout.qpos[step], rollout.qvel[step], *buttons)
        self.renderer.update_scene(self.env.data, camera=self.camera)
        return self.renderer.render()


def _table_camera() -> Any:
    """A view of the whole table, from nearer and more from the side than OGBench's own."""
    import mujoco

    camera = mujoco.MjvCamera()  # pyright: ignore[reportAttributeAccessIssue]
    camera.lookat[:] = (0.4, 0.0, 0.1)
    camera.distance, camera.azimuth, camera.elevation = 0.95, 155, -28
    return camera


def panels(stage: Stage, rollout: Rollout, length: int) -> Iterator[np.ndarray]:
    """The captioned frames of every `STRIDE`-th step of one rollout, its end held until step `length`."""
    end = rollout.length
    last = caption(stage.frame(rollout, end), rollout, end)
    for step in range(0, length, STRIDE):
        yield caption(stage.frame(rollout, step), rollout, step) if step < end else last


def write_video(path: Path, stage: Stage, rollouts: list[Rollout], fps: float, size: tuple[int, int]) -> None:
    """All rollouts side by side; frames are streamed into the encoder."""
    import imageio_ffmpeg
    import mediapy

    mediapy.set_ffmpeg(imageio_ffmpeg.get_ffmpeg_exe())
    length = max(rollout.length for rollout in rollouts) + 1 + HOLD
    streams = [panels(stage, rollout, length) for rollout in rollouts]
    rows, columns = grid_shape(len(rollouts))
    shape = (rows * (size[1] + CAPTION + GAP), columns * (size[0] + GAP))
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.mp4")
    try:
        with mediapy.VideoWriter(temporary, shape, fps=fps, crf=23) as writer:
            for frames in zip(*streams, strict=True):
                writer.add_image(tile(list(frames), columns))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_sheet(path: Path, stage: Stage, rollouts: list[Rollout]) -> None:
    """One row of evenly spaced frames for each rollout."""
    from PIL import Image

    frames = []
    for rollout in rollouts:
        for step in np.linspace(0, rollout.length, SHEET_COLUMNS).round().astype(int):
            frames.append(caption(stage.frame(rollout, int(step)), rollout, int(step)))
    with atomic_write(path) as file:
        Image.fromarray(tile(frames, SHEET_COLUMNS)).quantize(192).save(file, format="PNG", optimize=True)


def main(source: Path, stem: Path, width: int, height: int) -> dict[str, str]:
    """Render the rollouts of a file to `stem`.mp4 and `stem`_sheet.png."""
    warnings.filterwarnings("ignore", category=UserWarning, module="gymnasium")
    rollouts = load_rollouts(source)
    task = rollouts[0].task
    stage = Stage(task, width, height)
    steps_a_second = 20 if parse_task(task)[0].family in ("cube", "scene", "puzzle") else 10
    video, sheet = stem.with_suffix(".mp4"), stem.with_name(f"{stem.name}_sheet.png")
    write_video(video, stage, rollouts, steps_a_second / STRIDE, (width, height))
    write_sheet(sheet, stage, rollouts)
    return {"video": str(video), "contact sheet": str(sheet)}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
