"""A rewind forgets what was measured at a setting that it undoes, and no more."""

import numpy as np
import pytest

from tests.unit.live_trainers import DATA, SMALL
from workbench.live.branch import Branch
from workbench.live.history import History
from workbench.live.problems import Probes, Problem
from workbench.live.rounds import Rounds
from workbench.store.spec import make_spec

TASK = "toy:eight_gaussians"


@pytest.fixture(name="branch")
def fixture_branch(monkeypatch) -> Branch:
    """A branch that counts its updates and trains nothing."""
    spec = make_spec(TASK, DATA[0].provenance, preset_name="small", settings=SMALL, batch_size=16)
    branch = Branch.fresh("main", spec, DATA[0])

    def advance(data, steps: int) -> dict[str, float]:
        branch.follow_dials()
        branch.step += steps
        return {"loss": float(branch.step)}

    monkeypatch.setattr(branch, "advance", advance)
    monkeypatch.setattr(branch, "state_at", lambda data, step, on_piece: branch.state)
    return branch


def trained(branch: Branch, steps: int) -> None:
    values = branch.advance(DATA[0], steps)
    branch.history.append(branch.step, values)


def measure(branch: Branch, step: int, value: float) -> None:
    """What an evaluation that began at an update enters, with the dials as they are."""
    branch.enter(step, {"success": value}, branch.rewinds, branch.dials.read()[1])


def measured(branch: Branch, name: str = "success") -> dict[int, float]:
    """Values of a metric by update."""
    columns = branch.history.all()
    values = columns.get(name, np.full(len(branch.history), np.nan))
    return {int(step): float(value) for step, value in zip(columns["step"], values, strict=True) if value == value}


def steer(branch: Branch) -> None:
    """Ten updates with one candidate, ten with 64; success is measured before and after each change."""
    trained(branch, 10)
    measure(branch, 10, 0.25)
    branch.dials.set(n=64)
    trained(branch, 10)
    measure(branch, 20, 0.5)


@pytest.mark.parametrize(
    ("to", "left"),
    [(20, {10: 0.25, 20: 0.5}), (15, {10: 0.25}), (10, {10: 0.25}), (5, {})],
    ids=["nowhere", "after the change", "to the change", "before it"],
)
def test_what_led_to_where_it_goes_is_kept(branch, to, left) -> None:
    steer(branch)
    branch.rewind(DATA[0], to)
    assert measured(branch) == left
    assert branch.dials.read()[1].values["n"] == (64 if to > 10 else 1)


@pytest.mark.parametrize(
    ("to", "left"),
    [(20, {10: 1.0, 20: 0.5}), (11, {10: 1.0}), (10, {})],
    ids=["nowhere", "after the change", "to the change"],
)
def test_a_peak_at_the_change_goes_with_it(branch, to, left) -> None:
    """At update 10 success is measured with 64 candidates, which the next updates have and those before had not."""
    steer(branch)
    branch.dials.set(n=64)
    measure(branch, 10, 1.0)
    branch.rewind(DATA[0], to)
    assert measured(branch) == left
    assert measured(branch, "loss")[10] == 10.0, "what was trained stays"


@pytest.mark.parametrize("to", [12, 10])
def test_a_dial_that_was_turned_back_leaves_no_peak(branch, to) -> None:
    trained(branch, 10)
    branch.dials.set(n=64)
    measure(branch, 10, 1.0)
    branch.dials.set(n=1)
    trained(branch, 5)
    branch.rewind(DATA[0], to)
    assert measured(branch) == {}
    assert not branch.interventions


def test_what_is_measured_again_counts(branch) -> None:
    trained(branch, 10)
    branch.dials.set(n=64)
    measure(branch, 10, 1.0)
    branch.dials.set(n=1)
    measure(branch, 10, 0.25)
    branch.rewind(DATA[0], 10)
    assert measured(branch) == {10: 0.25}


def test_a_probe_that_saw_a_dial_turned_meanwhile_is_forgotten(branch, monkeypatch) -> None:
    rounds = Rounds(Problem.of(TASK, *DATA), {"main": branch})

    def take(self, branch, **_) -> dict[str, float]:
        branch.dials.set(n=64)  # while the chunk was computed
        self.under = branch.dials.read()[1]
        return {"reward": 9.0}

    monkeypatch.setattr(Probes, "due", lambda *_: True)
    monkeypatch.setattr(Probes, "take", take)
    branch.chunk = 3
    rounds._chunk(branch, others=0)
    assert measured(branch, "reward") == {3: 9.0}
    branch.rewind(DATA[0], 3)
    assert measured(branch, "reward") == {}
    assert measured(branch, "loss") == {3: 3.0}


def test_a_row_that_held_nothing_else_is_gone() -> None:
    history = History()
    history.append(3, {"success": 1.0})
    history.append(5, {"success": 0.5, "loss": 2.0})
    left = history.without([(3, ("success",)), (5, ("success",))]).all()
    assert left["step"].tolist() == [5.0]
    assert left["loss"].tolist() == [2.0]
    assert len(History().without([])) == 0
