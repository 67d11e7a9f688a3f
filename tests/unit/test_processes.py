"""Conditions of worker processes."""

import json
import os
import signal
import subprocess
import sys
import threading

from workbench.processes import own_environment, worker_conditions
from workbench.render.backend import users_own

SPAWN = """
import json, os, signal
from multiprocessing import get_context
from workbench.processes import worker_conditions

def told(pipe):
    pipe.send((sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), os.environ["OMP_NUM_THREADS"]))

if __name__ == "__main__":
    found = []
    for _ in range(2):
        here, there = get_context("spawn").Pipe()
        with worker_conditions():
            process = get_context("spawn").Process(target=told, args=(there,))
            process.start()
        found.append(here.recv())
        process.join()
    print(json.dumps(found))
"""


def test_the_first_worker_too_has_ctrl_c_blocked(tmp_path):
    """The first process that is spawned also starts multiprocessing's tracker, which touches the mask."""
    (tmp_path / "spawn.py").write_text(SPAWN)
    done = subprocess.run([sys.executable, tmp_path / "spawn.py"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[[signal.SIGINT], "1"]] * 2


def test_this_process_is_as_before_afterwards():
    before, mask = dict(os.environ), signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with worker_conditions():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert (dict(os.environ), signal.pthread_sigmask(signal.SIG_BLOCK, [])) == (before, mask)


def test_two_threads_that_start_workers_leave_the_environment_as_it_was(monkeypatch):
    """Without a lock the second thread takes the first one's conditions for the user's, and puts them back for good."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    before, seen = dict(os.environ), []
    inside, go = threading.Event(), threading.Event()

    def first() -> None:
        with worker_conditions():
            inside.set()
            go.wait(10.0)

    def second() -> None:
        inside.wait(10.0)
        seen.append((users_own(), own_environment() == before))
        with worker_conditions():
            seen.append((os.environ["MUJOCO_GL"], os.environ["OMP_NUM_THREADS"] == "1"))

    threads = [threading.Thread(target=each) for each in (first, second)]
    for thread in threads:
        thread.start()
    inside.wait(10.0)
    threads[1].join(0.2)
    assert seen == []
    go.set()
    for thread in threads:
        thread.join()
    assert seen == [("osmesa", True), ("disable", True)]
    assert dict(os.environ) == before
