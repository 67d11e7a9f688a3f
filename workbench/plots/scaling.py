"""Test-time scaling: success against Euler steps (sequential), candidates (parallel), and both."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.plots.style import legend_above, series, styled
from workbench.stats import wilson


def success_table(evals: pd.DataFrame) -> pd.DataFrame:
    """Each (m_inf, n) cell: success rate with its Wilson 95 % interval, episodes, mean return, length and act_ms.

    Episodes of all seeds are taken together.
    """
    rows = []
    for m_inf in np.unique(evals["m_inf"]):
        for n in np.unique(evals["n"]):
            cell = evals.query("m_inf == @m_inf and n == @n")
            if len(cell):
                rows.append({"m_inf": int(m_inf), "n": int(n), **_summary(cell)})
    return pd.DataFrame(rows)


def _summary(cell: pd.DataFrame) -> dict[str, float]:
    k, episodes = int(cell["success"].to_numpy().sum()), len(cell)
    low, high = wilson(k, episodes)
    means = {name: float(cell[name].to_numpy().mean()) for name in ("return", "length", "act_ms")}
    return {"success": k / episodes, "low": low, "high": high, "episodes": episodes, **means}


@styled()
def scaling(table: pd.DataFrame, title: str = "") -> Figure:
    """Sequential scaling (M_inf), parallel scaling (N), and their grid, from a `success_table`.

    Bars are Wilson 95 % intervals over episodes of one checkpoint: they say nothing about other training seeds.
    """
    figure = Figure(layout="constrained")
    sequential, parallel, grid = figure.subplots(1, 3)
    _lines(sequential, table, "m_inf", "n", "$N$")
    sequential.set_xlabel(r"Euler steps $M_{\mathrm{inf}}$")
    _lines(parallel, table, "n", "m_inf", r"$M_{\mathrm{inf}}$")
    parallel.set_xlabel("candidates $N$")
    _grid(grid, table)
    episodes = sorted(set(table["episodes"]))
    note = f"{episodes[0]} episodes a cell, bars: Wilson 95 % interval"
    figure.suptitle(f"{title}\n{note}" if title else note, fontsize="small")
    return figure


def _lines(axes: Axes, table: pd.DataFrame, x: str, line: str, symbol: str) -> None:
    values = sorted(table[line].unique())
    for i, value in enumerate(values):
        cells = table.loc[table[line] == value].sort_values(by=x)
        shift = 1 + 0.05 * (i - (len(values) - 1) / 2)  # keeps the bars of different lines apart
        error = np.abs(cells[["low", "high"]].to_numpy().T - cells["success"].to_numpy()) * 100
        axes.errorbar(
            cells[x] * shift,
            cells["success"] * 100,
            error,
            label=f"{symbol} = {value}",
            capsize=1.5,
            elinewidth=0.7,
            **series(i),
        )
    axes.set_xscale("log", base=2)
    ticks = sorted(table[x].unique())
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(-3, 103)
    axes.set_ylabel("success [%]")
    legend_above(axes, 3 if len(values) < 4 else 2)


def _grid(axes: Axes, table: pd.DataFrame) -> None:
    values = table.pivot(index="n", columns="m_inf", values="success").sort_index(ascending=False) * 100
    axes.imshow(values.to_numpy(), cmap="cividis", vmin=0, vmax=100, aspect="auto")
    for i, j in np.ndindex(values.shape):
        share = values.to_numpy()[i, j]
        axes.text(
            j, i, f"{share:.0f}", ha="center", va="center", color="black" if share > 55 else "white", fontsize="small"
        )
    axes.set_xticks(range(values.shape[1]), [str(m) for m in values.columns])
    axes.set_yticks(range(values.shape[0]), [str(n) for n in values.index])
    axes.set_xlabel(r"Euler steps $M_{\mathrm{inf}}$")
    axes.set_ylabel("candidates $N$")
    axes.set_title("success [%]", fontsize="small")
    axes.grid(False)
