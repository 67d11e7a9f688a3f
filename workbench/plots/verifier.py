"""How far the verifier can be trusted: Q against returns, and what choosing by it more strictly does."""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.plots.scaling import (
    CANDIDATES,
    M_INF,
    apart,
    budget_axis,
    interval_note,
    seed_rings,
    subject,
    success_axis,
    success_line,
)
from workbench.plots.style import GREY, count_series, counted, legend_above, series, styled
from workbench.stats.budgets import pooled
from workbench.stats.intervals import DEFAULT, Bootstrap

RANGES = 10
"""Ranges of Q that a calibration curve has at most."""
FEWEST = 5
"""Episodes that a range of Q must have been visited by, to be shown."""
PANELS = 3


def binned(calibration: pd.DataFrame, edges: Float[np.ndarray, " edge"], how: Bootstrap = DEFAULT) -> pd.DataFrame:
    """Mean Q and mean return of the steps in each range of Q, with the interval of the mean return.

    Ranges lie between neighbouring `edges`; those with steps of fewer than 5 episodes are left out. 95 % percentile
    bootstrap over whole episodes (of any run), because steps of one episode share their fate. Columns: q, return_to_go,
    low, high, rows, episodes, and place, the number of the range. Empty where no range is left.
    """
    q, returns = calibration[["q", "return_to_go"]].to_numpy(float).T
    place = np.clip(np.searchsorted(edges, q, side="right") - 1, 0, len(edges) - 2)
    episode = pd.factorize(calibration["hash"].astype(str) + "/" + calibration["episode"].astype(str))[0]
    counts = how.counts(int(episode.max()) + 1, 1, rng=np.random.default_rng(how.seed))[:, 0]
    found = []
    for i in range(len(edges) - 1):
        inside = place == i
        visited = len(np.unique(episode[inside]))
        if visited < FEWEST:
            continue
        weight = counts[:, episode[inside]]
        some = weight.sum(axis=1) > 0
        low, high = how.interval(weight[some] @ returns[inside] / weight[some].sum(axis=1), visited)
        means = q[inside].mean(), returns[inside].mean(), float(low), float(high)
        found.append((*means, int(inside.sum()), visited, i))
    return pd.DataFrame(found, columns=["q", "return_to_go", "low", "high", "rows", "episodes", "place"])


@styled(2.75)
def calibration(calibration: pd.DataFrame, verifier: pd.DataFrame) -> Figure:
    """Q of the chosen action against the discounted return that followed; a panel each for few, some and many N.

    `calibration` has one row a recorded step (hash, seed, n, episode, step, q, return_to_go), `verifier` one a run and
    N. Dots are steps, marks are means over ranges of Q with intervals over episodes; neighbouring ranges are joined.
    Below the diagonal Q is too high.
    It was learned as the value of going on with one sample: above the diagonal, best-of-N may also be better than that.
    """
    every = sorted(set(calibration["n"]))
    shown = [every[i] for i in sorted({round(i) for i in np.linspace(0, len(every) - 1, PANELS)})]
    figure = Figure(layout="constrained")
    row = figure.subplots(1, len(shown), sharex=True, sharey=True, squeeze=False)[0]
    drawn = calibration.loc[calibration["n"].isin(shown)]
    numbers = drawn[["q", "return_to_go"]].to_numpy(float)
    ends = numbers.min() - 1, numbers.max() + 1
    edges = np.linspace(numbers[:, 0].min(), numbers[:, 0].max(), RANGES + 1)
    styles = count_series(every)
    for axes, n in zip(row, shown, strict=True):
        steps = drawn.loc[drawn["n"] == n]
        _dots_and_means(axes, steps, edges, styles[n])
        axes.plot(ends, ends, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1.5)
        axes.set(xlim=ends, ylim=ends, aspect="equal", xlabel="$Q(x, a)$ of the action")
        episodes = len(steps[["hash", "episode"]].drop_duplicates())
        axes.set_title(f"$N = {n}$: {len(steps)} steps, {episodes} episodes", fontsize="small")
    row[0].set_ylabel("discounted return from there")
    row[0].text(0.04, 0.92, "$Q$ too low", transform=row[0].transAxes, color=GREY, fontsize="small")
    row[0].text(0.96, 0.04, "$Q$ too high", transform=row[0].transAxes, color=GREY, fontsize="small", ha="right")
    seeds = len(set(drawn["seed"]))
    figure.suptitle(
        f"{_title(verifier)}\n"
        f"Dots: steps drawn at random from episodes of {counted(seeds, 'training seed')}. "
        f"Marks: means over those of {RANGES} equal ranges\nof $Q$ that {FEWEST} or more episodes visit; "
        "bars: 95 % bootstrap over these episodes. Dashed: $Q$ = return. $Q$ was learned for $N = 1$.",
        fontsize="small",
    )
    return figure


def _dots_and_means(axes: Axes, steps: pd.DataFrame, edges: Float[np.ndarray, " edge"], style: dict[str, Any]) -> None:
    q, returns = steps[["q", "return_to_go"]].to_numpy(float).T
    axes.plot(q, returns, ".", color=GREY, markersize=2.4, alpha=0.4, markeredgewidth=0)
    means = binned(steps, edges)
    q, returns = means[["q", "return_to_go"]].to_numpy(float).T
    error = np.abs(means[["low", "high"]].to_numpy(float).T - returns)
    marks: dict[str, Any] = style | {"linestyle": ""}
    line: dict[str, Any] = style | {"marker": ""}
    axes.errorbar(q, returns, error, capsize=1.5, elinewidth=0.8, **marks)
    gaps = np.flatnonzero(np.diff(means["place"]) != 1) + 1
    for joined in np.split(np.arange(len(q)), gaps):
        axes.plot(q[joined], returns[joined], **line)


@styled(2.5)
def over_optimisation(verifier: pd.DataFrame) -> Figure:
    """What choosing the best of more candidates by Q does: success, Q and return at the first step, rank correlation.

    `verifier` has one row a run and N. First steps are alike for every N, so there the best Q of more candidates is no
    less; of later steps that cannot be said, as other choices lead to other states. Shaded is the gap between Q and the
    return that followed. Q was learned as the value of going on with one sample: a return above it is no error, and
    inflated values would be a Q above the return. The rank correlation is of all steps: also of states with each other,
    not only of actions.
    """
    figure = Figure(layout="constrained")
    success, values, ranks = figure.subplots(1, 3)
    table = pooled(verifier, ("n",))
    success_line(success, table, "n", series(0))
    seed_rings(success, verifier, "n", series(0)["color"])
    success_axis(success)
    success.set_ylabel("success [%]")
    seed_line(values, verifier, "n", "return_start", series(0), label="return")
    seed_line(values, verifier, "n", "q_start", series(1), label="$Q$ of the choice")
    places, q = seed_means(verifier, "n", "q_start")
    gap = {"color": GREY, "alpha": 0.15, "linewidth": 0}
    values.fill_between(places, q, seed_means(verifier, "n", "return_start")[1], label="gap", **gap)
    values.set_ylabel("return and $Q$ at the first step,\ndiscounted")
    legend_above(values, 2)
    seed_line(ranks, verifier, "n", "spearman", series(2))
    ranks.axhline(0, color=GREY, linewidth=0.8)
    ranks.set_ylabel(r"Spearman's $\rho$ ($Q$, return)")
    for axes in (success, values, ranks):
        budget_axis(axes, verifier, "n", CANDIDATES)
    number = "/".join(str(episodes) for episodes in sorted(set(verifier["episodes"])))
    left = interval_note(table, "Left")
    others = f"Others: lines are means over seeds, marks seeds; bars: 95 % bootstrap over a seed's {number} episodes."
    figure.suptitle(f"{_title(verifier)}\n{left}\n{others}", fontsize="small")
    return figure


def _title(verifier: pd.DataFrame) -> str:
    return f"{subject(verifier)}, {M_INF} = {verifier['m_inf'].iloc[0]}"


def seed_means(table: pd.DataFrame, x: str, y: str) -> tuple[Float[np.ndarray, " step"], Float[np.ndarray, " step"]]:
    """The values of column `x`, and the mean of `y` over the rows of each."""
    places = np.unique(table[x].to_numpy(float))
    return places, np.array([table.loc[table[x] == place, y].to_numpy(float).mean() for place in places])


def seed_line(
    axes: Axes, table: pd.DataFrame, x: str, y: str, style: dict[str, Any], *, shift: float = 1.0, label: str = ""
) -> None:
    """A line through the means over seeds, and a hollow mark for each seed, with its own bar where there is one.

    Bars go from column `y`_low to `y`_high. Positions are multiplied by `shift`; seeds stand a little apart.
    """
    places, means = seed_means(table, x, y)
    line: dict[str, Any] = style | {"marker": ""}
    sample: dict[str, Any] = style | {"markerfacecolor": "white"}
    mark = {"color": style["color"], "fmt": style["marker"], "markersize": 2.8, "markerfacecolor": "white"}
    axes.plot(places * shift, means, **line)
    seeds = np.unique(table["seed"].to_numpy())
    for seed, beside in zip(seeds, apart(len(seeds), 0.08), strict=True):
        own = table.loc[table["seed"] == seed]
        values = own[y].to_numpy(float)
        error = np.abs(own[[f"{y}_low", f"{y}_high"]].to_numpy(float).T - values) if f"{y}_low" in own else None
        axes.errorbar(
            own[x].to_numpy(float) * shift * beside, values, error, markeredgewidth=0.6, elinewidth=0.6, **mark
        )
    axes.plot([], [], label=label, **sample)
