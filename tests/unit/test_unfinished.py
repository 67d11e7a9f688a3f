"""Evaluations that are stopped or fail: what is said, what is kept, and that the same evaluation goes on from it."""

import errno
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.unit.pools import FakePool, still
from tests.unit.problems import random_data
from tests.unit.scripted import Scripted
from tests.unit.test_spec import tiny_spec
from workbench import experiments
from workbench.agents.base import TrainState
from workbench.errors import WorkbenchError
from workbench.evaluate import evaluation
from workbench.evaluate.cell import Cell
from workbench.evaluate.evaluation import Evaluation
from workbench.evaluate.pool import WorkerError
from workbench.experiments import evaluate_run
from workbench.stopping import Interrupted, stop_request
from workbench.store.folder import RunFolder

CELLS = (Cell(1, 1), Cell(2, 1))
ASKED = {"episodes": 3, "max_lanes": 4, "progress": False}


@dataclass
class Played:
    """A run to evaluate in a pool of this process."""

    folder: RunFolder
    monkeypatch: pytest.MonkeyPatch

    def evaluate(self, before: Callable[[int], object] = lambda answers: None, **more: Any) -> Evaluation:
        """Evaluate; `before` may raise, or send a signal, at the n-th answer of a pool."""
        self.monkeypatch.setattr(FakePool, "before", staticmethod(before), raising=False)
        self.monkeypatch.setattr(FakePool, "begun", [], raising=False)
        return evaluate_run(self.folder, CELLS, **(ASKED | more))

    def listed(self) -> dict[int, int]:
        """Episodes of the run's table by steps to an action."""
        evals = self.folder.evals()
        return evals.groupby("m_inf").size().to_dict() if len(evals) else {}


@pytest.fixture(scope="module")
def trained() -> tuple[Scripted, TrainState]:
    """An agent and a state of seeds 0 and 1."""
    return Scripted(), Scripted().states((0, 1))


@pytest.fixture
def played(tmp_path, monkeypatch, trained) -> Played:
    """A run of seeds 0 and 1 with a fresh state."""
    monkeypatch.setattr(evaluation, "EnvPool", FakePool)
    monkeypatch.setattr(evaluation, "make_policy", lambda *_, **__: still)
    monkeypatch.setattr(evaluation, "measure_act_ms", lambda agent, state, cells, obs: dict.fromkeys(cells, 0.5))
    monkeypatch.setattr(experiments, "load_agent", lambda folder, checkpoint: trained)
    monkeypatch.setattr(experiments, "release_programs", lambda: None)
    return Played(RunFolder.create(tmp_path, tiny_spec(random_data())), monkeypatch)


def at(answer: int, number: int):
    """Send this process a signal at an answer of the pool."""
    return lambda answers: os.kill(os.getpid(), number) if answers == answer else None


def failing(answer: int, error: BaseException):
    """Raise at an answer of the pool."""

    def fail(answers: int) -> None:
        if answers == answer:
            raise error

    return fail


WHOLE = {1: 6, 2: 6}
"""Three episodes of two seeds in both budgets."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_answered_at_once_and_ends_after_the_episodes_under_way(played, capfd, number):
    with pytest.raises(Interrupted, match=r"^stopped; 4 of 12 episodes are kept in .*: the same command goes on"):
        played.evaluate(at(2, number))
    assert "stops after the episodes under way; once more to stop now." in capfd.readouterr().err
    assert FakePool.begun == [0, 1, 2, 3], "none was begun afterwards"
    assert played.listed() == {}, "no budget is whole, and parts are no scores"
    found = played.evaluate()
    assert len(FakePool.begun) == 8
    assert played.listed() == WHOLE
    assert [(row["seed"], row["m_inf"], row["episode"]) for row in found.rows] == sorted(
        (seed, m_inf, episode) for seed in (0, 1) for m_inf in (1, 2) for episode in range(3)
    )
    assert not list((played.folder.path / "unfinished").iterdir())


@pytest.mark.parametrize(
    ("error", "answer"),
    [(WorkerError("a worker ended."), 5), (KeyboardInterrupt(), 9), (MemoryError(), 6), (OSError(errno.EIO, "no"), 8)],
)
def test_what_had_ended_is_kept_whatever_ends_the_others(played, caplog, error, answer):
    with pytest.raises(type(error)):
        played.evaluate(failing(answer, error))
    (file,) = (played.folder.path / "unfinished").iterdir()
    kept = len(pd.read_parquet(file))
    assert 0 < kept < 12
    assert f"{kept} of 12 episodes are kept" in caplog.text
    played.evaluate()
    assert len(FakePool.begun) == 12 - kept
    assert played.listed() == WHOLE


def test_budgets_that_are_whole_are_listed_at_once(played):
    with pytest.raises(WorkerError):
        played.evaluate(second_pool(), max_lanes=2)
    assert played.listed() == {1: 6}
    played.evaluate(max_lanes=2)
    assert played.listed() == WHOLE


def second_pool() -> Callable[[int], None]:
    """Fail when a second pool gives its first answer."""
    seen: list[int] = []

    def fail(answers: int) -> None:
        seen.append(answers)
        if seen.count(1) == 2:
            raise WorkerError("in the second group.")

    return fail


@pytest.mark.parametrize("change", [{"success_timing": "pre"}, {"episode_limit": 3}, {"key_seed": 5}, {"record": 1}])
def test_another_evaluation_takes_nothing_of_an_unfinished_one(played, change):
    with pytest.raises(WorkerError):
        played.evaluate(failing(6, WorkerError("a worker ended.")))
    (file,) = (played.folder.path / "unfinished").iterdir()
    played.evaluate(**change)
    assert len(FakePool.begun) == 12
    assert file.exists()


def test_a_signal_that_comes_twice_ends_at_once(played, capfd):
    with pytest.raises(KeyboardInterrupt) as caught:
        played.evaluate(lambda answers: os.kill(os.getpid(), signal.SIGTERM) if answers in (3, 4) else None)
    assert not isinstance(caught.value, Interrupted)
    assert capfd.readouterr().err.count("once more to stop now") == 1


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"\0" * 100])
def test_what_cannot_be_read_is_played_again(played, damage):
    with pytest.raises(WorkerError):
        played.evaluate(failing(6, WorkerError("a worker ended.")))
    (file,) = (played.folder.path / "unfinished").iterdir()
    file.write_bytes(damage)
    played.evaluate()
    assert played.listed() == WHOLE


@pytest.mark.parametrize("number", [errno.EROFS, errno.ESTALE, errno.ENOSPC])
def test_episodes_that_cannot_be_put_where_they_belong_are_put_elsewhere(played, tmp_path, monkeypatch, number):
    monkeypatch.chdir(tmp_path.parent)
    replace = os.replace

    def refuse(answers: int) -> None:
        def refused(source: Path, target: Path) -> None:
            if Path(target).is_relative_to(played.folder.path):
                raise OSError(number, os.strerror(number), str(target))
            replace(source, target)

        monkeypatch.setattr(os, "replace", refused)

    with pytest.raises(WorkbenchError, match=r"the 12 episodes .* could not be added") as caught:
        played.evaluate(refuse)
    file = tmp_path.parent / f"episodes-of-{played.folder.path.name}-0.parquet"
    assert str(file) in str(caught.value)
    monkeypatch.setattr(os, "replace", replace)
    played.folder.add_evals(pd.read_parquet(file))
    assert played.listed() == WHOLE


def test_nothing_is_played_where_the_table_cannot_be_read(played):
    played.folder.evals_file.write_bytes(b"PAR1")
    with pytest.raises(WorkbenchError, match=r"evals.parquet cannot be read"):
        played.evaluate(failing(1, AssertionError()))


def test_blocks_in_each_other_share_a_request_and_leave_the_handlers_as_they_were(capfd):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_request("saves") as outer:
        with stop_request("plays on") as inner:
            os.kill(os.getpid(), signal.SIGTERM)
        assert outer.is_set()
        assert inner is outer
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert capfd.readouterr().err == "\nplays on; once more to stop now.\n"
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    with stop_request("saves") as again:
        assert not again.is_set()


def test_outside_the_main_thread_nothing_is_asked():
    seen: list[bool] = []

    def work() -> None:
        with stop_request("saves") as stop:
            seen.append(stop.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
