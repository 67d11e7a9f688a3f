"""Sweeps that run: evaluation at scored checkpoints, resumption, failing runs, the estimate, the command."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.maze_files import MAZE, MAZE_DATA, write_maze
from tests.unit.sweeping import PLAYED, TINY, write
from workbench.cli.main import main
from workbench.errors import MissingExtraError, WorkbenchError
from workbench.live.sweep_view import SweepView
from workbench.sweeps import engine, ledger, on_ray, probe
from workbench.sweeps.engine import Outcome, run_sweep
from workbench.sweeps.estimate import Probes, estimate, summary
from workbench.sweeps.ledger import FAILED, Status, is_finished, missing_steps, status, statuses
from workbench.sweeps.plan import Job, plan
from workbench.sweeps.spec import read_sweep
from workbench.sweeps.watch import Watch

PROGRAM = """
import sys, time
from pathlib import Path
from workbench import experiments
slow = experiments.train_chunk
def chunk(*args):
    time.sleep(0.05)
    return slow(*args)
experiments.train_chunk = chunk
from workbench.cli.main import main
sys.exit(main(["sweep", sys.argv[1]]))
"""


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data and runs of a test's own."""
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path / "runs"))
    return tmp_path


def jobs_of(folder: Path, text: str) -> list[Job]:
    """The runs of a sweep."""
    return plan(read_sweep(write(folder, text)))


def hashes(jobs: list[Job]) -> list[str]:
    """Final states of runs."""
    return [json.loads(job.folder.done_file.read_text())["state_sha256"] for job in jobs]


def test_runs_are_scored_at_their_checkpoints(folders: Path) -> None:
    write_maze(folders / "data" / "official")
    (job,) = jobs_of(folders, PLAYED)
    assert status(job).state == "waiting"
    assert run_sweep([job]) == []
    evals = job.folder.evals()
    assert evals.groupby("step").size().to_dict() == {4: 2, 8: 2, 12: 2}
    assert set(evals["length"]) == {3}
    assert (status(job).state, status(job).step) == ("finished", 12)
    assert [file.name for file in job.folder.checkpoints()] == ["0000000012.ckpt"]
    assert not (job.folder.path / "scored").exists()

    before = replace(job, scored=(12,), evaluation=replace(job.evaluation, success_timing="pre"))
    assert missing_steps(before) == [12]
    assert run_sweep([before]) == []
    assert before.folder.episodes("pre", 3) == {(12, 1, 1, "mean"): 2}
    assert missing_steps(before) == []

    more = replace(job, evaluation=replace(job.evaluation, episodes=3))
    assert missing_steps(more) == [4, 8, 12]
    (failed,) = run_sweep([more])
    assert "has no checkpoint any more of update 4, 8, which the sweep scores: it was dropped" in str(failed.error)
    assert missing_steps(more) == [4, 8], "what is still there is evaluated"
    assert is_finished(replace(more, scored=(12,)))
    assert {key[0]: count for key, count in job.folder.episodes("post", 3).items()} == {4: 2, 8: 2, 12: 3}


def test_a_run_is_trained_with_the_file_that_was_planned(folders: Path) -> None:
    made = write_maze(folders / "data" / "regenerated" / f"{MAZE_DATA}-e1-s0")
    made.with_suffix(".json").write_text(json.dumps({"kind": "regenerated", "seed": 0, "files": {}}))
    planned, other = jobs_of(folders, PLAYED.replace("seeds = 1", "seeds = 2"))
    assert planned.data == made
    official = write_maze(folders / "data" / "official")
    official.write_bytes(official.read_bytes() + b"\0")
    assert run_sweep([replace(planned, cells=())]) == []
    (failed,) = run_sweep([replace(other, data=official)])
    assert re.search(r"is of arrays data .* \(sha256 (\w+)\), not of arrays data .* \(sha256 (?!\1)", str(failed.error))
    assert not other.folder.checkpoints()


def test_a_finished_sweep_does_nothing(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = jobs_of(folders, TINY)
    ended: list[Outcome] = []
    assert run_sweep(jobs, report=ended.append) == []
    assert [outcome.job for outcome in ended] == jobs
    monkeypatch.setattr(engine, "attempt", None)
    assert all(is_finished(job) for job in jobs)
    assert run_sweep(jobs_of(folders, TINY)) == []


def test_killed_and_started_again_it_finishes_in_the_same_states(folders: Path) -> None:
    slow = TINY.replace("steps = 12", "steps = 40")
    file = write(folders, slow)
    environment = os.environ | {"WORKBENCH_RUNS": str(folders / "runs")}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(file)], env=environment, stderr=subprocess.PIPE)
    until = time.monotonic() + 120
    while process.poll() is None and len(list(folders.glob("runs/*/ckpt/*.ckpt"))) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    jobs = jobs_of(folders, slow)
    done = [job for job in jobs if job.folder.done]
    assert len(done) < len(jobs)
    before = {job.spec.hash: job.folder.done_file.stat().st_mtime_ns for job in done}
    assert main(["sweep", str(file)]) == 0
    assert {job.spec.hash: job.folder.done_file.stat().st_mtime_ns for job in done} == before
    whole = [replace(job, root=folders / "whole") for job in jobs]
    run_sweep(whole)
    assert hashes(jobs) == hashes(whole)


def test_a_failing_run_stops_no_other(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = TINY.replace('tasks = ["toy:grid"]', f'tasks = ["toy:grid", "{MAZE}"]').replace("seeds = 2", "seeds = 1")
    file = write(folders, text + "\n[agent.sorl.weights]\nlr = [1e-3, 1e30]\n")
    assert main(["sweep", str(file), "--json"]) == 1
    printed = capsys.readouterr()
    rows = {(row["agent"], row["task"]): row for row in json.loads(printed.out)}
    assert (rows["sorl", "toy:grid"]["runs"], rows["sorl", "toy:grid"]["failed"]) == (2, 1)
    assert "stopped being finite at update" in rows["sorl", "toy:grid"]["why"]
    assert rows["bc", "toy:grid"]["failed"] == 0
    assert "workbench data fetch pointmaze-medium-stitch-v0" in rows["bc", MAZE]["why"]
    assert printed.err.count("FAILED: ") == 4
    states = [status(job) for job in plan(read_sweep(file))]
    assert [each.state for each in states].count("failed") == 4
    assert any("stopped being finite" in each.error for each in states)


def test_a_bug_is_kept_with_its_traceback_and_forgotten_when_mended(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = jobs_of(folders, TINY)[0]
    with monkeypatch.context() as patch:
        patch.setattr("workbench.sweeps.work.train_run", lambda *_, **__: 1 // 0)
        (failed,) = run_sweep([job])
    assert failed.error == "ZeroDivisionError: integer division or modulo by zero"
    assert "Traceback" in (job.folder.path / FAILED).read_text()
    assert status(job).state == "failed"
    assert run_sweep([job]) == []
    assert status(job).state == "finished"


def test_estimate_counts_what_is_left(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_maze(folders / "data" / "official")
    monkeypatch.setattr(probe, "updates_per_second", lambda spec, *_, seconds: 2.0)
    monkeypatch.setattr(probe, "decisions_per_second", lambda *_, **__: 5.0)
    monkeypatch.setattr(probe, "steps_per_second", lambda *_, **__: 10.0)
    (job,) = jobs_of(folders, PLAYED)
    said: list[str] = []
    found = estimate(job, Probes(say=said.append))
    assert found.train_hours * 3600 == pytest.approx(12 / 2)
    assert found.evaluate_hours * 3600 == pytest.approx(3 * 2 * 3 * (1 / 10 + 1 / 5))
    assert [text.split()[0] for text in said] == ["updates", "steps", "decisions"]
    run_sweep([job])
    (size,) = (file.stat().st_size for file in job.folder.checkpoints())
    assert found.bytes == pytest.approx(size, abs=4096), "parameters are all but the header of a checkpoint"
    last = summary([job], Probes())[-1]
    assert (last["runs"], last["done"], last["hours"], last["gigabytes"]) == (1, 1, 0, 0)


def test_dry_run_measures_and_trains_nothing(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(folders, 'pack = "auto"\n' + TINY)
    assert main(["sweep", str(file), "--dry-run", "--probe-seconds", "0.01", "--json"]) == 0
    printed = capsys.readouterr()
    rows = json.loads(printed.out)
    assert [row["agent"] for row in rows] == ["sorl, small", "bc, small", "all"]
    assert rows[2]["hours"] == pytest.approx(rows[0]["hours"] + rows[1]["hours"])
    assert rows[2]["hours"] > 0
    assert "measuring packs of up to 2 seeds of bc small" in printed.err
    assert not list((folders / "runs").glob("*"))


def test_packs_are_measured_with_the_file_of_the_sweep_if_it_is_there(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0)
    ends = np.arange(40) % 10 == 9
    arrays = {"observations": noise.normal(size=(40, 5)), "actions": noise.uniform(-1, 1, (40, 3)), "terminals": ends}
    np.savez(folders / "mine.npz", rewards=noise.normal(size=40), **arrays)
    tasks = TINY.replace('["toy:grid"]', '["own:mine", "own:lost"]').replace('"sorl", ', "").partition("[agent.sorl")[0]
    file = write(folders, f'pack = "auto"\n{tasks}\n[data]\n"own:mine" = "mine.npz"\n"own:lost" = "lost.npz"\n')
    assert main(["sweep", str(file), "--dry-run", "--probe-seconds", "0.01", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)[-1]["hours"] > 0
    assert "seed(s), 5 x 3)" in printed.err
    assert f"2 of the runs cannot be trained yet: there is no file {folders / 'lost.npz'}" in printed.err


def test_a_rate_is_that_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    def slow(times: int) -> None:
        clock[0] += 0.002 * times

    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    assert probe.rate(slow, 0.05) == pytest.approx(500)


@pytest.mark.parametrize(
    ("rates", "pack"),
    [
        ({1: 10.0, 2: 5.25, 4: 7.5, 5: 6.2}, 4),  # together 10, 10.5, 30 and 31 updates a second
        ({1: 10.0, 2: 5.25, 4: 2.725, 5: 2.0}, 1),  # 10.9 together is no tenth more
        ({1: 10.0, 2: 6.0, 4: 3.2, 5: 2.8}, 5),  # 12, 12.8 and 14 together, each against the best before
    ],
)
def test_seeds_are_packed_only_where_that_is_faster(
    folders: Path, monkeypatch: pytest.MonkeyPatch, rates: dict[int, float], pack: int
) -> None:
    spec = replace(jobs_of(folders, TINY)[0].spec, seeds=(3, 4, 5, 6, 7))
    monkeypatch.setattr(probe, "updates_per_second", lambda spec, *_, seconds: rates[len(spec.seeds)])
    assert probe.best_pack(spec, 5, 3, seconds=0.01) == pack


def test_environments_and_decisions_are_counted(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def seven_a_second(work: Callable[[int], None], _: float) -> float:
        work(2)
        return 7.0

    write_maze(folders / "data" / "official")
    (job,) = jobs_of(folders, PLAYED)
    monkeypatch.setattr(probe, "rate", seven_a_second)
    assert probe.steps_per_second(MAZE, seconds=0.05, lanes=2, workers=1) == 14
    assert probe.decisions_per_second(job.spec, 2, 2, job.cells[0], episodes=6, seconds=0.01) == 21


def test_runs_that_had_finished_are_not_read_again(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = jobs_of(folders, TINY)
    run_sweep(jobs[:1])
    before = statuses(jobs)
    assert [each.state for each in before] == ["finished", *["waiting"] * (len(jobs) - 1)]
    read: list[Job] = []
    monkeypatch.setattr(ledger, "status", lambda job: read.append(job) or Status(job, "training", 4))
    after = statuses(jobs, before)
    assert read == jobs[1:]
    assert after[0] is before[0]
    assert [each.state for each in after[1:]] == ["training"] * len(read)


def test_ray_is_an_extra(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = read_sweep(write(folders, TINY))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install -e '\.\[sweeps\]'"):
        list(on_ray.on_ray([], sweep.ray))
    assert issubclass(MissingExtraError, WorkbenchError)


def test_a_notebook_follows_the_folders(folders: Path) -> None:
    text = TINY.replace("seeds = 2", "seeds = 1")
    file = write(folders, text + "\n[agent.bc.weights]\nlr = [1e-3, 1e30]\n")
    view = SweepView(file, seconds=0.05)
    try:
        assert [each.state for each in view.statuses] == ["waiting"] * 3
        assert "3 runs, 3 waiting" in view.summary.value
        run_sweep(view.jobs)
        until = time.monotonic() + 20
        while "2 finished, 1 failed" not in view.summary.value and time.monotonic() < until:
            time.sleep(0.05)
        assert "2 finished, 1 failed" in view.summary.value
        rows = view.table.value.split("<tr>")[2:]
        assert "stopped being finite" in rows[0]
        assert sum("12 of 12" in row for row in rows) == 2
        assert "aria-label" in view.table.value
    finally:
        view.close()
    view._thread.join(5)
    assert not view._thread.is_alive()


def test_progress_is_drawn_from_the_folders(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = jobs_of(folders, TINY)
    run_sweep(jobs[:1])
    with Watch(jobs, lines=True, force=True):
        run_sweep(jobs)
    drawn = capsys.readouterr().err
    assert "1 of 4 runs" in drawn
    assert "4 of 4 runs" in drawn
    with Watch(jobs, lines=True):
        pass
    assert capsys.readouterr().err == ""
