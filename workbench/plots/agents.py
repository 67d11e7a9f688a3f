"""All agents side by side on one problem whose right answer can be seen."""

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.plots.samples import LEVELS, reward_contours
from workbench.plots.scaling import M_INF, SYMBOLS, N
from workbench.plots.style import GREY, agent_style, counted, display_name, in_order, styled

DATA = "data"
COLUMNS = 6


@styled(3.3)
def agents_on_a_mixture(scores: pd.DataFrame, samples: pd.DataFrame, reward: pd.DataFrame) -> Figure:
    """Actions of every agent on eight Gaussians of which one is rewarded, a panel an agent, the data first.

    Tables of the study `agents_mixture`: its scores, actions and reward surface; of several budgets of an agent the
    first is drawn. Below the name, with M_inf and N unless both are 1, stand the mean reward and the share of actions
    outside every mode, means over seeds with their range.
    """
    figure = Figure(layout="constrained")
    surface = reward.pivot(index="a_2", columns="a_1", values="reward").to_numpy()
    names = [DATA, *in_order(name for name in scores["agent"] if name != DATA)]
    grid = figure.subplots(-(-len(names) // COLUMNS), COLUMNS, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(names) :]:
        axes.set_axis_off()
    for axes, name in zip(grid.flat, names, strict=False):
        own, drawn = (_first_budget(table.loc[table["agent"] == name]) for table in (scores, samples))
        _panel(axes, name, own, drawn)
        reward_contours(axes, surface)
    for axes in grid[:, 0]:
        axes.set_ylabel("action 2")
    figure.supxlabel("action 1", fontsize="medium")
    figure.suptitle(_note(scores), fontsize="small")
    return figure


def _first_budget(table: pd.DataFrame) -> pd.DataFrame:
    first = table.iloc[0]
    return table.loc[(table["m_inf"] == first["m_inf"]) & (table["n"] == first["n"])]


def _panel(axes: Axes, name: str, own: pd.DataFrame, drawn: pd.DataFrame) -> None:
    colour = GREY if name == DATA else agent_style(name)["color"]
    points = drawn[["a_1", "a_2"]].to_numpy(float)
    size = 2 if np.ptp(points, axis=0).max() > 0.05 else 12  # one action, drawn over and over, would be overlooked
    axes.scatter(*points.T, s=size, color=colour, alpha=0.35, linewidth=0, rasterized=True)
    axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    m_inf, n = (int(own[name].iloc[0]) for name in ("m_inf", "n"))
    title = name if name == DATA else f"{display_name(name)}{f' ({m_inf}, {n})' if (m_inf, n) != (1, 1) else ''}"
    reward, outside = own["reward"].to_numpy(float), 100 * own["outside"].to_numpy(float)
    axes.set_title(f"{title}\n{_range(reward)}\n{_range(outside, '.0f')} %", fontsize="small")


def _range(values: Float[np.ndarray, " seed"], form: str = ".2f") -> str:
    low, high = values.min(), values.max()
    mean = f"{values.mean():{form}}"
    return mean if f"{low:{form}}" == f"{high:{form}}" else f"{mean} [{low:{form}}, {high:{form}}]"


def _note(scores: pd.DataFrame) -> str:
    seeds, first = len(set(scores.loc[scores["agent"] != DATA, "seed"])), scores.iloc[0]
    weight = f"{SYMBOLS['w_ql']} = {first['w_ql']:g}"
    rings = ", ".join(map(str, LEVELS))
    return (
        f"Agents (small, width reduced; SORL with {weight}) after {first['steps']:,} updates on eight Gaussians; "
        f"rings: reward {rings}.\nUnder each name ({M_INF}, {N}; if not 1, 1): mean reward, and share of "
        f"{first['draws']:,} actions outside every mode; means [ranges] of {counted(seeds, 'seed')}, dots: the first."
    )
