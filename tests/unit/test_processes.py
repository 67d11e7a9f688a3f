"""Conditions of worker processes."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from workbench.processes import how_it_ended, own_environment, worker_conditions
from workbench.render.backend import users_own

TOLD = """
import os, signal

def told(pipe):
    pipe.send((sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), os.environ["OMP_NUM_THREADS"]))
"""

SPAWN = """
import json
from multiprocessing import get_context
from telling import told
from workbench.processes import worker_conditions

print("once")
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


def test_a_script_without_a_main_guard_runs_once_and_its_first_worker_too_has_ctrl_c_blocked(tmp_path):
    """The first process that is spawned also starts multiprocessing's tracker, which touches the mask."""
    (tmp_path / "spawn.py").write_text(SPAWN)
    (tmp_path / "telling.py").write_text(TOLD)
    done = subprocess.run([sys.executable, tmp_path / "spawn.py"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0::2] == ["once"]
    assert json.loads(done.stdout.splitlines()[1]) == [[[signal.SIGINT], "1"]] * 2


@pytest.mark.parametrize(
    ("code", "told", "untold"),
    [
        (-9, "exit code -9, which often means too little memory: use fewer", "again"),
        (-11, "exit code -11: run the same again", "memory"),
        (1, "exit code 1: what it printed stands above", "memory"),
        (None, "exit code None: what it printed stands above", "memory"),
    ],
)
def test_memory_is_blamed_only_where_the_system_killed(code, told, untold):
    words = how_it_ended(code, "use fewer")
    assert told in words
    assert untold not in words


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
