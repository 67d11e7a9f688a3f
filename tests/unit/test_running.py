"""The report under way: rows of a training that was stopped and went on equal those of one that was not."""

import threading
import time
from contextlib import nullcontext
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from tests.faults.test_resume import SETTINGS, random_data
from workbench import experiments
from workbench.experiments import Interrupted, Schedule, train_run
from workbench.store.checkpoint import read_running
from workbench.store.folder import RunFolder
from workbench.store.running import Running
from workbench.store.spec import make_spec
from workbench.train import ChunkReport

SCHEDULE = Schedule(log_every=4, save_every=8)
DATA = random_data()
SPEC = make_spec("toy:grid", DATA.provenance, preset_name="small", steps=12, settings=SETTINGS, batch_size=32)


def run(root: Path) -> pd.DataFrame:
    """Metrics of the training, begun or gone on with."""
    return train_run(SPEC, DATA, DATA, schedule=SCHEDULE, root=root, progress=False).metrics


@pytest.fixture(scope="module", name="whole")
def fixture_whole(tmp_path_factory) -> pd.DataFrame:
    return run(tmp_path_factory.mktemp("whole"))


def piece(*values: float, **others: float) -> ChunkReport:
    """A report of one metric with a value a seed."""
    return ChunkReport({"loss": jnp.array(values), **{name: jnp.array([x] * 2) for name, x in others.items()}}, {})


def test_a_row_is_the_mean_over_all_updates_since_the_last(tmp_path) -> None:
    folder = RunFolder(tmp_path)
    running = Running.resumed(folder, 0)
    running.add([(1, piece(1.0, 3.0)), (3, piece(5.0, 7.0))])
    again = Running(**running.to_json())
    again.add([(4, piece(2.0, 0.0))])
    rows = again.rows(8, (0, 1))
    assert [row["loss"] for row in rows] == [(1 + 15 + 8) / 8, (3 + 21) / 8]
    assert [(row["step"], row["seed"]) for row in rows] == [(8, 0), (8, 1)]
    again.add([(1, piece(9.0, 9.0))])
    assert [row["loss"] for row in again.rows(9, (0, 1))] == [9.0, 9.0]


def test_sums_of_other_metrics_are_not_gone_on_with() -> None:
    running = Running(0.0, 4, {"loss": [4.0, 4.0]})
    running.add([(1, piece(2.0, 2.0, other=3.0))])
    (row, _) = running.rows(5, (0, 1))
    assert (row["loss"], row["other"]) == (2.0, 3.0)


def test_time_goes_on(tmp_path, monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    folder = RunFolder(tmp_path)
    running = Running.resumed(folder, 0)
    now[0] += 7
    assert running.seconds == 7.0
    folder.append_metrics([{"step": 5, "seed": 0, "seconds": 9.5}])
    now[0] = 3.0
    older = Running.resumed(folder, 6)
    now[0] += 1
    assert older.seconds == 10.5, "a checkpoint that does not tell is not before the last row"


@pytest.fixture(name="stop")
def fixture_stop(monkeypatch):
    """Pieces of one update; the training is stopped or killed after the update that the returned list names."""
    plan: list[tuple[int, BaseException | None]] = []
    event, train = threading.Event(), experiments.train_piece

    def one(spec, agent, data, weights, state, steps):
        state, report = train(spec, agent, data, weights, state, steps)
        if plan and int(state.step[0]) == plan[0][0]:
            _, error = plan.pop(0)
            if error:
                raise error
            event.set()
        return state, report

    monkeypatch.setattr(experiments, "PIECE_SECONDS", 1e-9)
    monkeypatch.setattr(experiments, "train_piece", one)
    monkeypatch.setattr(experiments, "stop_request", lambda _: event.clear() or nullcontext(event))
    return plan


@pytest.mark.parametrize(
    "halts",
    [[(1, None), (3, None), (10, None)], [(9, OSError())], [(7, None), (11, OSError())], [(8, None)]],
    ids=["stopped", "killed", "stopped, then killed", "at a checkpoint"],
)
def test_metrics_of_an_interrupted_run_are_those_of_another(tmp_path, whole, stop, halts) -> None:
    for halt in halts:
        stop.append(halt)
        with pytest.raises((Interrupted, OSError)):
            run(tmp_path)
    found = run(tmp_path)
    assert found["seconds"].is_monotonic_increasing
    assert found["seconds"].iloc[0] > 0
    columns = [name for name in whole if name != "seconds"]
    np.testing.assert_allclose(found[columns], whole[columns], rtol=1e-5)
    kept = [read_running(path)["seconds"] for path in RunFolder(tmp_path / SPEC.hash).checkpoints()]
    assert kept[0] < kept[-1]
