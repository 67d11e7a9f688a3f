"""Checkpoints: one file, a JSON header and Equinox leaves, verified when read. No pickle.

Layout: a magic line, the header's length as 8 bytes, the header, the leaves. The header names the format version, the
spec's hash, every leaf's tree path, shape and dtype, the PRNG implementation of keys, and the SHA-256 of the leaves.
"""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from workbench.errors import WorkbenchError
from workbench.paths import atomic_write

MAGIC = b"SORL-WORKBENCH-CHECKPOINT\n"
VERSION = 1


class CheckpointError(WorkbenchError):
    """A checkpoint that cannot be used as it is: it belongs to something else, or it is damaged."""


class DamagedCheckpointError(CheckpointError):
    """A checkpoint whose bytes are not those that were written: the one before it serves."""


def _is_key(leaf: Any) -> bool:
    return eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _key_implementations(tree: PyTree) -> dict[str, str]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): str(jax.random.key_impl(leaf)) for path, leaf in leaves if _is_key(leaf)}


def _without_keys(tree: PyTree) -> PyTree:
    return jax.tree.map(lambda leaf: jax.random.key_data(leaf) if _is_key(leaf) else leaf, tree)


def describe(tree: PyTree) -> list[dict[str, Any]]:
    """Tree path, shape and dtype of every array (or abstract shape) of a tree."""
    return [
        {"path": jax.tree_util.keystr(path), "shape": list(leaf.shape), "dtype": str(leaf.dtype)}
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    ]


def state_hash(tree: PyTree) -> str:
    """SHA-256 of every array of a state, in tree order: two states are equal bit for bit when their hashes are."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(_without_keys(eqx.filter(tree, eqx.is_array))):
        digest.update(np.asarray(leaf).tobytes())
    return digest.hexdigest()


def save_checkpoint(path: Path, state: PyTree, *, spec_hash: str, step: int) -> None:
    """Write a state; the file appears whole or not at all."""
    buffer = io.BytesIO()
    eqx.tree_serialise_leaves(buffer, _without_keys(eqx.filter(state, eqx.is_array)))
    payload = buffer.getvalue()
    header = {
        "version": VERSION,
        "spec_hash": spec_hash,
        "step": step,
        "leaves": describe(eqx.filter(state, eqx.is_array)),
        "prng": _key_implementations(state),
        "sha256": hashlib.sha256(payload).hexdigest(),
    }
    encoded = json.dumps(header).encode()
    with atomic_write(path) as file:
        file.write(MAGIC + len(encoded).to_bytes(8, "big") + encoded)
        file.write(payload)


def load_checkpoint(path: Path, like: PyTree, *, spec_hash: str | None = None) -> tuple[PyTree, int]:
    """Read a state shaped like `like` (abstract shapes suffice) and the step it was saved at.

    Raises `DamagedCheckpointError` when the file is damaged, and `CheckpointError` when it is of another spec or format
    or its arrays do not fit `like`.
    """
    header, payload = _read(path)
    if spec_hash is not None and header["spec_hash"] != spec_hash:
        raise CheckpointError(f"{path} belongs to run {header['spec_hash']}, not to {spec_hash}: use its own folder.")
    arrays, static = eqx.partition(like, lambda leaf: eqx.is_array(leaf) or isinstance(leaf, jax.ShapeDtypeStruct))
    if header["leaves"] != describe(arrays):
        raise CheckpointError(f"{path} holds other arrays than this agent has: it was written by another version.")
    plain = jax.eval_shape(_without_keys, arrays)
    loaded = eqx.tree_deserialise_leaves(io.BytesIO(payload), plain)
    restored = jax.tree_util.tree_map_with_path(
        lambda path, slot, leaf: _restore_key(leaf, slot, header["prng"].get(jax.tree_util.keystr(path))),
        arrays,
        loaded,
    )
    return eqx.combine(restored, static), header["step"]


def _restore_key(leaf: Any, slot: Any, implementation: str | None) -> Any:
    if not jnp.issubdtype(slot.dtype, jax.dtypes.prng_key):
        return leaf
    return jax.random.wrap_key_data(leaf, impl=implementation)


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no checkpoint {path}.") from error
    start = len(MAGIC) + 8
    size = int.from_bytes(content[len(MAGIC) : start], "big")
    payload = content[start + size :]
    try:
        header = json.loads(content[start : start + size])
        whole = content.startswith(MAGIC) and hashlib.sha256(payload).hexdigest() == header["sha256"]
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise DamagedCheckpointError(
            f"{path} is damaged ({len(content):,} bytes): delete it; the one before it will be used."
        )
    if header["version"] != VERSION:
        raise CheckpointError(f"{path} has format version {header['version']}, this program reads {VERSION}.")
    return header, payload
