"""Run time of training and inference."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.plots.compute import M_BTT
from workbench.plots.scaling import PER_CENT, STEPS, N, budget_axis, plain_log
from workbench.plots.style import GREY, legend_above, series, styled


@styled(2.3)
def run_time(updates: pd.DataFrame, cost: pd.DataFrame) -> Figure:
    """Milliseconds of an update, the share of the machine's matrix-product rate it reaches, and of a decision.

    `updates` has a row a `preset` and `m_btt`, `cost` a row a `preset`, `m_inf` and `n`; bars are quartiles of repeated
    timings. A decision is one warm call for one observation, dispatch included, with the least and the most candidates.
    """
    figure = Figure(layout="constrained")
    update, share, decision = figure.subplots(1, 3)
    for i, preset in enumerate(updates["preset"].unique()):
        rows, budgets = updates.loc[updates["preset"] == preset], cost.loc[cost["preset"] == preset]
        label = f"{preset} ({rows['gflop'].min():.3g} to {rows['gflop'].max():.3g} GFLOP)"
        _timed(update, rows, "m_btt", "ms", i, label)
        share.plot(rows["m_btt"], rows["share"] * PER_CENT, **series(i), label=preset)
        for j, n in enumerate(sorted({budgets["n"].min(), budgets["n"].max()})):
            of_n = budgets.loc[budgets["n"] == n]
            hollow = {"markerfacecolor": "white"} if j else {}
            _timed(decision, of_n, "m_inf", "act_ms", i, f"{preset}, {N} = {n}", **hollow)
    for axes in (update, share):
        budget_axis(axes, updates, "m_btt", f"backpropagated steps {M_BTT}")
    budget_axis(decision, cost, "m_inf", STEPS)
    update.set_ylabel("time of an update [ms]")
    decision.set_ylabel("time of a decision [ms]")
    for axes, columns in ((update, 1), (decision, 2)):
        axes.set_yscale("log")
        plain_log(axes.yaxis)
        legend_above(axes, columns)
    share.set(ylabel="rate [% of a large product]", ylim=(0, 105))
    share.axhline(100, color=GREY, linewidth=0.8, linestyle=":")
    rate = f"{updates['matmul_gflop_per_s'].median():.0f} GFLOP/s"
    share.annotate(rate, (0.97, 94), xycoords=("axes fraction", "data"), ha="right", va="center", fontsize="small")
    where = f"SORL on shapes of cube-single, batch {updates['batch'].iloc[0]}, on {updates['machine'].iloc[0]}"
    note = "Marks: medians, bars: quartiles of repeated timings. In brackets: counted operations of an update."
    figure.suptitle(f"{where}\n{note}", fontsize="small")
    return figure


def _timed(axes: Axes, rows: pd.DataFrame, x: str, name: str, i: int, label: str, **more: Any) -> None:
    spread = np.abs(rows[[f"{name}_low", f"{name}_high"]].to_numpy().T - rows[name].to_numpy())
    axes.errorbar(rows[x], rows[name], spread, capsize=1.5, elinewidth=0.7, label=label, **(series(i) | more))
