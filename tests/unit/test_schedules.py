"""Weights over updates: what a formula says, how it is recorded and refused, and that training follows it exactly."""

import dataclasses
import math
from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.problems import random_data
from workbench import train
from workbench.agents.sorl import SORL
from workbench.errors import WorkbenchError
from workbench.live.snapshot import Settings
from workbench.schedules import Formula, WeightSchedule
from workbench.store.checkpoint import state_hash
from workbench.store.spec import RunSpec, make_spec
from workbench.train import init_seeds, train_chunk
from workbench.types import LossWeights

AGENT = SORL(width=16, depth=1, m_btt=2, m_disc=4)
TASK = "cube-single-play-singletask-task2-v0"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("constant(3)", {0: 3, 10: 3}),
        ("linear(30, 10, 10, 20)", {0: 30, 10: 30, 15: 20, 19: 12, 20: 10, 10**6: 10}),
        ("linear(30, 10, 0, 20)", {0: 30, 5: 25, 20: 10, 21: 10}),
        ("cosine(4, 2, 0, 12)", {0: 4, 4: 2 + 2 * 0.75, 6: 3, 8: 2.5, 12: 2, 99: 2}),
        ("cosine(4, 2, 100, 112)", {0: 4, 99: 4, 100: 4, 106: 3, 112: 2}),
        ("warmup(2, 8)", {0: 0, 2: 0.5, 8: 2, 9: 2}),
        ("steps(3, 5: 10, 6: 0.5)", {0: 3, 4: 3, 5: 10, 6: 0.5, 7: 0.5}),
        ("steps(3)", {0: 3, 7: 3}),
        (" Steps( 3 ,5:10)".replace("S", "s"), {4: 3, 5: 10}),
    ],
)
def test_a_formula_has_the_values_that_it_says(text, values):
    formula = Formula.parse(text)
    schedule = WeightSchedule.of({"ql": formula})
    assert schedule is not None
    for update, value in values.items():
        assert formula.at(update) == pytest.approx(value, rel=1e-12)
        found = schedule.with_weights(LossWeights(), jnp.asarray(update))
        assert float(found.ql) == pytest.approx(value, rel=1e-6)
        assert float(found.fm) == float(LossWeights().fm)


numbers = st.floats(-1e6, 1e6)
counts = st.lists(st.integers(1, 2**31 - 1), min_size=1, max_size=6, unique=True).map(sorted)


@given(counts, st.data())
def test_the_text_of_a_formula_is_read_back(updates, data):
    values = data.draw(st.lists(numbers, min_size=len(updates) + 1, max_size=len(updates) + 1))
    steps = Formula((0, *updates), tuple(values))
    ramp = Formula.parse(f"cosine({values[0]!r}, {values[1]!r}, {updates[0] - 1}, {updates[0]})")
    for formula in (steps, ramp):
        assert Formula.parse(str(formula)) == formula


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ten", "neither a number nor a schedule"),
        ("cosin(1, 2, 0, 3)", "cosine"),
        ("cosine(1, 2, 3)", "takes 4 numbers"),
        ("cosine(1, 2, 5, 5)", "must rise"),
        ("linear(1, 2, 6, 5)", "must rise"),
        ("linear(1, 2, 0.5, 5)", "no count of updates"),
        ("linear(1, 2, -1, 5)", "no count of updates"),
        ("linear(1, 2, 0, 1e300)", "no count of updates"),
        ("linear(1, x, 0, 5)", "'x'"),
        ("linear(1, nan, 0, 5)", "finite"),
        ("warmup(1, 0)", "must rise"),
        ("steps()", "no number"),
        ("steps(1, 5)", "update: value"),
        ("steps(1, 5: 2, 5: 3)", "must rise"),
        ("steps(1, 0: 2)", "must rise"),
        ("steps(1, 5:)", "no number"),
        ("__import__('os')", "takes|schedule"),
    ],
)
def test_what_is_no_formula_is_refused_in_one_sentence(text, words):
    with pytest.raises(WorkbenchError, match=words) as refused:
        make_spec(TASK, random_data().provenance, weights={"ql": text})
    assert "\n" not in str(refused.value)


def test_a_rate_may_not_leave_its_range_on_the_way():
    with pytest.raises(WorkbenchError, match=r"gamma must lie between 0 and 1, not 1\.5"):
        make_spec(TASK, random_data().provenance, weights={"gamma": "steps(0.9, 10: 1.5)"})


def test_a_spec_keeps_the_formula_and_what_it_begins_with():
    data = random_data().provenance
    plain, same = (make_spec(TASK, data, weights={"ql": value}) for value in (3, "constant(3)"))
    assert plain == same
    assert "schedule" not in plain.to_json()
    spec = make_spec(TASK, data, weights={"ql": "cosine( 3,1, 0,10 )", "lr": "warmup(1e-3, 5)"})
    assert spec.schedule == {"lr": "linear(0.0, 0.001, 0, 5)", "ql": "cosine(3.0, 1.0, 0, 10)"}
    assert (spec.weights["ql"], spec.weights["lr"]) == (3.0, 0.0)
    assert spec.hash not in (plain.hash, make_spec(TASK, data, weights={"ql": "cosine(3, 1, 0, 11)", "lr": 0.0}).hash)
    assert RunSpec.from_json(spec.to_json()) == spec
    with pytest.raises(WorkbenchError, match="must be one number"):
        Settings.of(spec)


def test_training_follows_a_schedule_at_each_update_however_it_is_cut():
    data, weights = random_data(), LossWeights()
    schedule = WeightSchedule.of({"ql": Formula.parse("cosine(9, 1, 1, 5)"), "lr": Formula.parse("steps(1e-3, 4: 0)")})
    by_hand = init_seeds(AGENT, data.example(), (0, 1))
    for update in range(6):
        ql = float(Formula.parse("cosine(9, 1, 1, 5)").at(update))
        now = dataclasses.replace(weights, ql=ql, lr=1e-3 if update < 4 else 0.0)
        by_hand, _ = train_chunk(AGENT, data, now, by_hand, 1, 16)
    cut = []
    for lengths in ((6,), (1, 3, 2)):
        state = init_seeds(AGENT, data.example(), (0, 1))
        for steps in lengths:
            state, _ = train_chunk(AGENT, data, weights, state, steps, 16, schedule)
        cut.append(state)
    assert state_hash(cut[0]) == state_hash(cut[1])
    for one, other in zip(*(train.jax.tree.leaves(each.nets) for each in (cut[0], by_hand)), strict=True):
        if hasattr(one, "dtype"):
            np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_numbers_of_a_schedule_are_no_other_program(monkeypatch):
    traces, inner = 0, train._one_seed

    def counting(*args):
        nonlocal traces
        traces += 1
        return inner(*args)

    monkeypatch.setattr(train, "_one_seed", counting)
    data = random_data()
    state = init_seeds(AGENT, data.example(), (7,))
    for text in ("steps(1, 2: 3)", "cosine(3, 1, 0, 5)", "linear(1, 2, 0, 9)", "steps(2, 9: 1)"):
        train_chunk(AGENT, data, LossWeights(), state, 1, 17, WeightSchedule.of({"ql": Formula.parse(text)}))
    assert traces == 1


def test_values_between_knots_lie_between_theirs():
    formula = Formula.parse("cosine(4, -2, 3, 17)")
    values = [formula.at(update) for update in range(25)]
    assert all(a >= b for a, b in pairwise(values))
    assert (max(values), min(values)) == (4, -2)
    assert math.isclose(values[10], 1)
