"""The picture of the mixture explorer: samples of data and policy, and the bound stacked of its terms beside W2.

Drawn in a thread beside running cells: see `live.drawing`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.live.drawing import frame
from workbench.plots.bounds import COUPLED, TERMS, W2
from workbench.plots.style import GREY, SERIES

INCHES = (9.4, 2.75)


@dataclass(frozen=True)
class Look:
    """What is shown: `clouds` of points by name, the data first, and the rows of a `W2Report` after `step` updates."""

    clouds: dict[str, np.ndarray]
    table: pd.DataFrame
    step: int


def draw(look: Look) -> Figure:
    """Clouds at the left, terms and distances by the number of steps at the right."""
    figure = Figure(figsize=INCHES, layout="constrained")
    *clouds, bars = figure.subplots(1, len(look.clouds) + 1, width_ratios=[*[1.0] * len(look.clouds), 1.7])
    data = next(iter(look.clouds.values()))
    for axes, (name, points) in zip(clouds, look.clouds.items(), strict=True):
        _cloud(axes, name, points, data)
    _bound(bars, look.table)
    bars.set_title(f"after {look.step:,} updates", fontsize=8, loc="left")
    handles, labels = bars.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower right", ncols=6, fontsize=7, frameon=False)
    return figure


def _cloud(axes: Axes, name: str, points: np.ndarray, data: np.ndarray) -> None:
    if points is not data:
        axes.scatter(data[:, 0], data[:, 1], s=4, color=GREY, alpha=0.25, linewidth=0)
    colour = GREY if points is data else SERIES[0][0]
    axes.scatter(points[:, 0], points[:, 1], s=4, color=colour, alpha=0.5, linewidth=0)
    ticks = (-1, 0, 1)
    axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal", xticks=ticks, yticks=ticks)
    axes.set_title("data" if points is data else f"policy, {name}; grey: data", fontsize=8, loc="left")
    axes.set_xlabel("action 1", fontsize=7)
    axes.set_ylabel("action 2", fontsize=7)
    frame(axes, grid_below=True)


def _bound(axes: Axes, table: pd.DataFrame) -> None:
    places, bottom = np.arange(len(table)), np.zeros(len(table))
    for name, (label, colour, hatch) in TERMS.items():
        height = table[name].to_numpy(float)
        fill: dict[str, Any] = {"color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0.4}
        axes.bar(places, height, 0.7, bottom, label=label, **fill)
        bottom = bottom + height
    for column, style, label, shift in (
        ("coupled", COUPLED, "same-noise distance", -0.1),
        ("w2", W2, "W2", 0.1),
    ):
        axes.plot(places + shift, table[column], label=label, **style)
    axes.axhline(float(table["w2_floor"].iloc[0]), color=GREY, linewidth=0.9, linestyle=":", label="W2 of two samples")
    axes.set_xticks(places, [str(m) for m in table["m_inf"]])
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"Euler steps M ({int(table['draws'].iloc[0])} draws)", fontsize=7)
    axes.set_ylabel("distance (action); bars: the bound", fontsize=7)
    frame(axes, grid_below=True)
    axes.grid(visible=False, axis="x")
