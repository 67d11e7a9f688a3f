"""The process that renders: replays recorded physics, draws overlays, writes a video, a contact sheet and scrub data.

Started by `workbench.render.run` with MUJOCO_GL set and a job as JSON; prints the paths of what it wrote as JSON.
"""

import faulthandler
import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import WorkbenchError
from workbench.evaluate.rollout import Rollout, load_rollouts
from workbench.paths import atomic_write
from workbench.render.ink import Picture, number
from workbench.render.layout import Layout, Page, fade
from workbench.render.overlay import CAPTION, UNDERLAY, Scale, caption, underlay
from workbench.render.scrub import Scrub, make_track, save_scrub
from workbench.render.stage import Stage

SHEET_COLUMNS = 6
FPS = 10

HOLD = 10
"""Frames for which the end is shown."""

MOST = 300
"""Frames of the longest video, but for its end."""

STALL = 60.0
"""Seconds after which a frame that has not come is given up; a driver that hangs cannot be interrupted otherwise."""


@contextmanager
def no_stall() -> Iterator[None]:
    """End this process, with a traceback, if the block takes longer than `STALL`."""
    faulthandler.dump_traceback_later(STALL, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


class Film:
    """Rollouts of one task before a stage, and how they are laid out; steps beyond an episode show its end, pale."""

    def __init__(self, rollouts: list[Rollout], width: int, height: int) -> None:
        with no_stall():
            self.stage = Stage(rollouts[0].task, width, height)
        self.rollouts, self.size = rollouts, (width, height)
        self.scale = Scale.of(rollouts)
        self.layout = Layout.of([rollout.cell for rollout in rollouts])
        longest = self.scale.horizon + 1
        self.stride = max(1, round(1 / (FPS * self.stage.seconds_a_step)), -(-longest // MOST))
        self.steps = np.arange(-(-longest // self.stride) + HOLD) * self.stride
        self._ends: dict[int, Picture] = {}

    def scene(self, rollout: Rollout, step: int) -> Picture:
        """The bare scene; raises nothing but may end the process."""
        with no_stall():
            return self.stage.frame(rollout, step)

    def panel(self, i: int, step: int) -> Picture:
        """The scene of a rollout with the strips over and under it."""
        rollout = self.rollouts[i]
        if step < rollout.length:
            return self._compose(i, step, self.scene(rollout, step))
        if i not in self._ends:
            self._ends[i] = self._compose(i, rollout.length, fade(self.scene(rollout, rollout.length)))
        return self._ends[i]

    def _compose(self, i: int, step: int, scene: Picture) -> Picture:
        above = caption(self.size[0], self.rollouts[i], step, self.layout.caption(i))
        return np.concatenate([above, scene, underlay(self.size[0], self.rollouts[i], step, self.scale)])

    def page(self) -> Page:
        """What stands around the panels of the video."""
        one = {(rollout.seed, rollout.episode) for rollout in self.rollouts}
        start = [f"seed {seed}, episode {episode}" for seed, episode in one] if len(one) == 1 else []
        pace = f"a frame every {f'{self.stride} steps' if self.stride > 1 else 'step'}, {FPS} frames a second"
        shape = (CAPTION + self.size[1] + UNDERLAY, self.size[0])
        return Page(self.layout, shape, [self.rollouts[0].task, *start, pace], self.notes())

    def notes(self) -> list[str]:
        """How to read the strip under a scene."""
        notes = []
        if any(np.isfinite(rollout.q).any() for rollout in self.rollouts):
            low, high = (number(value, self.scale.decimals) for value in (self.scale.low, self.scale.high))
            notes.append(f"Blue line: Q of the chosen action over time, axis from {low} to {high}.")
        if any(rollout.cell.n > 1 for rollout in self.rollouts):
            notes.append("Orange: range of Q of all N candidates; marks: each one's Q minus their mean (arcsinh axis).")
        if any(rollout.flow is not None for rollout in self.rollouts):
            notes.append("Small plots: each action coordinate on its M_inf steps from noise; grey lines at ±1.")
        return notes

    def write_video(self, path: Path) -> Page:
        """All rollouts at once, in real time unless that takes more than `MOST` frames; streamed into the encoder."""
        import mediapy

        mediapy.set_ffmpeg(_ffmpeg())
        page = self.page()
        temporary = path.with_name(f".{path.stem}.{os.getpid()}.mp4")
        try:
            with mediapy.VideoWriter(temporary, page.shape, fps=FPS, crf=20) as writer:
                for step in self.steps.tolist():
                    writer.add_image(page.fill(lambda i, step=step: self.panel(i, step)))
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        return page

    def write_scrub(self, path: Path, video: Path, page: Page) -> None:
        """Which step each frame shows, where, and what was decided there."""
        tracks = tuple(
            make_track(rollout, self.steps, (page.boxes[i][0], page.boxes[i][1] + CAPTION, *self.size))
            for i, rollout in enumerate(self.rollouts)
        )
        save_scrub(path, Scrub(video.name, self.rollouts[0].task, FPS, self.stride, self.stage.seconds_a_step, tracks))

    def write_sheet(self, path: Path) -> None:
        """Evenly spaced frames, a row for each rollout; two rows where there is only one."""
        from PIL import Image

        count = SHEET_COLUMNS * (2 if len(self.rollouts) == 1 else 1)
        frames = [
            np.concatenate([caption(self.size[0], rollout, step), self.scene(rollout, step)])
            for rollout in self.rollouts
            for step in np.linspace(0, rollout.length, count).round().astype(int).tolist()
        ]
        numbers = np.arange(len(frames)).reshape(-1, SHEET_COLUMNS).tolist()
        names = tuple(f"M_inf = {rollout.cell.m_inf}\nN = {rollout.cell.n}" for rollout in self.rollouts)
        layout = Layout(tuple(map(tuple, numbers)), rows=names)
        page = Page(layout, (CAPTION + self.size[1], self.size[0]))
        with atomic_write(path) as file:
            Image.fromarray(page.fill(frames.__getitem__)).quantize(192).save(file, format="PNG", optimize=True)


def _ffmpeg() -> str:
    import imageio_ffmpeg

    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise WorkbenchError(
            "there is no ffmpeg to write the video with: pip install --force-reinstall imageio-ffmpeg, "
            "or name one in IMAGEIO_FFMPEG_EXE."
        ) from error


def film(job: dict[str, Any]) -> dict[str, str]:
    """Write `stem`.mp4, `stem`_sheet.png and `stem`_scrub.npz."""
    stem = Path(job["stem"])
    video, sheet, scrub = (stem.with_name(stem.name + end) for end in (".mp4", "_sheet.png", "_scrub.npz"))
    made = Film(load_rollouts(Path(job["source"])), job["width"], job["height"])
    made.write_sheet(sheet)
    made.write_scrub(scrub, video, made.write_video(video))
    return {"video": str(video), "sheet": str(sheet), "scrub": str(scrub)}


def frames(job: dict[str, Any]) -> dict[str, str]:
    """Write the bare scenes of some steps of each rollout as arrays."""
    rollouts = load_rollouts(Path(job["source"]))
    made = Film(rollouts, job["width"], job["height"])
    arrays: dict[str, Any] = {
        f"{i:04d}": np.stack([made.scene(rollout, step) for step in steps])
        for i, (rollout, steps) in enumerate(zip(rollouts, job["steps"], strict=True))
    }
    with atomic_write(Path(job["out"])) as file:
        np.savez(file, **arrays)
    return {"frames": job["out"]}


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=UserWarning, module="gymnasium")
    try:
        job = json.loads(sys.argv[1])
        print(json.dumps({"film": film, "frames": frames}[job["job"]](job)))
    except WorkbenchError as error:
        print(error, file=sys.stderr)
        sys.exit(WorkbenchError.exit_code)
