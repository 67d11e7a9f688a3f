"""What choosing by a verifier that is roughly right gains: prediction and simulation, over the share and over N."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.plots.scaling import CANDIDATES, budget_axis
from workbench.plots.style import legend_above, series, styled


@styled(2.7)
def choosing(table: pd.DataFrame) -> Figure:
    """Expected value of what is played: over the share of candidates whose mean that is, and over their number.

    `table` is that of `theory.choosing.compared`. Lines are predicted, marks simulated. On the left is the largest N,
    a line for each cosine between the verifier's direction and the true one; on the right the cosine in the middle,
    for the best one and for the half.
    """
    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    most = table.loc[table["n"] == table["n"].max()]
    cosines = sorted(set(table["cosine"]))
    for i, cosine in enumerate(cosines):
        _line(left, most.loc[most["cosine"] == cosine], "share", i, f"$r$ = {cosine:g}")
    budget_axis(left, most, "share", r"share $\rho$ whose mean is played")
    ticks = sorted(set(most["share"]))
    left.set_xticks(ticks, [f"1/{round(1 / tick)}" if tick < 1 else "1" for tick in ticks])
    left.set_ylabel("expected value")
    middle = cosines[len(cosines) // 2]
    own = table.loc[table["cosine"] == middle]
    _line(right, own.loc[own["share"] * own["n"] == 1], "n", len(cosines), "the best one")
    _line(right, own.loc[own["share"] == 0.5], "n", len(cosines) + 1, "mean of the better half")
    budget_axis(right, own, "n", CANDIDATES)
    for axes in (left, right):
        legend_above(axes, 3)
    figure.suptitle(
        f"Lines: predicted; marks: simulated. Left: $N$ = {most['n'].iloc[0]}; right: $r$ = {middle:g}",
        fontsize="small",
    )
    return figure


def _line(axes: Axes, rows: pd.DataFrame, x: str, i: int, label: str) -> None:
    style = series(i)
    axes.plot(rows[x], rows["predicted"], color=style["color"], linestyle=style["linestyle"], linewidth=1.2)
    axes.plot(rows[x], rows["simulated"], style["marker"], color=style["color"], markersize=3.2)
    axes.plot([], [], **style, label=label)
