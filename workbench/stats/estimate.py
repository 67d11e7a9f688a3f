"""What a statistic returns, and what it accepts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from workbench.errors import WorkbenchError

Statistic: TypeAlias = Callable[
    [Float[np.ndarray, "*batch seed task"]], Float[np.ndarray, "*batch"] | Float[np.floating, ""]
]
"""One number from the scores of `seed` runs of each `task`; leading axes are resamples and stay."""


class ScoresError(WorkbenchError):
    """Scores, or a table of them, that a statistic cannot be computed from."""


@dataclass(frozen=True)
class Estimate:
    """A number, its interval, what it rests on and what the interval is.

    `n` counts independent observations: runs (seeds x tasks), pairs of runs, or episodes, as `kind` says. Where one run
    a task leaves nothing to resample, `low` and `high` are nan and `kind` says so.
    """

    value: float
    low: float
    high: float
    n: int
    kind: str


def check_scores(scores: np.ndarray) -> None:
    """Raise `ScoresError` unless `scores` is a filled, finite array of shape (seed, task)."""
    if scores.ndim != 2 or scores.size == 0:
        raise ScoresError(
            f"scores have shape {scores.shape}: give an array of shape (seed, task), one score a run; "
            "score_matrix makes it from a table."
        )
    broken = int((~np.isfinite(scores)).sum())
    if broken:
        raise ScoresError(f"{broken} of {scores.size} scores are not finite: leave those runs out, or make them again.")
