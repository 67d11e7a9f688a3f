"""Budgets draw what they say, and what no budget can be is one sentence."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from workbench.errors import UnknownNameError, WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.types import Budget


def test_a_budget_draws_all_its_candidates_unless_told_otherwise():
    assert Budget().n_max == 1
    assert Budget(m_inf=2, n=32).n_max == Budget(n=jnp.asarray(32)).n_max == 32
    assert Budget(n=3, n_max=32).n_max == 32
    budget = Budget.exactly(2, 5, "pessimistic:1.5 elite:0.25")
    assert [float(each) for each in (budget.verifier, budget.k, budget.selection, budget.dial)] == [2, 1.5, 1, 0.25]
    assert jax.tree.leaves(Cell(2, 5, "min").budget()) == jax.tree.leaves(Budget.exactly(2, 5, "min"))
    assert Cell(2, 5).budget().n_max == 5
    assert Cell(2, 5).budget(n_max=8).n_max == 8


def test_another_n_is_no_new_trace_and_keeps_what_is_drawn():
    traces = []

    @jax.jit
    def drawn(budget: Budget) -> jax.Array:
        traces.append(budget.n_max)
        return Budget(n=budget.n, n_max=8).n

    assert [int(drawn(Budget(n=n, n_max=8))) for n in (1, 5, 8)] == [1, 5, 8]
    assert traces == [8]
    assert dataclasses.replace(Budget(n=3, n_max=8), n=7).n_max == 8


@pytest.mark.parametrize(("n", "n_max"), [(32, 1), (0, 4), (-1, None)])
def test_more_candidates_than_are_drawn_are_refused(n, n_max):
    with pytest.raises(WorkbenchError, match=rf"chooses among 1 to n_max = .* candidates, not among n = {n}\."):
        Budget(n=n, n_max=n_max)


def test_how_many_are_drawn_cannot_be_traced():
    with pytest.raises(WorkbenchError, match="whose n is traced needs n_max"):
        jax.jit(lambda n: Budget(n=n).n)(3)


def test_an_unknown_verifier_is_named():
    with pytest.raises(UnknownNameError, match="unknown verifier 'meen': did you mean mean"):
        Cell(1, 1, "meen")
    with pytest.raises(UnknownNameError, match="unknown verifier 'xyz': known: best, elite, in_sample, mean, min"):
        Budget.exactly(1, 1, "xyz")
