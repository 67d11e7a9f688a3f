"""The parent's side of the environment workers."""

import contextlib
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import numpy as np

from workbench.data.catalogue import parse_task
from workbench.errors import WorkbenchError
from workbench.evaluate.worker import Failure, Order, Start, Trace, table_dtype, work
from workbench.processes import how_it_ended, usable_cores, worker_conditions


class WorkerError(WorkbenchError):
    """An environment worker raised, or was killed."""


class EnvPool:
    """`lanes` environments of one task, spread evenly over single-threaded worker processes.

    `table` is memory shared with the workers, one row a lane: observation `x`, action `a`, `reward`, `success`, `done`.
    `send` gives every worker its part of an order and `receive` waits for one answered order, first in, first out; the
    rows of an order in flight belong to the workers. Use it as a context manager: workers end with the block, and by
    themselves if this process is killed. Ctrl-C reaches only this process.

    Raises `WorkbenchError` for fewer workers than one, and `WorkerError` from `receive` and `send`, with the worker's
    traceback after the first sentence.
    """

    def __init__(
        self,
        task: str,
        lanes: int,
        *,
        workers: int | None = None,
        success_timing: str = "post",
        episode_limit: int | None = None,
    ) -> None:
        if workers is not None and workers < 1:
            raise WorkbenchError(f"it takes at least one worker to step environments, not {workers}.")
        info, _ = parse_task(task)
        self.task, self.lanes = task, lanes
        context = get_context("spawn")
        dtype = table_dtype(info.obs, info.act)
        memory = context.RawArray("B", lanes * dtype.itemsize)
        self.table = np.frombuffer(memory, dtype)
        self._connections: list[Connection] = []
        self._processes: list[BaseProcess] = []
        count = min(workers or usable_cores(), lanes)
        with worker_conditions():
            for numbers in (range(first, lanes, count) for first in range(count)):
                here, there = context.Pipe()
                limit = episode_limit or info.limit
                arguments = (there, memory, dtype, task, list(numbers), success_timing, limit)
                process = context.Process(target=work, args=arguments, daemon=True)
                process.start()
                there.close()  # so that the worker's death reads as the end of the pipe
                self._connections.append(here)
                self._processes.append(process)

    @property
    def pids(self) -> list[int]:
        """Process numbers of the workers."""
        return [process.pid for process in self._processes if process.pid]

    def send(self, steps: Sequence[int], starts: Mapping[int, Start]) -> None:
        """Order the lanes in `steps` to step and those in `starts` to begin an episode."""
        count = len(self._connections)
        for number, connection in enumerate(self._connections):
            mine = [lane for lane in steps if lane % count == number]
            begin = {lane: start for lane, start in starts.items() if lane % count == number}
            with contextlib.suppress(BrokenPipeError):  # a dead worker: `receive` says so
                connection.send(Order(mine, begin))

    def receive(self) -> dict[int, Trace]:
        """Wait for the oldest order in flight; returns the physics of the recorded episodes that ended in it."""
        traces: dict[int, Trace] = {}
        for connection, process in zip(self._connections, self._processes, strict=True):
            traces |= self._answer(connection, process)
        return traces

    def _answer(self, connection: Connection, process: BaseProcess) -> dict[int, Trace]:
        try:
            answer = connection.recv()
        except (EOFError, ConnectionResetError):
            process.join()
            raise WorkerError(
                f"an environment worker of {self.task} {how_it_ended(process.exitcode, 'use fewer workers')}."
            ) from None
        if isinstance(answer, Failure):
            raise WorkerError(
                f"an environment worker of {self.task} failed with {answer.sentence}\n{answer.traceback}"
            ) from None
        return answer

    def close(self) -> None:
        """End the workers: those that do not leave within two seconds are terminated."""
        for connection in self._connections:
            connection.close()
        for process in self._processes:
            process.join(2)
            process.terminate()
            process.join()

    def __enter__(self) -> "EnvPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
