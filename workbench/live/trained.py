"""A trained run in the hand: what was measured of it, what it decides at an observation, and episodes of it on film."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from workbench.agents.base import AbstractAgent, TrainState
from workbench.agents.sorl import SORL
from workbench.cost import DecisionCost, decision_cost
from workbench.data.catalogue import parse_task
from workbench.errors import NoGraphicsError, WorkbenchError
from workbench.evaluate.cell import Cell
from workbench.evaluate.evaluation import evaluate_policy
from workbench.evaluate.policy import (
    Choice,
    Controller,
    Observations,
    make_controller,
    make_policy,
    measure_act_ms,
)
from workbench.evaluate.rollout import Rollout, save_rollouts
from workbench.experiments import load_agent
from workbench.live.thread import Halted
from workbench.render import render_rollouts
from workbench.stats.budgets import success_table
from workbench.store.folder import RunFolder
from workbench.store.query import find_run
from workbench.train import one_seed

STEPS, CANDIDATES = (1, 2, 4, 8, 16), (1, 4, 16, 32)
"""Budgets that can be tried whether they were evaluated or not."""


@dataclass(frozen=True)
class Judged:
    """Candidate actions at one observation, each with its value, and the action that is made of the first `n`.

    `value` is that of the action. `anew` says that they were drawn to be looked at: an episode that went through this
    observation had others.
    """

    candidates: Float[np.ndarray, "cand act"]
    q: Float[np.ndarray, " cand"]
    n: int
    action: Float[np.ndarray, " act"]
    value: float
    anew: bool = True


@dataclass(frozen=True)
class Played:
    """One episode, the observation of each of its steps, and the video of it, or why there is none in `note`."""

    rollout: Rollout
    observations: Float[np.ndarray, "step obs"]
    video: bytes | None
    note: str = ""

    def judged(self, step: int) -> Judged:
        """What the episode's action at a step was chosen from."""
        rollout = self.rollout
        action, value = rollout.actions[step], float(rollout.q[step])
        return Judged(rollout.candidates[step], rollout.q_candidates[step], rollout.cell.n, action, value, anew=False)


@runtime_checkable
class Explorable(Protocol):
    """What the compute explorer reads of a trained run."""

    name: str
    m_inf: tuple[int, ...]
    n: tuple[int, ...]
    evaluated: pd.DataFrame

    def cost(self, cell: Cell) -> DecisionCost | None: ...
    def milliseconds(self, cell: Cell) -> float: ...
    def judge(self, x: np.ndarray, cell: Cell, seed: int) -> Judged: ...
    def play(self, cell: Cell, episode: int, wanted: Callable[[], bool]) -> Played: ...
    def video(self) -> bytes | None: ...


class TrainedRun:
    """The first seed of a run at its newest checkpoint, deciding in the run's precision.

    `run` is a folder, a hash, its beginning or `policy:NAME`, as in `find_run`. `evaluated` has one row an evaluated
    budget, as `success_table` by verifier, and `table` those of the verifier "mean"; `m_inf` and `n` are the budgets to
    choose from, those evaluated among them.
    `episode_limit` cuts episodes short. Raises `WorkbenchError` when there is no such run or it has no checkpoint.
    """

    def __init__(
        self, run: str | Path | RunFolder, *, root: Path | None = None, episode_limit: int | None = None
    ) -> None:
        self.folder = run if isinstance(run, RunFolder) else find_run(str(run), root)
        self.spec, self.episode_limit = self.folder.spec, episode_limit
        agent, state = load_agent(self.folder)
        self.agent: AbstractAgent = agent
        self.state: TrainState = jax.tree.map(lambda leaf: leaf[:1] if eqx.is_array(leaf) else leaf, state)
        self.info, _ = parse_task(self.spec.task)
        self.name = f"{self.spec.agent.upper()} ({self.spec.preset}) on {self.spec.task}"
        self.evaluated = _evaluated(self.folder, int(state.step[0]), episode_limit)
        self.table = self.evaluated.loc[self.evaluated["verifier"] == "mean"].drop(columns="verifier")
        self.m_inf = tuple(sorted({*STEPS, *self.evaluated["m_inf"].tolist()}))
        self.n = tuple(sorted({*CANDIDATES, *self.evaluated["n"].tolist()}))

    def cost(self, cell: Cell) -> DecisionCost | None:
        """Counted work of one decision; None for agents whose work is not counted."""
        if not isinstance(self.agent, SORL):
            return None
        settings = {"m_inf": cell.m_inf, "n": cell.n, "verifier": cell.verifier}
        return decision_cost(self.agent, self.info.obs, self.info.act, **settings)

    def milliseconds(self, cell: Cell) -> float:
        """Of one warm decision for one observation, measured here and now; compiles."""
        return self._act_ms([cell])[cell]

    def cost_table(self, cells: Sequence[Cell], rounds: int = 5) -> pd.DataFrame:
        """Work and milliseconds of a decision by budget, with the columns that figures of cost take; for SORL alone.

        `act_ms` is the median of `rounds` medians of twenty calls, in which the budgets take turns; `act_ms_low` and
        `act_ms_high` are quartiles of the same.
        """
        times = [self._act_ms(cells) for _ in range(rounds)]
        quartiles = {cell: np.quantile([each[cell] for each in times], (0.5, 0.25, 0.75)) for cell in cells}
        columns = ("act_ms", "act_ms_low", "act_ms_high")
        costs = {cell: cost for cell in cells if (cost := self.cost(cell)) is not None}
        rows = [
            {"preset": self.spec.preset} | asdict(cost) | dict(zip(columns, quartiles[cell].tolist(), strict=True))
            for cell, cost in costs.items()
        ]
        return pd.DataFrame(rows)

    def _act_ms(self, cells: Sequence[Cell]) -> dict[Cell, float]:
        with self.spec.arithmetic():
            return measure_act_ms(self.agent, self.state, cells, self.info.obs)

    @cached_property
    def _controller(self) -> Controller:
        return make_controller(self.agent, one_seed(self.state))

    def judge(self, x: Float[np.ndarray, " obs"], cell: Cell, seed: int) -> Judged:
        """As many candidates as the largest `n`, from noise of `seed`; compiles once for all budgets."""
        most = max(*self.n, cell.n)
        budget = cell.budget(n_max=most)
        with self.spec.arithmetic():
            decision = self._controller(x, budget, jax.random.key(seed))
        found = jax.device_get(decision)
        return Judged(found.candidates, found.q_candidates, cell.n, found.a, float(found.q))

    def play(self, cell: Cell, episode: int, wanted: Callable[[], bool] = lambda: True) -> Played:
        """Play and film an episode as evaluations number them: it has the start and the noise that they gave it.

        Neither depends on the budget. Raises `Halted` when `wanted()` says no before the end.
        """
        policy = make_policy(self.agent, self.state, [cell], diagnostics=True)
        seen: list[np.ndarray] = []

        def watched(x: Observations, keys: Array) -> Choice:
            if not wanted():
                raise Halted("the episode was given up for another.")
            seen.append(np.asarray(x[0, 0, 0]))
            return policy(x, keys)

        settings: dict[str, Any] = {"workers": 1, "record": 1, "progress": False, "episode_limit": self.episode_limit}
        timing = self._timing()
        with self.spec.arithmetic():
            found = evaluate_policy(
                watched,
                self.spec.task,
                [cell],
                seeds=self.spec.seeds[:1],
                episodes=1,
                first_episode=episode,
                success_timing=timing,
                **settings,
            )
        (rollout,) = found.rollouts
        video, note = _film(rollout)
        return Played(rollout, np.stack(seen[: rollout.length]), video, note)

    def video(self) -> bytes | None:
        """The newest video in the run's folder."""
        found = [*self.folder.path.glob("*.mp4"), *self.folder.path.glob("video/*.mp4")]
        return max(found, key=lambda path: path.stat().st_mtime).read_bytes() if found else None

    def _timing(self) -> str:
        evals = self.folder.evals()
        return str(evals["success_timing"].iloc[0]) if len(evals) else "post"


def _evaluated(folder: RunFolder, step: int, episode_limit: int | None) -> pd.DataFrame:
    """Success by budget at the newest checkpoint, as it was judged first; may be empty.

    Episodes that were cut short at `episode_limit` count where there are no others.
    """
    keys, whole = ["m_inf", "n", "verifier"], folder.scores()
    evals = whole if len(whole) else folder.scores(episode_limit)
    if len(evals):
        first = evals["success_timing"].iloc[0]
        evals = evals.loc[(evals["step"] == step) & (evals["success_timing"] == first)]
    return success_table(evals, keys) if len(evals) else pd.DataFrame(columns=keys)


def _film(rollout: Rollout) -> tuple[bytes | None, str]:
    """The video of an episode, or None and why."""
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        source = Path(folder) / "episode.npz"
        save_rollouts(source, [rollout])
        try:
            return render_rollouts(source, Path(folder)).video.read_bytes(), ""
        except NoGraphicsError as error:
            return None, f"no video: {error}"
        except WorkbenchError as error:
            return None, f"no video of this episode: {error}"
