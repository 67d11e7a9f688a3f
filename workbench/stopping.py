"""Requests to stop: the first Ctrl-C or SIGTERM is answered at once and heeded where work can be kept."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

ONCE_MORE = "; once more to stop now"


class Interrupted(KeyboardInterrupt):
    """Work stopped on request, and what was done is kept."""


@dataclass
class _Request:
    """What is asked of the main thread, and the answers of the blocks it is in, the innermost last."""

    event: threading.Event = field(default_factory=threading.Event)
    answers: list[str] = field(default_factory=list)

    def __call__(self, number: int, _: Any) -> None:
        """Answer the first signal, and act on the second."""
        if self.event.is_set():
            raise KeyboardInterrupt
        self.event.set()
        _say(f"{self.answers[-1]}{ONCE_MORE}.")


_request: _Request | None = None


@contextmanager
def stop_request(answer: str) -> Iterator[threading.Event]:
    """Turn the first Ctrl-C or SIGTERM into an event to be looked at between calls; the second raises at once.

    `answer` says on standard error what will happen. Of blocks in each other the inner one answers, and all see the
    same event. Outside the main thread, where signals cannot be caught, the event is never set.
    """
    global _request
    if threading.current_thread() is not threading.main_thread():
        yield threading.Event()
        return
    outer = _request
    request = _request = outer or _Request()
    request.answers.append(answer)
    numbers = () if outer else (signal.SIGINT, signal.SIGTERM)
    former = {number: signal.signal(number, request) for number in numbers}
    try:
        yield request.event
    finally:
        request.answers.pop()
        _request = outer
        for number, handler in former.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    """Write a line from within a signal's handler, which may have interrupted another line."""
    try:
        print(f"\n{text}", file=sys.stderr, flush=True)
    except RuntimeError:
        with contextlib.suppress(OSError):
            os.write(2, f"\n{text}\n".encode())
