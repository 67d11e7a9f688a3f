"""How an action is made of candidates: closed forms and loops, its limits, its text, and one program for all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from workbench.agents.base import decide
from workbench.agents.sorl import SORL
from workbench.data.toy import make_toy
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.evaluate.cell import Cell, protocol_grid
from workbench.selection import SELECTIONS
from workbench.train import init_seeds, one_seed
from workbench.types import Budget, Decision
from workbench.verifiers import DIALS, VERIFIERS, Rule

N, ACT = 7, 3


def decision(verifier: str, n: int = N, n_max: int | None = None, key: int = 0) -> Decision:
    """Normal candidates, whose value is an even function, so that the best is no corner."""
    return decide(
        lambda key: jax.random.normal(key, (ACT,)),
        lambda a: -jnp.sum((a - 0.3) ** 2),
        Budget.exactly(1, n, verifier, n_max),
        key=jax.random.key(key),
    )


@pytest.mark.parametrize("text", ["elite:0.01", "nearest:0.01", "mode:0.01", "weighted:0.001", "soft:0.001"])
def test_in_the_limit_of_a_small_number_all_are_the_best(text):
    for key in range(5):
        np.testing.assert_allclose(decision(text, key=key).a, decision("mean", key=key).a, atol=1e-6)


@pytest.mark.parametrize("text", ["elite:1", "weighted:1e6"])
def test_in_the_other_limit_means_are_those_of_all(text):
    found = decision(text)
    np.testing.assert_allclose(found.a, np.mean(found.candidates, axis=0), atol=1e-5)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.8])
@pytest.mark.parametrize("n", [1, 2, 5, 16])
def test_elite_and_nearest_equal_a_loop(share, n):
    found = decision(f"elite:{share}", n)
    a, q = np.asarray(found.candidates, float), np.asarray(found.q_candidates, float)
    kept = sorted(range(n), key=lambda i: -q[i])[: max(1, int(np.ceil(share * n - 1e-4)))]
    mean = sum(a[i] for i in kept) / len(kept)
    np.testing.assert_allclose(found.a, mean, atol=1e-6)
    np.testing.assert_allclose(found.q, -np.sum((mean - 0.3) ** 2), rtol=1e-5)
    near = min(kept, key=lambda i: float(np.sum((a[i] - mean) ** 2)))
    np.testing.assert_allclose(decision(f"nearest:{share}", n).a, a[near])


def test_soft_draws_as_often_as_its_softmax_says():
    budget = Budget.exactly(1, 4, "soft:0.7")
    candidates, q = jnp.arange(4.0)[:, None], jnp.array([0.0, 1.0, 1.5, -2.0])
    z = (q - q.mean()) / q.std()
    expected = np.exp(z / 0.7) / np.exp(z / 0.7).sum()
    keys = jax.random.split(jax.random.key(0), 4000)
    drawn = jax.vmap(lambda key: SELECTIONS["soft"](candidates, q, jnp.ones(4, bool), budget.dial, key))(keys)
    found = np.bincount(np.asarray(drawn[:, 0], int), minlength=4) / 4000
    np.testing.assert_allclose(found, expected, atol=0.03)
    np.testing.assert_allclose(
        SELECTIONS["weighted"](candidates, q, jnp.ones(4, bool), budget.dial, keys[0])[0],
        expected @ np.arange(4),
        rtol=1e-5,
    )


def test_of_two_modes_the_mean_lies_between_and_the_others_do_not():
    """Five good candidates near 1 and three near -1: the densest place is near 1."""
    places = jnp.array([1.0, 1.02, 0.98, 1.01, 0.99, -1.0, -1.01, -0.99])[:, None]
    q, live, key = jnp.zeros(8), jnp.ones(8, bool), jax.random.key(0)
    made = {name: float(each(places, q, live, jnp.float32(1.0), key)[0]) for name, each in SELECTIONS.items()}
    assert abs(made["elite"]) < 0.3
    assert made["mode"] == pytest.approx(1.0, abs=0.02)
    assert float(jnp.abs(places - made["nearest"]).min()) == 0.0


@pytest.mark.parametrize("text", ["mean", "elite:0.5", "nearest:0.3", "mode:0.5", "weighted:1", "soft:1"])
def test_candidates_beyond_n_do_not_count(text):
    np.testing.assert_allclose(decision(text, 5, 32).a, decision(text, 5).a, atol=1e-6)


def test_gain_and_noise_are_those_of_the_docstring():
    """The mean of the best share moves by the mean of a truncated normal, and keeps 1/(share N) of the noise."""
    n, share, draws = 64, 0.25, 4000
    a = jax.random.normal(jax.random.key(1), (draws, n, 2))
    live, key = jnp.ones(n, bool), jax.random.key(0)
    made = jax.vmap(lambda a: SELECTIONS["elite"](a, a[:, 0], live, jnp.float32(share), key))(a)
    gain = norm.pdf(norm.ppf(1 - share)) / share
    assert float(made[:, 0].mean()) == pytest.approx(gain, abs=0.03)
    assert float(made[:, 1].var()) == pytest.approx(1 / (share * n), rel=0.1)


def test_no_dial_is_another_program_and_a_batch_equals_a_loop():
    data, _ = make_toy("eight_gaussians", rows=100, seed=0)
    agent = SORL(width=8, depth=1, m_disc=4, m_btt=1)
    state = one_seed(init_seeds(agent, data.example(), (0,)))
    traces = []

    @jax.jit
    def act(x, budget, key):
        traces.append(budget)
        return agent.act(state, x, budget, key=key).a

    keys = jax.random.split(jax.random.key(0), 4)
    for text in ("mean", "min elite:0.5", "pessimistic:2 elite:0.25", "pessimistic", "mode", "weighted:2", "soft"):
        budget = Budget.exactly(2, 6, text, n_max=8)
        one = jnp.stack([act(data.x[0], budget, key) for key in keys])
        many = jax.vmap(lambda key, budget=budget: agent.act(state, data.x[0], budget, key=key).a)(keys)
        np.testing.assert_allclose(one, many, atol=1e-5)
    assert len(traces) == 1


@given(st.sampled_from(sorted(VERIFIERS)), st.sampled_from(sorted(DIALS)), st.floats(0.001, 1.0), st.floats(0, 1e9))
def test_a_text_is_parsed_back(verifier, selection, dial, k):
    chosen = Rule(verifier, selection, 1.0 if selection == "best" else dial, k if VERIFIERS[verifier] else 1.0)
    assert Rule.parse(str(chosen)) == chosen


def test_one_choice_has_one_text():
    assert [
        str(Rule.parse(text)) for text in ("mean best", "elite", "mean elite:0.50", "min best", "soft", "pessimistic")
    ] == [*("mean", "elite:0.5", "elite:0.5", "min", "soft:1", "pessimistic:1")]
    assert str(Rule.parse("pessimistic:02.0  elite:.125")) == "pessimistic:2 elite:0.125"
    assert Cell(8, 4, "elite") == Cell(8, 4, "elite:.5")
    assert str(Cell(8, 4, "min elite")) == "M_inf 8, N 4, min elite:0.5"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("elit:0.5", "unknown verifier 'elit:0.5': did you mean elite"),
        ("meen elite", "unknown verifier 'meen': did you mean mean"),
        ("", "unknown verifier ''"),
        ("min mean elite", "is more than a verifier and a selection"),
        ("elite:0", "share of elite must be above 0 and at most 1, not 0"),
        ("elite:1.5", "share of elite must be above 0 and at most 1, not 1.5"),
        ("elite:nan", "share of elite must be above 0 and at most 1, not nan"),
        ("soft:0", "temperature of soft must be above 0, not 0"),
        ("soft:inf", "temperature of soft must be above 0, not inf"),
        ("elite:half", "share of elite must be a number, not 'half'"),
        ("best:2", "selection best has no number"),
        ("min:2", "verifier min has no number: write 'min' alone"),
        ("min mean", "unknown selection 'mean'"),
        ("pessimist:2 elite", "unknown verifier 'pessimist:2': did you mean pessimistic"),
        ("pessimistic:-1", "deviations of pessimistic must be 0 or more, not -1"),
        ("pessimistic:inf elite", "deviations of pessimistic must be 0 or more, not inf"),
        ("pessimistic:nan", "deviations of pessimistic must be 0 or more, not nan"),
        ("pessimistic: elite", "deviations of pessimistic must be a number, not ''"),
    ],
)
def test_what_is_no_choice_is_one_sentence(text, sentence):
    with pytest.raises((WorkbenchError, UnknownNameError), match=sentence):
        protocol_grid("sorl", "cube-single", verifier=text)
    with pytest.raises((WorkbenchError, UnknownNameError), match=sentence) as caught:
        Cell(1, 1, text)
    assert len(str(caught.value).splitlines()) == 1
