"""What run folders tell of a sweep: nothing else is kept anywhere, so a sweep that was killed goes on from them."""

import contextlib
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.guards import link_or_copy
from workbench.paths import atomic_write
from workbench.store.damage import DamagedRunError
from workbench.store.folder import RunFolder
from workbench.sweeps.plan import Job

FAILED = "FAILED"
"""File of a run folder that says why the last attempt at the run ended; the next attempt removes it."""

STATES = ("waiting", "training", "evaluating", "finished", "failed")


@dataclass(frozen=True)
class Status:
    """Where a run stands. `step` counts updates, `age` is seconds since its folder was last written to."""

    job: Job
    state: str
    step: int
    age: float | None = None
    error: str = ""


def keep_scored(folder: RunFolder, scored: Iterable[int]) -> None:
    """Keep the newest checkpoint for its evaluation, if its update is scored: training would drop it later."""
    newest = folder.checkpoints()[-1]
    if int(newest.stem) in scored:
        kept = folder.path / "scored" / newest.name
        kept.parent.mkdir(exist_ok=True)
        link_or_copy(newest, kept)


def to_evaluate(job: Job) -> Iterator[Path]:
    """Files of the scored checkpoints of a trained run that lack episodes, one after another.

    Raises `WorkbenchError` after the last of them where others are not there any more.
    """
    folder = job.folder
    files = {int(file.stem): file for file in [*(folder.path / "scored").glob("*.ckpt"), *folder.checkpoints()]}
    missing = missing_steps(job)
    yield from (files[step] for step in missing if step in files)
    absent = [f"{step:,}" for step in missing if step not in files]
    if absent:
        raise WorkbenchError(
            f"run {folder.path.name} has no checkpoint any more of update {', '.join(absent)}, which the sweep scores: "
            "it was dropped after its evaluation, or was never kept because the run was trained outside of the sweep; "
            "score its last update alone, or move the run away to train it anew."
        )


def missing_steps(job: Job) -> list[int]:
    """Scored updates at which some budget has too few episodes."""
    file = job.folder.evals_file
    kind = job.evaluation.success_timing, job.evaluation.episode_limit
    counts = _episodes(file, *kind, file.stat().st_mtime_ns) if file.exists() else {}
    wanted = job.evaluation.episodes * len(job.spec.seeds)
    cells = [(cell.m_inf, cell.n, cell.verifier) for cell in job.cells]
    return [step for step in job.scored if any(counts.get((step, *cell), 0) < wanted for cell in cells)]


@lru_cache(maxsize=10_000)
def _episodes(file: Path, success_timing: str, episode_limit: int | None, _: int) -> dict[tuple, int]:
    """Episodes of a run, read again when the file changes; none of one that cannot be read, as `evaluate` will say."""
    try:
        return RunFolder(file.parent).episodes(success_timing, episode_limit)
    except DamagedRunError:
        return {}


def is_finished(job: Job) -> bool:
    """Whether nothing is left to do for a run."""
    return job.folder.done and not missing_steps(job)


def tidy(folder: RunFolder) -> None:
    """After the last evaluation the newest checkpoint alone is kept; where it is damaged, the one before it too."""
    shutil.rmtree(folder.path / "scored", ignore_errors=True)
    newest = folder.newest()
    for old in folder.checkpoints():
        if newest and old < newest:
            old.unlink()


def note_failure(job: Job, text: str | None) -> None:
    """Write why an attempt failed into the run's folder; None removes it."""
    file = job.folder.path / FAILED
    if text is None:
        file.unlink(missing_ok=True)
        return
    with contextlib.suppress(OSError), atomic_write(file) as out:  # a full disk has been reported already
        out.write(text.encode())


def status(job: Job) -> Status:
    """Where a run stands, from its folder alone."""
    folder = job.folder
    if is_finished(job):
        return Status(job, "finished", job.spec.steps, _age(folder))
    if error := _failure(folder):
        return Status(job, "failed", reached(folder), error=error)
    if job.problem:
        return Status(job, "waiting", reached(folder), error=job.problem)
    if folder.done:
        return Status(job, "evaluating", job.spec.steps, _age(folder))
    step = reached(folder)
    return Status(job, "training" if step else "waiting", step, _age(folder))


def statuses(jobs: Iterable[Job], before: Iterable[Status] = ()) -> list[Status]:
    """Where runs stand; those that had finished `before` are not read again."""
    finished = {each.job.asked: each for each in before if each.state == "finished"}
    return [finished.get(job.asked) or status(job) for job in jobs]


def _failure(folder: RunFolder) -> str:
    """What `FAILED` says, if it is there: the next attempt may remove it at any moment."""
    try:
        return (folder.path / FAILED).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def reached(folder: RunFolder) -> int:
    """The last update that the metrics or a checkpoint tell of."""
    checkpoint = int(folder.checkpoints()[-1].stem) if folder.checkpoints() else 0
    rows = folder.metrics_rows()
    return max(checkpoint, int(rows[-1]["step"]) if rows else 0)


def _age(folder: RunFolder) -> float | None:
    files = [file for file in (folder.metrics_file, folder.evals_file, folder.done_file) if file.exists()]
    return time.time() - max(file.stat().st_mtime for file in files) if files else None
