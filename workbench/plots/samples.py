"""Samples of two-dimensional policies: where the actions fall, beside where the reward is."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.plots.style import SERIES, styled

LEVELS = (0.25, 0.5, 0.75)


@styled()
def action_clouds(
    clouds: dict[str, Float[np.ndarray, "_ 2"]], reward: Float[np.ndarray, "row grid"] | None = None, title: str = ""
) -> Figure:
    """One panel a cloud of actions, under its name; all panels show the square of legal actions, [-1, 1] each way.

    `reward` holds the reward on an even grid over that square, first action coordinate along columns, and is drawn as
    contours at 0.25, 0.5 and 0.75. Points are transparent: dark is many. Draw the same number in each panel.
    """
    figure = Figure(layout="compressed")
    figure.set_figheight(min(2.6, 1.0 + 4.6 / len(clouds)))  # square panels across the width, and their labels
    row = figure.subplots(1, len(clouds), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (name, actions) in zip(row, clouds.items(), strict=True):
        axes.scatter(*actions.T, s=3, color=SERIES[0][0], alpha=0.25, linewidth=0, label="one action", rasterized=True)
        if reward is not None:
            reward_contours(axes, reward)
        axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
        axes.set_title(name, fontsize="small")
        axes.set_xlabel("action 1")
    row[0].set_ylabel("action 2")
    handles, labels = row[0].get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=2, markerscale=2, fontsize="small")
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1)
    figure.suptitle(title, fontsize="small")
    return figure


def reward_contours(axes: Axes, reward: Float[np.ndarray, "row grid"]) -> None:
    """Lines of equal reward, at `LEVELS`, of an even grid over the square of legal actions."""
    rows, columns = (np.linspace(-1, 1, count) for count in reward.shape)
    axes.contour(columns, rows, reward, levels=LEVELS, colors=SERIES[1][0], linewidths=0.7)
    axes.plot([], [], color=SERIES[1][0], linewidth=0.7, label=f"reward {', '.join(str(level) for level in LEVELS)}")
