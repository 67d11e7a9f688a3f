"""Effort by state: refined samplers against loops and their ends, one program for all, and who has none."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.unit.scripted import Scripted
from tests.unit.test_flow import growth
from workbench.agents.base import decide
from workbench.agents.sorl import SORL
from workbench.errors import WorkbenchError
from workbench.evaluate.policy import make_controller
from workbench.flow import euler, euler_refined
from workbench.train import one_seed
from workbench.types import Batch, Budget, Decision

X = jnp.zeros(3)
A_0 = 0.35 * jnp.tanh(jax.random.normal(jax.random.key(0), (16, 2)))
EPS = (0.001, 0.01, 0.03, 0.2)


def bent(a_t, t, h, x):
    """No flow: its ends in few and in many steps differ by more the farther a_t is from 0."""
    return jnp.sin(6.0 * a_t + 2.0 * t) * a_t + 0.5 * h * a_t


@jax.jit
def refined(a_0, m, eps):
    return jax.vmap(lambda a: euler_refined(bent, a, X, m, eps))(a_0)


@jax.jit
def plain(a_0, m):
    return jax.vmap(lambda a: euler(bent, a, X, m))(a_0)


@pytest.mark.parametrize("m", [1, 2, 6, 8])
@pytest.mark.parametrize(("eps", "steps"), [(np.inf, 1), (0.0, None), (np.nan, None)])
def test_the_ends_are_one_step_and_all_of_them_to_the_bit(m: int, eps: float, steps: int | None) -> None:
    a, spent = refined(A_0, m, eps)
    np.testing.assert_array_equal(a, plain(A_0, steps or m))
    np.testing.assert_array_equal(spent, steps or m)


@pytest.mark.parametrize("m", [6, 8])
@pytest.mark.parametrize("eps", EPS)
def test_refining_equals_a_loop_over_the_rows(m: int, eps: float) -> None:
    a, spent = refined(A_0, m, eps)
    expected = {k: np.asarray(plain(A_0, k)) for k in (1, 2, 4, m)}
    assert max(abs(each).max() for each in expected.values()) < 1  # no end is clipped
    for i in range(len(A_0)):
        k, r = 1, np.inf
        while r >= eps and k < m:
            finer = min(2 * k, m)
            r, k = np.linalg.norm(expected[finer][i] - expected[k][i]), finer
        assert spent[i] == k
        np.testing.assert_array_equal(a[i], expected[k][i])


def test_a_smaller_eps_spends_more_and_rows_differ() -> None:
    spent = [np.asarray(refined(A_0, 8, eps)[1]) for eps in EPS]
    assert all((fewer <= more).all() for more, fewer in itertools.pairwise(spent))
    assert len(set(spent[1].tolist())) > 1


def test_the_first_residual_is_the_self_consistency_of_the_whole_step() -> None:
    a_0, half = A_0[0], jnp.asarray(0.5)
    v = [bent(a_0, 0.0, 1.0, X), bent(a_0, 0.0, half, X)]
    v.append(bent(a_0 + 0.5 * v[1], half, half, X))
    r = float(jnp.linalg.norm(v[0] - 0.5 * (v[1] + v[2])))
    assert refined(A_0[:1], 8, 1.001 * r)[1].tolist() == [2]
    assert refined(A_0[:1], 8, 0.999 * r)[1][0] > 2


def test_an_exact_shortcut_needs_no_second_look() -> None:
    a, steps = euler_refined(growth(-1.0), A_0[0], X, jnp.asarray(8), jnp.asarray(1e-5))
    assert int(steps) == 2
    np.testing.assert_allclose(a, A_0[0] * np.exp(-1.0), rtol=1e-5)


def test_what_diverges_ends() -> None:
    a, steps = euler_refined(lambda a_t, t, h, x: a_t * jnp.nan, A_0[0], X, jnp.asarray(8), jnp.asarray(0.1))
    assert np.isnan(a).all()
    assert int(steps) == 2


def test_every_eps_is_one_program_and_looks_alike_under_vmap() -> None:
    traces, noise = [], lambda key: 0.3 * jax.random.normal(key, (2,))

    @jax.jit
    def run(budget: Budget) -> tuple[jax.Array, jax.Array]:
        traces.append(1)
        decision = decide(
            lambda key: euler_refined(bent, noise(key), X, budget.m_inf, budget.eps),
            lambda a: -jnp.sum(a**2),
            budget,
            key=jax.random.key(0),
        )
        assert decision.steps is not None
        return decision.candidates, decision.steps

    a_0 = jnp.stack([noise(jax.random.fold_in(jax.random.key(0), i)) for i in range(4)])
    for m, eps in itertools.product((3, 5, 6, 7, 8), (*EPS, np.inf, 0.0, np.nan)):
        a, steps = run(Budget(m, 4, eps=eps))
        alone = [refined(each[None], m, eps) for each in a_0]
        assert steps.tolist() == [int(spent[0]) for _, spent in alone]
        np.testing.assert_allclose(a, np.concatenate([each for each, _ in alone]), atol=1e-6)
    assert len(traces) == 1


@pytest.mark.parametrize("eps", [-1.0, -1e-9, -np.inf, np.float32(-2), jnp.asarray(-0.5)])
def test_an_eps_below_zero_is_refused(eps) -> None:
    with pytest.raises(WorkbenchError, match="eps is a distance between actions, so it cannot be negative, as -"):
        Budget(eps=eps)


@pytest.mark.parametrize("eps", [0.0, 0.1, np.inf])
def test_an_agent_that_is_no_shortcut_has_no_effort_by_state(eps: float) -> None:
    agent = Scripted()
    controller = make_controller(agent, one_seed(agent.states((0,))))
    said = "this agent is no shortcut: leave eps out"
    with pytest.raises(WorkbenchError, match=said):
        controller(np.zeros(2, np.float32), Budget(eps=eps), jax.random.key(0))
    with pytest.raises(WorkbenchError, match=said):
        decide(lambda key: jax.random.normal(key, (2,)), jnp.sum, Budget(eps=eps), key=jax.random.key(0))
    assert controller(np.zeros(2, np.float32), Budget(), jax.random.key(0)).steps is None


def test_a_shortcut_agent_refines_each_candidate_as_the_budget_says() -> None:
    agent, ones = SORL(width=4, depth=1), jnp.ones(2)
    state = agent.init(Batch(X, ones, ones[0], X, ones[0], ones), key=jax.random.key(0))
    controller = make_controller(agent, state)

    def found(m_inf: int, eps: float) -> Decision:
        return controller(np.ones(3, np.float32), Budget(m_inf, 4, eps=eps), jax.random.key(1))

    for off, refined_ in ((found(1, np.nan), found(8, np.inf)), (found(8, np.nan), found(8, 0.0))):
        for mine, its in zip(jax.tree.leaves(off), jax.tree.leaves(refined_), strict=True):
            np.testing.assert_array_equal(mine, its)
    np.testing.assert_array_equal(found(8, 0.0).steps, 8)
    np.testing.assert_array_equal(found(8, 1e6).steps, 2)
