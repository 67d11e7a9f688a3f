"""The main job, end to end: make real data, train, evaluate a grid of inference budgets, draw, film."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from workbench.errors import NoGraphicsError
from workbench.evaluate.cell import Cell, grid
from workbench.evaluate.rollout import save_rollouts
from workbench.experiments import Schedule, evaluate_missing, evaluate_run, train_run
from workbench.guards import check_folder
from workbench.paths import atomic_write, write_json
from workbench.plots.learning import learning_curve
from workbench.plots.scaling import scaling, subject
from workbench.plots.style import save_figure
from workbench.stats.budgets import success_table
from workbench.store.folder import RunFolder
from workbench.store.query import RunRecord, read_run
from workbench.store.spec import RunSpec, make_spec
from workbench.studies.campaign import DATASET, TASK


@dataclass(frozen=True)
class Size:
    """How much of everything: the full size takes minutes, the smoke size seconds."""

    episodes: int
    steps: int
    m_inf: tuple[int, ...]
    n: tuple[int, ...]
    eval_episodes: int
    episode_limit: int | None = None

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The best one of so many candidates, and the mean of their better half."""
        several = tuple(n for n in self.n if n > 1)
        return grid(self.m_inf, self.n) + grid(self.m_inf, several, ELITE)


ELITE = "elite:0.5"
"""What is played beside best-of-N (`workbench.selection`); of all shares a half did best on an earlier policy."""


FULL = Size(episodes=300, steps=20_000, m_inf=(1, 2, 4, 8), n=(1, 4, 32), eval_episodes=50)
SMOKE = Size(episodes=2, steps=40, m_inf=(1, 2), n=(1, 2), eval_episodes=2, episode_limit=20)


KEYS = ["m_inf", "n", "verifier"]


@dataclass(frozen=True)
class Summary:
    """What the quickstart made, and how long each step took."""

    record: RunRecord
    table: pd.DataFrame
    files: dict[str, Path]
    seconds: dict[str, float]

    @property
    def best(self) -> dict:
        """The row of the cell with the highest success; of equals the cheapest."""
        rows = self.table.to_dict("records")
        return max(rows, key=lambda row: (row["success"], -row["m_inf"] * row["n"]))


def quickstart(
    size: Size = FULL, *, out: Path | None = None, workers: int | None = None, say: Callable[[str], object] = print
) -> Summary:
    """Run every step; data, training and evaluation that were done before are not done again.

    Figures, tables and videos go to `out`, by default the run's folder. Without OpenGL the video is left out, and `say`
    gets the reason.
    """
    from workbench.data.make import make_dataset
    from workbench.data.ogbench_files import load_task

    if out is not None:
        check_folder(out, "the quickstart")
    seconds: dict[str, float] = {}
    with _step("data", seconds, say, f"{size.episodes} episodes of cube-single-play by OGBench's oracle, then kept"):
        path = make_dataset(DATASET, episodes=size.episodes, workers=workers)
        train_data, val_data = load_task(TASK, path)
    spec = make_spec(TASK, train_data.provenance, preset_name="small", steps=size.steps)
    with _step("train", seconds, say, f"SORL, preset small, {size.steps:,} updates on {train_data.size:,} transitions"):
        record = train_run(spec, train_data, val_data, schedule=Schedule(log_every=max(1, size.steps // 48)))
    folder = RunFolder(record.path)
    cells = size.cells
    with _step("evaluate", seconds, say, f"{len(cells)} inference budgets, {size.eval_episodes} episodes each"):
        evaluate_missing(folder, cells, episodes=size.eval_episodes, workers=workers, episode_limit=size.episode_limit)
        record = read_run(folder)
    out = out or record.path
    with _step("draw", seconds, say, "learning curve, sequential and parallel scaling"):
        evals = folder.scores(size.episode_limit).query("step == @size.steps and success_timing == 'post'")
        asked = [(cell.m_inf, cell.n, cell.verifier) for cell in cells]
        evals = evals.loc[[each in asked for each in evals[KEYS].itertuples(index=False, name=None)]]
        summary = Summary(record, success_table(evals, KEYS), {}, seconds)
        summary.files.update(_draw(summary, out))
    with _step("video", seconds, say, "the same start under every number of steps, with Q-values"):
        try:
            summary.files.update(_film(folder, summary, size, out, workers))
        except NoGraphicsError as error:
            say(f"no video: {error}")
    return summary


@contextmanager
def _step(name: str, seconds: dict[str, float], say: Callable[[str], object], what: str) -> Iterator[None]:
    say(f"[{len(seconds) + 1}/5] {name}: {what}")
    start = time.perf_counter()
    yield
    seconds[name] = round(time.perf_counter() - start, 1)


def draw(spec: RunSpec, table: pd.DataFrame, metrics: pd.DataFrame, out: Path) -> dict[str, Path]:
    """Figures of a run of one seed, from the tables `scaling.csv` and `learning_curve.csv` that stand beside them."""
    run = {"task": spec.task, "agent": spec.agent, "preset": spec.preset, "data": spec.data.kind, "step": spec.steps}
    title = f"{subject(pd.DataFrame([run | {'w_ql': spec.weights['ql']}]))}, one seed"
    curve = learning_curve(metrics, title.removesuffix(", one seed"), clip=spec.settings["clip"])
    return {
        "learning curve": save_figure(curve, out / "learning_curve")[-1],
        "scaling": save_figure(scaling(table, title), out / "scaling")[-1],
    }


def _draw(summary: Summary, out: Path) -> dict[str, Path]:
    """Figures and the tables they are drawn from."""
    record = summary.record
    files = draw(record.spec, summary.table, record.metrics, out)
    for name, table in (("scaling", summary.table), ("learning_curve", record.metrics)):
        with atomic_write(out / f"{name}.csv") as file:
            table.to_csv(file, index=False, float_format="%.6g")
    write_json(out / "provenance.json", {"spec": record.spec.to_json(), "run": record.path.name, **record.env})
    return files


def _film(folder: RunFolder, summary: Summary, size: Size, out: Path, workers: int | None) -> dict[str, Path]:
    """One episode under every step count, with the best cell's candidates and what is made of them."""
    from workbench.render import render_rollouts

    cells = grid(size.m_inf, (int(summary.best["n"]),), summary.best["verifier"])
    played = evaluate_run(
        folder, cells, episodes=1, workers=workers, record=1, episode_limit=size.episode_limit, progress=False
    )
    rollouts = out / "rollouts.npz"
    save_rollouts(rollouts, played.rollouts)
    return asdict(render_rollouts(rollouts, out))
