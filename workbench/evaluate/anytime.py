"""The best decision that is found before a deadline: how much to spend is learned from how long decisions take."""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import jax
import numpy as np

from workbench.errors import WorkbenchError
from workbench.types import Budget, Decision

CALLS = 40
"""Warm decisions of each rung that a calibration times."""
KEPT = 400
"""Delays that are remembered."""
LATE = 2
"""How many of `KEPT` delays may be longer than what is allowed for: half of the one in a hundred that is promised."""

Control: TypeAlias = Callable[[Any, Budget, Any], Decision]
Rung: TypeAlias = tuple[int, int]


def rungs(m_inf: int, n: int) -> list[Rung]:
    """M_inf and N from one candidate in one step up to these: steps are doubled first, then candidates."""
    return [(m, 1) for m in _doubled(m_inf)] + [(m_inf, k) for k in _doubled(n)[1:]]


def _doubled(most: int) -> list[int]:
    """1, 2, 4, … below `most`, and `most`."""
    return [*(2**i for i in range((most - 1).bit_length())), most]


@dataclass
class Ladder:
    """Rungs of one budget that fit before the deadline when the machine is not busy, and their median seconds."""

    rungs: list[Rung] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


class Anytime:
    """A controller that decides within `deadline_ms`, at most one time in a hundred later than that.

    A budget is the most that a decision may cost. Of its `rungs` the highest is taken whose median time fits into the
    deadline beside the delays seen lately: all but `LATE` of the last `KEPT`, whatever their rung. So a machine that
    gets busy is given smaller decisions, and larger ones again once its delays are forgotten. A decision is exactly
    that of `decide` with the rung's m_inf and n and the same key; it cannot be broken off, and one is always made.

    The first decision of a budget, by m_inf and n, compiles its rungs and times them on its own observation
    (calibration), for as long as that takes; it is not one of the hundred. Call it once before time counts.

    Raises `WorkbenchError` for a deadline that is no positive number, and at calibration for one that is shorter than
    one decision: one candidate in one step.
    """

    def __init__(self, decide: Control, deadline_ms: float, clock: Callable[[], float] = time.perf_counter) -> None:
        if not 0.0 < deadline_ms < math.inf:
            raise WorkbenchError(f"a deadline is a positive number of milliseconds, not {deadline_ms:g}.")
        self.decide, self.deadline, self.clock = decide, deadline_ms / 1e3, clock
        self.delays: deque[float] = deque(maxlen=KEPT)
        self.ladders: dict[Rung, Ladder] = {}

    def __call__(self, x: Any, budget: Budget, key: Any) -> Decision:
        """Decide for one observation; see the class."""
        start = self.clock()
        name = int(budget.m_inf), int(budget.n)
        if name not in self.ladders:
            self.ladders[name] = self._calibrated(x, budget, key)
            start = self.clock()
        ladder = self.ladders[name]
        place = self._highest(ladder)
        decision = self._decided(x, budget, ladder.rungs[place], key)
        self.delays.append(self.clock() - start - ladder.seconds[place])
        return decision

    @property
    def allowance(self) -> float:
        """Seconds beyond the median that are allowed for: all but `LATE` in `KEPT` of the delays seen lately."""
        return sorted(self.delays)[-1 - LATE * len(self.delays) // KEPT]

    def _highest(self, ladder: Ladder) -> int:
        """The place of the highest rung that fits beside the allowance, else of the lowest."""
        left = self.deadline - self.allowance
        return max((i for i, seconds in enumerate(ladder.seconds) if seconds <= left), default=0)

    def _calibrated(self, x: Any, budget: Budget, key: Any) -> Ladder:
        ladder = Ladder()
        for rung in rungs(int(budget.m_inf), int(budget.n)):
            self._decided(x, budget, rung, key)
            times = [self._timed(x, budget, rung, key) for _ in range(CALLS)]
            middle = float(np.median(times))
            if middle > self.deadline and ladder.rungs:
                break
            ladder.rungs.append(rung)
            ladder.seconds.append(middle)
            self.delays.extend(each - middle for each in times)
        needed = ladder.seconds[0] + self.allowance
        if needed > self.deadline:
            raise WorkbenchError(
                f"a deadline of {1e3 * self.deadline:.3g} ms is shorter than one decision, which takes "
                f"{1e3 * ladder.seconds[0]:.3g} ms on this machine and one time in 200 {1e3 * needed:.3g} ms or more: "
                "give it longer."
            )
        return ladder

    def _decided(self, x: Any, budget: Budget, rung: Rung, key: Any) -> Decision:
        m_inf, n = rung
        return jax.block_until_ready(self.decide(x, replace(budget, m_inf=m_inf, n=n, n_max=n), key))

    def _timed(self, x: Any, budget: Budget, rung: Rung, key: Any) -> float:
        start = self.clock()
        self._decided(x, budget, rung, key)
        return self.clock() - start
