"""SORL's setting `splits`: what is drawn and asked, and that leaving it alone changes no run."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.unit.test_flow import growth
from workbench.agents.departures import Departures
from workbench.agents.draws import draw_flow_matching, draw_self_consistency
from workbench.agents.sorl import SORL
from workbench.cli.evaluate import _say_what_extrapolates
from workbench.cost import update_gflop
from workbench.data.dataset import Provenance
from workbench.errors import UnknownNameError, WorkbenchError
from workbench.store.spec import make_spec
from workbench.types import Batch

ROWS = 4000
DATA = Provenance("toy", "gaussian", "0")


@pytest.fixture(scope="module")
def batch() -> Batch:
    a = jax.random.uniform(jax.random.key(0), (ROWS, 2), minval=-1.0)
    ones = jnp.ones(ROWS)
    return Batch(x=jnp.zeros((ROWS, 1)), a=a, r=ones, x_next=jnp.zeros((ROWS, 1)), mask=ones, a_next=a)


@pytest.mark.parametrize("m_disc", [2, 8, 32])
def test_steps_of_any_size_are_made_up_of_steps_that_are_trained(batch: Batch, m_disc: int) -> None:
    fm = draw_flow_matching(batch, m_disc, splits="any", key=jax.random.key(1))
    sc = draw_self_consistency(batch, m_disc, deal=False, splits="any", key=jax.random.key(2))
    assert sc.first is not None
    h, first = np.asarray(sc.h), np.asarray(sc.first)
    assert (np.min(fm.h) >= 0.5 / m_disc) & (np.max(fm.h) <= 1 / m_disc)
    assert (h.min() >= 1 / m_disc - 1e-6) & (h.max() <= 1)
    assert min(first.min(), (h - first).min()) >= 0.5 / m_disc - 1e-6
    for t, size in ((fm.t, fm.h), (sc.t, sc.h)):
        assert (np.min(t) >= 0) & (np.max(t + size) <= 1 + 1e-6)
    np.testing.assert_allclose(
        np.quantile(np.log2(h) / np.log2(m_disc), (0.25, 0.5, 0.75)), (-0.75, -0.5, -0.25), atol=0.05
    )
    np.testing.assert_allclose(np.mean(first / h), 0.5, atol=0.02)


@pytest.mark.parametrize("splits", ["dyadic", "any"])
def test_the_exact_shortcut_of_a_flow_has_no_self_consistency_loss(batch: Batch, splits: str) -> None:
    agent = SORL(splits=splits)
    draw = agent.draw_actor(batch, key=jax.random.key(3))
    s, off = growth(0.7), lambda *asked: growth(0.7)(*asked) + asked[2]
    _, exact = agent.velocity_losses(s, s, batch, draw.fm, draw.sc)
    _, wrong = agent.velocity_losses(off, off, batch, draw.fm, draw.sc)
    assert float(exact) < 1e-9
    assert float(wrong) > 1e-2


def test_samples_of_any_splits_have_every_step_count() -> None:
    agent = SORL(splits="any", m_btt=4)
    x, a_0 = jnp.zeros((8, 1)), jnp.full((8, 2), 0.1)
    draw = agent.draw_critic(Batch(x, a_0, x[:, 0], x, x[:, 0], a_0), key=jax.random.key(0))
    a, m = agent._samples(lambda a_t, t, h, x: a_t, x, draw)
    assert m.tolist() == [4, 4, 3, 3, 2, 2, 1, 1]
    np.testing.assert_allclose(a, np.clip(draw.a_0 * ((1 + 1 / m) ** m)[:, None], -1, 1), rtol=1e-6)
    more, fewer = (update_gflop(SORL(splits=splits), 3, 2, 256) for splits in ("any", "dyadic"))
    assert fewer < more < 1.2 * fewer


def test_a_spec_that_leaves_splits_alone_is_the_spec_it_was() -> None:
    plain, same, other = (
        make_spec("toy:eight_gaussians", DATA, settings=each) for each in ({}, {"splits": "dyadic"}, {"splits": "any"})
    )
    assert "splits" not in json.dumps(plain.to_json())
    assert plain.hash == same.hash != other.hash
    assert dataclasses.replace(other).build_agent() == dataclasses.replace(plain.build_agent(), splits="any")


def test_what_has_no_such_splits_is_refused_in_a_sentence() -> None:
    with pytest.raises(UnknownNameError, match="unknown kind of splits 'diadic': did you mean dyadic"):
        SORL(splits="diadic")
    for name in ("deal_sc", "critic_sees_steps"):
        with pytest.raises(WorkbenchError, match="know powers of two alone: switch them off"):
            SORL(splits="any", departures=Departures(**{name: True}))


@pytest.mark.parametrize(
    ("splits", "m_inf", "unseen"),
    [("dyadic", (1, 3, 8, 16), "3, 16"), ("any", (1, 3, 8, 16, 17), "17"), ("any", (7,), "")],
)
def test_evaluate_names_the_counts_that_were_not_trained(splits, m_inf, unseen, capsys) -> None:
    _say_what_extrapolates(m_inf, {"m_disc": 8, "splits": splits})
    said = capsys.readouterr().err
    assert f"M_inf = {unseen} asks" in said if unseen else not said
