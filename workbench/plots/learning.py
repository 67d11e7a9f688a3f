"""Learning curves: success, and what the losses, the values and the gradients did over training."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from workbench.plots.scaling import budget, plain_log, settings, subject, where
from workbench.plots.style import GREY, agent_style, counted, display_name, in_order, legend_above, series, styled
from workbench.stats.estimate import Estimate
from workbench.stats.intervals import DEFAULT, Bootstrap
from workbench.stats.summary import final_success, success_curve

LOSSES = {"fm": "flow matching", "sc": "self-consistency", "bc": "cloning", "distill": "distillation"}
"""Names of losses that are not read as they stand in the metrics."""
SUMS = ("actor", "ql")
"""Losses that are sums of others or may be negative: drawn where a table has no others of the actor."""
ROLES = ("critic", "value", "flow", "behaviour")
"""Losses that are not the actor's."""


def per_step(metrics: pd.DataFrame, name: str) -> tuple[Float[np.ndarray, " step"], Float[np.ndarray, "step seed"]]:
    """Thousands of updates, and one metric's value at each of them for every seed."""
    table = metrics.pivot(index="step", columns="seed", values=name)
    return table.index.to_numpy(float) / 1000, table.to_numpy(float)


def even_reports(metrics: pd.DataFrame) -> pd.DataFrame:
    """The table with reports of less than half the usual number of updates averaged into the one before, by updates.

    A report is the mean since the last one. Where a checkpoint falls shortly after a report, the next is of a few
    updates, and a curve would jump by their noise.
    """
    at = metrics["step"].to_numpy()
    steps = np.unique(at)
    updates = np.diff(steps, prepend=0)
    ends = steps[np.append(2 * updates[1:] >= np.median(updates), True)]
    weight = updates[np.searchsorted(steps, at)].astype(float)
    numbers = [str(name) for name in metrics.select_dtypes("number") if name not in ("step", "seed")]
    place = np.stack([metrics["seed"].to_numpy(int), ends[np.searchsorted(ends, at)]], axis=-1)
    kept, group = np.unique(place, axis=0, return_inverse=True)
    sums = np.zeros((len(kept), len(numbers) + 1))
    np.add.at(sums, group, np.c_[metrics[numbers].to_numpy(float) * weight[:, None], weight])
    means = pd.DataFrame(sums[:, :-1] / sums[:, -1:], columns=pd.Index(numbers))
    return means.assign(seed=kept[:, 0], step=kept[:, 1])


@styled(2.4)
def learning_curve(metrics: pd.DataFrame, title: str = "", clip: float | None = None) -> Figure:
    """Losses (log scale; lines in training, rings on held-out data), Q-values, and gradient norms over updates.

    `metrics` has one row a report and seed, as `metrics.jsonl`, of any agent: drawn is what it has, except losses that
    are not positive. The grey band is the least and greatest Q of a batch; with several seeds a line is their mean and
    its own band their range, which the figure says. `clip` is the norm at which the agent clips its gradients.
    """
    metrics = even_reports(metrics)
    figure = Figure(layout="constrained")
    panels = [_losses, *([_values] if "q_mean" in metrics else []), partial(_norms, clip=clip)]
    for axes, panel in zip(figure.subplots(1, len(panels)), panels, strict=True):
        panel(axes, metrics)
        axes.set_xlabel("updates [thousands]")
        axes.margins(x=0.02)
        legend_above(axes, 2)
    seeds = len(set(metrics["seed"]))
    note = f"mean of {seeds} seeds, coloured bands: lowest and highest seed" if seeds > 1 else "one seed"
    figure.suptitle("\n".join(filter(None, (title, note))), fontsize="small")
    return figure


def learning(metrics: pd.DataFrame, cells: pd.DataFrame) -> Figure:
    """`learning_curve` of the runs in `cells`, which say what was trained on what."""
    return learning_curve(metrics, subject(cells.loc[cells["step"] == cells["step"].max()]))


def _losses(axes: Axes, metrics: pd.DataFrame) -> None:
    found = [name.removeprefix("loss_") for name in map(str, metrics) if name.startswith("loss_")]
    terms = [name for name in found if name not in SUMS]
    shown = terms if set(terms) - set(ROLES) else [*terms, *(name for name in SUMS if name in found)]
    shown = [name for name in shown if not (metrics[f"loss_{name}"] <= 0).to_numpy().any()]
    for i, name in enumerate(sorted(shown, key=lambda name: ([*LOSSES, name].index(name), name))):
        _line(axes, metrics, f"loss_{name}", i, LOSSES.get(name, name))
        if f"val_{name}" in metrics:
            _rings(axes, metrics, f"val_{name}", i)
    axes.plot([], [], linestyle="", label="held out", **_ring(GREY))
    axes.set(ylabel="loss", yscale="log")


def _values(axes: Axes, metrics: pd.DataFrame) -> None:
    _line(axes, metrics, "q_mean", 0, "mean of the batch")
    steps, low = per_step(metrics, "q_min")
    high = per_step(metrics, "q_max")[1]
    axes.fill_between(steps, low.mean(1), high.mean(1), color=GREY, alpha=0.2, linewidth=0, label="its range")
    axes.set_ylabel(r"$Q(x, a)$ [discounted return]")


def _norms(axes: Axes, metrics: pd.DataFrame, clip: float | None) -> None:
    for i, name in enumerate(name for name in map(str, metrics) if name.startswith("grad_norm_")):
        _line(axes, metrics, name, i, name.removeprefix("grad_norm_"))
    if clip is not None:
        axes.axhline(clip, color=GREY, linewidth=0.8, linestyle=":", label="clipped above")
    axes.set(ylabel="gradient norm", yscale="log")
    plain_log(axes.yaxis)


@styled(2.5)
def learning_success(cells: pd.DataFrame, last: int = 3, title: str = "", how: Bootstrap = DEFAULT) -> Figure:
    """Success over updates for each agent: mean over seeds and tasks, its stratified bootstrap band, and each seed.

    `cells` has one row a run, checkpoint and budget (`stats.summary`), of one protocol and budget an agent. The grey
    span holds the `last` checkpoints, whose mean is the score of the field's tables: the bar across it, its interval
    beside it. Raises `ScoresError` for mixed protocols and for seeds evaluated at other steps.
    """
    figure = Figure(layout="constrained")
    axes = figure.subplots()
    curve, final = success_curve(cells, how), final_success(cells, last, how)
    agents, spans = in_order(curve["agent"]), set()
    for agent in agents:
        line, style = curve.loc[curve["agent"] == agent], agent_style(agent)
        steps = line["step"].to_numpy(float) / 1000
        score = f"{100 * final[agent].value:.1f}{_percent_range(final[agent])} %"
        axes.plot(steps, line["success"] * 100, label=f"{display_name(agent)}: {score}", **style)
        axes.fill_between(steps, line["low"] * 100, line["high"] * 100, color=style["color"], alpha=0.15, linewidth=0)
        spans.add((steps[-last], steps[-1]))
        axes.hlines(100 * final[agent].value, steps[-last], steps[-1], colors=style["color"], linewidth=3, alpha=0.45)
    if len(agents) == 1:
        _each_seed(axes, cells, agent_style(agents[0])["color"])
    for first, end in spans:
        axes.axvspan(first, end, color=GREY, alpha=0.1, linewidth=0)
    axes.set(xlabel="updates [thousands]", ylabel="success [%]")
    axes.set_xlim(0, 1.02 * max(end for _, end in spans))
    axes.set_ylim(bottom=-0.03 * axes.get_ylim()[1])
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 4, 5, 10]))
    legend = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "fontsize": "small", "title_fontsize": "small"}
    axes.legend(title=f"mean of the last {last}\ncheckpoints (bar, grey span)", **legend)
    figure.suptitle("\n".join(filter(None, (title, _success_note(cells, curve)))), fontsize="small")
    return figure


def _each_seed(axes: Axes, cells: pd.DataFrame, colour: str) -> None:
    """Every seed faintly, its tasks averaged."""
    rates = cells.assign(rate=100 * cells["successes"] / cells["episodes"])
    by_seed = rates.pivot_table(index="step", columns="seed", values="rate")
    lines = axes.plot(by_seed.index / 1000, by_seed.to_numpy(), color=colour, linewidth=0.5, alpha=0.6)
    lines[0].set_label("one seed")


def _percent_range(value: Estimate) -> str:
    return "" if np.isnan(value.low) else f" [{100 * value.low:.1f}, {100 * value.high:.1f}]"


def _success_note(cells: pd.DataFrame, curve: pd.DataFrame) -> str:
    def many(name: str, word: str) -> str:
        low, high = min(curve[name].tolist()), max(curve[name].tolist())
        return counted(high, word) if low == high else f"{low} to {counted(high, word)}"

    episodes = sorted(cells["episodes"].unique())
    each = f"{episodes[0]}" if len(episodes) == 1 else f"{episodes[0]} to {episodes[-1]}"
    kinds = " / ".join(dict.fromkeys(curve["kind"]))
    note = f"{many('tasks', 'task')}, {many('seeds', 'seed')}, {each} episodes a point; band: {kinds}"
    return f"{_where(cells)}{note}"


def _where(cells: pd.DataFrame) -> str:
    """What was trained and how it acted, where that is one thing."""
    named = [name for name in ("task", "preset", "data") if name in cells and len(set(cells[name])) == 1]
    budgets = cells[["m_inf", "n"]].drop_duplicates()
    if len(named) < 3 or len(budgets) > 1:
        return ""
    return f"{settings(cells)} on {where(cells.iloc[0])}, {budget(*budgets.to_numpy(int)[0].tolist())}\n"


def _line(axes: Axes, metrics: pd.DataFrame, name: str, i: int, label: str) -> None:
    steps, values = per_step(metrics, name)
    style = series(i)
    style["marker"] = ""
    axes.plot(steps, values.mean(1), label=label, **style)
    if values.shape[1] > 1:
        axes.fill_between(steps, values.min(1), values.max(1), color=style["color"], alpha=0.2, linewidth=0)


def _rings(axes: Axes, metrics: pd.DataFrame, name: str, i: int) -> None:
    steps, values = per_step(metrics, name)
    every = max(1, len(steps) // 12)
    axes.plot(steps[::every], values.mean(1)[::every], linestyle="", **_ring(series(i)["color"]))


def _ring(colour: str) -> dict[str, Any]:
    return {"color": colour, "marker": "o", "markersize": 3, "fillstyle": "none"}
