"""Test-time scaling of trained policies: sequential (M_inf), parallel (N), and their grid with its cost."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from workbench.plots.scaling import (
    CANDIDATES,
    M_INF,
    PER_CENT,
    STEPS,
    N,
    budget_axis,
    interval_note,
    seed_rings,
    subject,
    success_axis,
    success_line,
    with_cost,
)
from workbench.plots.style import GREY, count_series, styled
from workbench.stats.budgets import pooled

DARK_BELOW = 55
"""Per cent of success under which the colour of a cell needs white text."""
LABEL = 0.36
"""Half the width of a cost's label, in columns of the grid."""


@styled(1.9)
def sequential_scaling(cells: pd.DataFrame) -> Figure:
    """Success against Euler steps, a panel for each number of candidates with the others in grey behind it.

    `cells` has one row a run and budget, all at one checkpoint.
    """
    return _panels(cells, "m_inf", STEPS, "n", N)


@styled(1.9)
def parallel_scaling(cells: pd.DataFrame) -> Figure:
    """Success against candidates, a panel for each number of Euler steps with the others in grey behind it.

    `cells` has one row a run and budget, all at one checkpoint.
    """
    return _panels(cells, "n", CANDIDATES, "m_inf", M_INF)


def _panels(cells: pd.DataFrame, x: str, label: str, line: str, symbol: str) -> Figure:
    table = pooled(cells)
    styles = count_series(table[line])
    figure = Figure(layout="constrained")
    row = figure.subplots(1, len(styles), sharey=True, squeeze=False)[0]
    for axes, (value, style) in zip(row, styles.items(), strict=True):
        for other in styles:
            rest = table.loc[table[line] == other]
            axes.plot(rest[x], rest["success"] * PER_CENT, color=GREY, alpha=0.3, linewidth=0.7)
        success_line(axes, table.loc[table[line] == value], x, style)
        seed_rings(axes, cells.loc[cells[line] == value], x, style["color"])
        budget_axis(axes, table, x, "")
        success_axis(axes)
        axes.set_title(f"{symbol} = {value}", fontsize="small")
    row[0].set_ylabel("success [%]")
    figure.supxlabel(label, fontsize=8)
    figure.suptitle(f"{subject(cells)}\n{interval_note(table)} Grey: the other panels.", fontsize="small")
    return figure


@styled(2.9)
def compute_grid(cells: pd.DataFrame, cost: pd.DataFrame) -> Figure:
    """Success of every (M_inf, N) in per cent, its Wilson 95 % interval, the seeds' range, and lines of equal cost.

    `cost` holds the counted `gflop` of a decision by `m_inf` and `n` for the preset of `cells`; lines are in MFLOP.
    """
    table = pooled(cells)
    figure = Figure(layout="constrained")
    axes = figure.subplots()
    values = table.pivot(index="m_inf", columns="n", values="success") * PER_CENT
    image = axes.imshow(values.to_numpy(), cmap="cividis", vmin=0, vmax=100, aspect="auto", origin="lower")
    _write_cells(axes, table, list(values.index), list(values.columns))
    _equal_cost(axes, with_cost(cells, table, cost), list(values.index), list(values.columns))
    axes.set_xticks(range(values.shape[1]), [str(n) for n in values.columns])
    axes.set_yticks(range(values.shape[0]), [str(m) for m in values.index])
    axes.set(xlabel=CANDIDATES, ylabel=STEPS)
    axes.grid(False)
    figure.colorbar(image, ax=axes, label="success [%]", pad=0.02, aspect=18)
    note = interval_note(table, "In brackets", "last line: least to greatest")
    figure.suptitle(f"{subject(cells)}\n{note}\nDashed: equal counted cost of a decision.", fontsize="small")
    return figure


def _write_cells(axes: Axes, table: pd.DataFrame, steps: list[int], candidates: list[int]) -> None:
    for row in table.to_dict("records"):
        names = ("success", "low", "high", "seed_low", "seed_high")
        rate, low, high, least, most = (PER_CENT * row[name] for name in names)
        style: dict[str, Any] = {"ha": "center", "color": "white" if rate < DARK_BELOW else "black"}
        style["path_effects"] = [withStroke(linewidth=2, foreground=colormaps["cividis"](row["success"]))]
        x, y = candidates.index(row["n"]), steps.index(row["m_inf"])
        axes.text(x, y + 0.1, f"{rate:.0f}", va="bottom", fontsize="medium", **style)
        below = f"[{low:.0f}, {high:.0f}]" + (f"\n{least:.0f} to {most:.0f}" if row["seeds"] > 1 else "")
        axes.text(x, y + 0.09, below, va="top", fontsize="small", linespacing=1.05, **style)


def _equal_cost(axes: Axes, cost: pd.DataFrame, steps: list[int], candidates: list[int]) -> None:
    """Lines where N (M_inf a + b) is a power of two, with a and b, in MFLOP, taken from the counted table.

    A line is labelled where it crosses from one row of cells to the next; one that never does is left out.
    """
    per_candidate = np.stack([cost["m_inf"] * cost["n"], cost["n"]], axis=-1).astype(float)
    (a, b), *_ = np.linalg.lstsq(per_candidate, cost["gflop"].to_numpy(float) * 1e3)
    v = np.linspace(-0.5, len(steps) - 0.5, 100)
    one = a * _budget_at(v, steps) + b
    between = sorted(np.arange(len(steps) - 1) + 0.5, key=lambda place: abs(place - (len(steps) - 1) / 2))
    left, right = one[-1] * _budget_at(np.array([-0.45, len(candidates) - 0.55]), candidates)
    for power in range(int(np.ceil(np.log2(left))), int(np.floor(np.log2(right))) + 1):
        u = _place(2.0**power / one, candidates)
        crossings = [(float(np.interp(place, v, u)), place) for place in between]
        inside = [each for each in crossings if -0.5 + LABEL <= each[0] <= len(candidates) - 0.5 - LABEL]
        if inside:
            axes.plot(u, v, color="white", linewidth=0.7, linestyle="--", scalex=False, scaley=False, zorder=1.5)
            _write_cost(axes, inside[0], f"{2.0**power:g} MFLOP")


def _write_cost(axes: Axes, place: tuple[float, float], text: str) -> None:
    box = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    axes.text(*place, text, ha="center", va="center", fontsize="small", color="black", bbox=box)


def _stretch(ticks: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Positions of evenly drawn ticks and their logarithms, one more at each end."""
    logs = np.log2(ticks)
    gaps = np.diff(logs) if len(ticks) > 1 else np.ones(1)
    return np.arange(-1, len(ticks) + 1), np.r_[logs[0] - gaps[0], logs, logs[-1] + gaps[-1]]


def _budget_at(position: np.ndarray, ticks: list[int]) -> np.ndarray:
    positions, logs = _stretch(ticks)
    return 2 ** np.interp(position, positions, logs)


def _place(budget: np.ndarray, ticks: list[int]) -> np.ndarray:
    positions, logs = _stretch(ticks)
    return np.interp(np.log2(budget), logs, positions, left=np.nan, right=np.nan)
