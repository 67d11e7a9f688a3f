"""What of a sweep is done, what runs, and when the rest will be ready, read from the run folders alone."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from workbench.evaluate.cell import Cell
from workbench.store.damage import DamagedRunError
from workbench.sweeps.estimate import HOUR, kind
from workbench.sweeps.ledger import Status, statuses
from workbench.sweeps.plan import Job

Rates: TypeAlias = dict[tuple, list[float]]


def progress(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """A row a run, in the order of the sweep: its state, its updates, success where it was scored, and hours left.

    Hours of training come from the updates a second that runs of the same agent and sizes have written down, on this
    machine or another; None where no such run has begun. Evaluations are not counted. `ready_in_h` adds them up for one
    process that does the runs in turn, None from the first that is unknown.
    """
    found = statuses(jobs)
    rates = _update_rates(jobs)
    rows, ready = [], 0.0
    for each in found:
        hours = _hours_left(each, rates)
        ready = None if ready is None or hours is None else ready + hours
        rows.append(
            {
                "run": each.job.folder.path.name,
                "what": each.job.label,
                "state": "at work" if _at_work(each) else each.state,
                "updates": f"{each.step:,} of {each.job.spec.steps:,}",
                "success": _success(each.job),
                "hours_left": hours,
                "ready_in_h": ready if each.state != "finished" else None,
                "why": each.error or None,
            }
        )
    return rows


def _at_work(each: Status) -> bool:
    return each.state in ("training", "evaluating") and each.job.folder.busy


def _update_rates(jobs: Sequence[Job]) -> Rates:
    """Updates a second by kind, one for each run that wrote rows; clocks of older ones start again where they resumed.

    The first row has compilation in it, so it counts only where it is alone.
    """
    rates: Rates = defaultdict(list)
    for job in jobs:
        rows = [row for row in job.folder.metrics_rows() if row["seed"] == job.spec.seeds[0]]
        steps = [(b["step"] - a["step"], b["seconds"] - a["seconds"]) for a, b in pairwise(rows)]
        forward = [(step, seconds) for step, seconds in steps if seconds > 0]
        if not forward and rows and rows[0]["seconds"] > 0:
            forward = [(rows[0]["step"], rows[0]["seconds"])]
        if forward:
            rates[kind(job.spec)].append(sum(step for step, _ in forward) / sum(seconds for _, seconds in forward))
    return rates


def _hours_left(each: Status, rates: Rates) -> float | None:
    left, known = each.job.spec.steps - each.step, rates.get(kind(each.job.spec))
    if each.state == "finished" or not left:
        return 0.0
    return left / (sum(known) / len(known)) / HOUR if known else None


def _success(job: Job) -> str | None:
    """Success at the last scored update: at the best budget, and at that of least compute."""
    if not job.folder.evals_file.exists():
        return None
    try:
        evals = job.folder.scores(job.evaluation.episode_limit)
    except DamagedRunError as error:
        return str(error)
    asked = {(c.m_inf, c.n, c.verifier) for c in job.cells}
    evals = evals.loc[(evals["success_timing"] == job.evaluation.success_timing) & evals["step"].isin(job.scored)]
    evals = evals.loc[[each in asked for each in zip(evals["m_inf"], evals["n"], evals["verifier"], strict=True)]]
    if not len(evals):
        return None
    keys = ["m_inf", "n", "verifier"]
    last = evals.loc[evals["step"] == max(evals["step"])].groupby(keys, as_index=False).agg(success=("success", "mean"))
    told = [
        f"{row['success']:.0%} at {Cell(int(row['m_inf']), int(row['n']), str(row['verifier']))}"
        for row in last.iloc[[last["success"].argmax(), 0]].to_dict("records")
    ]
    return ", ".join(dict.fromkeys(told))
