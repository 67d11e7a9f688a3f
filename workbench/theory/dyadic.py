"""The dyadic intervals of [0, 1]: every step a shortcut model is trained on, as a binary tree in heap order.

With m_disc a power of two, interval 2^i - 1 + j is [j / 2^i, (j + 1) / 2^i]: row i of the tree holds the steps of the
sampler with M = 2^i, and the halves of interval p are 2p + 1 and 2p + 2. Times are counted in units of 1/m_disc.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from workbench.errors import WorkbenchError
from workbench.flow import is_power_of_two


def step_counts(m_disc: int) -> Int[np.ndarray, " step"]:
    """1, 2, 4, …, m_disc. Raises `WorkbenchError` unless that is a power of two."""
    if not is_power_of_two(m_disc):
        raise WorkbenchError(f"m_disc={m_disc} has no levels of halved steps: give a power of two, such as 8.")
    return 2 ** np.arange(m_disc.bit_length())


def intervals(m_disc: int) -> tuple[Int[np.ndarray, " node"], Int[np.ndarray, " node"]]:
    """Start and length of the 2·m_disc - 1 intervals."""
    counts = step_counts(m_disc)
    start = [np.arange(m) * (m_disc // m) for m in counts]
    return np.concatenate(start), np.repeat(m_disc // counts, counts)


def level(m: int) -> slice:
    """The intervals of the sampler with m steps."""
    return slice(m - 1, 2 * m - 1)


def on_grid(m_disc: int) -> Bool[np.ndarray, "step grid"]:
    """Whether k/m_disc (column) is a time of the sampler with M = 2^i steps (row i)."""
    return np.arange(m_disc) % (m_disc // step_counts(m_disc)[:, None]) == 0


def as_grid(values: Float[Array, " node"], m_disc: int) -> Float[Array, "step grid"]:
    """Values of the intervals by level (row i: M = 2^i) and start k/m_disc (column); NaN off that level's grid.

    Of a tree without its last rows, the first rows of the table.
    """
    rows = len(values).bit_length()
    row, column = np.nonzero(on_grid(m_disc)[:rows])
    return jnp.full((rows, m_disc), jnp.nan, values.dtype).at[row, column].set(values)


def preorder(m: int, m_disc: int) -> list[int]:
    """The intervals of `level(m)` and all below, each before its left half, that before the right one."""
    order = []
    waiting = list(range(2 * m - 2, m - 2, -1))
    while waiting:
        node = waiting.pop()
        order.append(node)
        if node < m_disc - 1:
            waiting += [2 * node + 2, 2 * node + 1]
    return order
