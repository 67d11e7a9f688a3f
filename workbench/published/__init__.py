"""Scores that others published, kept as data with their source: success rates on OGBench's single-task environments.

The files beside this one are as they were collected, in percent; the functions return rates in [0, 1]. Every table has
`environment` (as `cube-single-play`), `method`, `score`, `kind` (always `published`), `protocol` and `source`. Numbers
of different `protocol` answer different questions: `same_protocol` refuses to let them meet.
"""

from pathlib import Path

import pandas as pd

from workbench.errors import WorkbenchError

SORL_PROTOCOL = "same protocol as SORL"
"""Official data, 1M updates (IDQL 3M), last three checkpoints of 50 episodes averaged, five tasks, eight seeds."""

ENVIRONMENTS = (
    "antmaze-large-navigate",
    "antmaze-giant-navigate",
    "humanoidmaze-medium-navigate",
    "humanoidmaze-large-navigate",
    "antsoccer-arena-navigate",
    "cube-single-play",
    "cube-double-play",
    "scene-play",
)
"""The eight that SORL was published on, in the order of its table."""

FQL_TASKS = "FQL paper (arXiv 2502.02538), full results by task"


class MixedProtocolsError(WorkbenchError):
    """Published scores of different protocols in one place."""


def aggregates() -> pd.DataFrame:
    """Means over five tasks: SORL and ten baselines on `ENVIRONMENTS`, and the baselines on two puzzles.

    Columns: environment, method, score, sd (standard deviation over `seeds` of the mean over tasks), seeds, kind,
    protocol, source. Printed as whole percents.
    """
    table = _read("aggregates").rename(columns={"success_percent": "score", "std_over_seeds": "sd"})
    return _finish(table, ["environment", "method", "score", "sd", "seeds", "kind", "protocol", "source"])


def per_task() -> pd.DataFrame:
    """Each of the forty tasks of `ENVIRONMENTS` for the ten baselines; SORL's scores by task were not published.

    Columns as `aggregates`, with `task` (`task1` to `task5`) after the environment and `sd` over seeds of one task.
    Of the 80 means over tasks, 74 lie within half a percent of `aggregates`. Six are 0.6 percent off, which the
    rounding of all six numbers explains: below it cube-double IQL and SRPO, humanoidmaze-large BC and
    humanoidmaze-medium FQL; above it humanoidmaze-large CAC and ReBRAC.
    """
    table = _read("per_task").rename(columns={"success_percent": "score", "std_over_8_seeds": "sd"})
    table = table.assign(seeds=8, source=FQL_TASKS)
    return _finish(table, ["environment", "task", "method", "score", "sd", "seeds", "kind", "protocol", "source"])


def same_protocol(*tables: pd.DataFrame) -> str:
    """The one protocol of published rows that are to be shown together.

    Raises `MixedProtocolsError` when there are several or none.
    """
    found = list(dict.fromkeys(protocol for table in tables for protocol in table["protocol"]))
    if len(found) == 1:
        return found[0]
    if not found:
        raise MixedProtocolsError("the table has no published scores: take them from workbench.published.")
    raise MixedProtocolsError(
        f"published scores of {len(found)} protocols cannot stand in one table ({'; '.join(found)}): keep the rows "
        "of one of them."
    )


def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(Path(__file__).with_name(f"{name}.csv"), keep_default_na=False)


def _finish(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    rates = {name: table[name] / 100 for name in ("score", "sd")}
    return table.assign(kind="published", protocol=SORL_PROTOCOL, **rates).reindex(columns=columns)
