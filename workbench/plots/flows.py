"""Flows of a two-dimensional policy: paths from noise to actions, and where the actions lie, by Euler steps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from workbench.plots.scaling import M_INF, SYMBOLS
from workbench.plots.style import SERIES, styled

EXACT = 0
"""`m_inf` of the data and of the exact flow."""
BANDWIDTH = 0.035
PIXELS = 161
CAP = 3.0
"""The scale of densities ends here, in maxima of the data's: a policy that collapsed would leave all others white."""
PIECES = 16
"""Parts of a path that have a shade of their own; a multiple of every M that is drawn."""
REACH = 2.3
"""Half the width of the panels of paths; noise that starts further out (one draw in 24) comes in from the edge."""
NOISE, MIDDLE, DATA, DEEP = "#D3D7DB", "#56B4E9", SERIES[0][0], "#06233F"
END = SERIES[1][0]
TIME = LinearSegmentedColormap.from_list("time", [NOISE, MIDDLE, DATA, DEEP])
DENSITY = LinearSegmentedColormap.from_list("density", ["#FFFFFF", "#C8E4F6", MIDDLE, DATA, DEEP])


@styled(2.7)
def flow_paths(samples: pd.DataFrame, paths: pd.DataFrame, what: str = "SORL on eight Gaussians") -> Figure:
    """Paths of the same noise (above) and the density of the actions (below), a column for each M and one for the data.

    Tables `mixture_samples` and `mixture_paths`: columns `m_inf` (0 is the data and its exact flow), `a_1`, `a_2`, and
    `path`, `t` of every point. Density is a Gaussian kernel estimate of deviation `BANDWIDTH`, on one scale for all.
    `what` is the agent and its data, for the title.
    """
    figure = Figure(layout=ConstrainedLayoutEngine(w_pad=0.01, h_pad=0.02, wspace=0.02, hspace=0.02))
    columns = sorted(np.unique(samples["m_inf"]).tolist(), key=lambda m: (m == EXACT, m))
    grid = figure.subplots(2, len(columns), sharex="row", sharey="row")
    densities = {m: _density(_actions(samples, m)) for m in columns}
    highest = max(float(density.max()) for density in densities.values())
    top = min(highest, CAP * float(densities[EXACT].max()))
    for (above, below), m in zip(grid.T, columns, strict=True):
        _draw_paths(above, paths.loc[paths["m_inf"] == m], densities[EXACT], dots=m != EXACT)
        above.set_title(_title(m), fontsize="medium", pad=3)
        below.imshow(densities[m], extent=(-1, 1, -1, 1), origin="lower", cmap=DENSITY, vmin=0, vmax=top)
        _bare(above, REACH, (-2.0, 0.0, 2.0))
        _bare(below, 1.0, (-0.5, 0.5))
    for axes in grid[:, 0]:
        axes.set_ylabel("action 2", labelpad=1)
    figure.supxlabel("action 1", fontsize=8)
    _bar(figure, grid[0], TIME, 1.0, "flow time $t$")
    _bar(figure, grid[1], DENSITY, top, "density [1 / action$^2$]", beyond=highest > top)
    figure.suptitle(_note(samples, paths, what), fontsize="small")
    return figure


def _title(m: int) -> str:
    return "exact flow, data" if m == EXACT else f"{M_INF} = {m}"


def _note(samples: pd.DataFrame, paths: pd.DataFrame, what: str) -> str:
    where = samples.iloc[0]
    count, drawn = len(_actions(samples, EXACT)), paths["path"].nunique()
    return (
        f"{what}, {SYMBOLS['w_ql']} = 0, seed {where['seed']:.0f}, after {where['step']:,.0f} updates\n"
        f"Above: the same {drawn} draws of noise in every panel (pale: the data). "
        f"Below: {count:,} actions a panel (kernel width {BANDWIDTH})."
    )


def _actions(samples: pd.DataFrame, m: int) -> Float[np.ndarray, "row act"]:
    return samples.loc[samples["m_inf"] == m, ["a_1", "a_2"]].to_numpy(float)


def _density(a: Float[np.ndarray, "row act"]) -> Float[np.ndarray, "grid grid"]:
    """Gaussian kernel estimate on the square of legal actions, second coordinate along rows."""
    ticks = np.linspace(-1, 1, PIXELS)
    kernel = np.exp(-0.5 * ((a[:, :, None] - ticks) / BANDWIDTH) ** 2) / (BANDWIDTH * np.sqrt(2 * np.pi))
    return kernel[:, 1].T @ kernel[:, 0] / len(a)


def _draw_paths(axes: Axes, paths: pd.DataFrame, data: Float[np.ndarray, "grid grid"], *, dots: bool) -> None:
    """Every path from pale to dark as time goes, a dot at each step and at its end; behind them, where the data is."""
    ticks = np.linspace(-1, 1, PIXELS)
    axes.contourf(ticks, ticks, data, levels=[0.1 * data.max(), data.max()], colors=["#F6DFC4"], zorder=0)
    segments, times, starts, steps, ends = [], [], [], [], []
    for _, path in paths.groupby("path"):
        t, points = path["t"].to_numpy(float), path[["a_1", "a_2"]].to_numpy(float)
        fine = np.linspace(0, 1, PIECES + 1)
        smooth = np.stack([np.interp(fine, t, points[:, i]) for i in (0, 1)], axis=-1)
        segments += [smooth[j : j + 2] for j in range(PIECES)]
        times += [*((fine[1:] + fine[:-1]) / 2)]
        starts.append(points[0])
        steps += [*points[1:-1]]
        ends.append(points[-1])
    lines = LineCollection(segments, array=np.array(times), cmap=TIME, norm=Normalize(0, 1), linewidths=0.5, zorder=1)
    axes.add_collection(lines)
    mark: dict[str, Any] = {"linestyle": "none", "marker": "o", "markeredgewidth": 0}
    axes.plot(*np.array(starts).T, color="#9AA3AB", markersize=1.3, zorder=2, **mark)
    if dots and steps:
        axes.plot(*np.array(steps).T, color=DATA, markersize=0.9, zorder=2, **mark)
    axes.plot(*np.array(ends).T, color=END, markersize=1.7, zorder=3, **mark)


def _bare(axes: Axes, reach: float, ticks: Sequence[float]) -> None:
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=ticks, yticks=ticks)
    axes.tick_params(length=2, pad=1.5, labelsize="small")
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=0.5, color="#B0B0B0")


def _bar(figure: Figure, axes: Any, colours: Colormap, top: float, label: str, *, beyond: bool = False) -> None:
    place = {"ax": list(axes), "aspect": 14, "pad": 0.01, "fraction": 0.05}
    shades = ScalarMappable(Normalize(0, top), colours)
    bar = figure.colorbar(shades, extend="max" if beyond else "neither", **place)
    bar.outline.set_visible(False)
    bar.locator = MaxNLocator(4, steps=[1, 2, 5, 10])
    bar.set_label(label, labelpad=2)
    bar.ax.tick_params(labelsize="small", length=2, pad=1.5)
