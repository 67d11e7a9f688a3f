"""The Ray engine: workers die at random, and every run ends in the state that one process alone gives it."""

import json
import random
import threading
import time
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from tests.unit.maze_files import write_maze
from tests.unit.sweeping import PLAYED, TINY, write
from workbench.agents.registry import unregister
from workbench.cli.code import run_files
from workbench.sweeps.engine import run_sweep
from workbench.sweeps.on_ray import on_ray
from workbench.sweeps.plan import Job, plan
from workbench.sweeps.spec import RayPart, read_sweep

# Looked for and not imported: where Ray listens is settled when it is imported.
pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")]

KILLS = 6
PART = RayPart(cpus=2, retries=20)


@pytest.fixture(scope="module", autouse=True)
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Workers find what the tests compiled, and data of their own."""
    folder = tmp_path_factory.mktemp("ray")
    write_maze(folder / "official")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_DATA", str(folder))
        yield


def states(jobs: list[Job]) -> list[str]:
    """Final states of runs."""
    return [json.loads(job.folder.done_file.read_text())["state_sha256"] for job in jobs]


def workers() -> list[psutil.Process]:
    """Ray's processes that train or evaluate right now, of those that this test started."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            name = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if name.startswith(("ray::train_task", "ray::evaluate_task")):
            found.append(process)
    return found


def kill_some(killed: list[int], over: threading.Event) -> None:
    """Kill a random worker, a few times, at random moments."""
    rng = random.Random(0)
    while len(killed) < KILLS and not over.wait(rng.uniform(0.1, 1.5)):
        for process in rng.sample(found, 1) if (found := workers()) else ():
            process.kill()
            killed.append(process.pid)


def test_workers_die_and_the_states_are_those_of_one_process(tmp_path: Path) -> None:
    text = (
        TINY.replace("seeds = 2", "seeds = 6")
        .replace("steps = 12", "steps = 3000")
        .replace("_every = 4", "_every = 50")
    )
    sweep = read_sweep(write(tmp_path, text))
    jobs, alone = plan(sweep, tmp_path / "ray"), plan(sweep, tmp_path / "serial")
    assert len(jobs) == 12
    assert run_sweep(alone) == []
    killed, over = [], threading.Event()
    killer = threading.Thread(target=kill_some, args=(killed, over))
    killer.start()
    start = time.perf_counter()
    try:
        failed = run_sweep(jobs, lambda left: on_ray(left, PART))
    finally:
        over.set()
        killer.join()
    assert failed == []
    assert len(killed) >= 3, f"{time.perf_counter() - start:.0f} s were too short to kill"
    assert states(jobs) == states(alone)
    assert not workers()


def test_evaluations_are_tasks_of_their_own(tmp_path: Path) -> None:
    sweep = read_sweep(write(tmp_path, PLAYED + "\n[agent.bc.weights]\nlr = [1e-3, 1e30]\n"))
    good, bad = plan(sweep, tmp_path / "ray")
    listening: set[str] = set()

    def look(_: object) -> None:
        for process in psutil.Process().children(recursive=True):
            listening.update(c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN)

    (failed,) = run_sweep([good, bad], lambda left: on_ray(left, PART), look)
    assert failed.job == bad
    assert "stopped being finite" in str(failed.error)
    assert good.folder.evals().groupby("step").size().to_dict() == {4: 2, 8: 2, 12: 2}
    assert listening <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert listening


def test_workers_know_agents_of_a_users_own(tmp_path: Path) -> None:
    code = Path(__file__).with_name("own_agents.py")
    run_files([code])
    try:
        text = TINY.replace('"sorl", "bc"', '"filtered"').partition("[agent.sorl")[0].replace("seeds = 2", "seeds = 1")
        (job,) = plan(read_sweep(write(tmp_path, text)), tmp_path / "runs")
        (failed,) = run_sweep([job], lambda left: on_ray(left, PART))
        assert "which is not registered here" in str(failed.error) or "unknown agent 'filtered'" in str(failed.error)
        assert run_sweep([job], lambda left: on_ray(left, PART, partial(run_files, [code]))) == []
        assert job.folder.done
    finally:
        unregister("filtered")
