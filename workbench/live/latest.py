"""A daemon thread that works on the newest request and gives up the one before it."""

import atexit
import logging
import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

from workbench.errors import WorkbenchError, told
from workbench.live.detached import answer_nobody

Request = TypeVar("Request")
_log = logging.getLogger(__name__)
_alive: "weakref.WeakSet[Latest]" = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Threads inside JAX while Python leaves would crash it."""
    for each in list(_alive):
        each.close()


class Latest(Generic[Request]):
    """Does `work(request, wanted)` for the newest request, in a thread of its own; every method works in any thread.

    `work` should ask `wanted()` now and then, and return early where it says no: a newer request waits, or `close` was
    called. What it raises is kept in `error` and told to `failed`; the thread lives on for the next request.
    """

    def __init__(
        self,
        work: Callable[[Request, Callable[[], bool]], None],
        name: str,
        failed: Callable[[str], None] = lambda error: None,
    ) -> None:
        self._work, self._failed = work, failed
        self._changed = threading.Condition()
        self._asked = self._done = 0
        self._request: Request | None = None
        self._closed = False
        self.exception: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"workbench-{name}", daemon=True)
        self._thread.start()
        _alive.add(self)

    @property
    def error(self) -> str | None:
        """What the last request raised, as `errors.told`."""
        return told(self.exception)

    def ask(self, request: Request) -> None:
        """Have a request worked on; returns at once."""
        with self._changed:
            self._asked, self._request = self._asked + 1, request
            self._changed.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the newest request is done or has failed; returns whether it is so."""
        if threading.current_thread() is self._thread:
            return False
        with self._changed:
            return self._changed.wait_for(lambda: self._closed or self._done == self._asked, timeout)

    def result(self, timeout: float | None = None) -> None:
        """Wait as `wait` does, and raise what the request raised; `TimeoutError` where it takes longer."""
        if not self.wait(timeout):
            raise TimeoutError(f"it is not done after {timeout} s.")
        if self.exception is not None:
            raise self.exception

    def close(self) -> None:
        """Give up what is being done, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=30.0)

    def _run(self) -> None:
        answer_nobody()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._done != self._asked)
                if self._closed:
                    return
                number, request = self._asked, self._request
            exception = self._attempt(number, request)
            with self._changed:
                self._done, self.exception = number, exception
                self._changed.notify_all()

    def _attempt(self, number: int, request) -> Exception | None:
        try:
            self._work(request, lambda: number == self._asked and not self._closed)
        except Exception as error:
            self.exception = error
            if not isinstance(error, WorkbenchError):
                _log.debug("a request failed", exc_info=True)
            self._failed(self.error or "")
            return error
        return None
