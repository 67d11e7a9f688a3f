"""Data that a sweep regenerates once, before its runs: `[make]` in its file."""

import sys
from pathlib import Path

from workbench.data.catalogue import dataset_info
from workbench.data.folders import official_folder, regenerated_folder
from workbench.sweeps.spec import SweepSpec

OFFICIAL = "official"
"""The official number of episodes: there an official file serves as well."""


def made_path(name: str, episodes: int | None) -> Path:
    """Where the training file is, or will be; None are the official number of episodes."""
    official = official_folder() / f"{name}.npz"
    if episodes is None and official.exists():
        return official
    return regenerated_folder(name, episodes or dataset_info(name).episodes, 0) / f"{name}.npz"


def next_missing(sweep: SweepSpec) -> tuple[str, int | None] | None:
    """The first set that a sweep names, in the order of its stages, and that is not on disk; None where all are."""
    for stage in sweep.stages or (sweep,):
        for name, episodes in stage.make.items():
            if not made_path(name, episodes).exists():
                return name, episodes
    return None


def make(name: str, episodes: int | None) -> None:
    """Make a set on the cores of this process, going on where an earlier attempt stopped.

    Raises what `make_dataset` raises.
    """
    from workbench.data.make import make_dataset
    from workbench.processes import usable_cores

    print(f"making {name} once, in {made_path(name, episodes).parent}; Ctrl-C keeps what is done", file=sys.stderr)
    make_dataset(name, episodes=episodes, workers=usable_cores())
