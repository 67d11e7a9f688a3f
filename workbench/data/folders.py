"""Where OGBench sets lie in the data folder: one folder for all official files, one for each regenerated set."""

from pathlib import Path

from workbench.data.npz import sidecar_path
from workbench.paths import data_dir


def official_folder() -> Path:
    """The folder of the official files."""
    return data_dir() / "official"


def regenerated_folder(name: str, episodes: int | str, seed: int | str, more: str = "") -> Path:
    """The folder of one regenerated set; `more` is what else tells it from others. A part may be a glob pattern."""
    return data_dir() / "regenerated" / f"{name}-e{episodes}-s{seed}{more}"


def sets_on_disk(name: str) -> list[Path]:
    """Training files of a dataset: the official one, then the regenerated ones in the order of their folders.

    A regenerated set is one once it has its sidecar, which is written last.
    """
    official, folders = official_folder() / f"{name}.npz", regenerated_folder(name, "*", "*")
    made = sorted(folders.parent.glob(f"{folders.name}/{name}.npz"))
    return [official] * official.exists() + [path for path in made if sidecar_path(path).exists()]
