"""Selections and verifiers of a user's own: played wherever those of the workbench are, and told apart by source."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from workbench.agents.base import decide, judge
from workbench.agents.choices import check_rule, register_selection, register_verifier, unregister
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.plots.scaling import made_by
from workbench.types import Budget
from workbench.verifiers import OWN, Rule, asks, offered

N = 6


def last(a, q, live, dial, key):
    """The last candidate that counts, times the number."""
    return dial * a[live.sum() - 1]


def first(a, q, live, dial, key):
    """Another source."""
    return dial * a[0]


def widest(q, k):
    """The range of the critics, times the number."""
    return k * (jnp.max(q) - jnp.min(q))


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    for name in tuple(OWN):
        unregister(name)


def decided(text: str, act=decide):
    """A decision among six normal candidates, which three critics judge."""
    nets = {"critic": lambda x, a: jnp.stack([a[0], a[0] ** 2, -a[0]])}
    budget = Budget.exactly(1, N, text, n_max=8)
    value = lambda a: judge(nets, budget, jnp.zeros(1), a)  # noqa: E731
    return act(lambda key: jax.random.normal(key, (2,)), value, budget, key=jax.random.key(0))


def test_they_are_played_with_their_numbers():
    register_selection("last", dial="share")(last)
    register_verifier("widest", number="number")(widest)
    found = decided("widest:-2 last:0.25")
    np.testing.assert_allclose(found.a, 0.25 * found.candidates[N - 1])
    low = np.minimum(-abs(found.candidates[:, 0]), found.candidates[:, 0] ** 2)
    high = np.maximum(abs(found.candidates[:, 0]), found.candidates[:, 0] ** 2)
    np.testing.assert_allclose(found.q_candidates, -2 * (high - low), rtol=1e-5)
    np.testing.assert_allclose(decided("last").a, 0.5 * found.candidates[N - 1])


def test_one_registered_later_is_seen_by_what_was_compiled_before_and_replaced_in_it():
    """A switch knows its branches when it is traced, and takes its last for a place beyond."""
    jitted = jax.jit(lambda budget: decide(lambda key: jax.random.normal(key, (2,)), jnp.sum, budget, key=KEY))
    candidates = jitted(Budget.exactly(1, N, "soft", 8)).candidates
    register_selection("mine", dial="number")(last)
    np.testing.assert_allclose(jitted(Budget.exactly(1, N, "mine:3", 8)).a, 3 * candidates[N - 1])
    register_selection("mine", dial="number")(first)
    np.testing.assert_allclose(jitted(Budget.exactly(1, N, "mine:3", 8)).a, 3 * candidates[0])


KEY = jax.random.key(0)


def test_a_verifier_may_ask_the_in_sample_critic():
    register_verifier("widest", critic="in_sample")(widest)
    nets = {"critic": lambda x, a: jnp.zeros(2), "in_sample": lambda x, a: jnp.array([1.0, 4.0])}
    assert float(judge(nets, Budget.exactly(1, 1, "widest"), jnp.zeros(1), jnp.zeros(1))) == 3.0
    assert asks(Rule.parse("widest").verifier) == "in_sample"
    with pytest.raises(WorkbenchError, match="verifier widest asks a critic that this agent was trained without"):
        check_rule("widest", ["critic"])
    register_verifier("widest")(widest)
    assert float(judge(nets, Budget.exactly(1, 1, "widest"), jnp.zeros(1), jnp.zeros(1))) == 0.0
    with pytest.raises(UnknownNameError, match="unknown critic of the verifier 'widest' 'in_sampel'"):
        register_verifier("widest", critic="in_sampel")


def test_the_text_holds_the_source_and_is_parsed_back():
    register_selection("mine", dial="share")(last)
    register_verifier("widest")(widest)
    then = str(Rule.parse("mine:0.3"))
    assert then == f"mine@{OWN['mine']}:0.3"
    assert Cell(1, 2, "mine:0.3") == Cell(1, 2, then)
    assert str(Rule.parse("widest")) == f"widest@{OWN['widest']} best"
    for text in ("mine", "widest", "widest mine:1", "min mine", "widest elite"):
        assert Rule.parse(str(Rule.parse(text))) == Rule.parse(text)
    assert offered(["mean", then]) == ["mean", then, str(Rule.parse("mine")), str(Rule.parse("widest"))]
    register_selection("mine", dial="share")(first)
    assert str(Rule.parse("mine:0.3")) != then
    with pytest.raises(WorkbenchError, match=r"your selection 'mine' is another version here \(source "):
        Cell(1, 2, then).budget()
    unregister("mine")
    read = Cell(1, 2, f"widest {then}")  # what is only read need not be registered
    assert read.verifier == f"widest@{OWN['widest']} {then}"
    assert then in made_by(then)
    assert then not in offered([then])
    with pytest.raises(WorkbenchError, match="your selection 'mine' is not registered here: run the cell"):
        read.budget()


def test_what_it_uses_may_not_change_behind_it(monkeypatch):
    register_selection("mine", dial="share")(last)
    check_rule("mine", ["critic"])
    monkeypatch.setitem(OWN, "mine", "0" * 8)
    with pytest.raises(WorkbenchError, match="something that your selection 'mine' uses has changed since"):
        check_rule("mine", ["critic"])


def wrong_shape(a, q, live, dial, key):
    return q


def wrong_arguments(a, q):
    return a[0]


@pytest.mark.parametrize(
    ("name", "dial", "function", "sentence"),
    [
        ("elite", None, last, "'elite' is the name of another verifier or selection"),
        ("pessimistic", None, last, "'pessimistic' is the name of another verifier or selection"),
        ("my own", None, last, "a selection needs a name of letters and digits, not 'my own'"),
        ("a:b", None, last, "a selection needs a name of letters and digits, not 'a:b'"),
        ("a@b", None, last, "a selection needs a name of letters and digits, not 'a@b'"),
        ("mine", "shares", last, "unknown kind of number of the selection 'mine' 'shares': did you mean share"),
        ("mine", None, len, "the selection 'mine' must be a function written with `def`"),
        ("mine", None, wrong_shape, r"the selection 'mine' must return one action, float32 of shape \(2,\), not"),
        ("mine", None, wrong_arguments, "the selection 'mine' fails on an example: TypeError: "),
    ],
)
def test_what_cannot_be_registered_is_one_sentence(name, dial, function, sentence):
    with pytest.raises(WorkbenchError, match=sentence) as caught:
        register_selection(name, dial=dial)(function)
    assert len(str(caught.value).splitlines()) == 1
    assert not OWN


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("mine elite", "unknown verifier 'mine': did you mean min"),
        ("lost", "unknown verifier 'lost': .* One of your own must be registered first"),
        ("elite@12345678:0.5", "unknown verifier 'elite@12345678:0.5'"),
        ("mine@123:0.5", "unknown verifier 'mine@123:0.5'"),
        ("mean mine@:0.5", "unknown selection 'mine@:0.5'"),
    ],
)
def test_a_text_that_names_nothing_is_one_sentence(text, sentence):
    with pytest.raises(UnknownNameError, match=sentence) as caught:
        Rule.parse(text)
    assert len(str(caught.value).splitlines()) == 1


def test_a_number_that_its_kind_may_not_be_is_refused():
    register_selection("mine", dial="share")(last)
    with pytest.raises(WorkbenchError, match="the share of mine must be above 0 and at most 1, not 2"):
        Rule.parse("mine:2")
    with pytest.raises(WorkbenchError, match="'mine' is the name of another verifier or selection"):
        register_verifier("mine")(widest)
