"""Runs that are killed, interrupted or diverge: nothing is lost, and the end is the same bit for bit."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.problems import random_data
from workbench.errors import DivergedError, WorkbenchError
from workbench.experiments import Schedule, train_run
from workbench.store.folder import RunFolder
from workbench.store.spec import RunSpec, make_spec

STEPS, SAVE = 400, 40
SETTINGS = {"width": 16, "depth": 1, "m_btt": 2, "m_disc": 4}
SCHEDULE = Schedule(log_every=20, save_every=SAVE)

PROGRAM = """
import time
from pathlib import Path
import sys
from tests.faults.test_resume import run
from workbench import experiments
experiments.PIECE_SECONDS = 0.02
slow = experiments.train_chunk
def chunk(*args):
    time.sleep(0.01)
    return slow(*args)
experiments.train_chunk = chunk
run(Path(sys.argv[1]))
"""


def small_spec() -> RunSpec:
    data = random_data().provenance
    return make_spec("toy:grid", data, preset_name="small", steps=STEPS, settings=SETTINGS, batch_size=32)


def run(root: Path):
    data = random_data()
    return train_run(small_spec(), data, data, schedule=SCHEDULE, root=root, progress=False)


def start(root: Path) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(root)], stderr=subprocess.PIPE, text=True)


def reached(root: Path) -> int:
    return max((int(path.stem) for path in root.glob("*/ckpt/*.ckpt")), default=0)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> tuple[str, list[dict]]:
    record = run(tmp_path_factory.mktemp("whole"))
    return final_hash(record.path), [json.loads(line) for line in open(record.path / "metrics.jsonl")]


def final_hash(path: Path) -> str:
    return json.loads((path / "DONE").read_text())["state_sha256"]


def test_killed_at_random_moments_it_ends_in_the_same_state(tmp_path, uninterrupted):
    rng, before = random.Random(0), 0
    for _ in range(3):
        process = start(tmp_path)
        while process.poll() is None and reached(tmp_path) <= before:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert reached(tmp_path) >= before
        before = reached(tmp_path)
    record = run(tmp_path)
    assert final_hash(record.path) == uninterrupted[0]
    steps = record.metrics["step"].tolist()
    assert steps == [row["step"] for row in uninterrupted[1]]


def test_ctrl_c_leaves_a_checkpoint_of_the_step_it_reached(tmp_path, uninterrupted):
    process = start(tmp_path)
    while process.poll() is None and reached(tmp_path) == 0:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "stopped at update" in errors
    assert not list(tmp_path.glob("*/DONE"))
    record = run(tmp_path)
    assert final_hash(record.path) == uninterrupted[0]


def test_a_finished_run_returns_at_once(tmp_path):
    record = run(tmp_path)
    written = {path: path.stat().st_mtime_ns for path in record.path.iterdir()}
    start_time = time.perf_counter()
    again = run(tmp_path)
    assert again.done
    assert again.env["versions"]["jax"]
    assert time.perf_counter() - start_time < 2
    assert {path: path.stat().st_mtime_ns for path in record.path.iterdir()} == written


def test_a_second_process_does_not_say_what_trains_the_run(tmp_path):
    folder = RunFolder.create(tmp_path, small_spec())
    with folder.lock(), pytest.raises(WorkbenchError, match="another process is training this run"):
        run(tmp_path)
    assert folder.env == {}


def test_divergence_names_the_step_the_term_and_the_checkpoint(tmp_path):
    data = random_data()
    spec = make_spec(
        "toy:grid", data.provenance, preset_name="small", steps=200, settings=SETTINGS, weights={"lr": 1e30}
    )
    with pytest.raises(DivergedError, match=r"stopped being finite at update \d+ in .*loss.*; .*checkpoint"):
        train_run(spec, data, data, schedule=Schedule(log_every=1, save_every=1), root=tmp_path, progress=False)
    assert not list(tmp_path.glob("*/DONE"))


class Disk:
    """Counts the flushes to disk, and refuses those from the `full_at`-th on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, full_at: float = float("inf")) -> None:
        self.flushes, flush = 0, os.fsync

        def fsync(descriptor: int) -> None:
            self.flushes += 1
            if self.flushes >= full_at:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            flush(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("part", [0, 0.02, 0.5, 0.95, 1])
def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch, part):
    """From the first write (`spec.json`) to the last (`DONE`, whose folder is flushed after it)."""
    with monkeypatch.context() as patch:
        disk = Disk(patch)
        run(tmp_path / "roomy")
    with monkeypatch.context() as patch:
        Disk(patch, full_at=1 + round(part * (disk.flushes - 2)))
        with pytest.raises(WorkbenchError, match=r"no space is left on the disk of .*: free some and run the same"):
            run(tmp_path / "full")
    assert run(tmp_path / "full").done
