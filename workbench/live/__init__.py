"""Training that can be steered while it runs: a trainer in a thread, its controls, its live view.

`from workbench.live import Controls, LiveView, Trainer`; each is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.live.controls import Controls
    from workbench.live.trainer import Trainer
    from workbench.live.view import LiveView

__all__ = ["Controls", "LiveView", "Trainer"]

_WHERE = {"Controls": "controls", "LiveView": "view", "Trainer": "trainer"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
