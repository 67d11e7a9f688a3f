"""Learning curves: what the losses, the values and the gradients did over training."""

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.plots.style import GREY, legend_above, series, styled

LOSSES = {"fm": "flow matching", "sc": "self-consistency", "critic": "critic"}


def per_step(metrics: pd.DataFrame, name: str) -> tuple[Float[np.ndarray, " step"], Float[np.ndarray, "step seed"]]:
    """Thousands of updates, and one metric's value at each of them for every seed."""
    table = metrics.pivot(index="step", columns="seed", values=name)
    return table.index.to_numpy(float) / 1000, table.to_numpy(float)


@styled()
def learning_curve(metrics: pd.DataFrame, title: str = "") -> Figure:
    """Losses (log scale; lines in training, marks on held-out data), Q-values, and gradient norms over updates.

    `metrics` has one row a report and seed, as `metrics.jsonl`. The grey band is the least and greatest Q of a batch;
    with several seeds a line is their mean and its own band their range.
    """
    figure = Figure(layout="constrained")
    losses, values, norms = figure.subplots(1, 3)
    for i, (name, label) in enumerate(LOSSES.items()):
        _line(losses, metrics, f"loss_{name}", i, label)
        _marks(losses, metrics, f"val_{name}", i)
    losses.plot([], [], linestyle="", color=GREY, marker="o", markersize=3, fillstyle="none", label="held out")
    losses.set(ylabel="loss", yscale="log")
    _line(values, metrics, "q_mean", 0, "mean of the batch")
    steps, low = per_step(metrics, "q_min")
    high = per_step(metrics, "q_max")[1]
    values.fill_between(steps, low.mean(1), high.mean(1), color=GREY, alpha=0.2, linewidth=0, label="its range")
    values.set_ylabel(r"$Q(x, a)$ [discounted return]")
    for i, role in enumerate(("actor", "critic")):
        _line(norms, metrics, f"grad_norm_{role}", i, role)
    norms.axhline(1.0, color=GREY, linewidth=0.8, linestyle=":", label="clipped above")
    norms.set(ylabel="gradient norm", yscale="log")
    for axes in (losses, values, norms):
        axes.set_xlabel("updates [thousands]")
        axes.margins(x=0.02)
        legend_above(axes, 2)
    figure.suptitle(title, fontsize="small")
    return figure


def _line(axes: Axes, metrics: pd.DataFrame, name: str, i: int, label: str) -> None:
    steps, values = per_step(metrics, name)
    style = series(i)
    style["marker"] = ""
    axes.plot(steps, values.mean(1), label=label, **style)
    if values.shape[1] > 1:
        axes.fill_between(steps, values.min(1), values.max(1), color=style["color"], alpha=0.2, linewidth=0)


def _marks(axes: Axes, metrics: pd.DataFrame, name: str, i: int) -> None:
    steps, values = per_step(metrics, name)
    every = max(1, len(steps) // 12)
    style = series(i)
    axes.plot(
        steps[::every],
        values.mean(1)[::every],
        color=style["color"],
        marker=style["marker"],
        linestyle="",
        markersize=3,
        fillstyle="none",
    )
