"""Training in a thread of its own, which other threads start, steer, rewind and fork, and never wait for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from workbench.agents.base import TrainState
from workbench.data.dataset import Dataset
from workbench.data.load import load_data
from workbench.live.branch import Branch
from workbench.live.evaluations import Evaluations
from workbench.live.owners import claim, is_over
from workbench.live.problems import Problem
from workbench.live.rounds import Rounds
from workbench.live.session import Session, write_run
from workbench.live.snapshot import Value
from workbench.live.thread import Loop
from workbench.paths import runs_dir
from workbench.store.spec import make_spec


class Trainer:
    """A training that runs in the background and obeys its controls.

    `Trainer("toy:eight_gaussians", preset="small")` prepares branch `main` at update 0; `start()` trains it. Moving a
    control (`set`) takes effect at the next chunk of 20 to 50 ms, is recorded as an intervention, and compiles nothing.
    `rewind` and `fork` go back to any update exactly. Branches that are `active` are trained in turn. `evaluate` plays
    episodes of an OGBench task beside the training; with `evaluating` set it is done again and again.

    All methods may be called from any thread; those with `wait` return a result, or a future of it where it is False.
    There is one trainer a `name`: making or starting another retires the former (see `retire`). `settings` and
    `weights` override the preset's by name, as in `make_spec`; `data` is a training file or a pair of datasets. Raises
    `WorkbenchError`.
    """

    def __init__(
        self,
        task: str,
        *,
        agent: str = "sorl",
        preset: str = "small",
        seeds: tuple[int, ...] = (0,),
        settings: dict[str, Any] | None = None,
        weights: dict[str, Any] | None = None,
        batch_size: int | None = None,
        data: Path | tuple[Dataset, Dataset] | None = None,
        name: str = "live",
    ) -> None:
        train, held_out = data if isinstance(data, tuple) else load_data(task, data)
        own: dict[str, Any] = {"settings": settings, "weights": weights, "batch_size": batch_size}
        spec = make_spec(task, train.provenance, agent=agent, preset_name=preset, seeds=seeds, **own)
        self._begin(Problem.of(task, train, held_out), [Branch.fresh("main", spec, train)], name)

    def _begin(self, problem: Problem, branches: list[Branch], name: str) -> None:
        self.name, self.problem, self.retired = name, problem, False
        self._rounds = Rounds(problem, {branch.name: branch for branch in branches})
        self._loop = Loop(lambda: self._rounds.take(self._loop), self._rounds.look, name)
        self.evaluations = Evaluations(problem.task, name, self._loop.submit, self._loop.nudge)
        self._loop.subscribe(lambda: self.evaluations.tick(list(self.branches.values()), self.status))
        self._loop.subscribe(lambda: self._rounds.forget() if is_over(self) else None)
        claim(self)

    @classmethod
    def load(
        cls, path: Path | str, *, data: Path | tuple[Dataset, Dataset] | None = None, name: str = "live"
    ) -> "Trainer":
        """The trainer of a saved session: every branch is trained again to where it was, and can go on from there.

        Raises `WorkbenchError` where the file, or the data, is not what was recorded.
        """
        session = Session.load(Path(path))
        train, held_out = data if isinstance(data, tuple) else load_data(session.task, data)
        trainer = cls.__new__(cls)
        branches = [record.branch(train) for record in session.branches]
        trainer._begin(Problem.of(session.task, train, held_out), branches, name)
        trainer.select(session.selected)
        return trainer

    # What may be read at any time.

    @property
    def status(self) -> str:
        """`idle`, `compiling`, `running`, `paused`, `stopped` or `failed`."""
        return self._loop.status

    @property
    def error(self) -> str | None:
        """What ended training, as a sentence or a traceback; None while all is well."""
        return self._loop.error

    @property
    def branches(self) -> dict[str, Branch]:
        """All branches by name, oldest first."""
        return self._rounds.branches

    @property
    def selected(self) -> str:
        """Name of the branch that controls move and pictures show."""
        return self._rounds.selected

    @property
    def branch(self) -> Branch:
        """The selected branch."""
        return self._rounds.named(None)

    @property
    def updates_per_second(self) -> float:
        """Updates of all branches over the last chunks; 0 while nothing trains."""
        return self._rounds.updates_per_second if self.status == "running" else 0.0

    @property
    def compile_seconds(self) -> float | None:
        """What compiling cost last time."""
        return self._rounds.compile_seconds

    @property
    def probe(self) -> dict[str, float]:
        """Newest losses on held-out data and, for toys, rewards and distances (see `problems.MEANINGS`)."""
        return self._rounds.measured.values

    @property
    def cloud(self) -> np.ndarray | None:
        """Samples of the selected branch's policy, (policy, point, 2), named by `cloud_labels`; None off the plane."""
        picture = self._rounds.measured.picture
        return picture.clouds if picture else None

    @property
    def cloud_labels(self) -> tuple[str, ...]:
        """What each cloud is: the policy with the controls' budget first."""
        picture = self._rounds.measured.picture
        return picture.labels if picture else ()

    @property
    def paths(self) -> list[np.ndarray] | None:
        """Ways from noise to the first points of the first cloud, each (M_inf + 1, 2); of N candidates the chosen."""
        picture = self._rounds.measured.picture
        return picture.paths if picture else None

    @property
    def reward_grid(self) -> np.ndarray | None:
        """The toy's reward on an even grid over [-1, 1]², first action along columns; None off the plane."""
        return self.problem.reward_grid

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` in the trainer's thread after each chunk and change of status; returns what ends that.

        It must be quick. One that raises is logged and not called again.
        """
        return self._loop.subscribe(callback)

    # What moves controls: nothing here waits for training.

    def set(self, branch: str | None = None, gesture: str = "", /, **values: Any) -> int:
        """Move controls by name, such as `set(sc=0.0, m_inf=1)`; returns the new version of the branch's dials.

        What a hand does in one `gesture` is one mark. Raises `WorkbenchError` for a name or value that is not legal;
        then nothing is moved.
        """
        version = self._rounds.named(branch).dials.set(gesture, **values)
        self._loop.nudge()
        return version

    def reset(self, preset: str | None = None, branch: str | None = None) -> None:
        """Put all controls back to where the branch began, or to the values of a preset such as `paper`."""
        self.set(branch, **self.values_of(preset, branch))

    def values_of(self, preset: str | None = None, branch: str | None = None) -> dict[str, Value]:
        """The values that `reset` would set."""
        return self._rounds.named(branch).values_of(preset)

    def select(self, branch: str) -> None:
        """Choose the branch that controls move and pictures show."""
        self._rounds.selected = self._rounds.named(branch).name
        self._loop.nudge()

    def activate(self, branch: str, active: bool = True) -> None:
        """Train a branch in its turn, or let it rest."""
        self._rounds.named(branch).active = active
        self._loop.nudge()

    # What starts and ends training.

    def start(self, steps: int | None = None) -> None:
        """Train every active branch, `steps` updates further or without end. Returns at once."""
        claim(self)
        self._rounds.aim(steps)
        self._loop.start()

    def step(self, n: int = 1) -> None:
        """Train every active branch `n` updates further, then pause. Returns at once; `wait` waits for the end."""
        self.start(n)

    def pause(self, wait: bool = True) -> None:
        """Stop at the end of the chunk; `start` goes on."""
        self._loop.pause()
        if wait:
            self.wait()

    def stop(self, wait: bool = True) -> None:
        """Stop at the end of the chunk and end the thread; `start` goes on in a new one."""
        self.evaluations.stop(wait)
        self._loop.stop(wait)

    def retire(self) -> None:
        """Stop because another trainer takes the name: views follow no longer, states to go back to are let go.

        `start` still goes on from here, and `rewind` trains from update 0 again. Returns at once.
        """
        self.retired = True
        self.stop(wait=False)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until training pauses, fails or stops; returns whether it did. Never waits in the trainer's thread."""
        return self._loop.wait(timeout)

    def result(self, timeout: float | None = None) -> TrainState:
        """The selected branch's state; raises what training raised.

        After `start(steps)` or `step(n)` it waits for the end, or raises `TimeoutError`; a training without end is
        returned as it stands.
        """
        if self._rounds.goals is not None and not self.wait(timeout):
            raise TimeoutError(f"training has not reached its end after {timeout} s.")
        if self._loop.exception is not None:
            raise self._loop.exception
        return self.branch.state

    def measure(self, branch: str | None = None) -> dict[str, float]:
        """What `probe` tells, of any branch and measured now; waits for the end of the chunk."""
        chosen = self._rounds.named(branch)
        return self._do(lambda: self._rounds.measured.take(chosen, shown=chosen.name == self.selected), True)

    def evaluate(self, episodes: int | None = None, branch: str | None = None, *, wait: bool = True) -> Any:
        """Success of a branch as it is now, an `Estimate` over episodes that its history gets too; training goes on.

        The budget is that of the branch's controls. Raises `WorkbenchError` for tasks without environment.
        """
        future = self.evaluations.ask(self._rounds.named(branch), episodes)
        return future.result() if wait else future

    @property
    def evaluating(self) -> float | None:
        """Seconds between evaluations of all active branches while training; by default None."""
        return self.evaluations.every

    @evaluating.setter
    def evaluating(self, seconds: float | None) -> None:
        self.evaluations.every = seconds

    # What goes back, branches off and saves.

    def rewind(self, step: int, branch: str | None = None, *, wait: bool = True) -> Any:
        """Take a branch back to exactly `step` updates, with the settings that led there; what came later is lost."""
        chosen = self._rounds.named(branch)

        def work() -> None:
            chosen.rewind(self.problem.train, step, lambda _: self._loop.check())
            self._loop.exception = None

        return self._do(work, wait)

    def fork(
        self, step: int | None = None, name: str | None = None, *, branch: str | None = None, wait: bool = True
    ) -> Any:
        """A second branch from `step` of a branch (by default from where it is), selected; trained beside the first."""
        chosen = self._rounds.named(branch)
        return self._do(lambda: self._rounds.fork(chosen, step, name, self._loop.check), wait)

    def vary(self, name: str | None = None, *, branch: str | None = None, wait: bool = True, **settings: Any) -> Any:
        """A new branch from update 0 with other static settings, such as `vary(m_btt=4)`; selected. Compiles.

        It begins with the controls of the branch it varies. Raises `WorkbenchError` for illegal settings.
        """
        chosen = self._rounds.named(branch)
        return self._do(lambda: self._rounds.vary(chosen, name, settings), wait)

    def save(self, path: Path | str = "session.json") -> Session:
        """Write the session: every branch's spec, interventions and final hash. `workbench replay` repeats it."""

        def work() -> Session:
            session = Session.of(self.problem.task, self.selected, list(self.branches.values()))
            session.save(Path(path))
            return session

        return self._do(work, True)

    def record(self, branch: str | None = None, root: Path | None = None) -> Path:
        """Write a branch as a run folder, to be evaluated, filmed and listed like any other run."""
        return self._do(lambda: write_run(root or runs_dir(), self._rounds.named(branch)).path, True)

    def _do(self, job: Callable[[], Any], wait: bool) -> Any:
        future = self._loop.submit(job)
        return future.result() if wait else future
