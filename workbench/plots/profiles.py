"""Performance profiles and probability of improvement: whole distributions of scores instead of one average."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.errors import UnknownNameError
from workbench.plots.style import agent_style, counted, display_name, in_order, published_style, styled
from workbench.published import same_protocol
from workbench.stats.comparisons import probability_of_improvement
from workbench.stats.estimate import ScoresError
from workbench.stats.intervals import DEFAULT, Bootstrap
from workbench.stats.profiles import Profile, performance_profile
from workbench.stats.tables import score_matrix

TAU = np.arange(101) / 100
FEWEST = 5
"""Seeds of a task from which on a band is drawn: that of fewer covers most of the panel, and says no more than that."""
Matrices: TypeAlias = Mapping[str, Float[np.ndarray, "_ task"]]
"""Scores of each agent, a row a seed and a column a task, the same tasks for all."""


def run_matrices(scores: pd.DataFrame) -> dict[str, Float[np.ndarray, "_ task"]]:
    """Scores by agent from a table of runs: agent, task, seed, score (as `stats.cell_scores` returns).

    Raises `ScoresError` for agents with other tasks than the first, and as `score_matrix` does.
    """
    tables = {str(agent): score_matrix(runs) for agent, runs in scores.groupby("agent")}
    first, tasks = next((name, list(table)) for name, table in tables.items()) if tables else ("", [])
    for agent, table in tables.items():
        if list(table) != tasks:
            raise ScoresError(f"{agent} and {first} were scored on other tasks: keep those that both have.")
    return {agent: tables[agent].to_numpy() for agent in in_order(tables)}


def published_matrices(per_task: pd.DataFrame) -> dict[str, Float[np.ndarray, "1 task"]]:
    """The same from `published.per_task`: one row, the mean over seeds.

    Raises `MixedProtocolsError` for several protocols, and `ScoresError` where a method lacks a task.
    """
    same_protocol(per_task)
    table = per_task.pivot(index="method", columns=["environment", "task"], values="score")
    short = table.index[table.isna().any(axis=1)]
    if len(short):
        raise ScoresError(f"{', '.join(short)} lacks the score of some task: leave the method or the task out.")
    return {method: table.loc[[method]].to_numpy() for method in in_order(table.index)}


@styled(2.9)
def performance_profiles(
    scores: pd.DataFrame, reference: str = "sorl", title: str = "", how: Bootstrap = DEFAULT
) -> Figure:
    """Share of runs above each score, and how likely `reference` beats each other agent on a task drawn at random.

    `scores` has a row a run: agent, task, seed, score, all of one protocol an agent. Bars, and bands where there are
    `FEWEST` seeds or more, are the stratified bootstrap of `how` over seeds, pointwise; none for one seed a task. The
    axis of scores is square-root, since many are low. Raises as `run_matrices`, and `UnknownNameError` for a reference
    that is not among the agents.
    """
    matrices = run_matrices(scores)
    seeds = sorted({len(matrix) for matrix in matrices.values()})
    tasks = next(iter(matrices.values())).shape[1]
    several = [count for count in seeds if count > 1]
    note = f"{counted(tasks, 'task')}, {' or '.join(map(str, seeds))} seed{'' if seeds == [1] else 's'} of each; "
    drawn = "bands, bars" if seeds[-1] >= FEWEST else "bars"
    note += f"{drawn}: {how.kind(*several, *several, tasks=tasks)}" if several else how.kind(1)
    note += "; none for one seed" if 1 in seeds and several else ""
    note += "; ties count half"
    return _figure(matrices, reference, how, RUNS, (title, note))


@styled(2.9)
def published_profiles(per_task: pd.DataFrame, reference: str = "FQL", title: str = "") -> Figure:
    """The same for published means by task, of which the seeds are not known: no bands, and the figure says so.

    `per_task` as `published.per_task`: ten baselines, since SORL's scores by task were not published. Raises as
    `published_matrices`, and `UnknownNameError` for a reference that is not among the methods.
    """
    matrices, environments = published_matrices(per_task), per_task["environment"].nunique()
    tasks, seeds = next(iter(matrices.values())).shape[1], "/".join(map(str, sorted(per_task["seeds"].unique())))
    notes = (
        f"published means over {seeds} seeds of each of {counted(tasks, 'task')} in {environments} environments",
        "no intervals: the scores of single seeds were not published, nor SORL's by task; ties count half",
    )
    return _figure(matrices, reference, DEFAULT, PUBLISHED, (title, *notes))


@dataclass(frozen=True)
class Wording:
    """What a score is, what it is of, what it means to be better, and how a value is marked."""

    score: str
    unit: str
    better: str
    mark: Callable[[str], dict[str, Any]]
    root: bool


RUNS = Wording("score", "runs", "P({} > other)", agent_style, root=True)
PUBLISHED = Wording("mean success", "tasks", "tasks where {} > other", published_style, root=False)


def _figure(matrices: Matrices, reference: str, how: Bootstrap, words: Wording, notes: tuple[str, ...]) -> Figure:
    names = {display_name(agent): agent for agent in matrices}
    if display_name(reference) not in names:
        raise UnknownNameError("reference agent", reference, names)
    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    for i, (agent, matrix) in enumerate(matrices.items()):
        style = words.mark(agent) | {"linestyle": agent_style(agent)["linestyle"], "label": display_name(agent)}
        _profile(left, performance_profile(matrix, TAU, how), len(matrix), style, i)
    scale = ", square-root scale" if words.root else ""
    left.set_xlabel(rf"{words.score} $\tau$ [%]{scale}")
    left.set_ylabel(rf"{words.unit} with {words.score} $> \tau$ [%]")
    best = max(float(matrix.max()) for matrix in matrices.values())
    end = min(100, 10 * np.ceil(10 * best + 0.5))
    if words.root:
        left.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
        left.set_xticks([tick for tick in (0, 1, 5, 10, 20, 30, 40, 60, 80, 100) if tick <= end])
    left.set(xlim=(0, end), ylim=(-2, 102))
    _improvement(right, matrices, names[display_name(reference)], how, words)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize="small")
    figure.suptitle("\n".join(filter(None, notes)), fontsize="small")
    return figure


def _profile(axes: Axes, profile: Profile, seeds: int, style: dict[str, Any], i: int) -> None:
    """A line down to where no run is above, with its band; of a few runs each is marked, and the line unbroken."""
    ends = np.flatnonzero(np.diff(profile.value, append=0) < 0)
    above = np.flatnonzero(profile.value > 0)
    marks = [j for j in above.tolist() if j % 25 == (4 + 2 * i) % 25] or above[-1:].tolist()
    if len(ends) <= FEWEST:
        marks, style = ends.tolist() or [0], style | {"linestyle": "-", "linewidth": 0.7 * style["linewidth"]}
    shown = np.where(np.arange(len(TAU)) <= max(above, default=0) + 1, profile.value, np.nan)
    axes.step(100 * TAU, 100 * shown, where="post", markevery=marks, **style)
    if seeds >= FEWEST:
        band = 100 * profile.low, 100 * profile.high
        axes.fill_between(100 * TAU, *band, step="post", color=style["color"], alpha=0.15, linewidth=0)


def _improvement(axes: Axes, matrices: Matrices, reference: str, how: Bootstrap, words: Wording) -> None:
    others = [agent for agent in matrices if agent != reference]
    for y, agent in enumerate(others):
        value = probability_of_improvement(matrices[reference], matrices[agent], how)
        alone = np.isnan(value.low)
        ends = None if alone else [[100 * (value.value - value.low)], [100 * (value.high - value.value)]]
        style: dict[str, Any] = words.mark(agent) | {"linestyle": "none"}
        axes.errorbar(100 * value.value, y, xerr=ends, elinewidth=0.8, capsize=1.5, **style)
    axes.axvline(50, color="black", linewidth=0.6, linestyle=":")
    axes.set_yticks(range(len(others)), [display_name(agent) for agent in others], fontsize="small")
    axes.set(xlim=(-3, 103), ylim=(len(others) - 0.5, -0.5))
    axes.set_xlabel(f"{words.better.format(display_name(reference))} [%]")
