"""Jobs spread over worker processes that end with their parent, whatever ends it."""

import contextlib
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeAlias

from workbench.errors import WorkbenchError
from workbench.processes import how_it_ended, worker_conditions

Report: TypeAlias = Callable[[int], object]
Work: TypeAlias = Callable[[Any, Report], None]

_READY = None  # message of a worker that waits for a job


def run_jobs(work: Work, jobs: Sequence[Any], workers: int, report: Report) -> None:
    """Call `work(job, report)` for every job, in up to `workers` processes, and return when all are done.

    `work` and the jobs travel to the processes, so both must be picklable; the numbers that `work` reports there
    arrive here at `report`. Workers are single-threaded and never see Ctrl-C; they are ended when this call is left for
    any reason, and end by themselves at their next report if this process is killed.

    Raises the `OSError` of a job (a full disk, for example), `RuntimeError` with the worker's traceback for any other
    exception, and `WorkbenchError` when a worker is killed from outside.
    """
    waiting = deque(jobs)
    crew: dict[Connection, BaseProcess] = {}
    try:
        with worker_conditions():
            for _ in range(min(workers, len(jobs))):
                connection, process = _start(work)
                crew[connection] = process
        busy = set(crew)
        while busy:
            heard = wait(busy)
            for connection in [connection for connection in busy if connection in heard]:
                message = _receive(connection, crew[connection])
                if isinstance(message, int):
                    report(message)
                elif waiting:
                    with contextlib.suppress(BrokenPipeError):  # a dead worker: the next receive says so
                        connection.send(waiting.popleft())
                else:
                    busy.discard(connection)
    finally:
        for connection, process in crew.items():
            process.terminate()
            process.join()
            connection.close()


def _start(work: Work) -> tuple[Connection, BaseProcess]:
    here, there = Pipe()
    process = get_context("spawn").Process(target=_serve, args=(work, there), daemon=True)
    process.start()
    there.close()  # so that the worker's death reads as the end of the pipe
    return here, process


def _receive(connection: Connection, process: BaseProcess) -> int | None:
    try:
        message = connection.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        raise WorkbenchError(
            f"a worker process {how_it_ended(process.exitcode, 'use fewer workers')}; "
            "run the same command again to continue."
        ) from None
    if isinstance(message, Exception):
        raise message
    return message


def _serve(work: Work, connection: Connection) -> None:
    """Body of a worker process."""
    while True:
        try:
            connection.send(_READY)
            job = connection.recv()
        except (EOFError, OSError):
            return  # the parent is gone
        try:
            work(job, connection.send)
        except (BrokenPipeError, ConnectionResetError):
            return
        except OSError as error:
            connection.send(error)
        except Exception:
            connection.send(RuntimeError(f"a worker process failed:\n{traceback.format_exc()}"))
