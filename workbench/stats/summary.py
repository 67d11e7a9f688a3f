"""Scores of our own runs for tables and curves, from the `cells` of an evaluation: one row a run, checkpoint, budget.

`cells` has hash, task, agent, preset, data, m_inf, n, verifier, success_timing, seed, step, episodes and successes; any
other column is passed over. Success rates are in [0, 1].
"""

import re

import numpy as np
import pandas as pd

from workbench.stats.aggregates import estimate, mean, mean_and_sd
from workbench.stats.estimate import Estimate, ScoresError
from workbench.stats.intervals import DEFAULT, Bootstrap
from workbench.stats.tables import PROTOCOL, run_scores, score_matrix

SINGLE_TASK = re.compile(r"(.+)-singletask-task(\d)(?:-v0)?")


def cell_scores(cells: pd.DataFrame, last: int = 3) -> pd.DataFrame:
    """One row a run and budget, as `run_scores`: `score`, the mean success over its last evaluated checkpoints.

    Raises `ScoresError` for missing columns, and for a run evaluated at fewer than `last` steps.
    """
    return run_scores(_rated(cells), last=last).drop(columns="episodes")


def success_curve(cells: pd.DataFrame, how: Bootstrap = DEFAULT) -> pd.DataFrame:
    """Success over training: a row an agent and step, with the mean over runs and its stratified bootstrap interval.

    Columns: agent, step, success, low, high (nan for one seed a task), seeds, tasks, kind. Raises `ScoresError` for an
    agent with several budgets or protocols, or whose seeds were not all evaluated at the same steps.
    """
    rows = []
    for agent, runs in _rated(cells).groupby("agent"):
        for step, at_step in runs.groupby("step"):
            scores = score_matrix(at_step.assign(score=at_step["success"]))
            value = estimate(scores.to_numpy(), mean, how)
            sizes = {"seeds": scores.shape[0], "tasks": scores.shape[1]}
            rows.append({"agent": agent, "step": step, **_named(value), **sizes, "kind": value.kind})
        sizes = {(row["seeds"], row["tasks"]) for row in rows if row["agent"] == agent}
        if len(sizes) > 1:
            raise ScoresError(f"{agent} has other seeds or tasks at some steps than at others: let every run finish.")
    return pd.DataFrame(rows)


def final_success(cells: pd.DataFrame, last: int = 3, how: Bootstrap = DEFAULT) -> dict[str, Estimate]:
    """By agent, the mean over runs of `cell_scores` with its stratified bootstrap interval; raises as those do."""
    scores = cell_scores(cells, last)
    return {str(agent): estimate(score_matrix(runs).to_numpy(), mean, how) for agent, runs in scores.groupby("agent")}


def own_scores(cells: pd.DataFrame, last: int = 3) -> pd.DataFrame:
    """Rows of the main table from runs of our own: one an environment, agent and protocol.

    Columns as `published.aggregates`: environment, method, score (mean over tasks and seeds), sd (over seeds, of the
    mean over tasks; nan for one seed), seeds, kind (`ours`), protocol (preset, data, tasks, checkpoints, budget,
    weight of the Q loss) and source (hashes of the runs). Raises as `cell_scores` and `score_matrix` do.
    """
    scores = cell_scores(cells, last)
    names = scores["task"].map(environment_and_task)
    scores = scores.assign(environment=names.str[0], number=names.str[1])
    keys = ["environment", "agent", *(name for name in (*PROTOCOL, "steps") if name in scores and name != "agent")]
    return pd.DataFrame([_own_row(runs) for _, runs in scores.groupby(keys, dropna=False)])


def _own_row(runs: pd.DataFrame) -> dict[str, object]:
    matrix, first = score_matrix(runs), runs.iloc[0]
    value = mean_and_sd(matrix.to_numpy())
    steps = "/".join(f"{int(step) / 1000:g}k" for step in first["steps"].split("/"))
    tasks = sorted(set(runs["number"]))
    weight = f", w_QL {first['w_ql']:g}" if "w_ql" in runs and not np.isnan(first["w_ql"]) else ""
    facts = [
        f"preset {first['preset']}" if "preset" in runs else "",
        f"{first['data']} data" if "data" in runs else "",
        "all five tasks" if len(tasks) == 5 else f"only {', '.join(tasks)}",
        f"mean of checkpoints {steps}",
        f"M_inf {first['m_inf']}, N {first['n']}{weight}" if {"m_inf", "n"} <= set(runs) else "",
    ]
    return {
        "environment": first["environment"],
        "method": first["agent"],
        "score": value.value,
        "sd": (value.high - value.low) / 2,
        "seeds": len(matrix),
        "kind": "ours",
        "protocol": "; ".join(filter(None, facts)),
        "source": f"runs {', '.join(sorted(set(runs['hash'])))}" if "hash" in runs else "our runs",
    }


def environment_and_task(name: str) -> tuple[str, str]:
    """The environment of a single task's name, and which of its tasks: `cube-single-play` and `task 2`."""
    found = SINGLE_TASK.fullmatch(name)
    return (found[1], f"task {found[2]}") if found else (name, "one task")


def _named(value: Estimate) -> dict[str, float]:
    return {"success": value.value, "low": value.low, "high": value.high}


def _rated(cells: pd.DataFrame) -> pd.DataFrame:
    lacking = {"task", "agent", "seed", "step", "episodes", "successes"} - set(cells)
    if lacking or cells.empty:
        what = f"lacks {', '.join(sorted(lacking))}" if lacking else "has no rows"
        raise ScoresError(f"the table of evaluated runs {what}: make it with `workbench study inference`.")
    return cells.assign(success=np.asarray(cells["successes"] / cells["episodes"], float))
