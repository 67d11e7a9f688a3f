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
VERSION = 1


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


def save_checkpoint(path: Path, state: PyTree, *, spec_hash: str, step: int) -> None:
    """Write a state; the file appears whole or not at all."""
    content = seal(MAGIC, {"version": VERSION, "spec_hash": spec_hash, "step": step}, state)
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


def is_whole(path: Path) -> bool:
    """Whether a file is a checkpoint as it was written."""
    return path.exists() and unseal(MAGIC, path.read_bytes()) is not None


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no checkpoint {path}.") from error
    found = unseal(MAGIC, content)
    if found is None:
        raise DamagedCheckpointError(
            f"{path} is damaged ({len(content):,} bytes): delete it; the one before it will be used."
        )
    header, payload = found
    if header["version"] != VERSION:
        raise CheckpointError(f"{path} has format version {header['version']}, this program reads {VERSION}.")
    return header, payload
