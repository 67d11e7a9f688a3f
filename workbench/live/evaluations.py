"""Success while training goes on: episodes of a branch as it is, played in a thread and in processes of their own."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future, wait
from dataclasses import dataclass
from typing import Any

from workbench.agents.base import TrainState
from workbench.data.catalogue import parse_task
from workbench.errors import WorkbenchError, sentence
from workbench.evaluate.cell import Cell
from workbench.evaluate.evaluation import play
from workbench.evaluate.lanes import LaneBook, Plan
from workbench.evaluate.policy import Policy, make_policy
from workbench.evaluate.pool import EnvPool
from workbench.live.branch import Branch
from workbench.live.snapshot import Settings
from workbench.live.thread import BUSY, Halted, Loop
from workbench.processes import usable_cores
from workbench.stats.estimate import Estimate
from workbench.stats.intervals import success_rate

EVERY = 30.0
"""Seconds from one round of evaluations to the next, where a panel asks for them."""

EPISODES = 10
"""Episodes of an evaluation, unless told otherwise."""

LANES = 16
"""Most environments of an evaluation; one of a manipulation task takes 60 MB, and all are kept for the next."""


class Arena:
    """Environments of one task in worker processes that are kept from one evaluation to the next, until `close`.

    They leave one core to training, where there are two.
    """

    def __init__(self, task: str) -> None:
        self.task = task
        self._lock = threading.Lock()
        self._pool: EnvPool | None = None
        self._made_for: tuple[int, int | None] = (0, None)

    def play(self, policy: Policy, plan: Plan, limit: int | None, check: Callable[[], None]) -> list[dict[str, Any]]:
        """Rows of all episodes of a plan, none longer than `limit` steps; `check` may raise between two steps."""
        book = LaneBook(plan, LANES)
        with self._lock:
            try:
                pool = self._prepare(book.lanes, limit)
                play(policy, book, pool, lambda _: check())
            except BaseException:
                self._shut()  # answers are on their way that nobody waits for
                raise
        return book.results()[0]

    def close(self) -> None:
        """End the processes; an evaluation in progress ends first."""
        with self._lock:
            self._shut()

    def _prepare(self, lanes: int, limit: int | None) -> EnvPool:
        if self._pool is None or self._made_for != (lanes, limit):
            self._shut()
            workers = max(1, usable_cores() - 1)
            self._pool = EnvPool(self.task, lanes, workers=workers, episode_limit=limit)
            self._made_for = (lanes, limit)
        return self._pool

    def _shut(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()


@dataclass(frozen=True)
class Moment:
    """A branch as it was when it was looked at; it may train on, for the arrays of a state never change."""

    branch: Branch
    rewinds: int
    state: TrainState
    settings: Settings

    @property
    def cell(self) -> Cell:
        """The budget that its controls show."""
        values = self.settings.values
        return Cell(int(values["m_inf"]), int(values["n"]), str(values["verifier"]))

    @classmethod
    def of(cls, branch: Branch) -> "Moment":
        """A branch now; may be called in any thread."""
        rewinds, settings = branch.rewinds, branch.dials.read()[1]
        return cls(branch, rewinds, branch.state, settings)


class Evaluations:
    """Evaluates branches beside their training; attributes may be set, and methods called, in any thread.

    `every` is None, or the seconds from one round over all active branches to the next; a last round follows when
    training pauses. An evaluation plays `episodes` episodes a seed, cut at `episode_limit` steps (by default the
    task's). All start from the same states with the same noise, so two points of a curve differ by the policy alone.
    A failure ends the rounds. `note` is what happened last, in a sentence.

    `enter(job)` must do a job in the trainer's thread and return its future; `changed` is called after each news.
    """

    def __init__(
        self, task: str, name: str, enter: Callable[[Callable[[], Any]], Future], changed: Callable[[], None]
    ) -> None:
        self.task, self.episodes, self.note = task, EPISODES, ""
        self.episode_limit: int | None = None
        self._every: float | None = None
        self._enter, self._changed = enter, changed
        self._arena = Arena(task)
        self._round: list[Future] = []
        self._began = time.monotonic()
        self._seen: dict[str, tuple[int, int, Cell]] = {}
        self._loop = Loop(lambda: False, lambda: None, f"{name}-evaluation")
        self._loop.subscribe(changed)

    @property
    def every(self) -> float | None:
        """Seconds between rounds; raises `WorkbenchError` when set for a task without environment, or to no time."""
        return self._every

    @every.setter
    def every(self, seconds: float | None) -> None:
        if seconds is not None:
            parse_task(self.task)
            if not seconds > 0:
                raise WorkbenchError(f"evaluations cannot come every {seconds} s: give seconds above 0, or None.")
        self._every, self._began = seconds, time.monotonic()
        self._changed()

    def ask(self, branch: Branch, episodes: int | None = None) -> Future:
        """Evaluate a branch as it is now; the future has the `Estimate`, once the branch's history has it too.

        Raises `WorkbenchError` for a task without environment, or for no episode.
        """
        parse_task(self.task)
        count = self.episodes if episodes is None else episodes
        if count < 1:
            raise WorkbenchError(f"an evaluation needs at least one episode, not {count}.")
        moment = Moment.of(branch)
        return self._loop.submit(lambda: self._evaluate(moment, count))

    def tick(self, branches: Iterable[Branch], status: str) -> None:
        """Begin a round where one is due. Quick; called in the trainer's thread between two chunks."""
        if self.every is None or status not in (*BUSY, "paused") or not all(each.done() for each in self._round):
            return
        if status != "paused" and time.monotonic() - self._began < self.every:
            return
        now = {each.name: (each.step, each.rewinds, Moment.of(each).cell) for each in branches if each.active}
        due = [each for each in branches if each.step and now.get(each.name) not in (None, self._seen.get(each.name))]
        if due:
            self._seen, self._began = now, time.monotonic()
            self._round = [self.ask(each) for each in due]

    def stop(self, wait_for_it: bool) -> None:
        """Give up what is being played, and end the rounds, the thread and the processes; `ask` starts new ones."""
        self._every = None
        self._loop.stop(wait_for_it)
        if wait_for_it:
            self._arena.close()
        else:
            threading.Thread(target=self._arena.close, daemon=True).start()

    def _evaluate(self, moment: Moment, episodes: int) -> Estimate:
        branch, step = moment.branch, int(moment.state.step[0])
        what = f"{branch.name} at update {step:,}, {moment.cell}"
        self._tell(f"{what}: being played, episodes: {episodes}.")
        try:
            policy = make_policy(branch.agent, moment.state, [moment.cell])
            plan = Plan(self.task, [moment.cell], branch.spec.seeds, episodes, 0, 0, "post", {})
            with branch.spec.arithmetic():
                rows = self._arena.play(policy, plan, self.episode_limit, self._loop.check)
            found = success_rate(sum(row["success"] for row in rows), len(rows))
            entered = self._enter(lambda: branch.enter(step, _metrics(found), moment.rewinds, moment.settings))
            while not wait([entered], timeout=0.1).done:
                self._loop.check()
            entered.result()
        except (Halted, CancelledError):
            self._tell(f"{what}: given up.")
            raise
        except Exception as error:
            self._every = None
            self._tell(f"{what}: evaluation failed, and comes no more by itself. {sentence(error)}")
            raise
        self._tell(f"{what}: success {found.value:.2f} [{found.low:.2f}, {found.high:.2f}], episodes: {found.n}.")
        return found

    def _tell(self, note: str) -> None:
        self.note = note
        self._changed()


def _metrics(found: Estimate) -> dict[str, float]:
    return {"success": found.value, "success_low": found.low, "success_high": found.high}
