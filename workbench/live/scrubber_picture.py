"""What the rollout scrubber shows of a step: Q over the episode, its candidates, the way of its action, its numbers.

What does not move is drawn once an episode; a step puts its few lines over a copy of that. Drawn in a thread beside
running cells: see `live.drawing`.
"""

import math
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8, UInt32
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from workbench.live.drawing import frame
from workbench.plots.strips import CHOSEN, REJECTED
from workbench.plots.style import GREY, SERIES
from workbench.render.ink import INK, Picture, Sheet
from workbench.render.overlay import FLOW_LIMIT, SOFT
from workbench.render.scrub import Track

INCHES, DPI = (5.1, 3.15), 150
BLOCK = 0.8
"""Width of the plot of one dimension, where they stand 1 apart."""
COLOURS = 128
"""Of the plots: a picture with a palette is encoded in a tenth of the time, and only what changed is looked up."""
QUALITY = 92
"""Of the JPEG of a scene, which is a few kilobytes."""
TITLE = 28
"""Height of the title of a still picture, in pixels."""


@dataclass(frozen=True)
class Moment:
    """The numbers of one step. Of the last state, where nothing is decided any more, all but the step are NaN.

    `best_rejected` is the largest Q of the candidates that were not chosen, NaN where there was one candidate; `spread`
    the largest less the smallest Q of all. `act_ms` is of one decision, NaN where it was not measured.
    """

    step: int
    reward: float
    q: float
    best_rejected: float
    spread: float
    act_ms: float

    @staticmethod
    def of(track: Track, step: int) -> "Moment":
        """The numbers of a step of a track; its length stands for the last state."""
        if step >= len(track.q):
            return Moment(step, *[math.nan] * 5)
        rejected, every = track.rejected[step], track.q_candidates[step]
        best = float(rejected.max()) if len(rejected) else math.nan
        ms = math.nan if track.act_ms is None else track.act_ms
        return Moment(step, float(track.reward[step]), float(track.q[step]), best, float(np.ptp(every)), ms)


class Plots:
    """Three plots of a track; `limits` is the range of the axis of Q, for tracks that are compared."""

    def __init__(self, track: Track, limits: tuple[float, float]) -> None:
        self.track = track
        figure = Figure(figsize=INCHES, layout="constrained", dpi=DPI)
        self._canvas = FigureCanvasAgg(figure)
        grid = figure.add_gridspec(2, 2, width_ratios=(3.4, 1.0), height_ratios=(1.25, 1.0))
        self._cursor, self._dot = _value(figure.add_subplot(grid[0, 0]), track, limits)
        self._rejected, self._chosen = _candidates(figure.add_subplot(grid[0, 1]), track)
        self._way, self._end = _flow(figure.add_subplot(grid[1, :]), track)
        self._moving: list[Artist] = [self._cursor, self._dot, self._rejected, self._chosen, self._way, self._end]
        for artist in self._moving:
            artist.set_animated(True)
        self._canvas.draw()
        self._still = self._canvas.copy_from_bbox(figure.bbox)
        self._pixels = self._seen().copy()
        self._palette = Image.fromarray(_rgb(self._pixels)).quantize(COLOURS, dither=Image.Dither.NONE)
        exact = [round(255 * part) for colour in (CHOSEN, REJECTED) for part in to_rgb(colour)]
        self._palette.putpalette((self._palette.getpalette() or []) + exact)

    def png(self, step: int) -> bytes:
        """The plots at a step of the episode; its length stands for the last state, of which only the cursor tells."""
        self._move(step)
        self._canvas.restore_region(self._still)
        for artist in self._moving:
            assert artist.axes is not None
            artist.axes.draw_artist(artist)
        pixels = self._seen()
        changed = pixels != self._pixels
        page = np.array(self._palette)
        few = Image.fromarray(_rgb(pixels[changed])[None])
        page[changed] = np.asarray(few.quantize(palette=self._palette, dither=Image.Dither.NONE))[0]
        picture = Image.fromarray(page, "P")
        picture.putpalette(self._palette.getpalette() or [])
        return _encoded(picture, "PNG", compress_level=1)

    def _seen(self) -> UInt32[np.ndarray, "height width"]:
        """What is drawn, a number a pixel."""
        return np.asarray(self._canvas.buffer_rgba()).view(np.uint32)[..., 0]

    def _move(self, step: int) -> None:
        track, now = self.track, slice(step, step + 1)
        self._cursor.set_xdata([step, step])
        self._dot.set_data(np.arange(len(track.q))[now], track.q[now])
        mean = track.q_candidates[now].mean(axis=1)
        rejected, chosen = track.rejected[now].ravel() - mean, track.q[now] - mean
        self._rejected.set_data(np.zeros(len(rejected)), rejected)
        self._chosen.set_data(np.zeros(len(chosen)), chosen)
        if track.flow is not None:
            self._way.set_data(*_blocks(track.flow[now].reshape(-1, track.flow.shape[2])))
            self._end.set_data(*_blocks(track.actions[now]))


def _rgb(pixels: UInt32[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape 3"]:
    return np.ascontiguousarray(pixels.view(np.uint8).reshape(*pixels.shape, 4)[..., :3])


def still(plots: bytes, frame: bytes | None, title: str) -> bytes:
    """A PNG of a frame beside plots under a title, for viewers that run no widgets."""
    right = Image.open(BytesIO(plots)).convert("RGB")
    sheet = Sheet(max(right.width, 1), TITLE)
    sheet.text((8, 7), title, INK, 15)
    parts = [right] if frame is None else [_scaled(Image.open(BytesIO(frame)), right.height), right]
    page = Image.new("RGB", (sum(part.width for part in parts), TITLE + right.height), "white")
    page.paste(Image.fromarray(sheet.picture()), (0, 0))
    left = 0
    for part in parts:
        page.paste(part, (left, TITLE + (right.height - part.height) // 2))
        left += part.width
    return _encoded(page, "PNG", optimize=True)


def jpeg(scene: Picture) -> bytes:
    """A scene as small as it looks the same."""
    return _encoded(Image.fromarray(scene), "JPEG", quality=QUALITY)


def _encoded(image: Image.Image, kind: str, **settings: int) -> bytes:
    with BytesIO() as buffer:
        image.save(buffer, kind, **settings)
        return buffer.getvalue()


def numbers(track: Track, moment: Moment, seconds_a_step: float) -> str:
    """The numbers of a step as a table in HTML; of the last state, how the episode ended."""
    rows = {"reward": _number(moment.reward), "Q of the chosen": _number(moment.q)}
    rows |= {"best rejected Q": _number(moment.best_rejected), "spread of Q": _number(moment.spread)}
    rows |= {"decision": f"{_number(moment.act_ms, 2)} ms"}
    if moment.step >= len(track.q):
        outcome = "success" if track.succeeded else "no success"
        rows = {"episode over": f"{outcome} in {len(track.q)} steps, return {_number(track.reward.sum())}"}
    seconds = moment.step * seconds_a_step
    rows = {"step": f"{moment.step}" if math.isnan(seconds) else f"{moment.step} ({seconds:.2f} s)"} | rows
    head = "".join(f"<th scope='col' style='padding-right: 1.6em'>{name}</th>" for name in rows)
    body = "".join(f"<td style='padding-right: 1.6em'>{text}</td>" for text in rows.values())
    style = "text-align: left; line-height: 1.5"
    return f"<table aria-label='numbers of the step' style='{style}'><tr>{head}</tr><tr>{body}</tr></table>"


def _number(value: float, digits: int = 4) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}g}".replace("-", "−")


def _scaled(image: Image.Image, height: int) -> Image.Image:
    return image.resize((round(image.width * height / image.height), height), Image.Resampling.LANCZOS)


def _value(axes: Axes, track: Track, limits: tuple[float, float]) -> Any:
    """Q of every candidate over the episode; returns the cursor and the dot on it."""
    steps = np.arange(len(track.q))
    others = track.rejected
    if others.shape[1]:
        band: dict[str, Any] = {"color": REJECTED, "alpha": 0.25, "linewidth": 0, "label": "rejected"}
        axes.fill_between(steps, others.min(axis=1), others.max(axis=1), **band)
        axes.plot(steps, others, ".", color=REJECTED, markersize=2.4, markeredgewidth=0, alpha=0.8)
    axes.plot(steps, track.q, color=CHOSEN, linewidth=1.2, label="chosen")
    if track.succeeded:
        when = float(np.argmax(track.success)) + 1
        axes.axvline(when, color=SERIES[2][0], linewidth=1.2, linestyle="-.", label="success")
    cursor = axes.axvline(0, color="black", linewidth=0.9)
    (dot,) = axes.plot([], [], "o", color=CHOSEN, markersize=5, markeredgecolor="white", markeredgewidth=0.8)
    margin = 0.04 * max(limits[1] - limits[0], 1e-6)
    axes.set(xlim=(-0.01 * len(steps), 1.01 * len(steps)), ylim=(limits[0] - margin, limits[1] + margin))
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.legend(fontsize=7, frameon=False, loc="best", borderaxespad=0.2)
    _finish(axes, "Q over the episode", "step", "Q (return)")
    _note(axes, "" if np.isfinite(track.q).any() else "no critic")
    return cursor, dot


def _candidates(axes: Axes, track: Track) -> Any:
    """Q of the candidates of one step, less their mean; returns the marks of the rejected and of the chosen one."""
    away = np.abs(track.q_candidates - track.q_candidates.mean(axis=1, keepdims=True))
    half = 1.2 * max(float(np.nan_to_num(away).max(initial=0.0)), SOFT)
    ticks = np.array([10.0**k for k in range(-1, 4) if half / 50 <= 10.0**k <= half])
    axes.axhline(0, color=GREY, linewidth=0.6)
    (rejected,) = axes.plot([], [], "_", color=REJECTED, markersize=26, markeredgewidth=1.1)
    (chosen,) = axes.plot([], [], "_", color=CHOSEN, markersize=38, markeredgewidth=2.6)
    axes.set_yscale("asinh", linear_width=SOFT)
    axes.set(xlim=(-1, 1), ylim=(-half, half), xticks=[])
    axes.set_yticks([*-ticks[::-1], 0, *ticks], [f"{tick:g}".replace("-", "−") for tick in (*-ticks[::-1], 0, *ticks)])
    axes.minorticks_off()
    count = track.q_candidates.shape[1]
    _finish(axes, "at this step", f"{count} candidate{'s' * (count > 1)}", "Q less their mean")
    return rejected, chosen


def _flow(axes: Axes, track: Track) -> Any:
    """A small plot of each dimension from noise to action; returns the ways and their ends."""
    dimensions = track.actions.shape[1]
    for edge in (-1, 1):
        axes.axhline(edge, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)))
    for i in range(1, dimensions):
        axes.axvline(i - (1 - BLOCK) / 2, color="#dddddd", linewidth=0.6)
    (way,) = axes.plot([], [], ".-", color=CHOSEN, linewidth=1.2, markersize=4.5)
    (end,) = axes.plot([], [], "s", color=SERIES[6][0], markersize=4.2, fillstyle="none", markeredgewidth=1.1)
    axes.set(
        xlim=(-(1 - BLOCK) / 2, dimensions - (1 - BLOCK) / 2), ylim=(-FLOW_LIMIT, FLOW_LIMIT), yticks=(-2, -1, 0, 1, 2)
    )
    axes.set_xticks(np.arange(dimensions) + BLOCK / 2, [str(i + 1) for i in range(dimensions)])
    axes.tick_params(axis="x", length=0)
    steps = f"{track.cell.m_inf} Euler step{'s' * (track.cell.m_inf > 1)}"
    _finish(
        axes,
        f"flow of the chosen action, {steps} (squares: as played, clipped to ±1)",
        "dimension of the action; in each, time from 0 (noise) to 1 (action)",
        "value",
    )
    axes.grid(visible=False, axis="x")
    _note(axes, "" if track.flow is not None else "this agent's actions come by no flow")
    return way, end


def _blocks(points: Float[np.ndarray, "time act"]) -> tuple[np.ndarray, np.ndarray]:
    """Places of each dimension's points beside those of the one before, with gaps between; one point is an end."""
    times = np.linspace(0, BLOCK, len(points)) if len(points) > 1 else np.full(len(points), BLOCK)
    x = times[:, None] + np.arange(points.shape[1])
    gap = np.full((1, points.shape[1]), np.nan)
    return np.concatenate([x, gap]).T.ravel(), np.concatenate([points, gap]).T.ravel()


def _note(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, fontsize=8, color=GREY)


def _finish(axes: Axes, title: str, below: str, beside: str) -> None:
    axes.set_title(title, fontsize=8, loc="left")
    axes.set_xlabel(below, fontsize=7.5)
    axes.set_ylabel(beside, fontsize=7.5)
    frame(axes, 7.0, grid_below=True)
