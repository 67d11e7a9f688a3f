"""A controller with a deadline, on a clock that the test turns: what it spends, how often it is late."""

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.unit.scripted import Scripted
from workbench.errors import WorkbenchError
from workbench.evaluate.anytime import CALLS, Anytime, rungs
from workbench.evaluate.policy import make_controller
from workbench.train import one_seed
from workbench.types import Budget, Decision

BUDGET = Budget(8, 32)
DECISION = Decision(jnp.zeros(2), jnp.zeros(()), jnp.zeros((1, 2)), jnp.zeros(1))


class Machine:
    """Decisions that only take time, of a clock that nothing else moves: 20 µs a step of a candidate, and delays."""

    def __init__(self, jitter_ms: float = 0.0, spikes: float = 0.0, spike_ms: float = 0.0) -> None:
        self.now, self.slow, self.spent = 0.0, 1.0, (0, 0)
        self.jitter, self.spikes, self.spike = jitter_ms / 1e3, spikes, spike_ms / 1e3
        self.rng = np.random.default_rng(0)

    def clock(self) -> float:
        return self.now

    def decide(self, x: Any, budget: Any, key: Any) -> Decision:
        self.spent = budget.m_inf, budget.n
        steps = budget.m_inf * budget.n
        delay = self.rng.exponential(self.jitter) if self.jitter else 0.0
        delay += self.spike * self.rng.exponential() if self.rng.random() < self.spikes else 0.0
        self.now += self.slow * (1e-4 + 2e-5 * steps + delay)
        return DECISION

    def controller(self, deadline_ms: float, monkeypatch: pytest.MonkeyPatch) -> Anytime:
        """Without arrays in its budgets, which take longer to make than the whole test."""
        replaced = lambda budget, **changes: SimpleNamespace(**(vars(budget) | changes))  # noqa: E731
        monkeypatch.setattr("workbench.evaluate.anytime.replace", replaced)
        return Anytime(self.decide, deadline_ms, self.clock)


def milliseconds(machine: Machine, controller: Anytime, calls: int, budget: Any = BUDGET) -> np.ndarray:
    found = []
    for _ in range(calls):
        before = machine.now
        controller(None, budget, None)
        found.append(1e3 * (machine.now - before))
    return np.asarray(found)


@pytest.mark.parametrize(
    ("m_inf", "n", "found"),
    [
        (1, 1, [(1, 1)]),
        (8, 1, [(1, 1), (2, 1), (4, 1), (8, 1)]),
        (3, 5, [(1, 1), (2, 1), (3, 1), (3, 2), (3, 4), (3, 5)]),
        (1, 4, [(1, 1), (1, 2), (1, 4)]),
    ],
)
def test_rungs_lead_from_one_step_to_the_budget(m_inf: int, n: int, found: list[tuple[int, int]]) -> None:
    assert rungs(m_inf, n) == found


@pytest.mark.parametrize(
    ("deadline_ms", "spent"), [(0.13, (1, 1)), (0.2, (4, 1)), (0.7, (8, 2)), (2.0, (8, 8)), (50.0, (8, 32))]
)
def test_without_delays_the_largest_budget_is_spent_that_fits(deadline_ms, spent, monkeypatch) -> None:
    machine = Machine()
    controller = machine.controller(deadline_ms, monkeypatch)
    assert milliseconds(machine, controller, 50)[1:].max() <= deadline_ms
    assert machine.spent == spent


@pytest.mark.parametrize(
    ("jitter_ms", "spikes", "spike_ms"), [(0.05, 0.0, 0.0), (0.3, 0.0, 0.0), (0.1, 0.004, 20.0), (0.05, 0.02, 1.0)]
)
def test_at_most_one_in_a_hundred_is_late_and_time_is_used(jitter_ms, spikes, spike_ms, monkeypatch) -> None:
    machine = Machine(jitter_ms, spikes, spike_ms)
    times = milliseconds(machine, machine.controller(5.0, monkeypatch), 2001)[1:]
    assert np.mean(times > 5.0) <= 0.01
    assert np.mean(times) > 0.7  # (8, 4) takes that


def test_a_busy_machine_is_given_smaller_decisions_and_larger_ones_afterwards(monkeypatch) -> None:
    machine = Machine(0.05)
    controller = machine.controller(5.0, monkeypatch)
    milliseconds(machine, controller, 500)
    calm = machine.spent
    machine.slow = 3.0
    busy = milliseconds(machine, controller, 1000)
    assert (busy > 5.0).sum() <= 10
    assert machine.spent[1] < calm[1]
    machine.slow = 1.0
    milliseconds(machine, controller, 1000)
    assert machine.spent == calm


def test_each_budget_is_calibrated_once_on_its_own(monkeypatch) -> None:
    machine = Machine()
    controller = machine.controller(5.0, monkeypatch)
    milliseconds(machine, controller, 2)
    assert len(controller.delays) == 8 * CALLS + 2  # (8, 32) takes longer than the deadline
    ladder = controller.ladders[8, 32]
    milliseconds(machine, controller, 1, Budget(2, 2))
    assert sorted(controller.ladders) == [(2, 2), (8, 32)]
    assert controller.ladders[8, 32] is ladder


@pytest.mark.parametrize("deadline_ms", [0.0, -1.0, np.nan, np.inf])
def test_a_deadline_is_a_positive_number(deadline_ms: float) -> None:
    with pytest.raises(WorkbenchError, match="a deadline is a positive number of milliseconds, not"):
        Anytime(Machine().decide, deadline_ms)


@pytest.mark.parametrize(("deadline_ms", "jitter_ms"), [(0.1, 0.0), (0.3, 1.0)])
def test_a_deadline_shorter_than_one_decision_is_refused(deadline_ms, jitter_ms, monkeypatch) -> None:
    machine = Machine(jitter_ms)
    with pytest.raises(WorkbenchError, match=r"shorter than one decision, which takes .* ms on this machine"):
        machine.controller(deadline_ms, monkeypatch)(None, BUDGET, None)


def test_a_decision_in_time_is_that_of_the_rung_and_the_same_key() -> None:
    agent = Scripted()
    state = one_seed(agent.states((0,)))
    x, key, budget = np.zeros(2, np.float32), jax.random.key(3), Budget(4, 1)
    timed = make_controller(agent, state, deadline_ms=1e5)(x, budget, key)
    plain = make_controller(agent, state)(x, budget, key)
    for mine, its in zip(jax.tree.leaves(timed), jax.tree.leaves(plain), strict=True):
        np.testing.assert_array_equal(mine, its)
