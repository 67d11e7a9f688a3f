"""Rollout strips: what a policy does from one start under several inference budgets, and what its critic thinks."""

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine

from workbench.plots.scaling import budget, subject
from workbench.plots.style import GREY, SERIES, styled
from workbench.stats import ScoresError

CHOSEN, REJECTED = SERIES[0][0], SERIES[1][0]
LEFT, RIGHT, TOP, BOTTOM = 0.66, 0.04, 0.36, 0.42
"""Margins, in inches."""
TRACE, OVER, UNDER = 0.46, 0.06, 0.24
"""Height of a plot of Q, and the space above and below it, in inches."""


@styled(4.6)
def rollout_strips(q: pd.DataFrame, frames: np.ndarray, cells: pd.DataFrame) -> Figure:
    """Rows: inference budgets from the same start. Columns: moments of each episode, evenly spaced over its length.

    Under each row Q over time, its axis cut so that every cursor (dotted) stands under the middle of its frame: the
    action that was chosen, and the range of the candidates. `q` and `frames` are the tables `strip_q` and
    `strip_frames` of the study `strips`; `cells` are evaluated runs, which say what was trained. The axis of Q is the
    same in every row. The last state has no action, and so no dot. Raises `ScoresError` where the run of `q` is not
    among the cells.
    """
    run = cells.loc[cells["hash"] == q["hash"].iloc[0]]
    if run.empty:
        raise ScoresError(f"run {q['hash'].iloc[0]} is not among the evaluated runs: give those it was drawn from.")
    budgets = list(dict.fromkeys(zip(q["m_inf"], q["n"], strict=True)))
    moments = int(q["moment"].to_numpy().max())
    figure = Figure(layout=PlaceHolderLayoutEngine(adjust_compatible=True, colorbar_gridspec=False))
    width = figure.get_size_inches()[0]
    tile = (width - LEFT - RIGHT) / moments
    picture = tile * (len(frames) / len(budgets)) / (frames.shape[1] / moments)
    row = picture + OVER + TRACE + UNDER
    height = TOP + len(budgets) * row - UNDER + BOTTOM
    figure.set_size_inches(width, height)
    limits = _limits(q)
    for i, (m_inf, n) in enumerate(budgets):
        part = q.loc[(q["m_inf"] == m_inf) & (q["n"] == n)].sort_values("step")
        top = height - TOP - i * row
        tiles = np.array_split(frames, len(budgets))[i]
        for j, image in enumerate(np.array_split(tiles, moments, axis=1)):
            place = (LEFT + j * tile + 0.02, top - picture, tile - 0.04, picture)
            _frame(figure.add_axes(_relative(place, width, height)), image, part, j + 1)
        place = (LEFT, top - picture - OVER - TRACE, width - LEFT - RIGHT, TRACE)
        _trace(figure.add_axes(_relative(place, width, height)), part, moments, limits)
        label = budget(m_inf, n).replace(", ", "\n")
        figure.text(0.3 / width, (top - picture / 2) / height, label, ha="center", va="center", fontsize="small")
    _explain(figure, q, f"{subject(run)}; seed {q['seed'].iloc[0]}", height)
    return figure


def _relative(
    place: tuple[float, float, float, float], width: float, height: float
) -> tuple[float, float, float, float]:
    """A rectangle in inches (left, bottom, width, height) as fractions of the figure."""
    return place[0] / width, place[1] / height, place[2] / width, place[3] / height


def _limits(q: pd.DataFrame) -> tuple[float, float]:
    low, high = float(np.nanmin(q["q_low"].to_numpy())), float(np.nanmax(q["q_high"].to_numpy()))
    margin = 0.08 * max(high - low, 1e-6)
    return low - margin, high + margin


def _frame(axes: Axes, image: UInt8[np.ndarray, "height width 3"], part: pd.DataFrame, moment: int) -> None:
    axes.imshow(image, interpolation="antialiased", aspect="auto")
    step = int(part.loc[part["moment"] == moment, "step"].iloc[0])
    over = step == part["length"].iloc[0]
    outcome = ("success" if part["success"].iloc[0] else "no success") if over else ""
    axes.set_title(f"step {step}{': ' if over else ''}{outcome}", fontsize="small", pad=2)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _trace(axes: Axes, part: pd.DataFrame, moments: int, limits: tuple[float, float]) -> None:
    """Q over time; the axis reaches half a frame beyond both ends, as far as the frames do."""
    length = int(part["length"].iloc[0])
    half = length / (moments - 1) / 2
    for step in part.loc[part["moment"] > 0, "step"]:
        axes.axvline(step, color=GREY, linewidth=0.6, linestyle=(0, (1, 2)), zorder=1)
    axes.fill_between(part["step"], part["q_low"], part["q_high"], color=REJECTED, alpha=0.35, linewidth=0, zorder=2)
    axes.plot(part["step"], part["q_chosen"], color=CHOSEN, linewidth=1.1, zorder=3)
    shown = part.loc[(part["moment"] > 0) & part["q_chosen"].notna()]
    axes.plot(shown["step"], shown["q_chosen"], "o", color=CHOSEN, markersize=3, zorder=4)
    axes.set(xlim=(-half, length + half), ylim=limits)
    axes.set_xticks([])
    axes.tick_params(axis="y", labelsize="small")
    axes.set_ylabel("$Q$", rotation=0, va="center")
    axes.yaxis.set_label_coords(-0.052, 0.5)
    axes.grid(axis="x", visible=False)


def _explain(figure: Figure, q: pd.DataFrame, title: str, height: float) -> None:
    """What is drawn, and how the start was chosen."""
    first = q.iloc[0]
    figure.text(0.5, 1 - 0.05 / height, title, fontsize="small", ha="center", va="top")
    drawn = "Blue: $Q$ of the chosen action, dots at the frames (the last state has none); "
    drawn += "orange: range of $Q$ over the $N$ candidates. Pale cube: goal."
    rule = f"Start {first['episode'] + 1} of {first['starts']}, "
    if first["differing"]:
        rule += (
            "the first at which the last budget succeeds and the first does not "
            f"({first['differing']} of {first['starts']} are so)."
        )
    else:
        rule += "the first; at none does the last budget succeed where the first does not."
    figure.text(0.5, 0.05 / height, f"{drawn}\n{rule}", fontsize="small", ha="center", va="bottom", color="#333333")
