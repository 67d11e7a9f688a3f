"""Sweeps in stages, on some of the cores, for some hours; what they say of themselves while they run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.maze_files import MAZE_DATA, write_maze
from tests.unit.sweeping import PLAYED, TINY, write
from workbench.cli.main import main
from workbench.errors import WorkbenchError
from workbench.sweeps.engine import run_sweep
from workbench.sweeps.limits import cores, deadline
from workbench.sweeps.plan import Job, plan
from workbench.sweeps.progress import progress
from workbench.sweeps.regenerated import made_path, next_missing
from workbench.sweeps.spec import SPECS, read_sweep

STAGED = f"""{TINY}
[[stage]]
seeds = [0]
agents = ["sorl"]
[stage.weights]
ql = [1, 3]

[[stage]]
seeds = [0]

[[stage]]
steps = 8
agents = ["bc"]
"""


def jobs_of(folder: Path, text: str) -> list[Job]:
    return plan(read_sweep(write(folder, text)), folder / "runs")


def test_stages_come_in_their_order_and_a_run_that_two_ask_for_is_one(tmp_path: Path) -> None:
    jobs = jobs_of(tmp_path, STAGED + '[[stage]]\nagents = ["bc"]\n')
    told = [(job.spec.agent, job.spec.seeds[0], job.spec.steps, job.spec.weights.get("ql")) for job in jobs]
    first = [("sorl", 0, 12, 1.0), ("sorl", 0, 12, 3.0), ("sorl", 0, 12, 0.1), ("bc", 0, 12, None)]
    assert [each for each in told if each[0] == "sorl"][:2] == first[:2]
    assert told[3:] == [first[3], ("bc", 0, 8, None), ("bc", 1, 8, None), ("bc", 1, 12, None)]
    assert len({job.spec.hash for job in jobs}) == len(jobs) == 7
    sorl = [job for job in jobs if job.spec.agent == "sorl"]
    assert all(job.spec.settings["m_disc"] == 2 for job in sorl), "what all stages share holds in each"


WRONG = {
    "stage = 3": "key 'stage': write each stage as a table",
    "[[stage]]\nsteps = 0": "key 'stage 1.steps': it must be a whole number of at least 1",
    "[[stage]]\n[[stage]]\nstpes = 3": "key in sweep .*'stage 2.stpes'.*did you mean",
    '[[stage]]\nagents = ["bc"]\n[stage.agent.sorl]\nsteps = 3': "a table of an agent that the sweep does not have",
    '[[stage]]\n[stage.make]\n"cube-singel-play-v0" = 3': "did you mean cube-single-play-v0",
    "[[stage]]\n[stage.make]\ncube-single-play-v0 = 0": 'whole number of at least 1, or "official"',
    "[[stage]]\n[stage.evaluation]\ncells = [[1, 0]]": "list of pairs",
    "[[stage]]\n[stage.evaluation]\ncells = [4]": "list of pairs",
    "[[stage]]\n[stage.evaluation]\ncells = [[1, 1]]\nn = 4": "leave m_inf and n out",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_in_a_stage_is_said(tmp_path: Path, text: str) -> None:
    top, stage = (text, "") if text.startswith("stage =") else ("", text)
    with pytest.raises(WorkbenchError, match=WRONG[text]):
        jobs_of(tmp_path, f"{top}\n{TINY}\n{stage}\n")


def test_cells_are_pairs(tmp_path: Path) -> None:
    (job,) = jobs_of(tmp_path, PLAYED.replace("episodes = 2", "episodes = 2\ncells = [[1, 1], [8, 4]]"))
    assert [(cell.m_inf, cell.n) for cell in job.cells] == [(1, 1), (8, 4)]


@pytest.mark.parametrize("file", sorted(SPECS.glob("two_cores*.toml")), ids=lambda file: file.stem)
def test_campaigns_have_one_seed_of_everything_before_the_second_of_anything(tmp_path: Path, file: Path) -> None:
    jobs = plan(read_sweep(file), tmp_path)
    seeds = [job.spec.seeds for job in jobs]
    assert all(len(each) == 1 for each in seeds)
    assert seeds == sorted(seeds)
    assert all(job.evaluation.episodes == 50 and job.cells for job in jobs)


def test_runs_with_data_come_first_then_data_are_made_once_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path / "runs"))
    toy = f'[[stage]]\n[stage.make]\n{MAZE_DATA} = 2\n\n[[stage]]\ntasks = ["toy:grid"]\n'
    file = write(tmp_path, f"{PLAYED}\n{toy}")
    sweep = read_sweep(file)
    made: list[tuple] = []

    def make_dataset(name: str, *, episodes: int | None, workers: int) -> None:
        maze, toy = plan(sweep)
        assert toy.folder.done
        assert maze.problem
        made.append((name, episodes))
        write_maze(made_path(name, episodes).parent)

    monkeypatch.setattr("workbench.data.make.make_dataset", make_dataset)
    assert next_missing(sweep) == (MAZE_DATA, 2)
    for _ in range(2):
        assert main(["sweep", str(file)]) == 0
    assert made == [(MAZE_DATA, 2)]
    assert next_missing(sweep) is None
    maze, _ = plan(sweep)
    assert (maze.data, maze.folder.done) == (made_path(MAZE_DATA, 2), True)
    official = write_maze(tmp_path / "data" / "official")
    assert made_path(MAZE_DATA, None) == official, "an official file is as good as one made at its size"


def test_cores_are_shared_out_and_given_back(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    with cores(1, tmp_path):
        (mine,) = os.sched_getaffinity(0)
        os.sched_setaffinity(0, before)
        if len(before) > 1:
            with cores(1, tmp_path):
                assert mine not in os.sched_getaffinity(0)
        with pytest.raises(WorkbenchError, match="cores are free of other sweeps"), cores(len(before), tmp_path):
            pass
    assert os.sched_getaffinity(0) == before
    for count in (0, len(before) + 1):
        with pytest.raises(WorkbenchError, match=f"--cores must lie between 1 and .* not {count}"), cores(count):
            pass


def test_a_budget_must_be_a_time() -> None:
    for hours in (0.0, -1.0, float("nan")):
        with pytest.raises(WorkbenchError, match="--budget-hours must be above 0"), deadline(hours):
            pass


PROGRAM = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in the background of a shell
from workbench import experiments
slow = experiments.train_chunk
def chunk(*args):
    time.sleep(0.05)
    return slow(*args)
experiments.train_chunk = chunk
from workbench.cli.main import main
sys.exit(main(["sweep", sys.argv[1], "--budget-hours", "0.004", "--cores", "1"]))
"""


def test_when_the_hours_are_over_a_checkpoint_is_kept_and_the_same_command_goes_on(tmp_path: Path) -> None:
    file = write(tmp_path, TINY.replace("steps = 12", "steps = 100000"))
    environment = os.environ | {"WORKBENCH_RUNS": str(tmp_path / "runs")}
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(file)], env=environment, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert b"hours are over. stopped at update" in done.stderr
    job = plan(read_sweep(file), tmp_path / "runs")[0]
    reached = int(job.folder.checkpoints()[-1].stem)
    assert reached > 0
    (row, *_) = progress([job])
    assert (row["state"], row["updates"]) == ("training", f"{reached:,} of 100,000")
    assert row["hours_left"] > 0


def test_status_says_what_is_done_and_when_the_rest_will_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path / "runs"))
    write_maze(tmp_path / "data" / "official")
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "data"))
    file = write(tmp_path, PLAYED.replace("seeds = 1", "seeds = 2"))
    first, _ = plan(read_sweep(file))
    assert [row["hours_left"] for row in progress([first])] == [None], "no run has told its speed"
    run_sweep([first])
    assert main(["sweep", str(file), "--status", "--json"]) == 0
    done, waiting = json.loads(capsys.readouterr().out)
    assert (done["state"], done["hours_left"], done["ready_in_h"]) == ("finished", 0.0, None)
    assert done["success"].endswith("at M_inf 1, N 1")
    assert waiting["state"] == "waiting"
    assert 0 < waiting["hours_left"] == waiting["ready_in_h"] < 1
