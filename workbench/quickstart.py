"""The main job, end to end: make real data, train, evaluate a grid of inference budgets, draw, film, and say what to open."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from workbench.errors import NoGraphicsError
from workbench.experiments import Schedule, train_run
from workbench.store.query import RunRecord
from workbench.store.spec import make_spec

TASK = "cube-single-play-singletask-task2-v0"


@dataclass(frozen=True)
class Size:
    """How much of everything: the real thing takes minutes, the smoke test seconds."""

    episodes: int
    steps: int
    m_inf: tuple[int, ...]
    n: tuple[int, ...]
    eval_episodes: int
    episode_limit: int | None = None


FULL = Size(episodes=300, steps=24_000, m_inf=(1, 2, 4, 8), n=(1, 8, 32), eval_episodes=50)
SMOKE = Size(episodes=2, steps=40, m_inf=(1, 2), n=(1, 2), eval_episodes=2, episode_limit=20)


@dataclass(frozen=True)
class Summary:
    """What the quickstart made."""

    record: RunRecord
    table: pd.DataFrame
    files: dict[str, Path]
    seconds: dict[str, float]

    @property
    def best(self) -> pd.Series:
        """The cell with the highest success; the cheapest of equals."""
        order = self.table.assign(cost=self.table["m_inf"] * self.table["n"])
        return order.sort_values(["success", "cost"], ascending=[False, True]).iloc[0]


def quickstart(size: Size = FULL, *, workers: int | None = None, say=print) -> Summary:
    """Run every step, each of which is cached or resumed when it was done before; returns what was made.

    `say` gets one line before each step. Without OpenGL the video is left out and a line says why.
    """
    from workbench.data.make import make_dataset
    from workbench.data.ogbench_files import load_task

    seconds: dict[str, float] = {}
    with _timed("data", seconds):
        say(
            f"1/5 data: {size.episodes} episodes of cube-single-play, made with OGBench's own oracle (kept for next time)"
        )
        path = make_dataset("cube-single-play-v0", episodes=size.episodes, workers=workers)
        train_data, val_data = load_task(TASK, path)
    spec = make_spec(TASK, train_data.provenance, preset_name="small", steps=size.steps)
    with _timed("train", seconds):
        say(f"2/5 train: SORL, preset small, {size.steps:,} updates on {train_data.size:,} transitions")
        record = train_run(spec, train_data, val_data, schedule=Schedule(log_every=max(1, size.steps // 48)))
    with _timed("evaluate", seconds):
        say(f"3/5 evaluate: {len(size.m_inf) * len(size.n)} inference budgets, {size.eval_episodes} episodes each")
        record = _evaluate(record, size, workers)
    with _timed("draw", seconds):
        say("4/5 draw: learning curve, sequential and parallel scaling")
        table, files = draw(record, record.path / "figures")
    summary = Summary(record, table, files, seconds)
    with _timed("video", seconds):
        say("5/5 video: the best budget, and the same start under every number of steps")
        try:
            files |= _video(summary, size)
        except NoGraphicsError as error:
            say(f"    no video: {error}")
    return summary
