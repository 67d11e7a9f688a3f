"""The OGBench datasets this workbench knows: dimensions, size, episode limit, and where a set can come from."""

import re
from dataclasses import dataclass

from workbench.errors import UnknownNameError, WorkbenchError


@dataclass(frozen=True)
class DatasetInfo:
    """One OGBench dataset.

    `episodes` and `rows` are the official training split's episode count and rows an episode; the validation split has
    a tenth of the episodes. `limit` is the evaluation episode's step limit.
    """

    name: str
    environment: str
    kind: str
    obs: int
    act: int
    limit: int
    episodes: int
    rows: int

    @property
    def family(self) -> str:
        """`cube`, `scene`, `puzzle`, `pointmaze`, `antmaze`, `humanoidmaze` or `antsoccer`."""
        return self.environment.split("-")[0]

    @property
    def env_id(self) -> str:
        """Gymnasium id of the goal-conditioned environment."""
        return f"{self.environment}-v0"

    @property
    def can_make(self) -> bool:
        """Whether this machine can regenerate it (humanoid and soccer need an expert that is not at hand)."""
        return self.family not in ("humanoidmaze", "antsoccer")

    def task(self, number: int) -> str:
        """Name of the single-task variant, for example `cube-single-play-singletask-task2-v0`."""
        return f"{self.environment}-{self.kind}-singletask-task{number}-v0"


# environment: (obs, act, evaluation limit, episodes)
_MANIPULATION = {
    "cube-single": (28, 5, 200, 1000),
    "cube-double": (37, 5, 500, 1000),
    "cube-triple": (46, 5, 1000, 3000),
    "cube-quadruple": (55, 5, 1000, 5000),
    "scene": (40, 5, 750, 1000),
    "puzzle-3x3": (55, 5, 500, 1000),
    "puzzle-4x4": (83, 5, 500, 1000),
    "puzzle-4x5": (99, 5, 1000, 3000),
    "puzzle-4x6": (115, 5, 1000, 5000),
}
# environment: (obs, act, evaluation limit, {kind: (episodes, rows an episode)})
_MAZES = {
    "pointmaze-medium": (2, 2, 1000, {"navigate": (1000, 1001), "stitch": (5000, 201)}),
    "pointmaze-large": (2, 2, 1000, {"navigate": (1000, 1001), "stitch": (5000, 201)}),
    "pointmaze-giant": (2, 2, 1000, {"navigate": (500, 2001), "stitch": (5000, 201)}),
    "antmaze-medium": (29, 8, 1000, {"navigate": (1000, 1001), "stitch": (5000, 201), "explore": (10000, 501)}),
    "antmaze-large": (29, 8, 1000, {"navigate": (1000, 1001), "stitch": (5000, 201), "explore": (10000, 501)}),
    "antmaze-giant": (29, 8, 1000, {"navigate": (500, 2001), "stitch": (5000, 201)}),
    "humanoidmaze-medium": (69, 21, 2000, {"navigate": (1000, 2001), "stitch": (5000, 401)}),
    "humanoidmaze-large": (69, 21, 2000, {"navigate": (1000, 2001), "stitch": (5000, 401)}),
    "humanoidmaze-giant": (69, 21, 4000, {"navigate": (1000, 4001), "stitch": (10000, 401)}),
    "antsoccer-arena": (42, 8, 1000, {"navigate": (1000, 1001), "stitch": (5000, 201)}),
    "antsoccer-medium": (42, 8, 1000, {"navigate": (4000, 1001), "stitch": (8000, 501)}),
}


def _build() -> dict[str, DatasetInfo]:
    infos = [
        DatasetInfo(f"{env}-{kind}-v0", env, kind, obs, act, limit, episodes, 1001)
        for env, (obs, act, limit, episodes) in _MANIPULATION.items()
        for kind in ("play", "noisy")
    ]
    infos += [
        DatasetInfo(f"{env}-{kind}-v0", env, kind, obs, act, limit, *size)
        for env, (obs, act, limit, kinds) in _MAZES.items()
        for kind, size in kinds.items()
    ]
    return {info.name: info for info in infos}


DATASETS = _build()
"""Every known dataset by its official name."""


def dataset_info(name: str) -> DatasetInfo:
    """Look a dataset up by its official name, with or without the `-v0`; raises `UnknownNameError` with suggestions."""
    full = name if name.endswith("-v0") else f"{name}-v0"
    if full not in DATASETS:
        raise UnknownNameError("dataset", name, DATASETS, "See `workbench data list`.")
    return DATASETS[full]


WITHOUT_ENVIRONMENT = ("toy", "minari", "own")
"""Kinds of tasks (`kind:name`) that are data and nothing to play in."""


def has_environment(task: str) -> bool:
    """Whether a task can be played and so evaluated; toy, Minari and own data are only trained on."""
    return task.partition(":")[0] not in WITHOUT_ENVIRONMENT


def parse_task(task: str) -> tuple[DatasetInfo, int]:
    """Split a single-task name into its dataset and task number.

    `cube-single-play-singletask-task2-v0` → (`cube-single-play-v0`, 2). Raises `WorkbenchError` for anything else, and
    says so of tasks that have no environment.
    """
    if not has_environment(task):
        raise WorkbenchError(f"{task} has no environment to play in: only OGBench tasks can be evaluated or filmed.")
    match = re.fullmatch(r"(?P<data>.+)-singletask-task(?P<number>[1-5])(-v0)?", task)
    if not match:
        raise WorkbenchError(
            f"'{task}' is not a task name: write <dataset>-singletask-task<1..5>-v0, "
            "for example cube-single-play-singletask-task2-v0."
        )
    return dataset_info(match["data"]), int(match["number"])


def cut_at(task: str, episode_limit: int | None) -> int:
    """Steps after which episodes of a task are cut short, as records tell it: 0 where its own limit ends them."""
    return 0 if episode_limit is None or episode_limit == parse_task(task)[0].limit else episode_limit
