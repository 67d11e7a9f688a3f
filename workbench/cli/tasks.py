"""The list of tasks: what each is, where its data comes from, how it is scored."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from workbench.cli.report import show

if TYPE_CHECKING:
    from workbench.tasks import Task


ONLY_JSON = ("kind", "environment", "dataset", "baselines", "protocol")
"""Columns that the printed table leaves out."""


@dataclass(frozen=True)
class Tasks:
    """List the tasks of the paper's table, the puzzles and D4RL, with their sizes, settings and sources of data.

    `tuned on` marks the task that an environment's settings were tuned on, `episode limit` counts steps; `discount`,
    `w ql` and `pessimism` are SORL's settings there. JSON holds the baselines' coefficients and the protocol as well.
    """

    names: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME")] = ()
    """Tasks, environments or groups (table, puzzle, d4rl); by default all."""
    environment: str | None = None
    """Only tasks of this environment."""
    where: str = "true"
    """DuckDB condition on the columns, such as "obs > 50 and list_contains(data, 'regenerated')"."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Print one row a task, and the protocol."""
        from workbench.tasks import EPISODES, SCORED, SEEDS, TASKS

        scored = ", ".join(f"{step:,}" for step in SCORED.scored)
        title = (
            f"OGBench tasks: {SCORED.updates:,} updates, the score is the mean of the checkpoints at {scored}, "
            f"{EPISODES} episodes each, {SEEDS} seeds (agents' own protocols: workbench.agents.protocol)"
        )
        rows = _filtered([_row(task) for task in self._chosen(TASKS)], self.where)
        show(rows if self.json else [_short(row) for row in rows], self.json, title)
        return 0

    def _chosen(self, known: "dict[str, Task]") -> "list[Task]":
        from workbench.errors import UnknownNameError
        from workbench.tasks import find_task, tasks_of

        names = [name for word in self.names for name in tasks_of(word)] or list(known)
        tasks = [find_task(name) for name in dict.fromkeys(names)]
        if self.environment is None:
            return tasks
        environments = {task.environment for task in tasks}
        if self.environment not in environments:
            raise UnknownNameError("environment", self.environment, environments)
        return [task for task in tasks if task.environment == self.environment]


def _row(task: "Task") -> dict[str, Any]:
    from workbench.tasks import EPISODES, SCORED, SEEDS

    settings = task.settings
    played = task.limit is not None
    protocol = {"updates": SCORED.updates, "scored": SCORED.scored, "episodes": EPISODES, "seeds": SEEDS}
    return {
        "task": task.name,
        "kind": task.group,
        "environment": task.environment,
        "tuned_on": task.default,
        "obs": task.obs,
        "act": task.act,
        "episode_limit": task.limit,
        "discount": settings.gamma,
        "w_ql": settings.ql,
        "pessimism": settings.pessimism,
        "settings": settings.source,
        "data": task.sources,
        "dataset": task.dataset,
        "baselines": asdict(settings.baselines),
        "protocol": protocol if played else None,
    }


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """What fits on a line."""
    return {name: value for name, value in row.items() if name not in ONLY_JSON}


def _filtered(rows: list[dict[str, Any]], where: str) -> list[dict[str, Any]]:
    """Rows that satisfy a DuckDB condition, in their order; raises `WorkbenchError` for one that DuckDB refuses."""
    if where == "true" or not rows:
        return rows
    import pandas as pd

    from workbench.store.condition import rows_where

    tasks = pd.DataFrame([row | {"data": list(row["data"])} for row in rows]).drop(columns=["baselines", "protocol"])
    names = set(rows_where(tasks, "tasks", where)["task"])
    return [row for row in rows if row["task"] in names]
