"""The W2 distance of a policy from the data, beside its bound: the three terms, measured and in the worst case."""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.plots.scaling import M_INF, STEPS, SYMBOLS
from workbench.plots.self_consistency import over_seeds, updates_axis
from workbench.plots.style import GREY, counted, series, styled

TERMS = {
    "flow_matching_end": ("flow matching", "#BFE3F7", ""),
    "discretisation_end": ("discretisation", "#F8DFA6", "////"),
    "self_consistency_end": ("self-consistency", "#EBCADB", "...."),
}
"""Parts of the measured bound from below: name, tint of one of the palette's colours, hatch."""
W2, COUPLED, MEASURED, WORST = (series(i) for i in (0, 6, 2, 1))
DIAGONAL = 2 * np.sqrt(2)
"""Length of the diagonal of the square of legal actions: no two policies are further apart."""


@styled(3.0)
def w2_bound(table: pd.DataFrame, what: str = "SORL on eight Gaussians") -> Figure:
    """W2 and the terms of its bound against M after the last update, and over training; then the worst-case bound.

    Table `mixture_bound`. Stacked: how far the errors of each term move the end of the sampler, whose sum is the
    measured bound. Everything is a mean over seeds, with the range over seeds as bars and bands.
    `what` is the agent and its data, for the title.
    """
    figure = Figure(layout="constrained")
    against_m, training, worst = figure.subplots(1, 3)
    _against_m(against_m, table.loc[table["step"] == table["step"].max()])
    first = int(table["m_inf"].to_numpy().min())
    _training(training, table.loc[table["m_inf"] == first], first)
    _worst(worst, table)
    for axes in (training, worst):
        updates_axis(axes, table)
    handles, labels = against_m.get_legend_handles_labels()
    more_handles, more_labels = worst.get_legend_handles_labels()
    place: dict[str, Any] = {"loc": "outside lower center", "ncols": 5, "fontsize": "small"}
    figure.legend(handles + more_handles, labels + more_labels, **place)
    figure.suptitle(_note(table, what), fontsize="small")
    return figure


def _note(table: pd.DataFrame, what: str) -> str:
    seeds, draws = counted(len(set(table["seed"])), "seed"), table["draws"].max()
    return (
        f"{what}, {SYMBOLS['w_ql']} = 0 (with a Q loss the policy leaves the data on purpose). Stacked: the measured "
        f"bound.\nMeans of {seeds} (geometric at the right); bars, bands: their range. Floor: $W_2$ of two samples of "
        f"{draws:,} of the data;\n$W_2$ of finite samples is biased up, so it can lie above the same-noise distance."
    )


def _against_m(axes: Axes, table: pd.DataFrame) -> None:
    mean = table.pivot_table(index="m_inf")
    places = np.arange(len(mean), dtype=float)
    bottom = np.zeros(len(mean))
    for name, (label, colour, hatch) in TERMS.items():
        height = mean[name].to_numpy(float)
        fill: dict[str, Any] = {"color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0.4}
        axes.bar(places, height, 0.7, bottom, label=label, **fill)
        bottom = bottom + height
    _bars(axes, places, table, "bound_measured", {"color": GREY, "linestyle": "none"}, "")
    _bars(axes, places - 0.1, table, "coupled", COUPLED, "same-noise distance")
    _bars(axes, places + 0.1, table, "w2", W2, "$W_2$")
    axes.axhline(
        float(mean["w2_floor"].to_numpy().mean()), color=GREY, linewidth=0.9, linestyle=":", label="$W_2$ floor"
    )
    axes.set_xticks(places, [str(m) for m in mean.index])
    axes.set(xlabel=STEPS, ylabel="distance [action]")
    axes.grid(axis="x", visible=False)
    axes.set_title(f"after {table['step'].iloc[0]:,} updates", fontsize="small", pad=3)


def _bars(
    axes: Axes, places: Float[np.ndarray, " m"], table: pd.DataFrame, value: str, style: dict[str, Any], label: str
) -> None:
    """Means over seeds for each M, and their range."""
    wide = table.pivot(index="m_inf", columns="seed", values=value).to_numpy(float)
    mean = wide.mean(axis=1)
    error = np.abs(np.stack([wide.min(axis=1), wide.max(axis=1)]) - mean)
    axes.errorbar(places, mean, error, label=label or None, capsize=1.5, elinewidth=0.7, **style)


def _training(axes: Axes, table: pd.DataFrame, m: int) -> None:
    mean = table.pivot_table(index="step")
    steps = mean.index.to_numpy(float)
    layers = [mean[name].to_numpy(float) for name in TERMS]
    bands = axes.stackplot(steps, layers, colors=[colour for _, colour, _ in TERMS.values()], linewidth=0.4)
    for band, (_, _, hatch) in zip(bands, TERMS.values(), strict=True):
        band.set(hatch=hatch, edgecolor="white")
    over_seeds(axes, table, "coupled", COUPLED, "")
    over_seeds(axes, table, "w2", W2, "")
    axes.axhline(float(mean["w2_floor"].to_numpy().mean()), color=GREY, linewidth=0.9, linestyle=":")
    axes.set_ylim(bottom=0)
    axes.set_title(f"{M_INF} = {m}, over training", fontsize="small", pad=3)


def _worst(axes: Axes, table: pd.DataFrame) -> None:
    counts = np.unique(table["m_inf"]).tolist()
    for m, dash in ((counts[0], "--"), (counts[-1], "-")):
        style = WORST | {"linestyle": dash}
        over_seeds(
            axes, table.loc[table["m_inf"] == m], "bound_worst", style, f"worst case, {M_INF} = {m}", geometric=True
        )
    few = table.loc[table["m_inf"] == counts[0]]
    over_seeds(axes, few, "bound_measured", MEASURED, f"measured bound, {M_INF} = {counts[0]}", geometric=True)
    over_seeds(axes, few, "w2", W2, "", geometric=True)
    axes.set_yscale("log")
    axes.axhspan(DIAGONAL, axes.get_ylim()[1], color=GREY, alpha=0.07, linewidth=0)
    text = "vacuous: no two policies\nare further apart than\nthe diagonal, " + r"$2\sqrt{2}$"
    axes.text(0.05, 0.95, text, transform=axes.transAxes, va="top", fontsize="small", color=GREY)
    axes.set_title("over training, and the worst case", fontsize="small", pad=3)
