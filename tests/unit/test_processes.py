"""Conditions of worker processes."""

import json
import os
import signal
import subprocess
import sys

from workbench.processes import worker_conditions

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
