"""The work of one run: training, then evaluation; wherever it happens, the run's folder is all that comes of it."""

import math

from workbench.errors import BusyError, WorkbenchError, sentence, told
from workbench.experiments import Schedule, evaluate_missing, train_run
from workbench.sweeps.ledger import is_finished, keep_scored, note_failure, tidy, to_evaluate
from workbench.sweeps.plan import Job, loaded


def train(job: Job, *, progress: bool = False) -> None:
    """Train a run, from its newest checkpoint where there is one; checkpoints to be scored are kept.

    Raises `DatasetError` without data, and what `train_run` raises.
    """
    if job.problem:
        raise WorkbenchError(job.problem)
    data = loaded(job.spec.task, job.data)
    on_the_way = [step for step in job.scored if step < job.spec.steps] if job.cells else []
    schedule = Schedule(job.schedule.log_every, job.schedule.save_every, math.gcd(*on_the_way) if on_the_way else 0)
    train_run(
        job.spec,
        *data,
        schedule=schedule,
        root=job.root,
        progress=progress,
        evaluate=lambda folder: keep_scored(folder, on_the_way),
    )


def evaluate(job: Job, *, progress: bool = False) -> None:
    """Evaluate the scored checkpoints of a trained run that are not yet, then drop all but the last.

    Raises `WorkbenchError` where another process does, what `evaluate_missing` raises, and, after all that can be
    evaluated, what `to_evaluate` does.
    """
    with job.folder.lock():
        for checkpoint in to_evaluate(job):
            evaluate_missing(
                job.folder,
                job.cells,
                checkpoint=checkpoint,
                episodes=job.evaluation.episodes,
                workers=job.evaluation.workers,
                success_timing=job.evaluation.success_timing,
                episode_limit=job.evaluation.episode_limit,
                progress=progress,
            )
        tidy(job.folder)


PARTS = {"train": train, "evaluate": evaluate}
"""The two kinds of work, in their order."""


def attempt(job: Job, part: str, *, progress: bool = False) -> str | None:
    """Do one part of a run, if it is not done yet; returns what went wrong in one line, or None.

    What went wrong also stands in the folder's `FAILED`, with its traceback where it is a bug, and not where another
    process is at the run. Only a request to stop is raised, as `Interrupted`.
    """
    note_failure(job, None)
    if is_finished(job) or (part == "train" and job.folder.done):
        return None
    try:
        PARTS[part](job, progress=progress)
    except BusyError as error:
        return sentence(error)
    except Exception as error:
        note_failure(job, told(error))
        return sentence(error)
    note_failure(job, None)  # of another process, which failed before this one had the lock
    return None
