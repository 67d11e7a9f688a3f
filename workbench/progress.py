"""Progress of long work on standard error: a bar in a terminal, and in a log a line now and then."""

import sys
import time
from typing import Any, TextIO

from tqdm import tqdm

FIRST, EVERY = 10.0, 60.0
"""Seconds to the first line of a log, and from one to the next, where the work itself tells nothing sooner."""


def goes_to_a_log() -> bool:
    """Whether standard error is a file or a pipe, as in batch systems; a notebook and a terminal are neither."""
    return sys.stderr is sys.__stderr__ and sys.stderr is not None and not sys.stderr.isatty()


class Bar(tqdm):
    """A bar in a terminal, and nothing elsewhere."""

    def report(self, text: str) -> None:
        """Show some words beside the bar."""
        self.set_postfix_str(text)


class Lines:
    """Progress as lines of text; takes the place of a `Bar`."""

    disable = False

    def __init__(self, *, total: int, desc: str, unit: str, initial: int = 0, file: TextIO | None = None) -> None:
        self.total, self.desc, self.unit, self.initial = total, desc, unit, initial
        self.n, self._words, self._file = initial, "", file or sys.stderr
        self._began = time.monotonic()
        self._due, self._told = self._began + FIRST, -1

    def update(self, count: int = 1) -> None:
        """Count what was done."""
        self.n += count
        self.refresh()

    def set_postfix_str(self, words: str) -> None:
        """What stands at the end of the next lines."""
        self._words = words

    def report(self, text: str) -> None:
        """Write a line now, with some words at its end."""
        self._words = text
        self._write()

    def refresh(self) -> None:
        """Write a line if it is time for one."""
        if time.monotonic() >= self._due:
            self._write()

    def close(self) -> None:
        """Write the last line, unless it stands there."""
        if self.n not in (self._told, self.initial):
            self._write()

    def _write(self) -> None:
        now = time.monotonic()
        rate = (self.n - self.initial) / max(now - self._began, 1e-9)
        share = f" ({self.n / self.total:.0%})" if self.total else ""
        left = (
            f", {tqdm.format_interval((self.total - self.n) / rate)} left" if rate > 0 and self.n < self.total else ""
        )
        words = f", {self._words}" if self._words else ""
        speed = f", {rate:,.3g}/s" if rate else ""
        print(
            f"{self.desc}: {self.n:,} of {self.total:,} {self.unit}s{share}{speed}{left}{words}",
            file=self._file,
            flush=True,
        )
        self._due, self._told = now + EVERY, self.n

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def progress_bar(
    *, total: int, desc: str, unit: str, initial: int = 0, shown: bool = True, **settings: Any
) -> Bar | Lines:
    """A bar where standard error is a terminal, lines where it is a log, nothing in a notebook or unless `shown`.

    `settings` are those of tqdm, for the bar alone.
    """
    if shown and goes_to_a_log():
        return Lines(total=total, desc=desc, unit=unit, initial=initial)
    disable = None if shown else True
    return Bar(total=total, desc=desc, unit=unit, initial=initial, disable=disable, **settings)
