"""A film in the hand: the frame of a step, Q of the candidates there, and the way of the chosen action from noise.

Widgets only ask. One thread cuts the scenes out of a video and keeps them as JPEG, one shows the step that was asked
for last, and one renews the picture of the panel that a saved notebook keeps, when the slider rests.
"""

import base64
import html
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np

from workbench.errors import WorkbenchError
from workbench.evaluate.rollout import Rollout
from workbench.live.latest import Latest
from workbench.live.names import Names
from workbench.live.scrubber_picture import Moment, Plots, jpeg, numbers, still
from workbench.render.scrub import Scrub, Track, load_scrub, make_track, scenes
from workbench.store.folder import RunFolder
from workbench.store.query import find_run

REST = 0.6
"""Seconds without a move after which the picture for saved notebooks is renewed."""
STYLE = {"description_width": "initial"}
NAMES = {
    "img.workbench-scene": "scene of the step",
    "img.workbench-plots": "Q over the episode, candidates and flow of the step",
    ".widget-slider [role=slider]": "step of the episode",
    ".widget-play button:nth-of-type(1)": "play or pause",
    ".widget-play button:nth-of-type(2)": "stop, and back to step 0",
}
HIDE = "<style>.jp-OutputArea-child:has(.workbench-scrubber) + .jp-OutputArea-child:has(img) {display: none}</style>"
"""In JupyterLab the picture that comes with the panel is for saved notebooks: no need of it under a live panel."""


@dataclass(frozen=True)
class Panel:
    """One scene to look at: a track, number `place` of those of its video, or None where nothing was filmed."""

    track: Track
    scrub: Scrub
    place: int
    video: Path | None

    @property
    def label(self) -> str:
        """Budget, start and outcome."""
        track = self.track
        outcome = "success" if track.succeeded else "no success"
        cell = f"M_inf {track.cell.m_inf}, N {track.cell.n}"
        return f"{cell} · seed {track.seed}, episode {track.episode} · {outcome} in {len(track.q)} steps"

    @property
    def limits(self) -> tuple[float, float]:
        """The range of Q of all tracks of its video; of nothing, without a critic."""
        values = np.concatenate([track.q_candidates.ravel() for track in self.scrub.tracks])
        seen = values[np.isfinite(values)]
        return (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 1.0)

    def frame_of(self, step: int) -> int:
        """The last frame that shows nothing after a step."""
        return int(np.searchsorted(self.track.step, step, side="right")) - 1


def open_panels(source: str | Path | RunFolder | Sequence[Rollout], root: Path | None = None) -> tuple[Panel, ...]:
    """Every panel of a video, of all videos of a run, or, without pictures, of recorded rollouts.

    `source` is an mp4 or its scrub data, a folder of them, a run as in `find_run`, or rollouts.
    Raises `WorkbenchError` when there is no such thing or no scrub data in it.
    """
    if not isinstance(source, str | Path | RunFolder):
        tracks = tuple(make_track(each, np.arange(each.length + 1), (0, 0, 0, 0)) for each in source)
        if not tracks:
            raise WorkbenchError("there is nothing to scrub through: no rollout was given.")
        task = source[0].task
        return tuple(Panel(track, Scrub("", task, 10, 1, math.nan, tracks), i, None) for i, track in enumerate(tracks))
    films = [(load_scrub(path), path.parent) for path in _scrub_files(source, root)]
    return tuple(
        Panel(track, scrub, i, folder / scrub.video) for scrub, folder in films for i, track in enumerate(scrub.tracks)
    )


def _scrub_files(source: str | Path | RunFolder, root: Path | None) -> list[Path]:
    path = source.path if isinstance(source, RunFolder) else Path(source)
    if path.suffix == ".mp4":
        return [path.with_name(f"{path.stem}_scrub.npz")]
    if path.suffix == ".npz":
        return [path]
    folder = path if path.is_dir() else find_run(str(source), root).path
    found = sorted({*folder.glob("*_scrub.npz"), *folder.glob("video/*_scrub.npz")})
    if not found:
        raise WorkbenchError(f"there is no video with scrub data in {folder}: `workbench video RUN` makes one.")
    return found


class RolloutScrubber(widgets.VBox):
    """A slider through a film: `RolloutScrubber("runs/62c578ac535f")`, or what `open_panels` takes else.

    Shown of the chosen step: the scene, Q of the chosen action and of the rejected ones over the whole episode with a
    cursor, the candidates of this step, each dimension of the chosen action on its Euler steps, and the numbers as a
    table. Choose another panel to see the same step of another budget or start; play runs in real time.

    `set(panel=3, step=40)` moves it from code; `result()` waits until all is shown and returns the `Moment`, and raises
    what went wrong with the video: without it plots and numbers are there all the same. Raises as `open_panels` does.
    """

    def __init__(self, source: str | Path | RunFolder | Sequence[Rollout], *, root: Path | None = None) -> None:
        self.panels = open_panels(source, root)
        self._frames: dict[Path, list[list[bytes]]] = {}
        self._drawn: tuple[Panel, Plots] | None = None
        self._shown: _Shown | None = None
        self._picture: Any = None
        self._build()
        self._show_latest = Latest(self._show, "scrubber", self._failed)
        self._cut_latest = Latest(self._cut, "scenes", self._failed)
        self._keep_latest = Latest(self._keep, "picture")
        self.panel.observe(self._chosen, "value")
        self.step.observe(self._moved, "value")
        self._chosen()

    @property
    def chosen(self) -> Panel:
        """The panel that is selected."""
        number: Any = self.panel.value
        return self.panels[number]

    def set(self, *, panel: int | None = None, step: int | None = None) -> None:
        """Choose a panel by its number, and a step; raises `WorkbenchError` for what there is not."""
        number: Any = self.panel.value if panel is None else panel
        if not 0 <= number < len(self.panels):
            raise WorkbenchError(f"panel must be 0 to {len(self.panels) - 1}, not {panel}.")
        last = len(self.panels[number].track.q)
        if step is not None and not 0 <= step <= last:
            raise WorkbenchError(f"step must be 0 to {last}, not {step}.")
        self.panel.value = number
        if step is not None:
            self.step.value = step

    def result(self, timeout: float | None = None) -> Moment:
        """Wait until the step is shown with its scene; its numbers. Raises what went wrong."""
        self._cut_latest.result(timeout)
        self._show_latest.result(timeout)
        assert self._shown is not None
        return self._shown.moment

    def close(self) -> None:
        """End the threads and remove the panel."""
        for name in ("_keep_latest", "_cut_latest", "_show_latest"):
            if hasattr(self, name):
                getattr(self, name).close()
        super().close()

    def png(self) -> bytes:
        """What is shown, as one picture; waits until there is something."""
        self._show_latest.result()
        shown = self._shown
        assert shown is not None
        return still(shown.plots, shown.frame, f"{shown.panel.label} · step {shown.moment.step}")

    def _build(self) -> None:
        labels = [(panel.label, i) for i, panel in enumerate(self.panels)]
        self.panel = widgets.Dropdown(
            options=labels, value=0, description="panel", style=STYLE, layout={"width": "36em", "max_width": "100%"}
        )
        self.play = widgets.Play(min=0, show_repeat=False)
        self.step = widgets.IntSlider(
            min=0, max=1, description="step", style=STYLE, layout={"flex": "1 1 24em", "max_width": "48em"}
        )
        widgets.jslink((self.play, "value"), (self.step, "value"))
        self.status, self.numbers = widgets.HTML(), widgets.HTML()
        self.frame = widgets.Image(format="jpeg", layout={"flex": "5 1 280px", "max_width": "480px"})
        if self.panels[0].video is None:
            self.frame.layout.display = "none"
        self.plots = widgets.Image(format="png", layout={"flex": "6 1 420px", "min_width": "0", "max_width": "765px"})
        self.frame.add_class("workbench-scene")
        self.plots.add_class("workbench-plots")
        rows = [widgets.HTML(f"<b>{html.escape(self.panels[0].scrub.task)}</b>{HIDE}"), self.panel]
        rows.append(widgets.HBox([self.play, self.step], layout={"flex_flow": "row wrap"}))
        wrap = {"flex_flow": "row wrap", "align_items": "center"}
        rows += [
            widgets.HBox([self.frame, self.plots], layout=wrap),
            self.numbers,
            self.status,
            Names(panel="workbench-scrubber", names=NAMES),
        ]
        super().__init__(rows)
        self.add_class("workbench-scrubber")

    def _chosen(self, _: Any = None) -> None:
        """A panel was chosen; called by widgets, so nothing is computed here."""
        panel = self.chosen
        self.step.max = self.play.max = len(panel.track.q)
        self.play.step, self.play.interval = panel.scrub.stride, 1000 // panel.scrub.fps
        if panel.video and len(self._frames.get(panel.video, [])) < panel.scrub.frames:
            self._cut_latest.ask(panel)
        self._moved()

    def _moved(self, _: Any = None) -> None:
        self._show_latest.ask((self.chosen, int(self.step.value)))

    def _cut(self, panel: Panel, wanted: Callable[[], bool]) -> None:
        """Keep all scenes of a panel's video, and show what waits for one of them; runs in a thread."""
        assert panel.video is not None
        scrub, frames = panel.scrub, []
        self._frames[panel.video] = frames
        self._say("reading", panel.video.name)
        for each in scenes(panel.video, [track.box for track in scrub.tracks]):
            frames.append([jpeg(scene) for scene in each])
            if self.chosen.frame_of(self.step.value) == len(frames) - 1:
                self._moved()
            if not wanted():
                return
        if len(frames) < scrub.frames:
            short = f"{panel.video} ends after {len(frames)} of {scrub.frames} frames"
            raise WorkbenchError(f"{short}: make the video again.")
        self._say("ready", f"{panel.video.name}, a frame every {scrub.stride * scrub.seconds_a_step:.2g} s")

    def _show(self, wish: tuple[Panel, int], _: Callable[[], bool]) -> None:
        """Show a step of a panel; runs in a thread."""
        panel, step = wish
        if self._drawn is None or self._drawn[0] is not panel:
            self._drawn = panel, Plots(panel.track, panel.limits)
        moment, plots = Moment.of(panel.track, step), self._drawn[1].png(step)
        self._shown = shown = _Shown(panel, moment, plots, self._scene(panel, step))
        self.plots.value = plots
        self.numbers.value = numbers(panel.track, moment, panel.scrub.seconds_a_step)
        self.frame.value = shown.frame or self.frame.value
        self.frame.layout.visibility = "hidden" if shown.frame is None else "visible"
        self._keep_latest.ask(None)

    def _scene(self, panel: Panel, step: int) -> bytes | None:
        """The JPEG of a step, as soon as it has been read."""
        frames, number = self._frames.get(panel.video, []) if panel.video else [], panel.frame_of(step)
        return frames[number][panel.place] if number < len(frames) else None

    def _keep(self, _: None, wanted: Callable[[], bool]) -> None:
        """Renew the picture under the panel once the slider has rested; runs in a thread."""
        rested = time.monotonic() + REST
        while time.monotonic() < rested:
            time.sleep(0.05)
            if not wanted():
                return
        if self._picture is not None:
            self._picture.update(self._picture_bundle(), raw=True)

    def _say(self, state: str, text: str) -> None:
        self.status.value = f"<span role='status'><b>{html.escape(state)}</b> {html.escape(text)}</span>"

    def _failed(self, error: str) -> None:
        self.status.value = f"<span role='alert'><b>failed</b> {html.escape(error)}</span>"

    def _picture_bundle(self) -> dict[str, str]:
        return {"image/png": base64.b64encode(self.png()).decode(), "text/plain": "picture of the scrubber"}

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        return self._picture_bundle() | (super()._repr_mimebundle_(**kwargs) or {})

    def _ipython_display_(self) -> None:
        """The panel and its picture as two outputs: JupyterLab shows no picture of a widget whose kernel is gone."""
        from IPython.display import display

        self._cut_latest.wait(10.0)
        display(super()._repr_mimebundle_() or {}, raw=True)
        self._picture = display(self._picture_bundle(), raw=True, display_id=True)


@dataclass(frozen=True)
class _Shown:
    """What the panel shows: numbers, the plots as PNG, and the scene as JPEG once there is one."""

    panel: Panel
    moment: Moment
    plots: bytes
    frame: bytes | None
