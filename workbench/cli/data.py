"""Datasets: list them, fetch the official ones, make them again, check and describe files."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import tyro

from workbench.cli.report import flatten, show
from workbench.data.catalogue import DATASETS, DatasetInfo, dataset_info
from workbench.data.fetch import DEFAULT_MIRRORS
from workbench.data.folders import sets_on_disk
from workbench.data.npz import read_npz, read_sidecar
from workbench.errors import DatasetError
from workbench.paths import data_dir

Name: TypeAlias = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
NameOrPath: TypeAlias = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME|PATH")]


@dataclass(frozen=True)
class List:
    """List the known datasets, and which of them are on disk.

    Episodes and rows (an episode) are those of the official training file; the validation file has a tenth of the
    episodes. `on disk` shows `official` and, for each regenerated set, its episodes and seed. `can be made` says
    whether `workbench data make` can regenerate the set; antmaze needs an expert for that.
    """

    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Print one row a dataset."""
        show([_catalogue_row(info) for info in DATASETS.values()], self.json, f"data folder: {data_dir()}")
        return 0


@dataclass(frozen=True)
class Fetch:
    """Download an official dataset: the training and the validation file.

    A download that was cut is continued. The files are verified before they appear, and their size and SHA-256 are
    recorded beside them.
    """

    name: Name
    """Name of a dataset, as in `workbench data list`."""
    folder: Path | None = None
    """Folder to put it in; by default the data folder's `official/`."""
    mirrors: tuple[str, ...] = DEFAULT_MIRRORS
    """Addresses of folders that hold the files, tried in this order."""

    def run(self) -> int:
        """Download, and print where the training file is."""
        from workbench.data.fetch import fetch

        print(fetch(self.name, folder=self.folder, mirrors=self.mirrors))
        return 0


@dataclass(frozen=True)
class Make:
    """Regenerate a dataset by its official recipe, and describe the result.

    Equal in distribution to the official files, not bit for bit. The same seed gives the same bytes, whatever the
    number of workers. An interrupted run continues where it stopped.
    """

    name: Name
    """Name of a dataset, as in `workbench data list`."""
    episodes: int | None = None
    """Training episodes; by default as many as the official set has."""
    val_episodes: int | None = None
    """Validation episodes; by default a tenth of the training episodes."""
    workers: int | None = None
    """Processes; by default one a processor."""
    seed: int = 0
    """Seed of the whole set."""
    expert: Path | None = None
    """Walking policy of the antmaze sets, an npz file."""
    folder: Path | None = None
    """Folder to put it in; by default a folder of its own under the data folder's `regenerated/`."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Make the set, then print its statistics."""
        from workbench.data.make import make_dataset

        path = make_dataset(
            self.name,
            episodes=self.episodes,
            val_episodes=self.val_episodes,
            workers=self.workers,
            seed=self.seed,
            expert=self.expert,
            folder=self.folder,
        )
        _describe([path], self.json)
        return 0


@dataclass(frozen=True)
class Check:
    """Check dataset files, and report every defect at once; exit code 1 when there is one."""

    path: NameOrPath
    """A file, a folder, or a dataset's name, which stands for every set of that name on disk."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Check each file and, with a training file, its validation twin."""
        from workbench.data.check import check_file

        pairs = [[path, path.with_name(f"{path.stem}-val.npz")] for path in _find(self.path)]
        reports = [check_file(path) for pair in pairs for path in pair if path == pair[0] or path.exists()]
        rows = [{"file": str(report.path), **vars(finding)} for report in reports for finding in report.findings]
        if self.json:
            show(rows, json=True)
        else:
            for report in reports:
                print(f"{report.path}: {'no defect' if report.ok else 'DEFECTIVE'}")
                for finding in report.findings:
                    print(f"  {finding.severity} · {finding.where} · {finding.what} → {finding.fix}")
        return 0 if all(report.ok for report in reports) else 1


@dataclass(frozen=True)
class Info:
    """Describe datasets on disk: provenance, shapes and statistics."""

    path: NameOrPath
    """A file, a folder, or a dataset's name, which stands for every set of that name on disk."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        """Print one description a set."""
        _describe(_find(self.path), self.json)
        return 0


def _catalogue_row(info: DatasetInfo) -> dict[str, Any]:
    labels = [path.parent.name.removeprefix(f"{info.name}-") for path in sets_on_disk(info.name)]
    return {
        "name": info.name,
        "obs": info.obs,
        "act": info.act,
        "episodes": info.episodes,
        "rows": info.rows,
        "on_disk": labels,
        "can_be_made": info.can_make,
    }


def _find(text: str) -> list[Path]:
    """Training files meant by a path or a dataset's name; raises `DatasetError` when there is none."""
    path = Path(text).expanduser()
    if path.is_dir():
        found = sorted(file for file in path.glob("*.npz") if not file.stem.endswith("-val"))
        if not found:
            raise DatasetError(
                f"there is no npz file in the folder {path}: name a folder or a file that holds a dataset."
            )
        return found
    if path.is_file():
        return [path]
    if path.suffix == ".npz" or os.sep in text:
        raise DatasetError(f"there is no file {path}: see `workbench data list` for what is on disk.")
    name = dataset_info(text).name
    if not (found := sets_on_disk(name)):
        raise DatasetError(
            f"'{name}' is not on disk: get it with `workbench data fetch {name}` or `workbench data make {name}`."
        )
    return found


def _describe(paths: list[Path], json: bool) -> None:
    """Provenance and statistics: one JSON object a set, or for people two tables a set."""
    from workbench.data.summary import summarise

    descriptions = []
    for path in paths:
        sidecar = read_sidecar(path) or {"kind": "unknown", "files": {}}
        origin = {key: sidecar.get(key) for key in ("kind", "seed", "detail")}
        sha256 = sidecar["files"].get(path.name, {}).get("sha256")
        arrays = {key: f"{array.dtype} {array.shape}" for key, array in read_npz(path).items()}
        descriptions.append({"path": str(path), **origin, "sha256": sha256, "arrays": arrays, **summarise(path)})
    if json:
        show(descriptions, json=True)
        return
    for number, description in enumerate(descriptions):
        print(end="\n" if number else "")
        moments = description.pop("actions")
        show([{"field": key, "value": value} for key, value in flatten(description).items()], json=False)
        show([{"action": k, **values} for k, values in enumerate(moments)], json=False, title="\nactions")
