"""Training runs and evaluations behind the figures of a real task: SORL, small, on regenerated cube-single."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data.dataset import Dataset
from workbench.errors import DivergedError
from workbench.evaluate.cell import Cell, grid
from workbench.experiments import Schedule, evaluate_missing, train_run
from workbench.paths import runs_dir
from workbench.store.episodes import scores
from workbench.store.folder import RunFolder
from workbench.store.query import RunRecord, read_run
from workbench.store.spec import RunSpec, make_spec
from workbench.sweeps.ledger import reached

DATASET = "cube-single-play-v0"
TASK = "cube-single-play-singletask-task2-v0"
COMMON = Cell(m_inf=4, n=4)
"""The budget that learning curves are evaluated at."""


@dataclass(frozen=True)
class Scale:
    """How much of everything: a full study takes tens of minutes, a smoke test seconds."""

    data_episodes: int
    steps: int
    eval_every: int
    eval_episodes: int
    episodes: int
    seeds: tuple[int, ...]
    m_inf: tuple[int, ...]
    n: tuple[int, ...]
    m_btt: tuple[int, ...]
    factors: tuple[float, ...]
    episode_limit: int | None = None

    @staticmethod
    def of(smoke: bool) -> "Scale":
        """The smoke scale or the full one."""
        return SMOKE if smoke else FULL


FULL = Scale(
    data_episodes=300,
    steps=20_000,
    eval_every=4_000,
    eval_episodes=20,
    episodes=50,
    seeds=(0, 1, 2),
    m_inf=(1, 2, 4, 8),
    n=(1, 2, 4, 8, 16, 32),
    m_btt=(1, 2, 4, 8),
    factors=(0.1, 1.0, 10.0),
)
SMOKE = Scale(
    data_episodes=2,
    steps=4,
    eval_every=2,
    eval_episodes=1,
    episodes=2,
    seeds=(0, 1),
    m_inf=(1, 2),
    n=(1, 2),
    m_btt=(1, 2),
    factors=(1.0, 10.0),
    episode_limit=5,
)


def make_data(scale: Scale) -> Path:
    """The regenerated data of the campaign: made where it is not on disk yet."""
    from workbench.data.make import make_dataset

    return make_dataset(DATASET, episodes=scale.data_episodes)


@cache
def _data(scale: Scale) -> tuple[Dataset, Dataset]:
    from workbench.data.ogbench_files import load_task

    return load_task(TASK, make_data(scale))


def spec_of(scale: Scale, seed: int, *, m_btt: int | None = None, factors: dict[str, float] | None = None) -> RunSpec:
    """The preset's run of one seed, or one with another `m_btt`, or with loss weights times a factor, by name."""
    data = _data(scale)[0].provenance
    spec = make_spec(TASK, data, preset_name="small", seeds=(seed,), steps=scale.steps)
    changed = {name: round(factor * spec.weights[name], 6) for name, factor in (factors or {}).items()}
    settings = {} if m_btt is None else {"m_btt": m_btt}
    return make_spec(
        TASK, data, preset_name="small", seeds=(seed,), steps=scale.steps, settings=settings, weights=changed
    )


def run(scale: Scale, spec: RunSpec, cells: Sequence[Cell], *, curve: bool = False) -> RunRecord:
    """Train and evaluate what is not on disk yet; with `curve` also while training, at `COMMON`."""
    train_data, val_data = _data(scale)
    limit = scale.episode_limit
    record = train_run(
        spec,
        train_data,
        val_data,
        schedule=Schedule(eval_every=scale.eval_every if curve else 0),
        evaluate=lambda folder: evaluate_missing(folder, [COMMON], episodes=scale.eval_episodes, episode_limit=limit),
    )
    evaluate_missing(RunFolder(record.path), cells, episodes=scale.episodes, episode_limit=limit)
    return read_run(RunFolder(record.path))


def cells(records: Sequence[RunRecord], episode_limit: int | None = None) -> pd.DataFrame:
    """One row a run, checkpoint and inference budget: settings, and episodes (as in `success_cells`) and successes."""
    return pd.concat([_cells_of(record, episode_limit) for record in records], ignore_index=True)


def _cells_of(record: RunRecord, episode_limit: int | None) -> pd.DataFrame:
    spec = record.spec
    settings = {"m_disc": spec.settings["m_disc"], "m_btt": spec.settings["m_btt"]} | _weights(spec)
    return success_cells(record, settings, episode_limit)


def success_cells(
    record: RunRecord, settings: Mapping[str, int | float] = {}, episode_limit: int | None = None
) -> pd.DataFrame:
    """One row a seed, checkpoint and inference budget of a run, with `settings` among what the rows have in common.

    Counted are episodes of the task's own length, or those that were cut short at `episode_limit`.
    """
    spec = record.spec
    keys = ["seed", "step", "m_inf", "n", "verifier", "success_timing"]
    rows = (
        scores(record.evals, spec.task, episode_limit)
        .groupby(keys)
        .agg(
            episodes=("success", "size"),
            successes=("success", "sum"),
            return_mean=("return", "mean"),
            length_mean=("length", "mean"),
        )
    )
    fixed = {"hash": record.path.name, "task": spec.task, "agent": spec.agent, "preset": spec.preset}
    fixed |= {"data": spec.data.kind, **settings}
    table = rows.reset_index().astype({"successes": int})
    return pd.concat([pd.DataFrame([fixed] * len(table)), table], axis=1)


def inference_compute(smoke: bool = False) -> dict[str, pd.DataFrame]:
    """The M_inf x N grid of the preset's runs after training, and their learning curves.

    `test_time` and `learning_success` hold cells at the last and at every evaluated update, `learning` the metrics.
    """
    scale = Scale.of(smoke)
    grid_cells = grid(scale.m_inf, scale.n)
    records = [run(scale, spec_of(scale, seed), grid_cells, curve=True) for seed in scale.seeds]
    every = cells(records, scale.episode_limit)
    metrics = pd.concat([record.metrics.assign(hash=record.path.name) for record in records], ignore_index=True)
    return {
        "test_time": asked_for(every, [scale.steps], grid_cells),
        "learning_success": asked_for(every, set(every["step"]), [COMMON]),
        "learning": metrics,
    }


def backpropagation(smoke: bool = False) -> dict[str, pd.DataFrame]:
    """Training compute against inference compute: runs with M_BTT of 1, 2, 4, 8, each over M_inf and N."""
    scale = Scale.of(smoke)
    budgets = grid(scale.m_inf, (1, 4))
    chosen = [spec_of(scale, seed, m_btt=m_btt) for m_btt in scale.m_btt for seed in scale.seeds[:2]]
    table = cells([run(scale, spec, budgets) for spec in chosen], scale.episode_limit)
    return {"backpropagation": asked_for(table, [scale.steps], budgets)}


def loss_weights(smoke: bool = False) -> dict[str, pd.DataFrame]:
    """Sensitivity: each of the three loss weights alone times a tenth and ten, beside the preset; one seed.

    `loss_weights` holds cells; `loss_weights_diverged` the runs that stopped being finite, with the last update they
    reported, or 0.
    """
    scale = Scale.of(smoke)
    budgets = (Cell(1, 1), Cell(4, 1), Cell(4, 4))
    changes = [{}] + [{name: f} for name, f in product(("ql", "fm", "sc"), scale.factors) if f != 1]
    records, lost = [], []
    for spec in [spec_of(scale, scale.seeds[0], factors=change) for change in changes]:
        try:
            records.append(run(scale, spec, budgets))
        except DivergedError:
            step = reached(RunFolder(runs_dir() / spec.hash))
            lost.append({"hash": spec.hash, **_weights(spec), "seed": spec.seeds[0], "step": step})
    columns = ["hash", "w_ql", "w_fm", "w_sc", "seed", "step"]
    return {
        "loss_weights": asked_for(cells(records, scale.episode_limit), [scale.steps], budgets),
        "loss_weights_diverged": pd.DataFrame(lost, columns=columns),
    }


def _weights(spec: RunSpec) -> dict[str, float]:
    return {f"w_{name}": spec.weights[name] for name in ("ql", "fm", "sc")}


def asked_for(
    table: pd.DataFrame, steps: Collection[int], budgets: Sequence[Cell], success_timing: str = "post"
) -> pd.DataFrame:
    """The rows of `success_cells` at some updates and budgets: a run's folder may hold other evaluations of it too."""
    wanted = {(step, cell.m_inf, cell.n, cell.verifier, success_timing) for step in steps for cell in budgets}
    keys = table[["step", "m_inf", "n", "verifier", "success_timing"]]
    return table.loc[np.array([row in wanted for row in keys.itertuples(index=False, name=None)], bool)]
