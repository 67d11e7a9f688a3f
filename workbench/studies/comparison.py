"""All eleven agents on one real task: equal updates, the same three seeds, each played as the sweep says."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pandas as pd

from workbench.data.catalogue import parse_task
from workbench.errors import WorkbenchError
from workbench.store.environment import environment
from workbench.store.query import RunRecord, read_run
from workbench.store.spec import RunSpec
from workbench.studies.campaign import DATASET, Scale, asked_for, make_data, success_cells
from workbench.sweeps.engine import run_sweep, serial
from workbench.sweeps.plan import Job, plan
from workbench.sweeps.probe import updates_per_second
from workbench.sweeps.spec import AgentPart, SweepSpec, read_sweep

SWEEP = "cube_single_small"


def agents(smoke: bool = False) -> dict[str, pd.DataFrame]:
    """What the sweep `cube_single_small` finds: it is done first, as far as it is not done yet.

    - `agents`: a row a run, seed and scored checkpoint: episodes and successes; `w_ql` of the agents that have one.
    - `agents_time`: a row an agent: `update_ms`, measured anew, one agent after another and warm, on data of the task's
      shape, because the runs may have shared the machine; and `minutes`, what the run's updates take at that rate.
    """
    scale = Scale.of(smoke)
    sweep = replace(read_sweep(SWEEP), data={DATASET: make_data(scale)})
    jobs = plan(smaller(sweep, scale) if smoke else sweep)
    failed = run_sweep(jobs, partial(serial, progress=True))
    if failed:
        raise WorkbenchError(f"{len(failed)} of {len(jobs)} runs failed, the first with: {failed[0].error}")
    records = [read_run(job.folder) for job in jobs]
    return {
        "agents": pd.concat(map(_success, jobs, records), ignore_index=True),
        "agents_time": pd.DataFrame([_time(spec, 0.1 if smoke else 3.0) for spec in _one_each(jobs)]),
    }


def smaller(sweep: SweepSpec, scale: Scale) -> SweepSpec:
    """A sweep without stages at the updates, episodes and seeds of `scale`, of SORL and BC alone."""

    def small(part: AgentPart) -> AgentPart:
        scored = tuple(range(scale.eval_every, scale.steps + 1, scale.eval_every))
        evaluation = replace(part.evaluation, episodes=scale.episodes, scored=scored, episode_limit=scale.episode_limit)
        return replace(part, steps=scale.steps, evaluation=evaluation)

    few = tuple(small(part) for part in sweep.agents if part.name in ("sorl", "bc"))
    return replace(sweep, agents=few, seeds=scale.seeds, log_every=1)


def _success(job: Job, record: RunRecord) -> pd.DataFrame:
    """What the sweep evaluates of a run, whatever else its folder holds."""
    weight = {"w_ql": record.spec.weights.get("ql", math.nan)}
    table = success_cells(record, weight, job.evaluation.episode_limit)
    return asked_for(table, job.scored, job.cells, job.evaluation.success_timing)


def _one_each(jobs: Sequence[Job]) -> list[RunSpec]:
    """A spec an agent, of a single seed."""
    return list({job.spec.agent: replace(job.spec, seeds=job.spec.seeds[:1]) for job in jobs}.values())


def _time(spec: RunSpec, seconds: float) -> dict[str, str | int | float]:
    info, _ = parse_task(spec.task)
    one = 1 / updates_per_second(spec, info.obs, info.act, seconds=seconds)
    return {
        "agent": spec.agent,
        "preset": spec.preset,
        "machine": environment()["machine"],
        "update_ms": 1e3 * one,
        "minutes": one * spec.steps / 60,
    }
