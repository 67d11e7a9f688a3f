"""All agents on one task after equal updates: success with its interval, and what a training took."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workbench.agents.protocol import PROTOCOLS
from workbench.plots.profiles import performance_profiles
from workbench.plots.scaling import M_INF, PER_CENT, SYMBOLS, budget, where
from workbench.plots.style import GREY, agent_style, counted, display_name, in_order, published_style, styled
from workbench.stats.intervals import DEFAULT, Bootstrap
from workbench.stats.summary import cell_scores, environment_and_task, final_success


@styled(3.3)
def agents_compared(
    cells: pd.DataFrame, time: pd.DataFrame, published: pd.DataFrame, last: int = 3, how: Bootstrap = DEFAULT
) -> Figure:
    """Success and training time, a row an agent, the best of ours first.

    `cells` are evaluated runs on one task, `time` their `minutes` by agent (tables of the study `agents`), `published`
    has the columns of `published.per_task`. A score is the mean of the `last` checkpoints. Raises `ScoresError` as
    `final_success` does.
    """
    scores, final = cell_scores(cells, last), final_success(cells, last, how)
    names = sorted(in_order(final), key=lambda name: -final[name].value)
    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for y, name in enumerate(names):
        value, style = final[name], agent_style(name) | {"linestyle": "none"}
        ends = None if np.isnan(value.low) else [[value.value - value.low], [value.high - value.value]]
        bar = None if ends is None else PER_CENT * np.array(ends)
        left.errorbar(PER_CENT * value.value, y, xerr=bar, elinewidth=1, capsize=2, **style)
        each = PER_CENT * scores.loc[scores["agent"] == name, "score"].to_numpy(float)
        left.plot(each, y + 0.2 + 0.08 * np.arange(len(each)), ".", color=style["color"], markersize=3)
        right.plot(time.loc[time["agent"] == name, "minutes"].median(), y, **style)
    most = _published(left, names, str(cells["task"].iloc[0]), published)
    left.set_yticks(range(len(names)), [display_name(name) for name in names], fontsize="small")
    left.set(xlabel="success [%]", xlim=(-4, max(100, most) + 4), ylim=(len(names) - 0.4, -0.6))
    left.set_xticks((0, 25, 50, 75, 100))
    right.set(xlabel="training [minutes of one seed]", xlim=(0, 1.08 * time["minutes"].max()))
    figure.suptitle(_note(cells, scores, last, how), fontsize="small")
    return figure


def _published(axes: Axes, names: list[str], task: str, published: pd.DataFrame) -> float:
    """Draw what was published of the task, and return the end of the longest bar in per cent."""
    environment, number = environment_and_task(task)
    chosen = (published["environment"] == environment) & (published["task"] == number.replace(" ", ""))
    table = published.loc[chosen].assign(agent=lambda rows: rows["method"].str.lower()).set_index("agent")
    most = 0.0
    for y, name in enumerate(names):
        if name in table.index:
            score, sd = (PER_CENT * float(table.loc[name, column]) for column in ("score", "sd"))
            hollow = published_style(name) | {"ecolor": GREY, "elinewidth": 0.5, "alpha": 0.6}
            axes.errorbar(score, y - 0.25, xerr=sd, **hollow)
            most = max(most, score + sd)
    return most


def _note(cells: pd.DataFrame, scores: pd.DataFrame, last: int, how: Bootstrap) -> str:
    seeds, episodes, row = len(set(scores["seed"])), min(cells["episodes"].tolist()), cells.iloc[0]
    filled = f"Filled: ours ({row['preset']}) on {where(row)}, {_updates(cells)}; mean of the last "
    filled += f"{counted(last, 'checkpoint')} of {episodes} episodes;"
    bars = (
        f"bars: {how.kind(seeds)}; dots: single seeds. Hollow: published (none for SORL by task): sizes of the papers,"
    )
    hollow = "official data, 1M updates (IDQL 3M), 8 seeds, ± 1 standard deviation."
    return "\n".join(filter(None, (filled, bars, hollow, own_budget(cells))))


def own_budget(cells: pd.DataFrame) -> str:
    """How SORL was trained and played, and what its protocol has where that is another M_inf; empty without SORL."""
    runs = cells.loc[cells["agent"].str.lower() == "sorl"]
    if runs.empty or len(runs[["m_inf", "n"]].drop_duplicates()) > 1:
        return ""
    row = runs.iloc[0]
    weight = [f"{SYMBOLS['w_ql']} = {row['w_ql']:g}"] if "w_ql" in runs else []
    words = f"SORL: {', '.join([*weight, budget(int(row['m_inf']), int(row['n']))])}"
    if row["m_inf"] != PROTOCOLS["sorl"].m_inf:
        words += f", chosen for these runs: its protocol has {M_INF} = {PROTOCOLS['sorl'].m_inf}"
    return f"{words}."


def agent_profiles(cells: pd.DataFrame, last: int = 3) -> Figure:
    """`performance_profiles` of evaluated runs, each scored by the mean of its `last` checkpoints."""
    row = cells.iloc[0]
    title = f"Agents ({row['preset']}) on {where(row)}, {_updates(cells)}"
    return performance_profiles(cell_scores(cells, last), title="\n".join(filter(None, (title, own_budget(cells)))))


def _updates(cells: pd.DataFrame) -> str:
    return f"{max(cells['step'].tolist()):,} updates"
