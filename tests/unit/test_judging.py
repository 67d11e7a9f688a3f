"""Verifiers: what is made of the critics' values, against loops, and that none of their numbers is another program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from workbench.agents.base import judge
from workbench.judging import deviation
from workbench.types import Budget

X, A = jnp.zeros(2), jnp.zeros(1)


def judged(q, verifier: str):
    """The value that a verifier makes of the values `q` of its critics."""
    return judge({"critic": lambda x, a: jnp.asarray(q, jnp.float32)}, Budget.exactly(1, 1, verifier), X, A)


@pytest.mark.parametrize("ensemble", [1, 2, 3, 10])
@pytest.mark.parametrize("k", [0.0, 0.5, 1.0, 2.5])
def test_pessimistic_is_the_mean_less_k_deviations(ensemble, k):
    q = np.random.default_rng(ensemble).normal(size=ensemble).astype(np.float32)
    expected = q.mean() - k * np.sqrt(sum((each - q.mean()) ** 2 for each in q) / ensemble)
    np.testing.assert_allclose(judged(q, f"pessimistic:{k}"), expected, rtol=1e-5, atol=1e-6)


def test_mean_and_min_are_theirs_to_the_bit():
    q = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    for row in q:
        assert judged(row, "mean") == judged(row, "pessimistic:0") == jnp.mean(jnp.asarray(row))
        assert judged(row, "min") == row.min()
        np.testing.assert_allclose(judged(row[:2], "pessimistic"), row[:2].min(), atol=1e-6)


def test_where_critics_agree_the_deviation_has_no_slope():
    slope = jax.grad(deviation)
    assert (slope(jnp.full(3, 0.7)) == 0).all()
    np.testing.assert_allclose(slope(jnp.array([1.0, 3.0])), [-0.5, 0.5])


def test_verifiers_and_their_numbers_share_one_program_and_a_batch_equals_a_loop():
    critics, traces = {"critic": lambda x, a: jnp.stack([a[0], 2 * a[0], x.sum() - a[0]])}, []

    @jax.jit
    def value(budget, a):
        traces.append(budget)
        return judge(critics, budget, X, a)

    a = jnp.linspace(-1, 1, 5)[:, None]
    for text in ("mean", "min", "pessimistic:0.5", "pessimistic:3"):
        budget = Budget.exactly(1, 1, text)
        many = jax.vmap(lambda a, budget=budget: judge(critics, budget, X, a))(a)
        np.testing.assert_allclose([value(budget, each) for each in a], many, atol=1e-6)
    assert len(traces) == 1
