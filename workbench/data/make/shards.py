"""The finished part of a set on disk: small npz files, each tied by a header to what it is a part of."""

import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.make.episodes import SPLITS, Episode
from workbench.data.make.spec import MakeSpec
from workbench.paths import atomic_write

SHARD_ROWS = 5000
"""A shard has as many episodes as fit in this many rows, and at least one: seconds of work, megabytes of memory."""

_HEADER = "header"
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Shard:
    """Consecutive episodes of one split, and the file that holds them when they are done."""

    path: Path
    split: str
    first: int
    count: int
    fingerprint: str

    @property
    def header(self) -> str:
        """Text stored in the file: it must match for the file to be used."""
        return json.dumps([self.fingerprint, self.split, self.first, self.count])

    @property
    def episodes(self) -> range:
        """Numbers of its episodes."""
        return range(self.first, self.first + self.count)


def plan_shards(spec: MakeSpec, folder: Path) -> list[Shard]:
    """The shards of a set, in order; they do not depend on the number of workers."""
    size = max(1, SHARD_ROWS // spec.rows)
    fingerprint = spec.fingerprint()
    return [
        Shard(folder / f"{split}-{first:06d}.npz", split, first, min(size, spec.count(split) - first), fingerprint)
        for split in SPLITS
        for first in range(0, spec.count(split), size)
    ]


def write_shard(shard: Shard, episodes: Sequence[Episode]) -> None:
    """Write a shard's episodes one after another: the whole file, or none of it."""
    arrays: dict[str, Any] = {key: np.concatenate([episode[key] for episode in episodes]) for key in episodes[0]}
    arrays[_HEADER] = np.array(shard.header)
    with atomic_write(shard.path) as file:
        np.savez(file, **arrays)


def is_finished(shard: Shard) -> bool:
    """Whether the shard's file is there, readable, and a part of the same set."""
    try:
        with np.load(shard.path, allow_pickle=False) as arrays:
            return str(arrays[_HEADER]) == shard.header
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return False


def merge_shards(shards: Sequence[Shard], rows: int, target: Path) -> None:
    """Join shards into one uncompressed npz of `rows` rows, with one shard's array in memory at a time.

    The same arrays give the same bytes: members carry a fixed date.
    """
    with np.load(shards[0].path, allow_pickle=False) as first:
        keys = [key for key in first.files if key != _HEADER]
    with atomic_write(target) as file, zipfile.ZipFile(file, "w") as archive:
        for key in keys:
            member = zipfile.ZipInfo(f"{key}.npy", _ZIP_DATE)
            with archive.open(member, "w", force_zip64=True) as stream:
                for number, array in enumerate(_arrays(shards, key)):
                    if number == 0:
                        header = np.lib.format.header_data_from_array_1_0(array)
                        np.lib.format.write_array_header_1_0(stream, header | {"shape": (rows, *array.shape[1:])})
                    stream.write(array.tobytes())


def _arrays(shards: Sequence[Shard], key: str) -> Iterable[np.ndarray]:
    for shard in shards:
        with np.load(shard.path, allow_pickle=False) as arrays:
            yield arrays[key]
