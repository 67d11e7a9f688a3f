"""Steps of any size beside dyadic ones: what one step misses, where steps disagree, and how far actions are."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.plots.scaling import M_INF, SYMBOLS
from workbench.plots.style import GREY, counted, series, styled

KINDS = {"dyadic": ("dyadic splits", 0), "any": ("any splits", 1)}
"""Kinds of `splits`: their name in the legend, and which series they are."""
UNTRAINED = {"error": (3, 5, 6, 7), "self_consistency": (3, 5, 6, 7, 8), "w2": (3, 5, 6, 7)}
"""Step counts for which dyadic splits train a step, or a half of one, that a column asks for in vain: hollow marks."""
TITLES = {
    "error": "error of one step [action / time]",
    "self_consistency": "one step against its halves [action / time]",
    "w2": "W2 to the data [action]",
}


@styled(2.3)
def any_steps(table: pd.DataFrame, what: str = "SORL on eight Gaussians") -> Figure:
    """Error of one step against the exact flow, of one step against its halves, and W2, over the number of steps.

    Table `any_steps`. Lines are means over seeds and bands their range; the thin lines are the flow-matching error of
    the finest step. `what` is the agent and its data, for the title.
    """
    figure = Figure(layout="constrained")
    panels = dict(zip(TITLES, figure.subplots(1, 3), strict=True))
    for value, axes in panels.items():
        _lines(axes, table, value)
    for splits, rows in table.groupby("splits"):
        colour = series(KINDS[str(splits)][1])["color"]
        panels["error"].axhline(rows["flow_matching"].mean(), color=colour, linewidth=0.7, linestyle=":")
    distance = panels["w2"]
    distance.axhline(table["w2_floor"].iloc[0], color=GREY, linewidth=0.8, label="two samples of the data")
    distance.plot([], [], color=GREY, linewidth=0.7, linestyle=":", label="finest step, to the exact velocity")
    handles, labels = distance.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize="small")
    seeds, updates = counted(len(set(table["seed"])), "seed"), table["step"].to_numpy().max()
    figure.suptitle(
        f"{what}, {SYMBOLS['w_ql']} = 0, {updates:,} updates. Lines: mean of {seeds}; bands: their range; hollow: "
        "with step sizes that were not trained.",
        fontsize="small",
    )
    return figure


def _lines(axes: Axes, table: pd.DataFrame, value: str) -> None:
    for splits, (name, number) in KINDS.items():
        wide = table.loc[table["splits"] == splits].pivot(index="m_inf", columns="seed", values=value)
        style = series(number)
        m, mean = wide.index.to_numpy(), wide.mean(axis=1).to_numpy()
        axes.fill_between(m, wide.min(axis=1), wide.max(axis=1), color=style["color"], alpha=0.18, linewidth=0)
        axes.plot(m, mean, label=name, **style)
        if splits == "dyadic":
            hollow = np.isin(m, UNTRAINED[value])
            marks: dict[str, Any] = style | {"linestyle": "none", "markerfacecolor": "white"}
            axes.plot(m[hollow], mean[hollow], **marks)
    axes.set_title(TITLES[value], fontsize="small", pad=4)
    axes.set_xticks(sorted(set(table["m_inf"])))
    axes.set_xlabel(M_INF)
    axes.set_ylim(bottom=0)
