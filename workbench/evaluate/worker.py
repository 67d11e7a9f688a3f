"""What runs inside an environment worker: a loop that resets and steps its lanes on request. No jax here."""

import tempfile
import traceback
import warnings
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from workbench.evaluate.envs import make_lanes, physics, reset

Trace: TypeAlias = dict[str, np.ndarray]
"""Physics of one episode, first state included, by the names of `envs.physics`."""


class Start(NamedTuple):
    """Which episode a lane begins, and whether its physics is kept."""

    seed: int
    record: bool


class Order(NamedTuple):
    """One request: the lanes to step by their action in the table, and those to begin anew."""

    steps: Sequence[int]
    starts: Mapping[int, Start]


class Failure(NamedTuple):
    """An exception on its way to the parent."""

    sentence: str
    traceback: str


def table_dtype(obs: int, act: int) -> np.dtype:
    """A lane's row in the memory that parent and workers share."""
    return np.dtype(
        [("x", "f4", (obs,)), ("a", "f4", (act,)), ("reward", "f8"), ("success", "?"), ("done", "?")], align=True
    )


class Lanes:
    """The environments of one worker, by lane number."""

    def __init__(self, task: str, numbers: Sequence[int], success_timing: str, limit: int, table: np.ndarray) -> None:
        envs = make_lanes(task, len(numbers), success_timing=success_timing)
        self.envs = dict(zip(numbers, envs, strict=True))
        self.limit, self.table = limit, table
        self.length = dict.fromkeys(numbers, 0)
        self.traces: dict[int, list[Trace]] = {}

    def start(self, lane: int, start: Start) -> None:
        """Reset a lane; its first observation goes into the table."""
        self.table[lane]["x"] = reset(self.envs[lane], start.seed)
        self.length[lane] = 0
        if start.record:
            self.traces[lane] = [physics(self.envs[lane])]

    def step(self, lane: int) -> Trace | None:
        """Step a lane by its action in the table; returns the trace when a recorded episode ends."""
        env, row = self.envs[lane], self.table[lane]
        x, reward, terminated, _, info = env.step(row["a"].copy())
        self.length[lane] += 1
        row["x"], row["reward"], row["success"] = x, reward, bool(info["success"])
        row["done"] = terminated or self.length[lane] >= self.limit
        if lane not in self.traces:
            return None
        self.traces[lane].append(physics(env))
        return _stack(self.traces.pop(lane)) if row["done"] else None

    def serve(self, order: Order) -> dict[int, Trace]:
        """Carry an order out; returns the traces of the recorded episodes that ended."""
        ended = {lane: trace for lane in order.steps if (trace := self.step(lane)) is not None}
        for lane, start in order.starts.items():
            self.start(lane, start)
        return ended


def work(
    connection: Connection, memory: Any, dtype: np.dtype, task: str, numbers: Sequence[int], timing: str, limit: int
) -> None:
    """Body of a worker process: serves orders until the parent closes the pipe or is gone."""
    table = np.frombuffer(memory, dtype)
    warnings.filterwarnings("ignore", category=UserWarning, module="gymnasium")
    # Mazes leave a temporary model file for each environment: they go with this folder.
    with tempfile.TemporaryDirectory(prefix="workbench-") as tempfile.tempdir:
        try:
            lanes = Lanes(task, numbers, timing, limit, table)
            while True:
                connection.send(lanes.serve(connection.recv()))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return
        except Exception as error:
            connection.send(Failure(f"{type(error).__name__}: {error}", traceback.format_exc()))


def _stack(trace: list[Trace]) -> Trace:
    return {name: np.stack([state[name] for state in trace]) for name in trace[0]}
