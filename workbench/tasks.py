"""The tasks of the field's tables: what each is, its settings, where its data comes from, how it is scored."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from workbench.agents.protocol import Protocol
from workbench.agents.settings import ENVIRONMENTS, EnvironmentSettings, environment_settings
from workbench.data.catalogue import DATASETS, DatasetInfo, parse_task
from workbench.data.d4rl import D4RL
from workbench.errors import UnknownNameError, WorkbenchError

EPISODES = 50
"""Episodes a scored checkpoint and seed."""
SEEDS = 8
"""Seeds of a published mean."""
NUMBERS = range(1, 6)
"""Goals of an environment: each makes a task."""
PUZZLES = ("puzzle-3x3", "puzzle-4x4")
"""Environments whose scores are published beside the paper's eight."""

SCORED = Protocol()
"""Updates and scored checkpoints of an agent that has no other ones."""


@dataclass(frozen=True)
class Task:
    """One task: a dataset relabelled for a goal, and the environment that scores it.

    `group` is `table` (the paper's forty), `puzzle`, `d4rl` or `other`. `default` marks the task that hyperparameters
    were tuned on, where we know it. `limit` is the episode's step limit, None where there is
    no environment here to play in. `dataset` is what `workbench data fetch` or Minari calls the data; `sources` says
    where it comes from: `official` files, `regenerated` here, `minari`.
    """

    name: str
    group: str
    environment: str
    default: bool
    obs: int
    act: int
    limit: int | None
    dataset: str
    sources: tuple[str, ...]
    settings: EnvironmentSettings = field(repr=False)


def _ogbench(info: DatasetInfo, number: int, group: str) -> Task:
    settings = environment_settings(info.environment)
    return Task(
        name=info.task(number),
        group=group,
        environment=info.environment,
        default=info.environment in ENVIRONMENTS and number == settings.default_task,
        obs=info.obs,
        act=info.act,
        limit=info.limit,
        dataset=info.name,
        sources=("official", "regenerated") if info.can_make else ("official",),
        settings=settings,
    )


def _minari(dataset: str, obs: int, act: int) -> Task:
    environment = dataset.split("/")[1]
    settings = environment_settings("minari")
    return Task(f"minari:{dataset}", "d4rl", environment, False, obs, act, None, dataset, ("minari",), settings)


def _standard(environment: str) -> DatasetInfo:
    """The dataset that the tables use of an environment: its first kind, which is `play` or `navigate`."""
    return next(info for info in DATASETS.values() if info.environment == environment)


def _build() -> dict[str, Task]:
    groups = {"table": tuple(ENVIRONMENTS), "puzzle": PUZZLES}
    tasks = [
        _ogbench(_standard(name), number, group)
        for group, names in groups.items()
        for name in names
        for number in NUMBERS
    ]
    tasks += [_minari(dataset, *size) for dataset, size in D4RL.items()]
    return {task.name: task for task in tasks}


TASKS = _build()
"""Every task of the tables by its name; `find_task` knows those of the other OGBench datasets too."""


def find_task(name: str) -> Task:
    """A task by its name, with or without the `-v0`; also one of an OGBench dataset that no table has (group `other`).

    Raises `UnknownNameError` with suggestions.
    """
    for known in (name, f"{name}-v0", f"minari:{name}"):
        if known in TASKS:
            return TASKS[known]
    try:
        info, number = parse_task(name)
    except WorkbenchError:
        raise UnknownNameError("task", name, TASKS, "See `workbench tasks`.") from None
    return _ogbench(info, number, "other")


def tasks_of(name: str) -> tuple[str, ...]:
    """Names of the tasks that a word stands for: a group (`table`), an environment (`cube-single`), or a task itself.

    Toy, Minari and own data (`toy:grid`) stand for themselves. Raises `UnknownNameError` with suggestions.
    """
    if ":" in name:
        return (name,)
    found = tuple(task.name for task in TASKS.values() if name in (task.group, task.environment))
    if found:
        return found
    if "-singletask-" not in name:
        raise UnknownNameError("task", name, [*words(TASKS.values()), *TASKS], "See `workbench tasks`.")
    return (find_task(name).name,)


def words(tasks: Iterable[Task]) -> list[str]:
    """The groups and environments of tasks, each once."""
    return list(dict.fromkeys(word for task in tasks for word in (task.group, task.environment)))
