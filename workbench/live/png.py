"""The picture of a live view for viewers that run no widgets: the same panels, drawn by Matplotlib.

Drawn from the publisher's thread beside running cells: see `live.drawing`.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from workbench.live.drawing import as_png, frame
from workbench.live.marks import own_marks
from workbench.live.panels import Panel
from workbench.live.publish import Watched, even, thin
from workbench.plots.style import GREY, SERIES

MOST_ROWS = 800
COLUMNS = 3
INCHES = (2.55, 1.75)
"""Width and height of one panel."""

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def draw_png(trainer: Watched, panels: tuple[Panel, ...], reward: np.ndarray | None = None, dpi: int = 150) -> bytes:
    """PNG of what a trainer has told so far."""
    return as_png(draw(trainer, panels, reward), dpi)


def draw(trainer: Watched, panels: tuple[Panel, ...], reward: np.ndarray | None = None) -> Figure:
    """Every panel that has a value, the clouds after them, and the branches' names above."""
    branches = list(trainer.branches.values())
    tables = {branch.name: _table(branch.history.since(0)[1]) for branch in branches}
    shown = [panel for panel in panels if any(_has(table, panel.line) for table in tables.values())] or list(panels[:1])
    clouds = [] if trainer.cloud is None else list(np.asarray(trainer.cloud))
    count = len(shown) + len(clouds)
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(INCHES[0] * columns, INCHES[1] * rows + 0.35), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, panel in zip(grid, shown, strict=False):
        for i, branch in enumerate(branches):
            _curve(axes, panel, tables[branch.name], i, branch.name)
            _marks(axes, own_marks(branch), i)
        _finish(axes, panel)
    if not any(map(len, tables.values())):
        grid[0].text(0.5, 0.5, "no update yet", transform=grid[0].transAxes, ha="center", fontsize=7, color=GREY)
    for number, (axes, cloud) in enumerate(zip(grid[len(shown) :], clouds, strict=False)):
        _cloud(axes, cloud, reward, f"policy, {trainer.cloud_labels[number]}")
        if number == 0 and trainer.paths is not None and len(trainer.paths):
            for path in even(trainer.paths):
                axes.plot(path[:, 0], path[:, 1], color=GREY, linewidth=0.5, alpha=0.6)
    for axes in grid[count:]:
        axes.set_axis_off()
    handles, labels = grid[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper left", ncols=6, fontsize=7, frameon=False, handlelength=2.6)
    return figure


def _table(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    if not columns:
        return {}
    thinned = thin(np.column_stack([np.asarray(column, np.float32) for column in columns.values()]), MOST_ROWS)
    return dict(zip(columns, thinned.T, strict=True))


def _has(table: dict[str, np.ndarray], name: str) -> bool:
    return name in table and bool(np.isfinite(table[name]).any())


def _curve(axes: Axes, panel: Panel, table: dict[str, np.ndarray], i: int, name: str) -> None:
    colour, dash, _ = SERIES[i % len(SERIES)]
    if panel.band and all(_has(table, edge) for edge in panel.band):
        low, high = (table[edge] for edge in panel.band)
        seen = np.isfinite(low) & np.isfinite(high)
        axes.fill_between(table["step"][seen], low[seen], high[seen], color=colour, alpha=0.13, linewidth=0)
    if _has(table, panel.line):
        seen = np.isfinite(table[panel.line])
        axes.plot(table["step"][seen], table[panel.line][seen], color=colour, linestyle=dash, linewidth=1.1, label=name)
    if panel.dots and _has(table, panel.dots):
        seen = np.isfinite(table[panel.dots])
        style: dict[str, Any] = {"marker": "o", "markersize": 2.6, "markerfacecolor": "white", "markeredgewidth": 0.7}
        seen &= np.cumsum(seen) % max(1, seen.sum() // 12) == 0
        axes.plot(table["step"][seen], table[panel.dots][seen], linestyle="none", color=colour, **style)


def _marks(axes: Axes, marks: list[Any], i: int) -> None:
    for step in sorted({int(mark.step) for mark in marks}):
        axes.axvline(step, color=SERIES[i % len(SERIES)][0], linewidth=0.6, linestyle=(0, (1, 2)))


def _finish(axes: Axes, panel: Panel) -> None:
    if panel.log:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: power(value)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_title(panel.label, fontsize=7, loc="left")
    axes.set_xlabel("updates", fontsize=7)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: thousands(value)))
    frame(axes)


def _cloud(axes: Axes, cloud: np.ndarray, reward: np.ndarray | None, title: str) -> None:
    axes.scatter(cloud[:, 0], cloud[:, 1], s=2, color=SERIES[0][0], alpha=0.3, linewidth=0)
    rings = "" if reward is None else "; contours: reward ¼ ½ ¾"
    if reward is not None:
        rows, columns = (np.linspace(-1, 1, count) for count in reward.shape)
        axes.contour(columns, rows, reward, levels=(0.25, 0.5, 0.75), colors=SERIES[1][0], linewidths=0.7)
    axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    axes.set_title(title, fontsize=7, loc="left")
    axes.set_xlabel(f"action 1{rings}", fontsize=7)
    axes.set_ylabel("action 2", fontsize=7)
    frame(axes)


def power(value: float) -> str:
    """A tick of a log axis without a formula: 0.01, 0.1, 1, 10, and 10⁻⁴ or 10⁴ further out."""
    if value <= 0:
        return ""
    exponent = round(np.log10(value))
    if abs(exponent) <= 3 or not np.isclose(value, 10.0**exponent):
        return f"{value:g}"
    return "10" + str(exponent).translate(_SUPERSCRIPT)


def thousands(value: float) -> str:
    """A tick of the step axis: 500, 20k, 1.5M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
