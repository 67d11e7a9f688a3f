"""Errors a user can act on: one sentence that says what is wrong, where, and what to do."""

import difflib
import traceback
import warnings
from collections.abc import Iterable


class WorkbenchError(Exception):
    """Anything the user can mend. The command line prints its sentence and exits with `exit_code`."""

    exit_code = 2


class UnknownNameError(WorkbenchError):
    """A name that is not in a registry, with the nearest names that are."""

    def __init__(self, what: str, name: str, known: Iterable[str], hint: str = "") -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        others = f"known: {', '.join(known[:12])}." if known else "none is known."
        tail = f"did you mean {' or '.join(near)}?" if near else others
        super().__init__(f"unknown {what} '{name}': {tail}{' ' + hint if hint else ''}")


class MissingExtraError(WorkbenchError):
    """An optional package that this call needs is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package '{package}': install it with pip install -e '.[{extra}]'.")


class BusyError(WorkbenchError):
    """Another process is at the same work."""


class DatasetError(WorkbenchError):
    """A dataset file or array that cannot be used as it is."""


class NoGraphicsError(WorkbenchError):
    """No OpenGL backend works here, so frames cannot be rendered. Everything but video still works."""

    exit_code = 3


class DivergedError(WorkbenchError):
    """Training produced a value that is not finite."""

    exit_code = 4


class Note(UserWarning):
    """Something that is good to know and stops nothing."""


def note(text: str) -> None:
    """Say a `Note`: below the cell of a notebook, as a line of the command line; the same one once a process."""
    warnings.warn(text, Note, stacklevel=2)


def told(error: BaseException | None) -> str | None:
    """What to show of an error: its sentence where a user can mend it, else the traceback; None for none."""
    if error is None or isinstance(error, WorkbenchError):
        return None if error is None else str(error)
    return "".join(traceback.format_exception(error))


def sentence(error: BaseException) -> str:
    """An error in one line: the first of its message, and before it the kind of error where no user can mend it."""
    first = next(iter(str(error).splitlines()), "")
    if isinstance(error, WorkbenchError):
        return first
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
