"""Which episode runs in which lane: the bookkeeping between policy and workers."""

import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from workbench.errors import DivergedError
from workbench.evaluate.cell import Cell
from workbench.evaluate.envs import episode_seed
from workbench.evaluate.policy import Choice
from workbench.evaluate.rollout import Rollout
from workbench.evaluate.worker import Start, Trace


class Plan(NamedTuple):
    """What is evaluated: `episodes` of every seed and cell, numbered from `first_episode`.

    The first `record` of them are kept with physics and decisions. Those in `done` are not played.
    """

    task: str
    cells: Sequence[Cell]
    seeds: Sequence[int]
    episodes: int
    record: int
    key_seed: int
    success_timing: str
    act_ms: Mapping[Cell, float]
    first_episode: int = 0
    done: Collection[tuple[int, Cell, int]] = ()

    def left(self, seed: int, cell: Cell) -> deque[int]:
        """Numbers of the episodes of a seed and cell that are to be played."""
        numbers = range(self.first_episode, self.first_episode + self.episodes)
        return deque(number for number in numbers if (seed, cell, number) not in self.done)


class LaneBook:
    """State of every lane. Lanes are numbered group by group, in each by (seed, cell, lane): `shape`.

    A round of one group is `settle` (what the workers answered), `stepping` and `decide` (what its live lanes do next)
    and `begin` (episodes for lanes that are free; their first observation comes with the next answer).
    """

    def __init__(self, plan: Plan, max_lanes: int) -> None:
        pairs = len(plan.seeds) * len(plan.cells)
        each = max(1, min(plan.episodes, max_lanes // pairs))
        count = 2 if each > 1 else 1
        self.plan = plan
        self.shape = (len(plan.seeds), len(plan.cells), each // count)
        size = pairs * self.shape[2]
        self.groups = [slice(i * size, (i + 1) * size) for i in range(count)]
        self.lanes = count * size
        self._left = [[plan.left(seed, cell) for cell in plan.cells] for seed in plan.seeds]
        self.total = sum(len(episodes) for row in self._left for episodes in row)
        self.episode = np.full(self.lanes, -1, np.int32)
        self.step = np.zeros(self.lanes, np.int32)
        self._return = np.zeros(self.lanes)
        self._success = np.zeros(self.lanes, bool)
        self._began = np.zeros(self.lanes)
        self._in_flight: dict[int, list[int]] = {group.start: [] for group in self.groups}
        self._decisions: dict[int, list[dict[str, Any]]] = {}
        self._rows: dict[tuple[int, int, int], dict[str, Any]] = {}
        self._rollouts: dict[tuple[int, int, int], Rollout] = {}

    @property
    def busy(self) -> bool:
        """Whether an episode is still to be finished."""
        return len(self._rows) < self.total

    def close(self) -> None:
        """Begin no more episodes: those under way are the last."""
        self._left = [[deque() for _ in row] for row in self._left]
        self.total = len(self._rows) + int((self.episode >= 0).sum())

    def begin(self, group: slice) -> dict[int, Start]:
        """Give every free lane of a group the next episode of its seed and cell."""
        starts, last = {}, self.plan.first_episode + self.plan.record
        for lane in range(group.start, group.stop):
            s, c = self._pair(lane)
            if self.episode[lane] >= 0 or not self._left[s][c]:
                continue
            episode = self._left[s][c].popleft()
            self.episode[lane], self.step[lane] = episode, 0
            self._return[lane], self._success[lane], self._began[lane] = 0.0, False, time.perf_counter()
            recorded = episode < last
            if recorded:
                self._decisions[lane] = []
            starts[lane] = Start(episode_seed(self.plan.key_seed, self.plan.seeds[s], episode), recorded)
        return starts

    def stepping(self, group: slice) -> list[int]:
        """Lanes of a group whose observation waits for an action; `settle` expects them to have been stepped."""
        live = [lane for lane in range(group.start, group.stop) if self.episode[lane] >= 0]
        self._in_flight[group.start] = live
        return live

    def decide(self, group: slice, choice: Choice) -> np.ndarray:
        """Actions of a group's lanes; keeps what recorded episodes need. Raises `DivergedError` for NaN."""
        actions = np.asarray(choice.a).reshape(group.stop - group.start, -1)
        for lane in self._in_flight[group.start]:
            s, c = self._pair(lane)
            if not np.isfinite(actions[lane - group.start]).all():
                raise DivergedError(
                    f"the policy of seed {self.plan.seeds[s]} gave an action that is not finite in {self.plan.task} "
                    f"({self.plan.cells[c]}, episode {self.episode[lane]}, step {self.step[lane]})."
                )
            if lane in self._decisions:
                self._decisions[lane].append(_decision(choice, s, c, (lane - group.start) % self.shape[2]))
        return actions

    def settle(self, group: slice, table: np.ndarray, traces: Mapping[int, Trace]) -> int:
        """Enter the workers' answer for the lanes last given by `stepping`; returns how many episodes ended."""
        ended = 0
        for lane in self._in_flight[group.start]:
            row = table[lane]
            self.step[lane] += 1
            self._return[lane] += row["reward"]
            self._success[lane] |= row["success"]
            if lane in self._decisions:
                self._decisions[lane][-1] |= {"reward": row["reward"], "success": row["success"]}
            if row["done"]:
                self._finish(lane, traces.get(lane))
                ended += 1
        return ended

    def results(self) -> tuple[list[dict[str, Any]], list[Rollout]]:
        """Rows and rollouts in the order of seeds, cells and episodes."""
        return [self._rows[key] for key in sorted(self._rows)], [self._rollouts[key] for key in sorted(self._rollouts)]

    def _pair(self, lane: int) -> tuple[int, int]:
        """Positions of a lane's seed and cell."""
        seeds, cells, each = self.shape
        return divmod(lane % (seeds * cells * each) // each, cells)

    def _finish(self, lane: int, trace: Trace | None) -> None:
        s, c = self._pair(lane)
        cell, seed, episode = self.plan.cells[c], self.plan.seeds[s], int(self.episode[lane])
        self._rows[s, c, episode] = {
            "task": self.plan.task,
            "seed": seed,
            "m_inf": cell.m_inf,
            "n": cell.n,
            "verifier": cell.verifier,
            "episode": episode,
            "return": float(self._return[lane]),
            "success": bool(self._success[lane]),
            "length": int(self.step[lane]),
            "seconds": time.perf_counter() - float(self._began[lane]),
            "act_ms": self.plan.act_ms.get(cell, float("nan")),
            "success_timing": self.plan.success_timing,
        }
        if trace is not None:
            self._rollouts[s, c, episode] = self._rollout(cell, seed, episode, trace, self._decisions.pop(lane))
        self.episode[lane] = -1

    def _rollout(self, cell: Cell, seed: int, episode: int, trace: Trace, decisions: list[dict[str, Any]]) -> Rollout:
        arrays: dict[str, Any] = {"button_states": None} | trace
        arrays |= {name: np.stack([each[name] for each in decisions]) for name in decisions[0]}
        arrays["act_ms"] = self.plan.act_ms.get(cell)
        if "flow" in arrays and not np.allclose(arrays["flow"][:, -1].clip(-1, 1), arrays["actions"], atol=1e-3):
            del arrays["flow"]  # the agent chose in another way than `flow_path` knows
        return Rollout(self.plan.task, self.plan.success_timing, seed, episode, cell, **arrays)


def _decision(choice: Choice, seed: int, cell: int, lane: int) -> dict[str, Any]:
    """What a recorded episode keeps of one decision."""
    kept = {"actions": np.asarray(choice.a)[seed, cell, lane], "q": np.asarray(choice.q)[seed, cell, lane]}
    for name in ("candidates", "q_candidates", "flow"):
        if arrays := getattr(choice, name):
            kept[name] = np.asarray(arrays[cell])[seed, lane]
    return kept
