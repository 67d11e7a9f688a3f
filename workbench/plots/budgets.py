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
    pooled,
    seed_rings,
    subject,
    success_axis,
    success_line,
    with_cost,
)
from workbench.plots.style import GREY, series, styled

DARK_BELOW = 55
"""Per cent of success under which the colour of a cell needs white text."""


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
    values = np.unique(table[line])
    figure = Figure(layout="constrained")
    row = figure.subplots(1, len(values), sharey=True, squeeze=False)[0]
    for i, (axes, value) in enumerate(zip(row, values, strict=True)):
        for other in values:
            rest = table.loc[table[line] == other]
            axes.plot(rest[x], rest["success"] * PER_CENT, color=GREY, alpha=0.3, linewidth=0.7)
        style = series(i)
        success_line(axes, table.loc[table[line] == value], x, style)
        seed_rings(axes, cells.loc[cells[line] == value], x, style["color"])
        budget_axis(axes, table, x, "")
        success_axis(axes)
        axes.set_title(f"{symbol} = {value}", fontsize="small")
    row[0].set_ylabel("success [%]")
    figure.supxlabel(label, fontsize=8)
    figure.suptitle(f"{subject(cells)}\n{interval_note(table)} Grey: the other panels.", fontsize="x-small")
    return figure


@styled(2.6)
def compute_grid(cells: pd.DataFrame, cost: pd.DataFrame) -> Figure:
    """Success of every (M_inf, N) in per cent over its Wilson 95 % interval, with lines of equal cost.

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
    figure.colorbar(image, ax=axes, label="success [%]", pad=0.08, aspect=15)
    note = f"{interval_note(table, 'In brackets', rings=False)} Lines: equal MFLOP of a decision."
    figure.suptitle(f"{subject(cells)}\n{note}", fontsize="x-small")
    return figure


def _write_cells(axes: Axes, table: pd.DataFrame, steps: list[int], candidates: list[int]) -> None:
    for row in table.to_dict("records"):
        rate, low, high = (PER_CENT * row[name] for name in ("success", "low", "high"))
        style: dict[str, Any] = {"ha": "center", "color": "white" if rate < DARK_BELOW else "black"}
        style["path_effects"] = [withStroke(linewidth=1.5, foreground=colormaps["cividis"](row["success"]))]
        x, y = candidates.index(row["n"]), steps.index(row["m_inf"])
        axes.text(x, y + 0.02, f"{rate:.0f}", va="bottom", fontsize="small", **style)
        axes.text(x, y - 0.05, f"[{low:.0f}, {high:.0f}]", va="top", fontsize="xx-small", **style)


def _equal_cost(axes: Axes, cost: pd.DataFrame, steps: list[int], candidates: list[int]) -> None:
    """Lines where N (M_inf a + b) is a power of two, with a and b, in MFLOP, taken from the counted table."""
    per_candidate = np.stack([cost["m_inf"] * cost["n"], cost["n"]], axis=-1).astype(float)
    (a, b), *_ = np.linalg.lstsq(per_candidate, cost["gflop"].to_numpy(float) * 1e3)
    v = np.linspace(-0.5, len(steps) - 0.5, 100)
    one = a * _budget_at(v, steps) + b
    left, right = one[-1] * _budget_at(np.array([-0.45, len(candidates) - 0.55]), candidates)
    for power in range(int(np.ceil(np.log2(left))), int(np.floor(np.log2(right))) + 1):
        u = _place(2.0**power / one, candidates)
        axes.plot(u, v, color="white", linewidth=0.7, linestyle="--", scalex=False, scaley=False)
        axes.text(u[-1], v[-1] + 0.06, f"{2.0**power:g}", ha="center", fontsize="x-small", color=GREY)


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
