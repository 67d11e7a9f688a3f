"""Telling what code sets in a widget from what a person sets there."""

import threading


class Silence(threading.local):
    """True within its `with` blocks: what this thread sets there is not to be heard. Other threads are heard."""

    _depth = 0

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1

    def __bool__(self) -> bool:
        return self._depth > 0
