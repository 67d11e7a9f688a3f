"""The prediction of what choosing gains: against the selections themselves, and where its optimum lies."""

import jax
import numpy as np
import pytest

from workbench.plots.choosing import choosing
from workbench.theory.choosing import Hill, compared

KEY = jax.random.key(0)


def test_prediction_and_simulation_agree():
    table = compared([Hill(0.3), Hill(0.9)], [32], [0.125, 0.5, 1.0], key=KEY)
    assert list(table["share"][:4]) == [1 / 32, 0.125, 0.5, 1.0]
    np.testing.assert_allclose(table["predicted"], table["simulated"], atol=0.15)
    figure = choosing(table)
    assert [len(axes.lines) > 0 for axes in figure.axes] == [True, True]


def test_the_mean_of_all_gains_nothing_and_the_best_of_one_is_a_candidate():
    hill = Hill(0.5, act=3)
    assert hill.predicted(1.0, 64) == pytest.approx(-0.5 * 2 / 64)
    assert hill.predicted(1.0, 1) == pytest.approx(-0.5 * 2, abs=1e-6)
    assert hill.simulated("mean", 1, key=KEY) == pytest.approx(-0.5 * 3, abs=0.1)


@pytest.mark.parametrize("n", [8, 32, 128])
def test_the_best_share_is_inside_and_grows_as_the_verifier_worsens(n):
    shares = [Hill(cosine).best_share(n) for cosine in (1.0, 0.6, 0.3)]
    assert 1 / n < shares[0] < shares[1] < shares[2] <= 1
    flat = Hill(1.0, curvature=1e-3)
    assert flat.best_share(n) == 1 / n  # where nothing is lost by noise, the best one is best


def test_with_more_candidates_the_best_one_becomes_worse_and_the_half_does_not():
    hill = Hill(0.5)
    best, half = ([hill.predicted(share(n), n) for n in (4, 16, 64, 256)] for share in (lambda n: 1 / n, lambda n: 0.5))
    assert all(np.diff(best) < 0)
    assert all(np.diff(half) > 0)
