"""A JSON header and Equinox leaves in one file, verified when read: what checkpoints and policies are. No pickle.

Layout: a magic line, the header's length as 8 bytes, the header, the leaves. The header names the format version, every
leaf's tree path, shape and dtype, the PRNG implementation of keys, the SHA-256 of the leaves, and last its own, which
files of format version 1 may lack.
"""

import hashlib
import io
import json
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

HEADER_SHA256 = "header_sha256"


def seal(magic: bytes, header: dict[str, Any], tree: PyTree) -> bytes:
    """The content of a file that holds the arrays of a tree; `header` is completed by what describes them."""
    arrays = eqx.filter(tree, eqx.is_array)
    buffer = io.BytesIO()
    eqx.tree_serialise_leaves(buffer, without_keys(arrays))
    payload = buffer.getvalue()
    own = {"leaves": _describe(arrays), "prng": _key_implementations(arrays)}
    described = header | own | {"sha256": hashlib.sha256(payload).hexdigest()}
    encoded = json.dumps(described | {HEADER_SHA256: header_digest(described)}).encode()
    return magic + len(encoded).to_bytes(8, "big") + encoded + payload


def unseal(magic: bytes, content: bytes) -> tuple[dict[str, Any], bytes] | None:
    """The header and the leaves, or None for what `seal` did not write, or not so."""
    start = len(magic) + 8
    size = int.from_bytes(content[len(magic) : start], "big")
    payload = content[start + size :]
    try:
        header = json.loads(content[start : start + size])
        told = header.pop(HEADER_SHA256, None)
        as_told = told == header_digest(header) if told else header["version"] == 1
        whole = content.startswith(magic) and as_told and hashlib.sha256(payload).hexdigest() == header["sha256"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return (header, payload) if whole else None


def header_digest(header: dict[str, Any]) -> str:
    """SHA-256 of a header without its own."""
    return hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()


def fill(like: PyTree, header: dict[str, Any], payload: bytes) -> PyTree | None:
    """`like` (abstract shapes suffice) with the arrays that were sealed; None where they do not fit it."""
    arrays, static = eqx.partition(like, lambda leaf: eqx.is_array(leaf) or isinstance(leaf, jax.ShapeDtypeStruct))
    if header["leaves"] != _describe(arrays):
        return None
    loaded = eqx.tree_deserialise_leaves(io.BytesIO(payload), jax.eval_shape(without_keys, arrays))
    restored = jax.tree_util.tree_map_with_path(
        lambda path, slot, leaf: _restore_key(leaf, slot, header["prng"].get(jax.tree_util.keystr(path))),
        arrays,
        loaded,
    )
    return eqx.combine(restored, static)


def without_keys(tree: PyTree) -> PyTree:
    """A tree of arrays with the data of its keys in their place."""
    return jax.tree.map(lambda leaf: jax.random.key_data(leaf) if _is_key(leaf) else leaf, tree)


def _is_key(leaf: Any) -> bool:
    return eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _key_implementations(tree: PyTree) -> dict[str, str]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): str(jax.random.key_impl(leaf)) for path, leaf in leaves if _is_key(leaf)}


def _describe(tree: PyTree) -> list[dict[str, Any]]:
    """Tree path, shape and dtype of every array (or abstract shape) of a tree."""
    return [
        {"path": jax.tree_util.keystr(path), "shape": list(leaf.shape), "dtype": str(leaf.dtype)}
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    ]


def _restore_key(leaf: Any, slot: Any, implementation: str | None) -> Any:
    if not jnp.issubdtype(slot.dtype, jax.dtypes.prng_key):
        return leaf
    return jax.random.wrap_key_data(leaf, impl=implementation)
