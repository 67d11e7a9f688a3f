"""The branches of a trainer, and the round in which each that is active trains one chunk on the one device."""

import json
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from workbench.errors import UnknownNameError, WorkbenchError
from workbench.live.branch import KEPT_BYTES, Branch
from workbench.live.problems import Probes, Problem
from workbench.live.thread import Loop

CHUNK_SECONDS = (0.02, 0.035, 0.05)
"""Least, aimed at, and most seconds of one call on the device: a moved control takes effect after it."""

FOREVER = 2**31


class Rounds:
    """Trains branches in turn. What makes or trains a branch belongs to the thread, the rest may be used anywhere."""

    def __init__(self, problem: Problem, branches: dict[str, Branch]) -> None:
        self.problem, self.branches = problem, branches
        self.selected = next(iter(branches))
        self.measured = Probes(problem)
        self.goals: dict[str, int] | None = None
        self.compile_seconds: float | None = None
        self._programs: set[str] = set()
        self._speed: deque[tuple[float, int]] = deque(maxlen=64)
        self._share_memory()

    @property
    def updates_per_second(self) -> float:
        """Updates of all branches over the last chunks."""
        speed = list(self._speed)
        if len(speed) < 2:
            return 0.0
        return sum(steps for _, steps in speed[1:]) / max(1e-9, speed[-1][0] - speed[0][0])

    def aim(self, steps: int | None) -> None:
        """Have every branch train `steps` updates further, or without end."""
        self._speed.clear()
        self.goals = None if steps is None else {each.name: each.step + steps for each in list(self.branches.values())}

    def named(self, name: str | None) -> Branch:
        """A branch, by default the selected one; raises `UnknownNameError`."""
        name = self.selected if name is None else name
        if name not in self.branches:
            raise UnknownNameError("branch", name, self.branches)
        return self.branches[name]

    def add(self, branch: Branch) -> Branch:
        """Take a new branch in, and select it."""
        self.branches[branch.name] = branch
        self.selected = branch.name
        self._share_memory()
        return branch

    def forget(self) -> None:
        """Let go of all states that branches keep to go back to, but for update 0."""
        for branch in list(self.branches.values()):
            branch.kept = branch.kept.until(0)

    def _share_memory(self) -> None:
        """One budget of bytes for what all branches keep."""
        for branch in list(self.branches.values()):
            branch.kept.fit(branch.state, KEPT_BYTES // len(self.branches))

    def new_name(self, asked: str | None, proposed: str) -> str:
        """The name asked for, or a new one like that proposed; raises `WorkbenchError` where the first is taken."""
        if asked in self.branches:
            raise WorkbenchError(f"there is a branch '{asked}' already: choose another name.")
        names = [proposed, *(f"{proposed} ({i})" for i in range(2, len(self.branches) + 2))]
        return asked or next(name for name in names if name not in self.branches)

    def fork(self, branch: Branch, step: int | None, name: str | None, check: Callable[[], None]) -> Branch:
        """A second branch from `step` of one, by default from where it is; `check` may raise while that is made."""
        at = branch.step if step is None else step
        new = self.new_name(name, f"{branch.name} from {at}")
        return self.add(branch.fork(self.problem.train, at, new, lambda _: check()))

    def vary(self, branch: Branch, name: str | None, settings: dict[str, Any]) -> Branch:
        """A new branch from update 0, with other static settings than one has."""
        new = self.new_name(name, ", ".join(f"{key}={value}" for key, value in settings.items()))
        return self.add(branch.vary(self.problem.train, new, settings))

    def take(self, loop: Loop) -> bool:
        """One chunk of every branch whose turn it is, until the loop wants no more; returns whether any is left."""
        waiting = [each for each in list(self.branches.values()) if self._left(each) > 0]
        for branch in waiting:
            self._compile(branch, loop)
            if not loop.wanted:
                return True
            if branch.follow_dials():
                loop.tell("running")  # so that the change is shown while the chunk that it changes is computed
            self._chunk(branch, others=len(waiting) - 1)
        if any(self._left(each) > 0 for each in waiting):
            return True
        self.look()
        return False

    def look(self) -> None:
        """Show what a control does to the picture while nothing trains."""
        branch = self.named(None)
        if self.measured.stale(branch):
            self.measured.take(branch, shown=True)

    def _chunk(self, branch: Branch, *, others: int) -> None:
        steps = min(branch.chunk, self._left(branch))
        start = time.perf_counter()
        values = branch.advance(self.problem.train, steps)
        now = time.perf_counter()
        branch.chunk = tuned(steps, now - start, branch.chunk)
        self._speed.append((now, steps))
        if self.measured.due(branch) or not self._left(branch):  # where it rests its curves end in a value
            probed = self.measured.take(branch, shown=branch.name == self.selected, others=others)
            branch.measured_under(self.measured.under or branch.settings, branch.step, probed)
            values |= probed
        branch.history.append(branch.step, values)

    def _left(self, branch: Branch) -> int:
        """Updates a branch still has to make."""
        if not branch.active:
            return 0
        return FOREVER if self.goals is None else self.goals.get(branch.name, branch.step) - branch.step

    def _compile(self, branch: Branch, loop: Loop) -> None:
        """Compile what a branch needs, if none before it did, and note the seconds."""
        spec = branch.spec
        program = json.dumps([spec.agent, spec.settings, spec.batch_size, len(spec.seeds)], sort_keys=True)
        if program in self._programs:
            return
        loop.tell("compiling")
        start = time.perf_counter()
        branch.compile(self.problem.train)
        for _ in range(2):  # the second tells what a probe costs once it is compiled, and so how often it may come
            self.measured.take(branch, shown=branch.name == self.selected)
        self.compile_seconds = time.perf_counter() - start
        self._programs.add(program)
        loop.tell("running")


def tuned(steps: int, seconds: float, chunk: int) -> int:
    """The next chunk's length, after `steps` updates took `seconds`; the same while that is within `CHUNK_SECONDS`."""
    least, aim, most = CHUNK_SECONDS
    if least <= seconds <= most or (steps < chunk and seconds < least):
        return chunk
    return max(1, min(int(aim * steps / seconds), 2 * chunk))
