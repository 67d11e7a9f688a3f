"""Steps from a state to the next that cannot be right: notes with row numbers, for nothing forbids them."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from workbench.data.findings import NOTE, Finding

APART, MOST, LEAST = 2.0, 0.05, 4.0
"""A jump is twice as far as the farthest other step, four times as far as the median, and at most one step in twenty.

Of sound data of twenty environments one had such steps, a car that runs into a wall.
"""

SHUFFLED, FEWEST, DRAWN = 0.95, 1_000, 10_000
"""Share of the median distance of two rows drawn at random, the fewest steps it takes to say so, and how many pairs."""

MEASURED = 100_000
"""Rows that the standard deviations are of, at most twice as many."""

SHOWN = 5


def check_row_steps(x: Float[np.ndarray, "row obs"], ends: Bool[np.ndarray, " row"]) -> Iterator[Finding]:
    """`check_steps` of trajectories in rows, whose episodes end where `ends` says; none where a value is not finite."""
    last = np.append(ends[:-1], True)
    row = np.flatnonzero(~last)
    if np.isfinite(x).all():
        yield from check_steps(x[row], x[row + 1], row, last[row + 1])


def check_steps(
    x: Float[np.ndarray, "step obs"],
    x_next: Float[np.ndarray, "step obs"],
    row: np.ndarray,
    last: Bool[np.ndarray, " step"],
) -> Iterator[Finding]:
    """Findings on transitions: `row` numbers them in the user's arrays, `last` are those at the end of an episode."""
    if len(x) < 2:
        return
    distance = _distances(x, x_next)
    still = distance == 0
    still[still] = (x[still] == x_next[still]).all(axis=1)
    if still.all():
        yield _note("x' is x in every transition: nothing ever moves", row, "save what came of each row, not the row")
        return
    if (still & last).any() and still.mean() < 0.5:
        what = f"x' is x in the last transition of {(still & last).sum():,} episodes, as if a row were repeated"
        yield _note(what, row[still & last], "leave out the last row where its successor is not known")
    median = float(np.median(distance[distance > 0])) if (distance > 0).any() else 0.0
    far = _standing_apart(distance, median)
    if len(far):
        ratio = distance[far].min() / median
        what = f"{len(far):,} steps are {ratio:.3g} or more times as far as the median one and stand apart from all"
        yield _note(f"{what} others, as where two episodes are joined", row[far], "mark the ends of episodes there")
    one, other = np.random.default_rng(0).integers(len(x), size=(2, DRAWN))
    if len(x) >= FEWEST and median > SHUFFLED * float(np.median(_distances(x[one], x[other]))):
        what = "rows that follow each other are as far apart as rows drawn at random: their order seems lost"
        yield _note(what, row[:1], "save them in the order in which they came")


def _standing_apart(distance: Float[np.ndarray, " step"], median: float) -> np.ndarray:
    """Numbers of the steps above the widest gap among the farthest, where there is one."""
    order = np.argsort(-distance, kind="stable")[: max(2, int(MOST * len(distance)) + 1)]
    farthest = distance[order]
    gaps = farthest[:-1] / np.maximum(farthest[1:], np.finfo(float).tiny)
    k = int(gaps.argmax()) + 1
    return np.sort(order[:k]) if median and gaps[k - 1] >= APART and farthest[k - 1] > LEAST * median else order[:0]


def _distances(x: Float[np.ndarray, "step obs"], x_next: Float[np.ndarray, "step obs"]) -> Float[np.ndarray, " step"]:
    """Root mean square over the coordinates that vary, each in units of its standard deviation."""
    scale = x[:: max(1, len(x) // MEASURED)].std(axis=0)
    moved = (x_next - x) * np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    return np.sqrt(np.einsum("ij,ij->i", moved, moved) / max(1, (scale > 0).sum()))


def listed(rows: np.ndarray) -> str:
    """The first of some row numbers in words."""
    shown = ", ".join(f"{row:,}" for row in rows[:SHOWN]) + (", …" if len(rows) > SHOWN else "")
    return f"row{'s' if len(rows) > 1 else ''} {shown}"


def _note(what: str, rows: np.ndarray, fix: str) -> Finding:
    return Finding(NOTE, what, f"observations, {listed(rows)}", fix)
