"""Who trains under a name: one at a time, so that a cell which is run again leaves no training behind."""

import atexit
import weakref
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Retiring(Protocol):
    """What may be retired, and comes to its end some time after that."""

    retired: Any
    status: Any


@runtime_checkable
class Owner(Protocol):
    """What may own a name: a trainer."""

    name: str
    retired: bool

    def stop(self, wait: bool = True) -> None: ...
    def retire(self) -> None: ...


_owners: "weakref.WeakValueDictionary[str, Owner]" = weakref.WeakValueDictionary()


@atexit.register
def _stop_all() -> None:
    """Threads inside JAX while Python leaves would crash it."""
    for each in list(_owners.values()):
        each.stop()


def claim(owner: Owner) -> None:
    """Take a name, and retire whoever had it."""
    former = _owners.get(owner.name)
    if former is not None and former is not owner:
        former.retire()
    owner.retired = False
    _owners[owner.name] = owner


def is_over(trainer: Retiring) -> bool:
    """Whether one that was retired has come to its end."""
    return trainer.retired and trainer.status in ("stopped", "failed")
