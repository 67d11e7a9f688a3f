"""Self-consistency: where a shortcut disagrees with itself, over training, and what that does to actions."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from workbench.plots.scaling import M_INF, SYMBOLS
from workbench.plots.style import GREY, counted, legend_above, series, styled

COLOURS = "cividis"
PER_TIME = "error [action / time]"


@styled(2.6)
def self_consistency(
    grid: pd.DataFrame, flow_matching: pd.DataFrame, sampler: pd.DataFrame, what: str = "SORL on eight Gaussians"
) -> Figure:
    """Error of every step (a tile covers the flow time of the step), errors over training, and steps that agree.

    Tables `mixture_self_consistency`, `mixture_flow_matching` and `mixture_sampler`. Tiles are means over seeds after
    the last update; the lowest row is the flow-matching error against the exact velocity. Over training each step size
    is a root mean square over its times; lines are means over seeds, bands their range. `what` is the agent and its
    data, for the title.
    """
    figure = Figure(layout="constrained")
    tiles, training, gaps = figure.subplots(1, 3, width_ratios=(1.45, 1, 1))
    _tiles(tiles, grid, flow_matching)
    _training(training, grid, flow_matching)
    _gaps(gaps, sampler)
    for axes in (training, gaps):
        updates_axis(axes, grid)
    seeds = counted(len(set(grid["seed"])), "seed")
    figure.suptitle(
        f"{what}, {SYMBOLS['w_ql']} = 0. Tiles: mean of {seeds} after {grid['step'].max():,} updates. "
        "Lines: mean of the seeds; bands: their range.",
        fontsize="small",
    )
    return figure


def updates_axis(axes: Axes, table: pd.DataFrame) -> None:
    """Updates on a logarithmic axis that begins, evenly, at 0; a line where the learning rate `lr` was changed."""
    steps = np.unique(table["step"])
    axes.set_xscale("symlog", base=2, linthresh=float(steps[steps > 0].min()), linscale=1.0)
    shown = [0, *steps[:0:-2].tolist()]
    axes.set_xticks(shown, [f"{step / 1000:g}k" if step >= 1000 else str(step) for step in shown])
    axes.minorticks_off()
    axes.set_xlim(0, steps.max())
    axes.set_xlabel("updates")
    rates = dict(zip(table["step"], table["lr"], strict=True))
    for before, after in pairwise(steps):
        if rates[before] != rates[after]:
            axes.axvline(before, color=GREY, linewidth=0.6, linestyle=(0, (1, 2)))
            factor = rates[before] / rates[after]
            place = axes.get_xaxis_transform()
            text = f"lr / {factor:.3g}"
            axes.text(
                before, 0.98, text, transform=place, rotation=90, ha="right", va="top", fontsize="small", color=GREY
            )


def over_seeds(
    axes: Axes, table: pd.DataFrame, value: str, style: dict[str, Any], label: str, *, geometric: bool = False
) -> None:
    """The mean over seeds (arithmetic, or `geometric`) of a column against `step`, and their range as a band."""
    wide = table.pivot(index="step", columns="seed", values=value)
    steps = wide.index.to_numpy(float)
    mean = np.exp(np.log(wide).mean(axis=1)) if geometric else wide.mean(axis=1)
    axes.plot(steps, mean, label=label, clip_on=False, **style)
    axes.fill_between(steps, wide.min(axis=1), wide.max(axis=1), color=style["color"], alpha=0.18, linewidth=0)


def _tiles(axes: Axes, grid: pd.DataFrame, flow_matching: pd.DataFrame) -> None:
    last = grid["step"].max()
    rows = grid.loc[grid["step"] == last].groupby(["two_h", "t"], as_index=False)["error"].mean()
    exact = flow_matching.loc[flow_matching["step"] == last].groupby("t")["error_exact"].mean()
    levels = sorted(rows["two_h"].unique().tolist(), reverse=True)
    scale = LogNorm(min(rows["error"].min(), exact.min()), max(rows["error"].max(), exact.max()))
    mapper = ScalarMappable(scale, COLOURS)
    for row in rows.to_dict("records"):
        _tile(axes, row["t"], row["two_h"], float(levels.index(row["two_h"])), row["error"], mapper)
    below = len(levels) + 0.35
    for t, error in exact.items():
        _tile(axes, float(t), 1 / len(exact), below, float(error), mapper)  # pyright: ignore[reportArgumentType]
    axes.set(xlim=(0, 1), ylim=(below + 1, 0), xlabel="flow time $t$", ylabel=r"step size")
    names = [_fraction(h) for h in (*levels, 1 / len(exact))]
    axes.set_yticks([*(i + 0.5 for i in range(len(levels))), below + 0.5], names)
    axes.set_xticks((0, 0.25, 0.5, 0.75, 1), ("0", "¼", "½", "¾", "1"))
    axes.text(0, below - 0.04, "flow matching, to the exact velocity", fontsize="small", color=GREY, va="bottom")
    axes.set_title(f"self-consistency {PER_TIME}", fontsize="small", pad=3)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.grid(False)


def _tile(axes: Axes, t: float, width: float, row: float, error: float, mapper: ScalarMappable) -> None:
    """One step, over the stretch of time that it covers, with its error."""
    colour = mapper.to_rgba(np.array([error]))[0]
    axes.add_patch(Rectangle((t, row), width, 1, facecolor=colour, edgecolor="white", linewidth=1))
    ink = "black" if colour[:3] @ (0.3, 0.6, 0.1) > 0.45 else "white"
    text = f"{error:.2f}" if width > 0.15 else f"{error:.2f}".removeprefix("0")
    axes.text(t + width / 2, row + 0.5, text, ha="center", va="center", color=ink, fontsize="small")


def _fraction(h: float) -> str:
    return "1" if h == 1 else f"1/{1 / h:.0f}"


def _training(axes: Axes, grid: pd.DataFrame, flow_matching: pd.DataFrame) -> None:
    for i, h in enumerate(sorted(grid["two_h"].unique().tolist(), reverse=True)):
        level = _over_times(grid.loc[grid["two_h"] == h], "error")
        over_seeds(axes, level, "error", series(i), f"step {_fraction(h)}")
    over_seeds(axes, _over_times(flow_matching, "error_exact"), "error_exact", series(6), "flow matching")
    axes.set(yscale="log", ylabel=PER_TIME)
    legend_above(axes, 2)


def _over_times(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """Root mean square over t, for every seed and step."""
    wide = table.pivot(index=["seed", "step"], columns="t", values=value)
    rms = np.sqrt((wide.to_numpy(float) ** 2).mean(axis=1))
    return wide.index.to_frame(index=False).assign(**{value: rms})


def _gaps(axes: Axes, sampler: pd.DataFrame) -> None:
    counts = np.unique(sampler["m_inf"]).tolist()
    for i, m in enumerate(counts[:-1]):
        over_seeds(axes, sampler.loc[sampler["m_inf"] == m], "gap", series(i), f"{M_INF} = {m}")
    axes.set_ylabel(f"gap to {counts[-1]} steps [action]")
    axes.set_ylim(bottom=0)
    legend_above(axes, 2)
