"""Checkpoints: a training state in one sealed file (`sealed`), whose header names the spec's hash and the step."""

import hashlib
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PyTree

from workbench.errors import WorkbenchError
from workbench.paths import atomic_write
from workbench.store.sealed import fill, seal, unseal, without_keys

MAGIC = b"SORL-WORKBENCH-CHECKPOINT\n"
VERSION = 2
VERSIONS = (1, VERSION)
"""Formats that are read; headers of the first had no checksum."""


class CheckpointError(WorkbenchError):
    """A checkpoint that cannot be used as it is: it belongs to something else, or it is damaged."""


class DamagedCheckpointError(CheckpointError):
    """A checkpoint whose bytes are not those that were written: the one before it serves."""


def state_hash(tree: PyTree) -> str:
    """SHA-256 of every array of a state, in tree order: two states are equal bit for bit when their hashes are."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(without_keys(eqx.filter(tree, eqx.is_array))):
        digest.update(np.asarray(leaf).tobytes())
    return digest.hexdigest()


def save_checkpoint(
    path: Path, state: PyTree, *, spec_hash: str, step: int, running: dict[str, Any] | None = None
) -> None:
    """Write a state, and the report under way (`running`); the file appears whole or not at all."""
    header = {"version": VERSION, "spec_hash": spec_hash, "step": step, "running": running or {}}
    content = seal(MAGIC, header, state)
    with atomic_write(path) as file:
        file.write(content)


def load_checkpoint(path: Path, like: PyTree, *, spec_hash: str | None = None) -> tuple[PyTree, int]:
    """Read a state shaped like `like` (abstract shapes suffice) and the step it was saved at.

    Raises `DamagedCheckpointError` when the file is damaged, and `CheckpointError` when it is of another spec or format
    or its arrays do not fit `like`.
    """
    header, payload = _read(path)
    if spec_hash is not None and header["spec_hash"] != spec_hash:
        raise CheckpointError(f"{path} belongs to run {header['spec_hash']}, not to {spec_hash}: use its own folder.")
    state = fill(like, header, payload)
    if state is None:
        raise CheckpointError(f"{path} holds other arrays than this agent has: it was written by another version.")
    return state, header["step"]


def read_running(path: Path) -> dict[str, Any]:
    """The report under way when a checkpoint was saved, empty in older files; raises as `load_checkpoint` does."""
    return _read(path)[0].get("running", {})


def is_whole(path: Path, step: int) -> bool:
    """Whether a file is the checkpoint of an update as it was written."""
    found = unseal(MAGIC, path.read_bytes()) if path.exists() else None
    return found is not None and found[0].get("step") == step


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no checkpoint {path}.") from error
    found = unseal(MAGIC, content)
    if found is None:
        raise DamagedCheckpointError(
            f"{path} is damaged ({len(content):,} bytes), so it cannot be used: name another checkpoint, or move the "
            "run away and train it anew."
        )
    header, payload = found
    if header["version"] not in VERSIONS:
        raise CheckpointError(f"{path} has format version {header['version']}, this program reads 1 and {VERSION}.")
    return header, payload
