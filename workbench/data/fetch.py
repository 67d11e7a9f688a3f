"""The official files: downloaded from the first host that delivers, verified, and recorded in a sidecar."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from workbench import __version__
from workbench.data.catalogue import dataset_info
from workbench.data.download import HostError, Patience, download, tell
from workbench.data.folders import official_folder
from workbench.data.npz import file_record, read_sidecar, sidecar_path, verify_npz
from workbench.errors import DatasetError
from workbench.guards import only_one
from workbench.paths import write_json

DEFAULT_MIRRORS = (
    "https://rail.eecs.berkeley.edu/datasets/ogbench/",
    "https://huggingface.co/datasets/zhouzypaul/ogbench_datasets/resolve/main/",
)
"""Folders that hold the official files, in the order they are tried."""


def fetch(
    name: str,
    *,
    folder: Path | None = None,
    mirrors: Sequence[str] = DEFAULT_MIRRORS,
    progress: bool = True,
    patience: Patience = Patience(),  # noqa: B008  (frozen)
) -> Path:
    """Download the official pair `NAME.npz` and `NAME-val.npz`; returns the path of the first.

    A file whose size agrees with its sidecar is kept and the network is not asked; one that has no record is kept when
    it is whole. The publisher gives no checksums, so the first download records size and SHA-256 in `NAME.json`, and
    later ones must agree with it. Unfinished files stay as `.part` and are continued, from any host.

    Raises `UnknownNameError`, and `DatasetError` when no host delivers, the disk is too small, or another process is
    downloading the same set.
    """
    info = dataset_info(name)
    folder = folder or official_folder()
    target = folder / f"{info.name}.npz"
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder / f".{info.name}.lock", f"downloading '{info.name}'"):
        sidecar = read_sidecar(target) or _new_sidecar(info.name)
        recorded = dict(sidecar["files"])
        hosts = list(mirrors)
        for path in (target, target.with_name(f"{info.name}-val.npz")):
            known = recorded.get(path.name)
            if not _is_whole(path, known):
                host = _from_any(path, hosts, known, patience, progress)
                hosts.sort(key=lambda other, best=host: other != best)  # both files from one host, where possible
                sidecar["detail"] = f"fetched from {urlsplit(host).netloc}"
            sidecar["files"][path.name] = known or file_record(path)
        if sidecar["files"] != recorded:
            write_json(sidecar_path(target), sidecar)
    return target


def _from_any(
    path: Path, hosts: Sequence[str], known: dict[str, Any] | None, patience: Patience, progress: bool
) -> str:
    """Download from the first host that delivers, and return that host."""

    def refuse(part: Path) -> str | None:
        try:
            verify_npz(part)
        except DatasetError:
            return "what it sent is not a whole dataset file"
        if known and file_record(part) != known:
            return f"what it sent differs from the record in {sidecar_path(path)} (delete that record to accept it)"
        return None

    reasons = []
    for host in hosts:
        try:
            download(f"{host.rstrip('/')}/{path.name}", path, refuse=refuse, patience=patience, progress=progress)
            return host
        except HostError as failure:
            reasons.append(f"{urlsplit(host).netloc}: {failure}")
            tell(f"{path.name}: {reasons[-1]}", progress)
    name = path.stem.removesuffix("-val")
    instead = f", or make the set with `workbench data make {name}`" if dataset_info(name).can_make else ""
    raise DatasetError(
        f"no host delivered {path.name} ({'; '.join(reasons) or 'none was given'}): run the same command again later, "
        f"which continues from what has arrived{instead}."
    )


def _is_whole(path: Path, known: dict[str, Any] | None) -> bool:
    if not path.exists():
        return False
    if known:
        return path.stat().st_size == known["size"]
    try:
        verify_npz(path)
    except DatasetError:
        return False
    return True


def _new_sidecar(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "official",
        "files": {},
        "seed": None,
        "episodes": None,
        "detail": "found in the folder",
        "versions": {"sorl-workbench": __version__},
    }
