"""A daemon thread that does jobs, and between them takes one turn of a long work after another."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from workbench.errors import WorkbenchError, told
from workbench.live.detached import answer_nobody

BUSY = ("compiling", "running")
_log = logging.getLogger(__name__)


class Halted(WorkbenchError):
    """A job was given up because its thread was asked to stop."""


class Loop:
    """Takes turns while running; jobs come first; every method may be called from any thread and at any time.

    `turn` does a short piece of work and says whether there is more; `rest` is called, once for each `nudge`, while
    nothing runs. What a turn raises ends the running and is kept in `exception`; the thread lives on for jobs.

    `status` is `idle` (never started), `compiling`, `running`, `paused`, `stopped` (the thread has ended) or `failed`.
    """

    def __init__(self, turn: Callable[[], bool], rest: Callable[[], None], name: str) -> None:
        self._turn, self._rest, self._name = turn, rest, name
        self.status = "idle"
        self.exception: BaseException | None = None
        self._changed = threading.Condition()
        self._jobs: deque[tuple[Future, Callable[[], Any]]] = deque()
        self._running = self._nudged = False
        self._starts = 0
        self._thread: threading.Thread | None = None
        self._halt = threading.Event()
        self._subscribers: list[Callable[[], None]] = []

    @property
    def error(self) -> str | None:
        """What `exception` says, as `errors.told`."""
        return told(self.exception)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` in the thread after each turn, job and change of status; returns what ends that."""
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return unsubscribe

    def start(self) -> None:
        """Take turns until there is no more to do. Returns at once."""
        with self._changed:
            self._running, self.exception, self.status = True, None, "running"
            self._starts += 1
            self._wake()

    def pause(self) -> None:
        """Take no more turns."""
        with self._changed:
            self._running, self._nudged = False, True
            self._changed.notify_all()

    def stop(self, wait: bool) -> None:
        """End the thread after this turn or job; jobs that wait are cancelled."""
        with self._changed:
            self._running = False
            self._halt.set()
            self._changed.notify_all()
            thread = self._thread
        if thread is None:
            self.tell("stopped")
        elif wait and thread is not threading.current_thread():
            thread.join()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing runs; returns whether that is so. Does not wait in the thread itself."""
        here = threading.current_thread() is self._thread
        with self._changed:
            return self._changed.wait_for(lambda: not self._running and self.status not in BUSY, 0 if here else timeout)

    def nudge(self) -> None:
        """Have `rest` called soon, if nothing runs, and subscribers in any case: here, where there is no thread."""
        with self._changed:
            self._nudged = True
            alive = self._thread is not None and self._thread.is_alive()
            self._changed.notify_all()
        if not alive:
            self._publish()

    def submit(self, job: Callable[[], Any]) -> Future:
        """Do a job before the next turn; its future has what it returns or raises."""
        future: Future = Future()
        if threading.current_thread() is self._thread:
            _do(job, future)
            return future
        with self._changed:
            self._jobs.append((future, job))
            self._wake()
        return future

    def check(self) -> None:
        """Raise `Halted` where the thread was asked to stop; for jobs that take long."""
        if self._halt.is_set():
            raise Halted("training was stopped before this was done: ask for it again.")

    @property
    def wanted(self) -> bool:
        """Whether another turn, and no job, would come next."""
        return self._running and not self._jobs and not self._halt.is_set()

    def tell(self, status: str) -> None:
        """Set the status and tell everyone."""
        with self._changed:
            self.status = status
            self._changed.notify_all()
        self._publish()

    def _wake(self) -> None:
        """Wake the thread, or make one. The lock is held."""
        if self._thread is None or not self._thread.is_alive() or self._halt.is_set():
            self._halt = threading.Event()
            args = (self._halt, self._thread)
            self._thread = threading.Thread(target=self._run, args=args, name=f"workbench-{self._name}", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _run(self, halt: threading.Event, former: threading.Thread | None) -> None:
        answer_nobody()
        if former is not None:
            former.join()
        while not halt.is_set():
            with self._changed:
                self._changed.wait_for(lambda: halt.is_set() or self._jobs or self._running or self._nudged)
                if halt.is_set():
                    break
                job = self._jobs.popleft() if self._jobs else None
                running, start, self._nudged = self._running, self._starts, False
            try:
                if job:
                    _do(job[1], job[0])
                elif not running:
                    self._rest()
                elif not self._turn():
                    self._end(start, None)
            except BaseException as error:  # whatever it was, it belongs to whoever asks for the result
                self._end(start, error)
            self._settle()
        self._leave(halt)

    def _end(self, start: int, error: BaseException | None) -> None:
        """Stop running, unless someone has started again meanwhile."""
        with self._changed:
            if self._starts == start:
                self._running, self._nudged, self.exception = False, True, error

    def _settle(self) -> None:
        with self._changed:
            if not self._running and (self.status in BUSY or (self.status == "failed") != bool(self.exception)):
                self.status = "failed" if self.exception else "paused"
            self._changed.notify_all()
        self._publish()

    def _leave(self, halt: threading.Event) -> None:
        with self._changed:
            if self._halt is not halt:
                return  # another thread has taken over, and the jobs with it
            self.status = "failed" if self.exception else "stopped"
            jobs, self._jobs = self._jobs, deque()
            self._changed.notify_all()
        for future, _ in jobs:
            future.cancel()
        self._publish()

    def _publish(self) -> None:
        for callback in list(self._subscribers):
            try:
                callback()
            except Exception:
                _log.exception("a subscriber of '%s' failed and is called no more", self._name)
                self._subscribers.remove(callback)


def _do(job: Callable[[], Any], future: Future) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(job())
    except BaseException as error:
        future.set_exception(error)
