"""How much the loss weights matter: success when one of them is changed and the others stay."""

import statistics

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.plots.scaling import (
    SYMBOLS,
    apart,
    budget,
    budget_axis,
    interval_note,
    seed_rings,
    subject,
    success_axis,
    success_line,
)
from workbench.plots.style import GREY, series, styled
from workbench.stats import ScoresError
from workbench.stats.budgets import pooled

WEIGHTS = {"w_ql": "Q loss", "w_fm": "flow matching", "w_sc": "self-consistency"}


@styled(2.3)
def weight_sensitivity(cells: pd.DataFrame, diverged: pd.DataFrame | None = None) -> Figure:
    """Success against the factor on one loss weight, a panel a weight and a line an inference budget.

    `cells` holds runs at a centre and runs that differ from it in one of `w_ql`, `w_fm`, `w_sc`; the centre is drawn in
    every panel. `diverged` lists runs that stopped being finite, by their weights and the last `step` they reported:
    they are marked where they would have been. Raises `ScoresError` where no run is at the centre.
    """
    table = pooled(cells, ("m_inf", "n", *WEIGHTS))
    centre = _centre(cells)
    figure = Figure(layout="constrained")
    row = figure.subplots(1, len(WEIGHTS), sharey=True)
    budgets = sorted(set(zip(cells["m_inf"], cells["n"], strict=True)))
    for axes, (weight, name) in zip(row, WEIGHTS.items(), strict=True):
        varied = [_along(each, centre, weight) for each in (table, cells)]
        axes.axvline(1, color=GREY, linewidth=0.6, linestyle=":")
        for i, ((m_inf, n), shift) in enumerate(zip(budgets, apart(len(budgets), 0.15), strict=True)):
            rates, runs = (each.loc[(each["m_inf"] == m_inf) & (each["n"] == n)] for each in varied)
            style = series(i)
            success_line(axes, rates, "factor", style, shift, label=budget(m_inf, n))
            seed_rings(axes, runs, "factor", style["color"], shift)
        lost = [] if diverged is None else [_along(diverged, centre, weight)]
        label = f"multiples of {SYMBOLS[weight]} = {centre[weight]:g}"
        budget_axis(axes, pd.concat([varied[0], *lost]), "factor", label, base=10)
        success_axis(axes)
        axes.set_title(name, fontsize="small")
        for runs in lost:
            _mark_lost(axes, runs)
    row[0].set_ylabel("success [%]")
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize="small")
    figure.suptitle(f"{subject(cells)}\n{interval_note(table)}", fontsize="small")
    return figure


def _mark_lost(axes: Axes, runs: pd.DataFrame) -> None:
    """A cross at the bottom for each run that did not come to its end."""
    for factor, step in zip(runs["factor"], runs["step"], strict=True):
        axes.plot([factor], [0], marker="x", color="black", markersize=5, linestyle="", clip_on=False)
        note = f"diverged\nafter {step / 1000:.3g}k"
        axes.annotate(note, (factor, 0), (5, 2), textcoords="offset points", fontsize="small")
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, factor / 1.3), max(high, factor * 1.3))


def _centre(cells: pd.DataFrame) -> dict[str, float]:
    """The setting that all others differ from in one weight: each weight's most common value among the settings."""
    settings = cells.drop_duplicates(list(WEIGHTS))
    centre = {weight: float(statistics.mode(settings[weight].tolist())) for weight in WEIGHTS}
    if not _at(settings, centre).any():
        raise ScoresError(f"no run has the loss weights {centre} that the others vary: train it with the preset.")
    return centre


def _along(table: pd.DataFrame, centre: dict[str, float], weight: str) -> pd.DataFrame:
    """Rows at the centre in every other weight, with the factor on this one."""
    rows = table.loc[_at(table, {name: value for name, value in centre.items() if name != weight})]
    return rows.assign(factor=rows[weight] / centre[weight])


def _at(table: pd.DataFrame, weights: dict[str, float]) -> np.ndarray:
    """Which rows have these weights."""
    return np.all([table[name] == value for name, value in weights.items()], axis=0)
