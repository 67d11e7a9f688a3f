"""Statistics of a dataset file: episode lengths, action moments, and how often each task is solved in it."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from workbench.data.catalogue import DATASETS, DatasetInfo
from workbench.data.npz import read_npz
from workbench.data.ogbench_files import relabel
from workbench.data.rows import ends

TASKS = range(1, 6)


def summarise(path: Path) -> dict[str, Any]:
    """Statistics of one file (training or validation), as a JSON object.

    `episode_length` counts rows, the last one included, which has no successor. `actions` has one entry a dimension.
    `success` is the fraction of rows in which task 1 … 5 is solved; a file that is named after no OGBench dataset has
    `rewards` instead, those of all rows. Raises `DatasetError` for a file that cannot be read.
    """
    name = path.stem.removesuffix("-val")
    arrays = read_npz(path)
    lengths = episode_lengths(ends(arrays))
    info = DATASETS.get(name)
    earned = {"success": success_fractions(arrays, info)} if info else {"rewards": _spread(arrays.get("rewards"))}
    return {
        "name": name,
        "file": path.name,
        "rows": len(arrays["terminals"]),
        "episodes": len(lengths),
        "episode_length": {"min": int(lengths.min()), "mean": float(lengths.mean()), "max": int(lengths.max())},
        "actions": action_moments(arrays["actions"]),
        **earned,
    }


def _spread(values: np.ndarray | None) -> dict[str, float] | None:
    if values is None:
        return None
    return {"min": float(values.min()), "mean": float(values.mean(dtype=np.float64)), "max": float(values.max())}


def episode_lengths(terminals: np.ndarray) -> Int[np.ndarray, " _"]:
    """Rows of each episode; rows after the last end of an episode count as one more."""
    ends = np.flatnonzero(terminals)
    if not len(ends) or ends[-1] != len(terminals) - 1:
        ends = np.append(ends, len(terminals) - 1)
    return np.diff(ends, prepend=-1)


def action_moments(actions: Float[np.ndarray, "row act"]) -> list[dict[str, float]]:
    """Mean, standard deviation, least and greatest value of each action dimension."""
    moments = {
        "mean": actions.mean(0, dtype=np.float64),
        "std": actions.std(0, dtype=np.float64),
        "min": actions.min(0),
        "max": actions.max(0),
    }
    return [{name: float(values[k]) for name, values in moments.items()} for k in range(actions.shape[1])]


def success_fractions(arrays: dict[str, np.ndarray], info: DatasetInfo) -> dict[str, float]:
    """Fraction of rows that solve each of the environment's five tasks, by OGBench's own criterion (`mask` = 0)."""
    import gymnasium
    import ogbench  # noqa: F401  (registers its environments)

    fractions = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # float32 spaces
        env: Any = gymnasium.make(f"{info.environment}-singletask-task1-v0", disable_env_checker=True)
        for number in TASKS:
            env.unwrapped._reward_task_id = number  # a new environment for each task costs a second each
            _, mask = relabel(arrays, env, info.environment)
            fractions[f"task{number}"] = float(np.mean(mask == 0))
        env.close()
    return fractions
