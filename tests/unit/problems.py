"""Small problems with known answers, shared by the tests."""

import numpy as np

from workbench.data.dataset import Dataset, Provenance


def random_data(rows: int = 400, obs: int = 3, act: int = 2, seed: int = 0) -> Dataset:
    """Noise with the shape of a dataset."""
    rng = np.random.default_rng(seed)
    return Dataset.build(
        rng.normal(size=(rows, obs)).astype(np.float32),
        rng.uniform(-1, 1, (rows, act)).astype(np.float32),
        -np.ones(rows, np.float32),
        (rng.uniform(size=rows) > 0.1).astype(np.float32),
        np.arange(rows) % 20 != 19,
        Provenance("arrays", "noise", sha256=str(seed)),
    )


def two_step_data(rows: int = 3000, seed: int = 0) -> Dataset:
    """A two-step episode: x = −1, then x = 1, then the end; the second action earns 1 where it is positive.

    Actions are uniform. With discount γ: Q*(1, a) = 1[a > 0] and Q*(−1, a) = γ for every a.
    """
    rng = np.random.default_rng(seed)
    x = np.tile(np.array([-1.0, 1.0, 0.0], np.float32), rows)[:, None]
    a = rng.uniform(-1, 1, (3 * rows, 1)).astype(np.float32)
    second = x[:, 0] == 1.0
    r = (second & (a[:, 0] > 0)).astype(np.float32)
    mask = (~second).astype(np.float32)
    return Dataset.build(x, a, r, mask, x[:, 0] != 0.0, Provenance("arrays", "two steps"))
