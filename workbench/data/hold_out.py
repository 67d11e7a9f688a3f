"""Which episodes are held out where data come without a validation split of their own."""

import numpy as np
from jaxtyping import Bool

from workbench.errors import DatasetError


def hold_out(what: str, episodes: int, val_fraction: float, seed: int) -> Bool[np.ndarray, " episode"]:
    """Whether each episode is held out: a share `val_fraction` of them, drawn from `seed`, at least one on each side.

    Raises `DatasetError`, which begins with `what`, for fewer than two episodes or a share that is not in (0, 1).
    """
    if episodes < 2 or not 0 < val_fraction < 1:
        raise DatasetError(
            f"{what} has {episodes} episode(s), of which a share of {val_fraction:g} cannot be held out: it takes "
            "two episodes and a share between 0 and 1."
        )
    size = min(max(1, round(val_fraction * episodes)), episodes - 1)
    held_out = np.zeros(episodes, bool)
    held_out[np.random.default_rng(seed).permutation(episodes)[:size]] = True
    return held_out
