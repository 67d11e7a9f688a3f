"""What a test of a claim sees, what it returns, and the rule that makes a verdict of it."""

from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from workbench.stats.estimate import Estimate

MARGIN, SHARE = 0.05, 0.1
"""Where a claim says "at least as good", success may be less by five points, and by a tenth of the other side's."""


class Verdict(StrEnum):
    """What our numbers say of a claim."""

    HOLDS = "holds"
    REVERSED = "reversed"
    UNDECIDED = "not decided"
    UNTESTED = "not tested here"


@dataclass(frozen=True)
class Evidence:
    """The tables of all claims; one without rows leaves its claims untested.

    `published` has the columns of `published.aggregates`; `two_cores` those of `studies.campaign.success_cells`;
    `self_consistency_cost` and `mixture_bound` are made by the studies of these names.
    """

    published: pd.DataFrame
    two_cores: pd.DataFrame
    self_consistency_cost: pd.DataFrame
    mixture_bound: pd.DataFrame


@dataclass(frozen=True)
class Finding:
    """What a test found: the difference that decides, in its own unit, and words about it.

    `n` and `scale` say what it rests on; `lacking`, if anything, what the claim speaks of and the tables do not have;
    `reference` is the success of the other side.
    """

    ours: str
    difference: Estimate
    n: str
    scale: str
    lacking: str = ""
    reference: float = 1.0

    @property
    def allowed(self) -> float:
        """What success may be less and still count as no less: so little that failing alike is not enough."""
        return min(MARGIN, SHARE * self.reference)


def decide(low: float, high: float, threshold: float = 0.0, *, whole: bool = True) -> Verdict:
    """The verdict of an interval [low, high] of a difference, of which a claim says that it exceeds `threshold`.

    Holds when the interval lies wholly above the threshold, reversed when wholly below, not decided otherwise, or where
    there is no interval (nan). Where part of what a claim speaks of is missing (`whole` false) it can be reversed,
    but cannot hold.
    """
    if high < threshold:
        return Verdict.REVERSED
    return Verdict.HOLDS if low > threshold and whole else Verdict.UNDECIDED
