"""Episodes that another finished set already holds: an episode depends on its number, not on how many there are."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workbench.data.make.episodes import SPLITS
from workbench.data.make.shards import Shard, is_finished, write_shard
from workbench.data.make.spec import MakeSpec, versions
from workbench.data.npz import file_record
from workbench.paths import read_json


def reuse_sets(spec: MakeSpec, shards: Sequence[Shard]) -> None:
    """Write those shards that smaller or larger sets beside the set's default folder hold.

    Only a set counts that differs in nothing but its numbers of episodes and whose files are as they were written.
    """
    for sidecar in sorted(spec.default_folder().parent.glob(f"*/{spec.name}.json")):
        try:
            record = read_json(sidecar)
            held = MakeSpec(**record["request"])
            if record["versions"] != versions() or dataclasses.replace(held, **_counts(spec)) != spec:
                continue
            for split, file in zip(SPLITS, (f"{spec.name}.npz", f"{spec.name}-val.npz"), strict=True):
                path = sidecar.parent / file
                wanted = [each for each in shards if each.split == split and each.episodes.stop <= held.count(split)]
                if file_record(path) == record["files"][file]:
                    _copy(path, [each for each in wanted if not is_finished(each)], spec.rows)
        except (OSError, ValueError, LookupError, TypeError):
            continue  # half a set, or one of another time: there is nothing to take from it


def _counts(spec: MakeSpec) -> dict[str, int]:
    """What may differ between sets that share episodes."""
    return {"episodes": spec.episodes, "val_episodes": spec.val_episodes}


def _copy(path: Path, shards: Sequence[Shard], rows: int) -> None:
    """Write shards from a file that holds all of their episodes, each of so many rows."""
    if not shards:
        return
    with np.load(path, allow_pickle=False) as file:
        arrays = {key: file[key] for key in file.files}
    for shard in shards:
        part = slice(shard.first * rows, shard.episodes.stop * rows)
        write_shard(shard, [{key: array[part] for key, array in arrays.items()}])
