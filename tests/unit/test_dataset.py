"""Datasets on device: rows, successors, bounds, and what they cost."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from workbench.data.dataset import ACTION_LIMIT, Dataset, Provenance
from workbench.errors import DatasetError

HERE = Provenance("arrays", "test")


def rows(n: int = 12, ends: int = 4):
    x = np.arange(n, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    a = np.linspace(-2, 2, n, dtype=np.float32)[:, None]
    return x, a, np.arange(n, dtype=np.float32), np.ones(n, np.float32), np.arange(n) % ends != ends - 1


def test_successors_stay_inside_their_episode():
    data = Dataset.build(*rows(), HERE)
    assert data.size == 9
    batch = jax.vmap(data.transition)(jnp.arange(data.size))
    np.testing.assert_array_equal(batch.x_next[:, 0] - batch.x[:, 0], 1.0)
    assert not np.isin(batch.x[:, 0], [3, 7, 11]).any()
    np.testing.assert_array_equal(batch.r, batch.x[:, 0])


def test_actions_are_clipped():
    data = Dataset.build(*rows(), HERE)
    assert float(jnp.abs(data.a).max()) == np.float32(ACTION_LIMIT)


def test_sampling_reaches_every_transition_and_nothing_else():
    data = Dataset.build(*rows(), HERE)
    seen = np.unique(data.sample(500, key=jax.random.key(0)).x[:, 0])
    np.testing.assert_array_equal(seen, [0, 1, 2, 4, 5, 6, 8, 9, 10])


def test_a_million_antmaze_rows_cost_little_more_than_their_bytes():
    n = 100_000  # the ratio does not depend on the number of rows
    x, a = np.zeros((n, 29), np.float32), np.zeros((n, 8), np.float32)
    zero = np.zeros(n, np.float32)
    data = Dataset.build(x, a, zero, zero, np.arange(n) % 1000 != 999, HERE)
    assert data.nbytes() <= 1.15 * (x.nbytes + a.nbytes)


def test_no_transition_is_refused():
    x, a, r, mask, _ = rows()
    with pytest.raises(DatasetError, match="no transition"):
        Dataset.build(x, a, r, mask, np.zeros(12, bool), HERE)


def test_a_valid_last_row_is_refused():
    x, a, r, mask, _ = rows()
    with pytest.raises(DatasetError, match="last row"):
        Dataset.build(x, a, r, mask, np.ones(12, bool), HERE)


@pytest.mark.parametrize(("which", "label"), [(0, "observations"), (1, "actions"), (2, "rewards")])
def test_nan_is_refused_with_its_row(which, label):
    x, a, r, mask, valid = rows()
    (x, a, r)[which][5] = np.nan
    with pytest.raises(DatasetError, match=f"in its {label}, first in row 5"):
        Dataset.build(x, a, r, mask, valid, HERE)
