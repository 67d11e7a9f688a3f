"""What is touched while it runs: a trainer with its controls and its live view, and explorers of what was trained.

`from workbench.live import Controls, LiveView, Trainer`; each is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.live.compute_explorer import ComputeExplorer
    from workbench.live.controls import Controls
    from workbench.live.mixture_explorer import MixtureExplorer
    from workbench.live.scrubber import RolloutScrubber
    from workbench.live.sweep_view import SweepView
    from workbench.live.trainer import Trainer
    from workbench.live.view import LiveView

__all__ = ["ComputeExplorer", "Controls", "LiveView", "MixtureExplorer", "RolloutScrubber", "SweepView", "Trainer"]

_WHERE = {
    "ComputeExplorer": "compute_explorer",
    "Controls": "controls",
    "LiveView": "view",
    "MixtureExplorer": "mixture_explorer",
    "RolloutScrubber": "scrubber",
    "SweepView": "sweep_view",
    "Trainer": "trainer",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
