"""All eleven agents on one real task: equal updates, the same three seeds, each played as its own protocol says."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from workbench.errors import WorkbenchError
from workbench.store.query import RunRecord, read_run
from workbench.studies.campaign import DATASET, Scale, asked_for, make_data, success_cells
from workbench.sweeps.engine import run_sweep, serial
from workbench.sweeps.plan import Job, plan
from workbench.sweeps.spec import AgentPart, SweepSpec, read_sweep

SWEEP = "cube_single_small"


def agents(smoke: bool = False) -> dict[str, pd.DataFrame]:
    """What the sweep `cube_single_small` finds: it is done first, as far as it is not done yet.

    - `agents`: a row a run, seed and scored checkpoint: episodes and successes.
    - `agents_time`: a row a run: `update_ms`, the median over reports of the time of an update, and `minutes`, what all
      updates take at that rate. Both are of one seed, also where `packed` seeds were trained together.
    """
    scale = Scale.of(smoke)
    sweep = replace(read_sweep(SWEEP), data={DATASET: make_data(scale)})
    jobs = plan(_small(sweep, scale) if smoke else sweep)
    failed = run_sweep(jobs, partial(serial, progress=True))
    if failed:
        raise WorkbenchError(f"{len(failed)} of {len(jobs)} runs failed, the first with: {failed[0].error}")
    records = [read_run(job.folder) for job in jobs]
    return {
        "agents": pd.concat(map(_success, jobs, records), ignore_index=True),
        "agents_time": pd.DataFrame([_time(record) for record in records]),
    }


def _small(sweep: SweepSpec, scale: Scale) -> SweepSpec:
    def small(part: AgentPart) -> AgentPart:
        scored = tuple(range(scale.eval_every, scale.steps + 1, scale.eval_every))
        evaluation = replace(part.evaluation, episodes=scale.episodes, scored=scored, episode_limit=scale.episode_limit)
        return replace(part, steps=scale.steps, evaluation=evaluation)

    few = tuple(small(part) for part in sweep.agents if part.name in ("sorl", "bc"))
    return replace(sweep, agents=few, seeds=scale.seeds, log_every=1)


def _success(job: Job, record: RunRecord) -> pd.DataFrame:
    """What the sweep evaluates of a run, whatever else its folder holds."""
    return asked_for(success_cells(record), job.scored, job.cells, job.evaluation.success_timing)


def _time(record: RunRecord) -> dict[str, str | int | float]:
    """From the differences of consecutive reports, so that compiling and interruptions are left out."""
    spec, reports = record.spec, record.metrics.drop_duplicates("step").sort_values("step")
    seconds, steps = np.diff(reports["seconds"]), np.diff(reports["step"])
    one = float(np.median((seconds / steps)[seconds > 0])) / len(spec.seeds)
    found = {"hash": record.path.name, "agent": spec.agent, "preset": spec.preset, "packed": len(spec.seeds)}
    return found | {"update_ms": 1e3 * one, "minutes": one * spec.steps / 60}
