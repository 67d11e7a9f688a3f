"""Environment workers that fail, are killed, or lose their parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workbench.evaluate.pool import EnvPool, WorkerError
from workbench.evaluate.worker import Start

MAZE = "pointmaze-medium-navigate-singletask-task1-v0"


def test_workers_import_no_jax() -> None:
    code = (
        "import sys, workbench.evaluate.worker, workbench.evaluate.rollout\n"
        f"from workbench.evaluate.envs import make_env, reset\nreset(make_env('{MAZE}').unwrapped, 0)\n"
        "print([name for name in ('jax', 'equinox', 'matplotlib', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_worker_exception_arrives_with_its_traceback() -> None:
    with EnvPool(MAZE, 2, workers=2) as pool:
        pool.send([4], {})
        with pytest.raises(WorkerError) as caught:
            pool.receive()
    first, *rest = str(caught.value).splitlines()
    assert MAZE in first
    assert "KeyError: 4" in first
    assert any("in serve" in line for line in rest)


def test_a_killed_worker_is_named() -> None:
    with EnvPool(MAZE, 1, workers=1) as pool:
        pool.send([], {0: Start(0, False)})
        pool.receive()
        os.kill(pool.pids[0], signal.SIGKILL)
        pool.send([0], {})
        with pytest.raises(WorkerError, match="exit code -9"):
            pool.receive()


def alive(pid: int) -> bool:
    """Whether a process still runs (one that nobody has waited for does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_the_parent(tmp_path: Path, number: signal.Signals) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import time\nfrom workbench.evaluate.pool import EnvPool\nfrom workbench.evaluate.worker import Start\n"
        "if __name__ == '__main__':\n"
        f"    with EnvPool('{MAZE}', 2, workers=2) as pool:\n"
        "        pool.send([], {0: Start(0, False), 1: Start(1, False)})\n        pool.receive()\n"
        "        print(*pool.pids, flush=True)\n        time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert parent.stdout is not None
    pids = [int(each) for each in parent.stdout.readline().split()]
    assert len(pids) == 2
    parent.send_signal(number)
    parent.wait(10)
    deadline = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, pids))
