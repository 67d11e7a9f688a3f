"""One entry for every kind of task name: OGBench's single tasks, toys, Minari datasets, and files of your own."""

from pathlib import Path

import jax.numpy as jnp

from workbench.data.catalogue import WITHOUT_ENVIRONMENT, parse_task
from workbench.data.dataset import Dataset
from workbench.errors import DatasetError
from workbench.types import Batch

TOY_ROWS = 20_000

ELSEWHERE = {"toy": "toys are drawn anew", "minari": "Minari keeps its own, in MINARI_DATASETS_PATH where that is set"}
"""Kinds of task that are not read from a file, and where their data is from."""


def load_data(task: str, path: Path | None = None) -> tuple[Dataset, Dataset]:
    """Training and validation data of a task.

    `cube-single-play-singletask-task2-v0` (OGBench; `path` names another file), `toy:eight_gaussians`,
    `minari:D4RL/pen/human-v2`, `own:NAME` (an npz file of your own, at `path`). Raises `WorkbenchError` for names and
    files that do not exist, `DatasetError` for a `path` where the task is not read from a file.
    """
    kind, _, name = task.partition(":")
    if path is not None and kind in ELSEWHERE and name:
        raise DatasetError(
            f"{task} takes no training file: {ELSEWHERE[kind]}; leave {path} out, or train on it as own:NAME."
        )
    if kind == "toy" and name:
        from workbench.data.toy import make_toy

        return make_toy(name, rows=TOY_ROWS, seed=0)
    if kind == "minari" and name:
        from workbench.data.minari_files import load_minari

        return load_minari(name)
    if kind == "own" and name:
        from workbench.data.arrays import load_own

        return load_own(name, path)
    from workbench.data.ogbench_files import load_task

    return load_task(task, path)


def environment_of(task: str) -> str:
    """The environment whose settings a task takes: `cube-single`, `toy`, `minari` or `own`."""
    kind, _, name = task.partition(":")
    if name and kind in WITHOUT_ENVIRONMENT:
        return kind
    return parse_task(task)[0].environment


def example_of(task: str) -> Batch:
    """One transition of zeros, shaped like those of an OGBench task, whose data need not be on disk.

    Raises `WorkbenchError` for tasks without environment.
    """
    info, _ = parse_task(task)
    zero, x, a = (jnp.zeros(shape, jnp.float32) for shape in ((), info.obs, info.act))
    return Batch(x=x, a=a, r=zero, x_next=x, mask=zero, a_next=a)
