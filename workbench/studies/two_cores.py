"""What the sweeps `two_cores` and `two_cores_pilot` have found so far: their finished runs as tables."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from workbench.data.catalogue import parse_task
from workbench.data.npz import read_sidecar
from workbench.errors import WorkbenchError
from workbench.store.query import read_run
from workbench.studies.campaign import DATASET, Scale, asked_for, make_data, success_cells
from workbench.studies.comparison import smaller
from workbench.sweeps.engine import run_sweep
from workbench.sweeps.ledger import is_finished
from workbench.sweeps.plan import Job, plan
from workbench.sweeps.spec import SweepSpec, read_sweep

SETTINGS = ("width", "depth", "m_disc", "m_btt")
WEIGHTS = ("ql", "fm", "sc")
RATES = ("lr", "gamma", "tau")


def two_cores(smoke: bool = False) -> dict[str, pd.DataFrame]:
    """`two_cores`: a row a run, seed, scored checkpoint and budget of the campaign."""
    return {"two_cores": _found("two_cores", smoke)}


def pilot(smoke: bool = False) -> dict[str, pd.DataFrame]:
    """`two_cores_pilot`: the same of the search for what learns, with the rates beside the weights."""
    return {"two_cores_pilot": _found("two_cores_pilot", smoke)}


def _found(name: str, smoke: bool) -> pd.DataFrame:
    sweep = read_sweep(name)
    jobs = _tried(sweep) if smoke else [job for job in plan(sweep) if is_finished(job)]
    if not jobs:
        raise WorkbenchError(f"no run of the sweep {name} has finished here: `workbench sweep {name}` does them.")
    return pd.concat([_cells(job) for job in jobs], ignore_index=True)


def _tried(sweep: SweepSpec) -> Sequence[Job]:
    """The first stage at smoke size, done."""
    scale = Scale.of(smoke=True)
    first = replace(smaller(sweep.stages[0], scale), data={DATASET: make_data(scale)}, make={})
    jobs = plan(first)
    failed = run_sweep(jobs)
    if failed:
        raise WorkbenchError(f"{len(failed)} of {len(jobs)} runs failed, the first with: {failed[0].error}")
    return jobs


def _cells(job: Job) -> pd.DataFrame:
    """What the sweep evaluates of a run, whatever else its folder holds."""
    spec = job.spec
    told = {name: spec.settings.get(name, math.nan) for name in SETTINGS}
    told |= {f"w_{name}": spec.weights.get(name, math.nan) for name in WEIGHTS}
    told |= {name: spec.weights.get(name, math.nan) for name in RATES}
    told |= {"steps": spec.steps, "rows": _rows(job)}
    table = success_cells(read_run(job.folder), told, job.evaluation.episode_limit)
    return asked_for(table, job.scored, job.cells, job.evaluation.success_timing)


def _rows(job: Job) -> int:
    """Transitions of a run's data: the last row of an episode has no successor."""
    info, _ = parse_task(job.spec.task)
    record = (job.data and read_sidecar(job.data)) or {}
    request = record.get("request", {})
    return request.get("episodes", info.episodes) * (request.get("rows", info.rows) - 1)
