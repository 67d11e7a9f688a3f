"""The finished set: two files joined from shards, and the sidecar that is written last and makes them valid."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.data.make.episodes import SPLITS
from workbench.data.make.shards import Shard, merge_shards
from workbench.data.make.spec import MakeSpec, versions
from workbench.data.npz import file_record, sidecar_path
from workbench.errors import DatasetError
from workbench.paths import read_json, write_json


def write_set(target: Path, spec: MakeSpec, shards: Sequence[Shard]) -> None:
    """Join the shards of each split into its file, then write the sidecar with sizes and checksums."""
    files: dict[str, Any] = {}
    for split, path in zip(SPLITS, (target, target.with_name(f"{target.stem}-val.npz")), strict=True):
        merge_shards([shard for shard in shards if shard.split == split], spec.count(split) * spec.rows, path)
        files[path.name] = file_record(path)
    sidecar = {
        "name": spec.name,
        "kind": "regenerated",
        "files": files,
        "seed": spec.seed,
        "episodes": spec.episodes,
        "detail": spec.detail,
        "versions": versions(),
        "request": spec.request(),
    }
    write_json(sidecar_path(target), sidecar)


def is_made(target: Path, spec: MakeSpec) -> bool:
    """Whether the finished set is there; `DatasetError` when it is another set than the one asked for."""
    sidecar = sidecar_path(target)
    try:
        record = read_json(sidecar)
        whole = all((target.parent / file).stat().st_size == entry["size"] for file, entry in record["files"].items())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
    if whole and record.get("request") != spec.request():
        raise DatasetError(
            f"{target.parent} already holds a '{spec.name}' that was not made with these settings "
            f"(see {sidecar.name} there): choose another folder, or delete that one."
        )
    return whole
