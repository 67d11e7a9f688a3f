"""What losses and updates of a user's own return: one number each, or a sentence that names what came instead."""

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.unit.problems import random_data
from workbench.agents.base import TrainState
from workbench.agents.bc import BC
from workbench.agents.returned import metrics, number, stepped
from workbench.agents.terms import TERMS, register_term
from workbench.errors import WorkbenchError
from workbench.nets import Critic
from workbench.train import init_seeds, train_chunk, validate
from workbench.types import LossWeights

DATA, KEY = random_data(), jax.random.key(0)
VECTOR = {"kept": np.zeros(2)}
CALLS: dict[str, Callable] = {
    "update": lambda agent, weights, state: train_chunk(agent, DATA, weights, state, 1, 4),
    "validate": lambda agent, weights, state: validate(agent, DATA, weights, state, 4),
}

LOSSES: dict[str, tuple[Any, str]] = {
    "vector": (jnp.zeros(2), r"an array of shape \(2,\), not a number: take its sum or mean"),
    "one in a vector": (jnp.zeros(1), r"an array of shape \(1,\), not a number"),
    "matrix": (jnp.zeros((2, 3)), r"an array of shape \(2, 3\)"),
    "whole number": (jnp.zeros((), jnp.int32), "a number of type int32, which has no gradient"),
    "flag": (jnp.zeros((), bool), "a number of type bool, which has no gradient"),
    "python's whole number": (0, "a number of type int32, which has no gradient"),
    "complex": (jnp.zeros((), jnp.complex64), "a number of type complex64"),
    "nothing": (None, "nothing, not a number"),
    "pair": ((jnp.zeros(()), {}), "a tuple, not a number"),
    "text": ("0.5", "a str, not a number"),
    "list": ([0.5], "a list, not a number"),
}


@pytest.mark.parametrize("case", LOSSES)
def test_a_loss_is_one_number_of_a_floating_type(case: str):
    value, expected = LOSSES[case]
    with pytest.raises(WorkbenchError, match=f"your loss term 'mine' returns .*{expected}|mine' {expected}"):
        number("your loss term 'mine'", value)


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), jnp.float32(0.5), jnp.bfloat16(0.5)])
def test_numbers_are_taken(value: Any):
    assert float(number("it", value)) == 0.5


REPORTS: dict[str, tuple[Any, str]] = {
    "vector": ({"kept": jnp.zeros(3)}, r"reports 'kept' of shape \(3,\), not a number: report its mean"),
    "text": ({"kept": "all"}, "reports a str as 'kept', not a real number"),
    "nothing": ({"kept": None}, "reports nothing as 'kept'"),
    "complex": ({"kept": jnp.zeros((), jnp.complex64)}, "as 'kept', not a real number"),
    "nested": ({"kept": {"a": 0.5}}, "reports a dict as 'kept'"),
    "no names": ([0.5], "reports a list: report metrics as a dict of numbers by name"),
    "other names": ({0: 0.5}, "report metrics as a dict of numbers by name"),
    "column": ({"seed": 0.5}, "reports 'seed', which is a column of every run already: rename it"),
}


@pytest.mark.parametrize("case", REPORTS)
def test_metrics_are_numbers_by_name(case: str):
    reported, expected = REPORTS[case]
    for method in ("update", "validate"):
        with pytest.raises(WorkbenchError, match=f"^{method} of agent 'mine' .*{expected}"):
            metrics("mine", reported, method)
    assert metrics("mine", {"kept": 1, "all": True, "share": 0.5, "q": jnp.ones(())})["kept"] == 1


STATE = {"w": jnp.zeros(3), "step": jnp.zeros((), jnp.int32)}
RETURNS: dict[str, tuple[Any, str]] = {
    "state alone": (STATE, "returns a dict, not a pair: state, metrics"),
    "three": ((STATE, {}, {}), "returns a tuple, not a pair"),
    "other shape": ((STATE | {"w": jnp.zeros(4)}, {}), r"makes float32 \(4,\) of float32 \(3,\) in state\['w'\]"),
    "other type": ((STATE | {"step": jnp.zeros(())}, {}), r"makes float32 \(\) of int32 \(\) in state\['step'\]"),
    "a part too many": ((STATE | {"b": jnp.zeros(1)}, {}), "returns a state with other parts than it was given"),
    "a part less": (({"w": STATE["w"]}, {}), "returns a state with other parts than it was given"),
}


@pytest.mark.parametrize("case", RETURNS)
def test_an_update_returns_a_state_like_its_own_and_metrics(case: str):
    returned, expected = RETURNS[case]
    with pytest.raises(WorkbenchError, match=f"^update of agent 'mine' {expected}"):
        stepped("mine", STATE, returned)
    assert stepped("mine", STATE, (STATE, {}))[1] == {}


def of_coordinates(actor, critic, row, *, key):
    """One value a coordinate of the action."""
    return row.a**2


@pytest.fixture(name="term")
def fixture_term() -> Iterator[Callable]:
    yield register_term("wide", weight=1.0)
    TERMS.clear()


def test_a_term_that_is_a_vector_of_a_row_is_refused_before_its_mean_is_taken(term: Callable):
    term(of_coordinates)
    batch = jax.vmap(DATA.transition)(jnp.arange(4))
    with pytest.raises(WorkbenchError, match=r"^your loss term 'wide' returns an array of shape \(2,\)"):
        TERMS["wide"].mean(lambda *args: jnp.zeros(2), Critic(3, 2, width=2, depth=1, key=KEY), batch, key=KEY)


@pytest.mark.parametrize("method", CALLS)
def test_training_and_validation_refuse_metrics_that_are_vectors(method: str, monkeypatch):
    def returned(self, state: TrainState, *args: Any, **kwargs: Any) -> Any:
        return (state, VECTOR) if method == "update" else VECTOR

    agent = BC(width=7, depth=1)
    monkeypatch.setattr(BC, method, returned)
    state = eqx.filter_eval_shape(init_seeds, agent, DATA.example(), (0,))
    with pytest.raises(WorkbenchError, match=rf"{method} of agent 'bc' reports 'kept' of shape \(2,\)"):
        eqx.filter_eval_shape(lambda state: CALLS[method](agent, LossWeights(), state), state)


def test_a_loss_of_an_own_agents_network_is_a_number_too(monkeypatch):
    agent = BC(width=6, depth=1)
    for told, expected in ((jnp.zeros(4), "must return a pair"), ((jnp.zeros(4), {}), r"an array of shape \(4,\)")):
        monkeypatch.setattr(BC, "terms", lambda self, told=told: {"actor": lambda *args, **kwargs: told})
        state = eqx.filter_eval_shape(init_seeds, agent, DATA.example(), (0,))
        with pytest.raises(WorkbenchError, match=f"the loss of 'actor' of agent 'bc' .*{expected}"):
            eqx.filter_eval_shape(lambda s: train_chunk(agent, DATA, LossWeights(), s, 1, 4), state)
