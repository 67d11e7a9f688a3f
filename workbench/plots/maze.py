"""A maze from above with the paths of many rollouts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from workbench.plots.scaling import budget
from workbench.plots.style import SERIES, styled
from workbench.stats import wilson

WALL, GOAL = "#4D4D55", "#009E73"
STYLES = {True: (SERIES[0][0], "-"), False: (SERIES[1][0], (0, (4, 1.6)))}
"""Colour and dash of the paths that reached the goal and of those that did not."""
MOST_COLUMNS = 4


@styled(2.6)
def maze_view(walls: pd.DataFrame, paths: pd.DataFrame, episodes: pd.DataFrame, title: str = "") -> Figure:
    """One panel an inference budget, walls, paths and goals from above; tables as `render.maze.maze_tables` makes them.

    Every path is drawn. Success rates carry their Wilson 95 % interval over the episodes of the panel.
    """
    budgets = sorted(set(zip(episodes["m_inf"].tolist(), episodes["n"].tolist(), strict=True)))
    columns = min(len(budgets), MOST_COLUMNS)
    rows = -(-len(budgets) // columns)
    figure = Figure(layout="constrained")
    width, _ = figure.get_size_inches()
    box = _bounds(walls)
    panel = min(width / columns, 2.6)
    figure.set_size_inches(width, rows * (panel * (box[3] - box[2]) / (box[1] - box[0]) + 0.25) + 0.4)
    every = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (m_inf, n) in zip(every, budgets, strict=False):
        chosen = episodes.loc[(episodes["m_inf"] == m_inf) & (episodes["n"] == n)]
        _panel(axes, walls, paths, chosen, box)
        axes.set_title(f"{budget(m_inf, n)}: {_rate(chosen)}", fontsize="small")
    for axes in every[len(budgets) :]:
        axes.set_axis_off()
    handles = _legend()
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize="small")
    if title:
        figure.suptitle(title, fontsize="small")
    return figure


def _bounds(walls: pd.DataFrame) -> Sequence[float]:
    """Left, right, bottom and top of the maze, half its outer walls included."""
    x, y, width, height = walls[["x", "y", "width", "height"]].to_numpy().T
    half = height.min() / 2
    return x.min() + half, (x + width).max() - half, y.min() + half, (y + height).max() - half


def _panel(axes: Axes, walls: pd.DataFrame, paths: pd.DataFrame, episodes: pd.DataFrame, box: Sequence[float]) -> None:
    corners = walls[["x", "y", "width", "height"]].to_numpy()
    rectangles = [Rectangle((x, y), width, height) for x, y, width, height in corners]
    axes.add_collection(PatchCollection(rectangles, facecolor=WALL, edgecolor=WALL, linewidth=0.3, zorder=1))
    of = {number: part[["x", "y"]].to_numpy() for number, part in paths.groupby("rollout")}
    for success, (colour, dash) in STYLES.items():
        numbers = episodes.loc[episodes["success"].astype(bool) == success, "rollout"]
        lines = LineCollection([of[number] for number in numbers], colors=colour, linestyles=[dash], linewidths=0.7)
        lines.set(alpha=0.75, zorder=2 + success)
        axes.add_collection(lines)
        ends = np.array([of[number][-1] for number in numbers]).reshape(-1, 2)
        if not success:
            axes.plot(*ends.T, "x", color=colour, markersize=3, markeredgewidth=0.8, zorder=4)
    starts = np.array([of[number][0] for number in episodes["rollout"]])
    axes.plot(*starts.T, "o", color="white", markeredgecolor="black", markersize=3.4, markeredgewidth=0.7, zorder=5)
    goal = episodes[["goal_x", "goal_y"]].to_numpy().T
    axes.plot(*goal, "*", color=GOAL, markeredgecolor="black", markersize=7, markeredgewidth=0.4, zorder=5)
    axes.set(xlim=box[:2], ylim=box[2:], aspect="equal", xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)


def _rate(episodes: pd.DataFrame) -> str:
    count, total = int(episodes["success"].to_numpy().sum()), len(episodes)
    low, high = wilson(count, total)
    return f"{count} of {total} [{100 * low:.0f}, {100 * high:.0f}] %"


def _legend() -> list[Line2D]:
    colour, dash = STYLES[False]
    mark: dict[str, Any] = {"linestyle": "none", "markeredgecolor": "black"}
    return [
        Line2D([], [], color=STYLES[True][0], linestyle=STYLES[True][1], linewidth=1, label="reached the goal"),
        Line2D([], [], color=colour, linestyle=dash, linewidth=1, marker="x", markersize=3, label="did not"),
        Line2D([], [], marker="o", color="white", markersize=3.4, markeredgewidth=0.7, label="start", **mark),
        Line2D([], [], marker="*", color=GOAL, markersize=7, markeredgewidth=0.4, label="goal", **mark),
        Line2D([], [], linestyle="none", label="[ ] Wilson 95 % interval"),
    ]
