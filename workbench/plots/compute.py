"""Compute against success: training against inference, and success against the cost of a decision."""

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
    pooled,
    seed_rings,
    subject,
    success_axis,
    success_line,
    with_cost,
)
from workbench.plots.style import GREY, series, styled
from workbench.stats.pareto import pareto_front

PLACES = tuple(
    ((far * x, far * y), ha, va)
    for far in (3, 8, 13)
    for x, ha in ((-1, "right"), (1, "left"))
    for y, va in ((1, "bottom"), (-1, "top"))
)
"""Where a label may stand beside its point: offsets in points, and how the text is aligned, nearest first."""

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
        for i, (m_btt, shift) in enumerate(zip(budgets, apart(len(budgets), 0.08), strict=True)):
            style, wanted = series(i), f"m_btt == {m_btt} and n == {n}"
            success_line(axes, table.query(wanted), "m_inf", style, shift, label=_training_label(cells, updates, m_btt))
            seed_rings(axes, cells.query(wanted), "m_inf", style["color"], shift)
        budget_axis(axes, table, "m_inf", STEPS)
        success_axis(axes)
        axes.set_title("one sample, $N = 1$" if n == 1 else f"best of $N = {n}$", fontsize="small")
    row[0].set_ylabel("success [%]")
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize="x-small", title_fontsize="x-small")
    figure.suptitle(f"{subject(cells)}\n{interval_note(table)}", fontsize="x-small")
    return figure


def _training_label(cells: pd.DataFrame, updates: pd.DataFrame | None, m_btt: int) -> str:
    label = f"{M_BTT} = {m_btt}"
    if updates is None:
        return label
    wanted = (updates["preset"] == cells["preset"].iloc[0]) & (updates["m_btt"] == m_btt)
    found = updates.loc[wanted, "gflop"].tolist()
    return f"{label}\n{found[0]:.3g} GFLOP an update" if found else label


@styled(2.6)
def success_against_cost(cells: pd.DataFrame, cost: pd.DataFrame) -> Figure:
    """Success of every (M_inf, N) against the milliseconds and the counted operations of one decision.

    The Pareto front, filled and labelled (M_inf, N), holds the budgets that no other beats in both. Horizontal bars are
    the quartiles of the latency.
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
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize="x-small")
    note = f"{interval_note(table, 'Upright bars', rings=False)} Level bars: quartiles of latency."
    figure.suptitle(f"{subject(cells)}\n{note}", fontsize="x-small")
    figure.draw_without_rendering()  # settles the layout, which labels are placed in
    for axes, x in ((left, "act_ms"), (right, "mflop")):
        _label_front(axes, fronts[x], x)
    return figure


def _tracks(axes: Axes, table: pd.DataFrame, x: str) -> None:
    """A thin line a number of steps, through its candidates in rising order, with the intervals of success."""
    for i, (m_inf, rows) in enumerate(table.groupby("m_inf")):
        style = series(i) | {"linewidth": 0.7, "alpha": 0.7}
        label = f"{M_INF} = {m_inf}"
        success_line(axes, rows, x, style, fillstyle="none", markeredgewidth=0.6, label=label)


def _front(axes: Axes, table: pd.DataFrame, x: str) -> pd.DataFrame:
    """Draw the front as a staircase, the best success that a cost up to x buys, and return its rows."""
    kept = pareto_front(table[x].to_numpy(float), table["success"].to_numpy(float))
    front = table.loc[kept].sort_values(by=[x, "success"])
    height = front["success"] * PER_CENT
    stairs = {"color": GREY, "drawstyle": "steps-post", "linewidth": 2.2, "alpha": 0.4}
    axes.plot(front[x], height, **stairs, label=f"Pareto front, labelled ({M_INF}, {N})")
    for i, m_inf in enumerate(np.unique(table["m_inf"])):
        own = front["m_inf"] == m_inf
        axes.plot(front.loc[own, x], height[own], **(series(i) | {"linestyle": "", "markersize": 5}))
    return front


def _label_front(axes: Axes, front: pd.DataFrame, x: str) -> None:
    """Write (M_inf, N) at each row of the front, at the first place beside it that is free of others' labels."""
    points = front[[x, "success"]].to_numpy() * [1, PER_CENT]
    spots = axes.transData.transform(points)
    frame = axes.bbox.padded(-MARKER)
    taken = [Bbox([spot - MARKER, spot + MARKER]) for spot in spots]
    for (m_inf, n), point in zip(front[["m_inf", "n"]].to_numpy(), points, strict=True):
        text = axes.annotate(f"({m_inf}, {n})", point, (0, 0), textcoords="offset points", fontsize="x-small")
        for offset, ha, va in PLACES:
            text.set(position=offset, ha=ha, va=va)
            box = text.get_window_extent()
            if frame.contains(box.x0, box.y0) and not any(box.overlaps(other) for other in taken):
                break
        taken.append(box)
