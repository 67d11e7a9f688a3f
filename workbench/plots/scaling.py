"""Success rates of inference budgets: what their figures share."""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from workbench.plots.style import count_series, display_name, legend_above, styled
from workbench.stats import ScoresError
from workbench.stats.summary import environment_and_task
from workbench.verifiers import Rule

M_INF, N = r"$M_{\mathrm{inf}}$", "$N$"
SYMBOLS = {"w_ql": r"$w_{\mathrm{QL}}$", "w_fm": r"$w_{\mathrm{FM}}$", "w_sc": r"$w_{\mathrm{SC}}$"}
"""Loss weights as they are written everywhere."""
STEPS, CANDIDATES = f"Euler steps {M_INF}", f"candidates {N}"
PER_CENT = 100.0


def subject(cells: pd.DataFrame) -> str:
    """What was trained, with its weight of the Q loss, on which data, for how long, in words for a title."""
    row = cells.iloc[0]
    return f"{display_name(row['agent'])} ({settings(cells)}) on {where(row)}, after {row['step']:,} updates"


def settings(cells: pd.DataFrame) -> str:
    """Preset and, where it is known and one, the weight of the Q loss: runs of one preset may differ in it."""
    known = set(cells["w_ql"]) if "w_ql" in cells else set()
    weight = [f"{SYMBOLS['w_ql']} = {value:g}" for value in known if len(known) == 1]
    return ", ".join([str(cells["preset"].iloc[0]), *weight])


def budget(m_inf: int, n: int) -> str:
    """An inference budget in symbols."""
    return f"{M_INF} = {m_inf}, {N} = {n}"


MADE = {
    "best": "the best one",
    "elite": "mean of the {share}",
    "nearest": "nearest to the mean of the {share}",
    "mode": "densest of the {share}",
    "weighted": "softmax mean, τ = {dial:g}",
    "soft": "softmax draw, τ = {dial:g}",
}
"""What is made of the candidates, by the name of the selection."""


def made_by(verifier: str) -> str:
    """In words, what of the candidates is played: the text of a `Rule`."""
    rule = Rule.parse(verifier)
    share = {0.5: "better half", 1.0: "whole"}.get(rule.dial, f"best {PER_CENT * rule.dial:g} %")
    words = MADE.get(rule.selection, str(rule)).format(share=share, dial=rule.dial)
    judged = {"mean": "", "min": " by their min", "pessimistic": f" by their mean less {rule.k:g} deviations"}
    return words + judged.get(rule.verifier, f" by {rule.verifier}")


def where(row: pd.Series) -> str:
    """The data and the task of a row, in words."""
    environment, number = environment_and_task(str(row["task"]))
    return f"{row['data']} {environment}, {number}"


def interval_note(table: pd.DataFrame, what: str = "Bars", seeds_are: str = "rings") -> str:
    """What the intervals of a `pooled` table are, with their n, and where its seeds are seen, as `seeds_are` says."""
    episodes, seeds = (_range(table[name].to_numpy()) for name in ("episodes", "seeds"))
    note = f"{what}: 95 % Wilson interval of {episodes} episodes, episode noise only"
    if seeds == "1":
        return f"{note} (one seed)."
    seed_low, seed_high, low, high = table[["seed_low", "seed_high", "low", "high"]].to_numpy(float).T
    more = np.mean(seed_high - seed_low) > np.mean(high - low)
    return f"{note}; the {seeds} training seeds differ{' by more' if more else ''} ({seeds_are})."


def _range(values: Int[np.ndarray, " cell"]) -> str:
    low, high = int(values.min()), int(values.max())
    return str(low) if low == high else f"{low} to {high}"


def with_cost(cells: pd.DataFrame, table: pd.DataFrame, cost: pd.DataFrame) -> pd.DataFrame:
    """A `pooled` table of `cells` with the columns of `cost` for the same preset, m_inf and n.

    Raises `ScoresError` when the cost of a budget is not known.
    """
    preset = cells["preset"].iloc[0]
    found = table.merge(cost[cost["preset"] == preset], on=["m_inf", "n"])
    if len(found) < len(table):
        raise ScoresError(
            f"{len(table) - len(found)} of {len(table)} budgets of preset {preset} have no row in the table of costs: "
            "run the study of run times with their M_inf and N."
        )
    return found


def success_line(
    axes: Axes, table: pd.DataFrame, x: str, style: dict[str, Any], shift: float = 1.0, **more: Any
) -> None:
    """Success in per cent over column `x`, joined in the order of the rows, with bars from `low` to `high`.

    Positions are multiplied by `shift`.
    """
    error = np.abs(table[["low", "high"]].to_numpy().T - table["success"].to_numpy()) * PER_CENT
    axes.errorbar(table[x] * shift, table["success"] * PER_CENT, error, capsize=1.5, elinewidth=0.7, **(style | more))


def seed_rings(axes: Axes, cells: pd.DataFrame, x: str, colour: str, shift: float = 1.12) -> None:
    """One ring a run at its own success rate, beside the bar; nothing where there is a single seed."""
    if len(set(cells["seed"])) > 1:
        share = cells["successes"] / cells["episodes"] * PER_CENT
        axes.plot(cells[x] * shift, share, "o", color=colour, markersize=2.6, fillstyle="none", markeredgewidth=0.5)


def budget_axis(axes: Axes, table: pd.DataFrame, x: str, label: str, base: int = 2) -> None:
    """A logarithmic axis along x with a tick at each value of a column."""
    ticks = np.unique(table[x])
    axes.set_xscale("log", base=base)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel(label)


def success_axis(axes: Axes) -> None:
    """Per cent along y, the same in every figure."""
    axes.set(ylim=(-3, 103), yticks=(0, 25, 50, 75, 100))


def apart(count: int, gap: float = 0.05) -> list[float]:
    """Factors that keep the bars of `count` lines apart on a logarithmic axis."""
    return [1 + gap * (i - (count - 1) / 2) for i in range(count)]


def plain_log(axis: Axis) -> None:
    """Plain numbers at 1, 2 and 5 of each decade, on an axis that is logarithmic already."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


@styled(2.4)
def scaling(table: pd.DataFrame, title: str = "") -> Figure:
    """Sequential scaling (M_inf), parallel scaling (N), and their grid, from a `success_table`.

    Where the table has a second verifier, its parallel scaling stands in the place of the grid, and the other two
    panels are of the first. Bars are Wilson 95 % intervals over episodes of one checkpoint: they say nothing about
    other training seeds.
    """
    figure = Figure(layout="constrained")
    sequential, parallel, last = figure.subplots(1, 3)
    verifiers = list(dict.fromkeys(table["verifier"])) if "verifier" in table else []
    first, *others = [table.loc[table["verifier"] == each] for each in verifiers] or [table]
    _lines(sequential, first, "m_inf", "n", N)
    budget_axis(sequential, table, "m_inf", STEPS)
    for axes, shown, of in ((parallel, first, 0), *((last, each, 1) for each in others[:1])):
        alone = first.loc[(first["n"] == 1) & ~first["m_inf"].isin(shown.loc[shown["n"] == 1, "m_inf"])]
        _lines(axes, pd.concat([alone, shown]), "n", "m_inf", M_INF)
        budget_axis(axes, table, "n", CANDIDATES + (f":\n{made_by(verifiers[of])}" if others else ""))
    for axes in (sequential, parallel, *([last] if others else [])):
        success_axis(axes)
        axes.set_ylabel("success [%]")
    if not others:
        _grid(last, table)
    episodes = _range(table["episodes"].to_numpy())
    note = f"{episodes} episodes a cell; bars: 95 % Wilson interval, episode noise only"
    figure.suptitle(f"{title}\n{note}" if title else note, fontsize="small")
    return figure


def _lines(axes: Axes, table: pd.DataFrame, x: str, line: str, symbol: str) -> None:
    styles = count_series(table[line])
    for (value, style), shift in zip(styles.items(), apart(len(styles)), strict=True):
        success_line(axes, table.loc[table[line] == value], x, style, shift, label=f"{symbol} = {value}")
    legend_above(axes, 2)


def _grid(axes: Axes, table: pd.DataFrame) -> None:
    """N along x and M_inf along y, as in `compute_grid`."""
    values = table.pivot(index="m_inf", columns="n", values="success") * PER_CENT
    axes.imshow(values.to_numpy(), cmap="cividis", vmin=0, vmax=100, aspect="auto", origin="lower")
    for i, j in np.ndindex(values.shape):
        share = values.to_numpy()[i, j]
        ink = "black" if share > 55 else "white"
        axes.text(j, i, f"{share:.0f}", ha="center", va="center", color=ink, fontsize="small")
    axes.set_xticks(range(values.shape[1]), [str(n) for n in values.columns])
    axes.set_yticks(range(values.shape[0]), [str(m) for m in values.index])
    axes.set(xlabel=CANDIDATES, ylabel=STEPS)
    axes.set_title("success [%]", fontsize="small")
    axes.grid(False)
