"""How long do rows take to make, to load and to check, and does an update notice how many there are?"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from measuring import Number, in_turn, main, median, seconds

from workbench.agents.presets import preset
from workbench.data.catalogue import dataset_info
from workbench.data.check import check_file
from workbench.data.make import make_dataset
from workbench.data.make.episodes import collect_episode, episode_rng
from workbench.data.make.spec import open_collector
from workbench.data.ogbench_files import load_task
from workbench.sweeps.probe import made_up
from workbench.train import init_seeds, train_chunk

NAME, TASK = "antmaze-large-navigate-v0", "antmaze-large-navigate-singletask-task1-v0"
EPISODE = 1001


def measure(smoke: bool) -> Iterator[Number]:
    """Files of noise with the shapes of antmaze; making is timed on a point maze, and on a cube against MuJoCo."""
    rounds, rows = (1, 2 * EPISODE) if smoke else (5, 1000 * EPISODE)
    with tempfile.TemporaryDirectory() as name:
        path = write(Path(name), rows)
        calls = {"load": lambda: load_task(TASK, path)[0].x, "check": lambda: check_file(path)}
        found = in_turn(calls, rounds)
        yield median(f"loading {rows:,} rows", found["load"], "s", at_most=None if smoke else 3.0)
        yield median(f"checking {rows:,} rows", found["check"], "s")
        episodes = 2 if smoke else 100
        settings = {"episodes": episodes, "val_episodes": 1, "workers": 2, "progress": False}
        made = seconds(lambda: make_dataset("pointmaze-medium-stitch-v0", folder=Path(name) / "made", **settings))
        yield median("regenerating a point maze", [200 * episodes / made], "rows/s")
    speeds, ratios = making("cube-single-play-v0", rounds, 20 if smoke else EPISODE)
    yield median("making cube-single, a second of processor time", speeds, "rows/s")
    yield median("that over MuJoCo's own steps", ratios, "times")
    times = updates((1000, rows), rounds, 2 if smoke else 60)
    yield median("an update, 1,000 rows", times[1000], "ms")
    yield median(f"an update, {rows:,} rows", times[rows], "ms")
    ratios = [large / small for large, small in zip(times[rows], times[1000], strict=True)]
    yield median("the second over the first", ratios, "times", at_most=None if smoke else 1.1)


def write(folder: Path, rows: int) -> Path:
    """A pair of files, compressed as the official ones are; the held-out one is a single episode."""
    info, rng = dataset_info(NAME), np.random.default_rng(0)
    for file, count in ((f"{NAME}.npz", rows), (f"{NAME}-val.npz", EPISODE)):
        arrays = {"observations": rng.standard_normal((count, info.obs), np.float32)}
        arrays["actions"] = rng.uniform(-1, 1, (count, info.act)).astype(np.float32)
        arrays["terminals"] = np.arange(count) % EPISODE == EPISODE - 1
        arrays |= {"qpos": arrays["observations"][:, :15], "qvel": arrays["observations"][:, 15:]}
        np.savez_compressed(folder / file, allow_pickle=False, **arrays)
    return folder / f"{NAME}.npz"


def making(name: str, rounds: int, rows: int) -> tuple[list[float], list[float]]:
    """Rows of an episode by its processor time, and that time by the part of it that MuJoCo's steps take."""
    import mujoco

    module: Any = mujoco
    plain, inside = module.mj_step, 0.0

    def counted(*args: Any, **settings: Any) -> None:
        nonlocal inside
        start = time.thread_time()
        plain(*args, **settings)
        inside += time.thread_time() - start

    speeds, ratios = [], []
    collector = open_collector(dataset_info(name), None)
    collect_episode(collector, episode_rng(0, "val", 0), 2)  # compiles the model
    with mock.patch.object(module, "mj_step", counted):
        for episode in range(rounds):
            inside, start = 0.0, time.thread_time()
            collect_episode(collector, episode_rng(0, "train", episode), rows)
            spent = time.thread_time() - start
            speeds.append(rows / spent)
            ratios.append(spent / inside)
    return speeds, ratios


def updates(sizes: tuple[int, ...], rounds: int, steps: int) -> dict[int, list[float]]:
    """Milliseconds of an update by rows of the dataset, taking turns."""
    chosen, info = preset("sorl", "small", "antmaze-large"), dataset_info(NAME)
    calls = {}
    for rows in sizes:
        data = made_up(info.obs, info.act, rows)
        state = init_seeds(chosen.agent, data.example(), (0,))
        calls[str(rows)] = lambda data=data, state=state: train_chunk(
            chosen.agent, data, chosen.weights, state, steps, chosen.batch_size
        )
    found = in_turn(calls, rounds)
    return {int(name): [1e3 * each / steps for each in times] for name, times in found.items()}


if __name__ == "__main__":
    main(__doc__ or "", measure)
