"""Choosing runs, checkpoints and budgets from a table of evaluated runs, and saying in words what was chosen."""

from collections.abc import Iterable, Sequence

import pandas as pd

from workbench.stats.differences import Counts
from workbench.stats.estimate import ScoresError
from workbench.stats.summary import environment_and_task

LAST = 3
"""A score is the mean of a run's last three evaluated checkpoints, or of those it has."""
SETTINGS = (
    *("preset", "data", "rows", "width", "depth", "m_disc", "m_btt", "w_ql", "w_fm", "w_sc"),
    *("lr", "gamma", "tau", "steps", "verifier", "success_timing"),
)
"""Columns in which runs that are taken together must agree."""


def finished(cells: pd.DataFrame) -> pd.DataFrame:
    """The rows of runs that were evaluated at their last update; all of them where the table has no `steps`."""
    if cells.empty or "steps" not in cells:
        return cells
    ended = cells.groupby(["hash", "seed"])["step"].transform("max") >= cells["steps"]
    return cells.loc[ended]


def environment(task: str) -> str:
    """An environment without the kind of its data set: `cube-single` of `cube-single-play-singletask-task2-v0`."""
    return environment_and_task(task)[0].removesuffix("-play").removesuffix("-navigate")


def at(rows: pd.DataFrame, m_inf: int, n: int) -> pd.DataFrame:
    """The rows at one inference budget."""
    return rows.loc[(rows["m_inf"] == m_inf) & (rows["n"] == n)]


def judged(rows: pd.DataFrame, verifier: str) -> pd.DataFrame:
    """The rows whose candidates were judged by this aggregate of the critics, and those of a single candidate."""
    return rows.loc[(rows["verifier"] == verifier) | (rows["n"] == 1)]


def last_checkpoints(rows: pd.DataFrame) -> pd.DataFrame:
    """Of each seed, the rows at its last `LAST` checkpoints.

    Raises `ScoresError` where the rows differ in one of `SETTINGS`, or two of them are of one seed and checkpoint.
    """
    agree(rows)
    twice = rows[rows.duplicated(["seed", "step"])]
    if len(twice):
        row = twice.iloc[0]
        raise ScoresError(
            f"two runs of {row['agent']} on {row['task']} have seed {row['seed']}: keep one in the table."
        )
    return rows.sort_values("step").groupby("seed").tail(LAST)


def agree(rows: pd.DataFrame, apart: Iterable[str] = ()) -> None:
    """Raise `ScoresError` unless the rows have one value in each of `SETTINGS`, but for those named in `apart`."""
    for name in SETTINGS:
        found = rows[name].unique().tolist() if name in rows and name not in apart else []
        if len(found) > 1:
            row = rows.iloc[0]
            raise ScoresError(
                f"the runs of {row['agent']} on {row['task']} differ in {name} ({', '.join(map(str, found))}): keep "
                "one of them in the table of claims."
            )


def matched(a: pd.DataFrame, b: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both sides at the last checkpoints of each seed that they have in common; empty where there are none."""
    keys = ["seed", "step"]
    common = a[keys].merge(b[keys]).drop_duplicates()
    return last_checkpoints(a.merge(common, on=keys)), last_checkpoints(b.merge(common, on=keys))


def counts(rows: pd.DataFrame) -> Counts:
    """Successes and episodes of each seed, all its rows together."""
    sums: dict[int, tuple[int, int]] = {}
    for seed, k, n in rows[["seed", "successes", "episodes"]].to_numpy(int).tolist():
        so_far = sums.get(seed, (0, 0))
        sums[seed] = so_far[0] + k, so_far[1] + n
    return sums


def success(rows: pd.DataFrame) -> float:
    """Mean over seeds of each seed's rate."""
    rates = [k / n for k, n in counts(rows).values()]
    return sum(rates) / len(rates)


def sizes(rows: pd.DataFrame) -> str:
    """Seeds × checkpoints × episodes of the rows, which are one or more sides of a comparison."""
    by = ["task", "agent", *(name for name in ("m_btt", "m_inf", "n") if name in rows)]
    seeds = rows.groupby(by, dropna=False)["seed"].nunique()
    checkpoints = rows.groupby([*by, "seed"], dropna=False)["step"].nunique()
    parts = ((seeds, "seed"), (checkpoints, "checkpoint"), (rows["episodes"], "episode"))
    return " × ".join(_counted(values.to_numpy(int).tolist(), word) for values, word in parts)


def scale(rows: pd.DataFrame) -> str:
    """Networks, updates, data, tasks and seeds, as far as the table has them."""
    parts = [
        " and ".join(sorted(_networks(rows))),
        f"{_span(_thousands(rows))}k updates",
        f"{_data(rows)}{' and '.join(sorted(set(map(str, rows['data']))))} data",
        ", ".join(f"{environment(task)} {environment_and_task(task)[1]}" for task in sorted(set(rows["task"]))),
        _counted([len(set(rows["seed"]))], "seed"),
    ]
    return ", ".join(parts)


def _networks(rows: pd.DataFrame) -> set[str]:
    if {"width", "depth"} <= set(rows):
        return {f"{depth:g}×{width:g}" for depth, width in rows[["depth", "width"]].dropna().to_numpy().tolist()}
    return {f"preset {name}" for name in rows["preset"]}


def _thousands(rows: pd.DataFrame) -> list[float]:
    """Updates of each run, in thousands."""
    if "steps" in rows:
        return [step / 1000 for step in rows["steps"].to_numpy(float).tolist()]
    last: dict[tuple[str, str, int], int] = {}
    for row in rows[["task", "agent", "seed", "step"]].itertuples(index=False, name=None):
        last[row[:3]] = max(row[3], last.get(row[:3], 0))
    return [step / 1000 for step in last.values()]


def _data(rows: pd.DataFrame) -> str:
    if "rows" not in rows:
        return ""
    counts = sorted({int(count) for count in rows["rows"].to_numpy()})
    return f"{' to '.join(_short(count) for count in dict.fromkeys((counts[0], counts[-1])))} rows of "


def _short(count: int) -> str:
    return f"{count / 1e6:.3g}M" if count >= 1e6 else f"{count / 1e3:.3g}k"


def _counted(values: Sequence[int], word: str) -> str:
    return f"{_span(values)} {word}{'' if max(values) == 1 else 's'}"


def _span(values: Iterable[float | int]) -> str:
    found = sorted(set(values))
    return f"{found[0]:g}" if len(found) == 1 else f"{found[0]:g} to {found[-1]:g}"
