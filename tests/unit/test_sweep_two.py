"""Two processes at one sweep: a run's folder tells the truth, whoever writes to it and whenever."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sweeping import TINY, write
from workbench.experiments import train_run
from workbench.store.folder import RunFolder
from workbench.sweeps.engine import run_sweep, serial
from workbench.sweeps.ledger import FAILED, note_failure, status
from workbench.sweeps.plan import Job, plan
from workbench.sweeps.spec import read_sweep


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A run that is only trained."""
    return plan(read_sweep(write(tmp_path, TINY)), tmp_path / "runs")[-1]


def test_a_run_in_use_is_put_off_until_it_is_free(tmp_path: Path) -> None:
    first, *others = plan(read_sweep(write(tmp_path, TINY)), tmp_path / "runs")
    lock = RunFolder.create(first.root, first.spec).lock()
    ended: list[Job] = []
    with ExitStack() as held:
        held.enter_context(lock)
        for outcome in serial([first, *others], patience=0.01):
            assert outcome.error is None
            ended.append(outcome.job)
            if outcome.job is others[-1]:
                assert (first.folder.busy, status(first).state) == (True, "waiting")
                held.close()
    assert ended == [*others, first]
    assert not first.folder.busy
    assert not (first.folder.path / FAILED).exists()


def test_a_run_that_is_taken_between_look_and_grasp_is_left_alone_and_did_not_fail(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunFolder, "busy", False)
    with RunFolder.create(job.root, job.spec).lock():
        (refused,) = run_sweep([job])
    assert "another process is training this run" in str(refused.error)
    assert not (job.folder.path / FAILED).exists()
    assert status(job).state == "waiting"


def test_a_failure_is_forgotten_once_another_process_succeeds(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def beside(*args: Any, **settings: Any) -> None:
        note_failure(job, "another process had no memory")
        train_run(*args, **settings)

    monkeypatch.setattr("workbench.sweeps.work.train_run", beside)
    assert run_sweep([job]) == []
    assert not (job.folder.path / FAILED).exists()
    note_failure(job, "another process had no memory")
    assert status(job).state == "finished", "it is, whatever happened on the way"


def test_a_failure_may_be_removed_while_it_is_read(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(file: Path, *args: Any, **settings: Any) -> str:
        if file.name == FAILED:
            file.unlink(missing_ok=True)
        return read(file, *args, **settings)

    note_failure(job, "no memory")
    assert (status(job).state, status(job).error) == ("failed", "no memory")
    read = Path.read_text
    monkeypatch.setattr(Path, "read_text", late)
    assert status(job).state == "waiting"
