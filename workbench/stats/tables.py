"""From the long table of evaluated episodes to the (seed, task) array that statistics take."""

import numpy as np
import pandas as pd

from workbench.stats.estimate import ScoresError

PROTOCOL = (
    *("agent", "preset", "data", "m_disc", "m_btt", "w_ql", "w_fm", "w_sc", "m_inf", "n"),
    *("verifier", "success_timing"),
)
"""Columns that say how a score was made; numbers that differ in one of them are never pooled."""


def run_scores(evals: pd.DataFrame, value: str = "success", last: int = 3) -> pd.DataFrame:
    r"""One row a run and inference budget: `score`, the mean of `value` over its last evaluated checkpoints.

    $$\frac1L \sum_{l} \frac{1}{E_l} \sum_e y_{le}, \qquad l \text{ over the } L = \text{last} \text{ highest steps}$$

    For runs of 1M updates evaluated every 100k this is the 800k/900k/1M protocol of FQL (arXiv 2502.02538), which SORL
    follows: no checkpoint is picked by its score. `evals` has one row an episode, with `seed`, `step`, `value`, and
    those of `task`, `hash` and `PROTOCOL` that apply. Also in the result: `steps` (800000/900000/1000000) and
    `episodes` (how many were averaged). A checkpoint counts the same however many episodes it has.
    Raises `ScoresError` for missing columns or values, or a run evaluated at fewer than `last` steps.
    """
    _require(evals, ("seed", "step", value))
    if last < 1:
        raise ScoresError(f"the mean of the last {last} checkpoints is no score: average one or more.")
    values = evals[value].to_numpy(float)
    if np.isnan(values).any():
        raise ScoresError(f"{np.isnan(values).sum()} episodes have no {value}: evaluate them again.")
    keys = [name for name in ("task", "hash", *PROTOCOL, "seed") if name in evals]
    grouped = evals.assign(score=values).groupby([*keys, "step"], dropna=False)["score"]
    checkpoints = grouped.agg(score="mean", episodes="size").reset_index()
    runs = checkpoints.groupby(keys, dropna=False).tail(last).groupby(keys, dropna=False)
    scores = runs.agg(
        score=("score", "mean"),
        steps=("step", lambda steps: "/".join(str(step) for step in steps)),
        episodes=("episodes", "sum"),
        found=("step", "size"),
    ).reset_index()
    _refuse_short(scores.loc[scores["found"] < last], keys, last)
    return scores.drop(columns="found")


def _refuse_short(runs: pd.DataFrame, keys: list[str], last: int) -> None:
    if len(runs):
        first = runs.iloc[0]
        raise ScoresError(
            f"{len(runs)} runs were evaluated at fewer than {last} steps, such as "
            f"{', '.join(f'{key} {first[key]}' for key in keys)} at {first['steps']}: evaluate more checkpoints, or "
            f"average fewer with last={first['found']}."
        )


def score_matrix(scores: pd.DataFrame, common_seeds: bool = False) -> pd.DataFrame:
    """Scores of one agent and budget, a row a seed and a column a task; its `.to_numpy()` is what statistics take.

    `scores` is what `run_scores` returns, filtered to one protocol. Tasks with other seeds than the rest are refused
    unless `common_seeds`, which keeps only the seeds that every task has. Raises `ScoresError` for that, for mixed
    protocols or checkpoints, for two runs of one seed and task, and when nothing is left.
    """
    _require(scores, ("task", "seed", "score"))
    for name in (*PROTOCOL, "steps"):
        found = scores[name].unique().tolist() if name in scores else []
        if len(found) > 1:
            raise ScoresError(f"the scores mix {name} {', '.join(map(str, found))}: choose one of them.")
    twice = scores[scores.duplicated(["task", "seed"])]
    if len(twice):
        run = twice.iloc[0]
        raise ScoresError(f"two runs of {run['task']} have seed {run['seed']}: choose one of them by its hash.")
    table = scores.pivot(index="seed", columns="task", values="score").astype(float)
    whole = table.dropna()
    if len(whole) < len(table) and not common_seeds:
        lacks = [
            f"{task} lacks seed {', '.join(map(str, table.index[gaps]))}"
            for task, gaps in zip(table, table.isna().to_numpy().T, strict=True)
            if gaps.any()
        ]
        raise ScoresError(
            f"not every task has every seed ({'; '.join(lacks)}): run those, or keep the {len(whole)} common seeds "
            "with common_seeds=True."
        )
    if whole.empty:
        raise ScoresError("no seed has a score in every task: run the missing ones, or leave tasks out.")
    return whole


def matched(a: pd.DataFrame, b: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two `score_matrix` tables cut to the seeds that both have, for `paired_difference`.

    Raises `ScoresError` when the tasks differ or no seed is common.
    """
    alone = a.columns.symmetric_difference(b.columns)
    if len(alone):
        raise ScoresError(f"only one of the two agents has {', '.join(map(str, alone))}: leave it out of both.")
    seeds = a.index.intersection(b.index)
    if seeds.empty:
        raise ScoresError(
            f"the two agents have no seed in common ({list(a.index)} and {list(b.index)}): nothing can be paired."
        )
    return a.loc[seeds], b.loc[seeds, a.columns]


def _require(table: pd.DataFrame, columns: tuple[str, ...]) -> None:
    if table.empty:
        raise ScoresError("the table has no rows: evaluate a run first, or loosen what it was filtered by.")
    missing = [name for name in columns if name not in table]
    if missing:
        raise ScoresError(f"the table has no column {', '.join(missing)}; it has {', '.join(map(str, table.columns))}.")
