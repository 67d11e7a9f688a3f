"""Regeneration that is killed, stopped, short of disk or started twice loses nothing and says what to do."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.data.make import make_dataset, run, shards
from workbench.data.make.shards import Shard, write_shard
from workbench.data.make.workers import run_jobs
from workbench.errors import WorkbenchError
from workbench.guards import only_one

CUBE = "cube-single-play-v0"
SMALL: dict[str, Any] = {"episodes": 6, "val_episodes": 2, "rows": 100, "workers": 1, "progress": False}

MAKER = f"""
import sys
from pathlib import Path
from workbench.data.make import make_dataset, shards
shards.SHARD_ROWS = 1
if __name__ == "__main__":
    make_dataset("{CUBE}", **{SMALL}, folder=Path(sys.argv[1]))
"""


def start_maker(folder: Path) -> subprocess.Popen:
    script = folder / "maker.py"
    script.write_text(MAKER)
    maker = subprocess.Popen(
        [sys.executable, script, folder], start_new_session=True, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not list(folder.glob(".*.parts/train-*.npz")):
        assert maker.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return maker


def wait_until_gone(group: int) -> None:
    """Wait for the end of every process of a group; fails when one stays."""
    for _ in range(1200):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a worker outlived its parent")


def test_ctrl_c_ends_the_workers_and_says_how_to_continue(tmp_path):
    maker = start_maker(tmp_path)
    os.killpg(maker.pid, signal.SIGINT)  # a terminal sends it to every process of the group
    _, said = maker.communicate(timeout=60)
    assert maker.returncode == -signal.SIGINT
    assert "run the same command to continue" in said
    assert said.count("Traceback") == 1  # the maker's own, none from a worker
    wait_until_gone(maker.pid)


def test_a_killed_maker_leaves_no_process_and_continues_to_the_same_bytes(tmp_path, monkeypatch):
    whole = make_dataset(CUBE, **SMALL, folder=tmp_path / "whole")
    folder = tmp_path / "killed"
    folder.mkdir()
    maker = start_maker(folder)
    maker.kill()
    maker.communicate(timeout=60)
    wait_until_gone(maker.pid)
    kept = len(list(folder.glob(".*.parts/*.npz")))
    jobs: list[Shard] = []
    monkeypatch.setattr(shards, "SHARD_ROWS", 1)
    monkeypatch.setattr(run, "run_jobs", lambda work, todo, *rest: jobs.extend(todo) or run_jobs(work, todo, *rest))
    target = make_dataset(CUBE, **SMALL, folder=folder)
    assert 0 < len(jobs) == 8 - kept < 8
    for name in (f"{CUBE}.npz", f"{CUBE}-val.npz"):
        assert target.with_name(name).read_bytes() == whole.with_name(name).read_bytes()
    assert not list(folder.glob(".*.parts"))


def fail_by(number: int, report) -> None:
    report(1)
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 2:
        raise OSError(errno.ENOSPC, "No space left on device")
    if number == 3:
        raise ValueError("a bug")


@pytest.mark.parametrize(
    ("number", "error", "says"),
    [(1, WorkbenchError, "exit code -9"), (2, OSError, "No space left"), (3, RuntimeError, "ValueError: a bug")],
)
def test_a_workers_trouble_reaches_the_caller(number, error, says):
    with pytest.raises(error, match=says):
        run_jobs(fail_by, [0, number], 1, lambda count: None)


def test_jobs_are_done_once_each_by_every_worker():
    reports = []
    run_jobs(fail_by, [0] * 7, 2, reports.append)
    assert reports == [1] * 7


def test_a_full_disk_is_one_sentence_and_keeps_the_shards(tmp_path, monkeypatch):
    def fill(work, jobs: list[Shard], workers, report):
        write_shard(jobs[0], [{"observations": np.zeros((4, 28), np.float32)}])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run, "run_jobs", fill)
    with pytest.raises(WorkbenchError, match="no space is left on the disk of"):
        make_dataset(CUBE, episodes=2, rows=4, folder=tmp_path, progress=False)
    assert len(list(tmp_path.glob(".*.parts/*.npz"))) == 1


def test_a_second_process_is_told_to_wait(tmp_path):
    with (
        only_one(tmp_path / f".{CUBE}.lock", f"making '{CUBE}'"),
        pytest.raises(WorkbenchError, match="another process is making"),
    ):
        make_dataset(CUBE, **SMALL, folder=tmp_path)
