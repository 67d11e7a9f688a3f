"""A pool of environments in this process, for tests of what happens around an evaluation."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from workbench.data.catalogue import parse_task
from workbench.evaluate.policy import Choice
from workbench.evaluate.pool import EnvPool
from workbench.evaluate.worker import Start, Trace, table_dtype

SHORTEST = 2


class FakePool(EnvPool):
    """Lanes whose episodes succeed after `SHORTEST` steps and one more for each lane.

    `before` is called with the number of each answer, and may raise; lanes that began an episode are in `begun`.
    """

    before: ClassVar[Callable[[int], object]]
    begun: ClassVar[list[int]]

    def __init__(self, task: str, lanes: int, **_: object) -> None:
        info, _number = parse_task(task)
        self.table = np.zeros(lanes, table_dtype(info.obs, info.act))
        self.length = np.zeros(lanes, int)
        self.orders: deque[tuple[Sequence[int], Mapping[int, Start]]] = deque()
        self.answers = 0

    def send(self, steps: Sequence[int], starts: Mapping[int, Start]) -> None:
        """Take an order."""
        self.begun.extend(starts)
        self.orders.append((list(steps), dict(starts)))

    def receive(self) -> dict[int, Trace]:
        """Answer the oldest order."""
        self.answers += 1
        type(self).before(self.answers)
        steps, starts = self.orders.popleft()
        for lane in steps:
            self.length[lane] += 1
            self.table[lane]["done"] = self.table[lane]["success"] = self.length[lane] >= SHORTEST + lane
        for lane in starts:
            self.length[lane] = 0
        return {}

    def close(self) -> None:
        """Nothing to end."""


def still(x: np.ndarray, keys: object) -> Choice:
    """A policy of five actions that does nothing."""
    return Choice(jnp.zeros((*x.shape[:3], 5)), jnp.zeros(x.shape[:3]), (), ())
