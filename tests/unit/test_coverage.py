"""Mode coverage of samples whose shares are known, and saturation by hand."""

import jax
import numpy as np
import pytest

from workbench.data.dataset import ACTION_LIMIT
from workbench.data.toy.mixture import Mixture, ring_of_modes, tilted_modes
from workbench.errors import WorkbenchError
from workbench.theory.coverage import mode_coverage, saturation


def drawn(mixture: Mixture, n: int = 20_000) -> np.ndarray:
    return np.asarray(jax.vmap(lambda key: mixture.sample(key=key))(jax.random.split(jax.random.key(0), n)))


@pytest.mark.parametrize("mixture", [ring_of_modes(8), tilted_modes()], ids=["ring", "tilted"])
def test_the_mixture_covers_itself(mixture):
    found = mode_coverage(mixture, drawn(mixture))
    assert found.n == 20_000
    assert found.covered() == found.covered(0.9) == 1.0
    assert found.outside == pytest.approx(0.01, abs=0.003)
    assert found.share.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(found.share, found.expected, atol=0.015)


def test_lost_modes_are_counted():
    """Three of eight modes, evenly: 3/8 covered, each with a third of the sample."""
    mixture = ring_of_modes(8)
    found = mode_coverage(mixture, np.repeat(np.asarray(mixture.mean)[:3], 10, axis=0))
    assert found.covered() == found.covered(1.0) == 3 / 8
    assert found.outside == 0.0
    np.testing.assert_allclose(found.share, [*[1 / 3] * 3, *[0] * 6])


def test_a_few_stray_samples_cover_nothing():
    mixture = ring_of_modes(4)
    a = np.concatenate([np.tile(mixture.mean[0], (997, 1)), np.asarray(mixture.mean[1:])])
    assert mode_coverage(mixture, a).covered() == 0.25
    assert mode_coverage(mixture, a).covered(least=1e-3) == 1.0


def test_between_the_modes_is_outside():
    mixture = ring_of_modes(8)
    found = mode_coverage(mixture, np.zeros((5, 2)))
    assert found.outside == 1.0
    assert found.covered() == 0.0


def test_modes_are_ellipses():
    """2.9 standard deviations along an axis are inside the 99 % ellipse (3.03), 3.1 are not."""
    mixture = tilted_modes()
    axis = np.asarray(mixture.axes[0])[:, 1] * float(mixture.scale[0, 1])
    a = np.asarray(mixture.mean[0]) + np.array([[2.9], [3.1]]) * axis
    np.testing.assert_allclose(mode_coverage(mixture, a).share, [0.5, 0, 0, 0.5])


def test_no_sample_is_refused():
    with pytest.raises(WorkbenchError, match="empty sample"):
        mode_coverage(ring_of_modes(3), np.zeros((0, 2)))


def test_saturation_counts_each_dimension_at_both_limits():
    a = np.array([[1.0, 0.0], [-1.0, 0.99], [ACTION_LIMIT, -ACTION_LIMIT], [0.5, 0.5]], np.float32)
    np.testing.assert_allclose(saturation(a), [0.75, 0.25])
    np.testing.assert_allclose(saturation(a.reshape(2, 2, 2)), [0.75, 0.25])
