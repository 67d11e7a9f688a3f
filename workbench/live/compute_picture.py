"""The picture of the compute explorer: success against cost, candidates at one observation, values along an episode.

Drawn in a thread beside running cells: see `live.drawing`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from workbench.evaluate.rollout import Rollout
from workbench.live.drawing import frame
from workbench.live.trained import Judged
from workbench.plots.style import GREY, SERIES

INCHES = (9.4, 2.7)
MAP = colormaps["cividis"]


@dataclass(frozen=True)
class Scene:
    """What is shown: `budgets` (m_inf, n, mflop, success, low, high, episodes), and which of them is selected.

    `judged` are the candidates at step `step` of `rollout`; None before the first episode.
    """

    budgets: pd.DataFrame
    selected: tuple[int, int]
    judged: Judged | None = None
    rollout: Rollout | None = None
    step: int = 0


def draw(scene: Scene) -> Figure:
    """Three panels side by side."""
    figure = Figure(figsize=INCHES, layout="constrained")
    success, candidates, values = figure.subplots(1, 3, width_ratios=(1.0, 1.15, 1.15))
    _success(success, scene.budgets, scene.selected)
    if scene.judged is not None:
        _candidates(figure, candidates, scene.judged, scene.step)
    if scene.rollout is not None:
        _values(values, scene.rollout, scene.step)
    for axes in (candidates, values):
        if not axes.has_data():
            axes.set_axis_off()
            axes.text(0.5, 0.5, "no episode yet", ha="center", transform=axes.transAxes, fontsize=7, color=GREY)
    return figure


def _success(axes: Axes, table: pd.DataFrame, selected: tuple[int, int]) -> None:
    """Success against counted work, a line a number of steps; the selected budget has a ring."""
    for i, m_inf in enumerate(sorted(table["m_inf"].unique().tolist())):
        rows = table.loc[table["m_inf"] == m_inf].sort_values(by="mflop")
        colour, dash, marker = SERIES[i % len(SERIES)]
        error = 100 * np.abs(rows[["low", "high"]].to_numpy().T - rows["success"].to_numpy())
        style: dict[str, Any] = {"color": colour, "linestyle": dash, "marker": marker, "markersize": 3, "linewidth": 1}
        axes.errorbar(rows["mflop"], 100 * rows["success"], error, label=f"{m_inf}", elinewidth=0.6, **style)
        ring = rows[(rows["m_inf"] == selected[0]) & (rows["n"] == selected[1])]
        axes.plot(ring["mflop"], 100 * ring["success"], "o", markersize=10, fillstyle="none", color=SERIES[1][0])
    axes.set_ylim(-3, 103)
    axes.set_xlabel("MFLOP of a decision (along a line N grows)", fontsize=7)
    axes.set_ylabel("success (%)", fontsize=7)
    if len(table):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.legend(title="M_inf", fontsize=6, title_fontsize=6, frameon=False, handlelength=2.2)
    _finish(axes, f"{_episodes(table)}; bars: Wilson 95 %")


def _episodes(table: pd.DataFrame) -> str:
    if not len(table):
        return "not evaluated"
    episodes = table["episodes"].tolist()
    low, high = min(episodes), max(episodes)
    return f"{low} episodes each" if low == high else f"{low} to {high} episodes each"


def _candidates(figure: Figure, axes: Axes, judged: Judged, step: int) -> None:
    """Every candidate a line over the dimensions of an action, coloured by its value; what is played stands out."""
    places = np.arange(judged.candidates.shape[1])
    less = judged.q[: judged.n] - judged.value
    norm = Normalize(min(float(less.min()), -1e-3), max(0.0, float(less.max())))
    for action, value in zip(judged.candidates[: judged.n], less, strict=True):
        axes.plot(places, action, color=MAP(norm(value)), linewidth=0.8, marker=".", markersize=3)
    label = f"played, Q = {judged.value:.3g}"
    axes.plot(places, judged.action, color=SERIES[1][0], linewidth=1.8, marker="s", markersize=3.5, label=label)
    axes.legend(fontsize=6, frameon=False, loc="upper right")
    axes.set_ylim(-1.08, 1.08)
    axes.set_xticks(places, [str(place + 1) for place in places])
    axes.set_xlabel("dimension of the action", fontsize=7)
    axes.set_ylabel("value", fontsize=7)
    bar = figure.colorbar(_scale(norm), ax=axes, pad=0.02, aspect=18)
    bar.ax.tick_params(labelsize=6)
    bar.set_label("Q, less that of the action", fontsize=7)
    _finish(axes, f"{judged.n} candidate{'s' * (judged.n > 1)}{', drawn anew,' if judged.anew else ''} at step {step}")


def _scale(norm: Normalize) -> Any:
    from matplotlib.cm import ScalarMappable

    return ScalarMappable(norm, MAP)


def _values(axes: Axes, rollout: Rollout, step: int) -> None:
    """Q of the action played and the range of all candidates, step by step; the step shown has a line."""
    steps = np.arange(rollout.length)
    low, high = rollout.q_candidates.min(axis=1), rollout.q_candidates.max(axis=1)
    axes.fill_between(steps, low, high, color=GREY, alpha=0.25, linewidth=0, label="all candidates")
    axes.plot(steps, rollout.q, color=SERIES[1][0], linewidth=1.1, label="played")
    if rollout.succeeded:
        axes.axvline(
            float(np.argmax(rollout.success)), color=SERIES[2][0], linewidth=1, linestyle="-.", label="success"
        )
    axes.axvline(step, color="black", linewidth=0.8, linestyle=":")
    axes.legend(fontsize=6, frameon=False)
    axes.set_xlabel("step of the episode", fontsize=7)
    axes.set_ylabel("Q (return)", fontsize=7)
    cell = rollout.cell
    _finish(axes, f"played with {cell}: {'success' if rollout.succeeded else 'no success'}")


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=7.5, loc="left")
    frame(axes)
