"""Learning curves: what the losses, the values and the validation losses did over training."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.plots.style import GREY, legend_above, series, styled

LABELS = {
    "loss_fm": "flow matching",
    "loss_sc": "self-consistency",
    "loss_critic": "critic",
    "val_fm": "flow matching, held out",
    "val_sc": "self-consistency, held out",
    "val_critic": "critic, held out",
}


def over_steps(axes: Axes, metrics: pd.DataFrame, name: str, i: int, label: str, *, log: bool = False) -> None:
    """One metric over training: the mean of the seeds, with their range shaded when there are several."""
    table = metrics.groupby("step")[name].agg(["mean", "min", "max"])
    steps = table.index.to_numpy() / 1000
    style = series(i) | {"marker": ""}
    axes.plot(steps, table["mean"], label=label, **style)
    if metrics["seed"].nunique() > 1:
        axes.fill_between(steps, table["min"], table["max"], color=style["color"], alpha=0.2, linewidth=0)
    if log:
        axes.set_yscale("log")


@styled()
def learning_curve(metrics: pd.DataFrame, title: str = "") -> Figure:
    """Losses (log scale; training and held out), Q-values, and gradient norms over updates.

    `metrics` has one row a report and seed, as `metrics.jsonl`. The Q panel's band is the least and greatest Q of a
    batch, the lines of several seeds are their mean with the range shaded.
    """
    figure = Figure(layout="constrained")
    losses, values, norms = figure.subplots(1, 3)
    for i, name in enumerate(("loss_fm", "loss_sc", "loss_critic")):
        over_steps(losses, metrics, name, i, LABELS[name], log=True)
        held_out = metrics.groupby("step")[name.replace("loss", "val")].mean()
        every = max(1, len(held_out) // 12)
        losses.plot(held_out.index.to_numpy()[::every] / 1000, held_out[::every], linestyle="", **_hollow(i))
    losses.plot([], [], linestyle="", color=GREY, marker="o", markersize=3, fillstyle="none", label="held out")
    losses.set_ylabel("loss")
    over_steps(values, metrics, "q_mean", 0, "mean of the batch")
    table = metrics.groupby("step")[["q_min", "q_max"]].mean()
    values.fill_between(
        table.index.to_numpy() / 1000, table["q_min"], table["q_max"], color=GREY, alpha=0.2, linewidth=0, label="range"
    )
    values.set_ylabel(r"$Q(x, a)$ [discounted return]")
    for i, role in enumerate(("actor", "critic")):
        over_steps(norms, metrics, f"grad_norm_{role}", i, role, log=True)
    norms.axhline(1.0, color=GREY, linewidth=0.8, linestyle=":", label="clipped above")
    norms.set_ylabel("gradient norm")
    for axes in (losses, values, norms):
        axes.set_xlabel("updates [thousands]")
        legend_above(axes, 2)
        axes.margins(x=0.02)
    figure.suptitle(title, fontsize="small")
    return figure


def _hollow(i: int) -> dict:
    return {"color": series(i)["color"], "marker": series(i)["marker"], "markersize": 3, "fillstyle": "none"}
