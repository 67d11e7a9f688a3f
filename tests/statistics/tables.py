"""Score arrays and episode tables for the tests of statistics."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

SIZES = st.integers(1, 6)
UNIT = st.floats(0, 1).map(lambda value: round(value, 3))
"""Scores in [0, 1] with three decimals, so that ties happen and sums do not lose digits."""


def unit_scores(seeds: st.SearchStrategy[int] = SIZES, tasks: st.SearchStrategy[int] = SIZES):
    """Any (seed, task) array of scores in [0, 1]."""
    return st.tuples(seeds, tasks).flatmap(lambda shape: hnp.arrays(float, shape, elements=UNIT))


def unit_pairs():
    """Two arrays of equal shape."""
    return st.tuples(SIZES, SIZES).flatmap(lambda shape: st.tuples(*[hnp.arrays(float, shape, elements=UNIT)] * 2))


def episodes(outcomes: dict[tuple[str, int, int], list[int]], **columns: object) -> pd.DataFrame:
    """A long table of episodes from {(task, seed, step): successes as 0 and 1}, with further constant columns."""
    rows = [
        {"task": task, "seed": seed, "step": step, "episode": i, "success": bool(success), **columns}
        for (task, seed, step), successes in outcomes.items()
        for i, success in enumerate(successes)
    ]
    return pd.DataFrame(rows)


def scores_table(scores: dict[tuple[str, int], float], **columns: object) -> pd.DataFrame:
    """A `run_scores` table from {(task, seed): score}, with further constant columns."""
    return pd.DataFrame([{"task": t, "seed": s, "score": score, **columns} for (t, s), score in scores.items()])


def normal_scores(seeds: int, tasks: int, seed: int = 0) -> np.ndarray:
    """Standard normal scores."""
    return np.random.default_rng(seed).normal(size=(seeds, tasks))
