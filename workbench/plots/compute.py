"""Compute against success: training against inference, and success against the cost of a decision."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from workbench.plots.scaling import (
    M_INF,
    PER_CENT,
    STEPS,
    N,
    apart,
    budget_axis,
    interval_note,
    plain_log,
    seed_rings,
    subject,
    success_axis,
    success_line,
    with_cost,
)
from workbench.plots.style import GREY, count_series, styled
from workbench.stats.budgets import pooled
from workbench.stats.pareto import pareto_front

DIRECTIONS = ((-1.0, 0.35), (-0.8, 0.8), (-0.3, 1.0), (0.3, 1.0), (-1.0, 0.0), (-1.0, -0.35))
"""From a point to its label: above and to the left of the front, where no budget is."""
PLACES = tuple((far * x, far * y) for far in range(10, 60, 4) for x, y in DIRECTIONS)
"""Where a label may stand beside its point, in points, nearest first."""

MARKER = 4
"""Half the side of the square that a marker takes, in pixels of a figure that is not saved yet."""

M_BTT = r"$M_{\mathrm{BTT}}$"


@styled(2.4)
def training_inference(cells: pd.DataFrame, updates: pd.DataFrame | None = None) -> Figure:
    """Success against Euler steps at inference, a line for each number of steps backpropagated through in training.

    One panel for each number of candidates in `cells`: what training was spared, best-of-N may recover. `updates`, if
    given, holds the counted `gflop` of an update by `preset` and `m_btt`, for the legend.
    """
    table = pooled(cells, ("m_btt", "m_inf", "n"))
    counts, budgets = np.unique(table["n"]).tolist(), np.unique(table["m_btt"]).tolist()
    figure = Figure(layout="constrained")
    row = figure.subplots(1, len(counts), sharey=True, squeeze=False)[0]
    for axes, n in zip(row, counts, strict=True):
        for (m_btt, style), shift in zip(count_series(budgets).items(), apart(len(budgets), 0.08), strict=True):
            wanted = f"m_btt == {m_btt} and n == {n}"
            success_line(axes, table.query(wanted), "m_inf", style, shift, label=_training_label(cells, updates, m_btt))
            seed_rings(axes, cells.query(wanted), "m_inf", style["color"], shift)
        budget_axis(axes, table, "m_inf", STEPS)
        success_axis(axes)
        axes.set_title("one sample, $N = 1$" if n == 1 else f"best of $N = {n}$", fontsize="small")
    row[0].set_ylabel("success [%]")
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize="small", title_fontsize="small")
    figure.suptitle(f"{subject(cells)}\n{interval_note(table)}", fontsize="small")
    return figure


def _training_label(cells: pd.DataFrame, updates: pd.DataFrame | None, m_btt: int) -> str:
    label = f"{M_BTT} = {m_btt}"
    if updates is None:
        return label
    wanted = (updates["preset"] == cells["preset"].iloc[0]) & (updates["m_btt"] == m_btt)
    found = updates.loc[wanted, "gflop"].tolist()
    return f"{label}\n{found[0]:.3g} GFLOP an update" if found else label


@styled(3.0)
def success_against_cost(cells: pd.DataFrame, cost: pd.DataFrame) -> Figure:
    """Success of every (M_inf, N) against the milliseconds and the counted operations of one decision.

    The Pareto front, filled and labelled (M_inf, N), holds the budgets that no other beats in both; pale bars behind it
    go from the worst to the best seed. Horizontal bars are the quartiles of the latency.
    """
    table = with_cost(cells, pooled(cells), cost)
    table = table.assign(mflop=table["gflop"] * 1e3)
    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    fronts = {}
    for axes, x in ((left, "act_ms"), (right, "mflop")):
        fronts[x] = _front(axes, table, x)
        _tracks(axes, table, x)
        axes.set_xscale("log")
        plain_log(axes.xaxis)
        success_axis(axes)
        axes.margins(x=0.1)
    spread = np.abs(table[["act_ms_low", "act_ms_high"]].to_numpy().T - table["act_ms"].to_numpy())
    bars = {"linestyle": "", "color": GREY, "elinewidth": 0.5, "zorder": 1}
    left.errorbar(table["act_ms"], table["success"] * PER_CENT, xerr=spread, **bars)
    where = f" on {cost['machine'].iloc[0]}" if "machine" in cost else ""
    left.set(xlabel=f"latency of a decision [ms]{where}", ylabel="success [%]")
    right.set_xlabel("counted operations of a decision [MFLOP]")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize="small")
    note = interval_note(table, "Upright bars", "wide pale bars, on the front")
    figure.suptitle(f"{subject(cells)}\n{note}\nLevel bars: quartiles of latency.", fontsize="small")
    figure.draw_without_rendering()  # settles the layout, which labels are placed in
    for axes, x in ((left, "act_ms"), (right, "mflop")):
        _label_front(axes, fronts[x], x)
    return figure


def _tracks(axes: Axes, table: pd.DataFrame, x: str) -> None:
    """A thin line a number of steps, through its candidates in rising order, with the intervals of success."""
    for m_inf, style in count_series(table["m_inf"]).items():
        rows, label = table.loc[table["m_inf"] == m_inf], f"{M_INF} = {m_inf}"
        style |= {"linewidth": 0.7, "alpha": 0.7}
        success_line(axes, rows, x, style, fillstyle="none", markeredgewidth=0.6, label=label)


def _front(axes: Axes, table: pd.DataFrame, x: str) -> pd.DataFrame:
    """Draw the front as a staircase, the best success that a cost up to x buys, and return its rows."""
    kept = pareto_front(table[x].to_numpy(float), table["success"].to_numpy(float))
    front = table.loc[kept].sort_values(by=[x, "success"])
    height = front["success"] * PER_CENT
    stairs = {"color": GREY, "drawstyle": "steps-post", "linewidth": 2.2, "alpha": 0.4}
    axes.plot(front[x], height, **stairs, label=f"Pareto front: ({M_INF}, {N})")
    for m_inf, style in count_series(table["m_inf"]).items():
        own = front["m_inf"] == m_inf
        ends = PER_CENT * front.loc[own, ["seed_low", "seed_high"]].to_numpy(float).T
        axes.vlines(front.loc[own, x], *ends, color=style["color"], linewidth=5, alpha=0.2, zorder=0.5)
        axes.plot(front.loc[own, x], height[own], **(style | {"linestyle": "", "markersize": 5}))
    return front


def _label_front(axes: Axes, front: pd.DataFrame, x: str) -> None:
    """Write (M_inf, N) at each row of the front, with a line to it, at the nearest place that is free of others."""
    points = front[[x, "success"]].to_numpy() * [1, PER_CENT]
    spots = axes.transData.transform(points)
    frame = axes.bbox.padded(-MARKER)
    taken = [Bbox([spot - MARKER, spot + MARKER]) for spot in spots]
    style: dict[str, Any] = {"fontsize": "small", "ha": "right", "va": "center", "textcoords": "offset points"}
    leader = {"arrowstyle": "-", "color": GREY, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2}
    for (m_inf, n), point in zip(front[["m_inf", "n"]].to_numpy(), points, strict=True):
        words = f"({m_inf}, {n})"
        trial = axes.annotate(words, point, (0, 0), **style)
        for offset in PLACES:
            trial.set_position(offset)
            box = trial.get_window_extent().padded(1)
            inside = frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1)
            if inside and not any(box.overlaps(other) for other in taken):
                break
        taken.append(box)
        trial.remove()
        axes.annotate(words, point, trial.get_position(), arrowprops=leader, **style)
