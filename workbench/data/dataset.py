"""A dataset on device: observations stored once, and the rows that have a successor."""

from dataclasses import dataclass
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int, Int32

from workbench.errors import DatasetError
from workbench.types import Batch, Key

ACTION_LIMIT = 1 - 1e-5
"""Dataset actions are clipped to plus or minus this, as the released code does."""

Index: TypeAlias = Int[Array, ""]


@dataclass(frozen=True)
class Provenance:
    """Where a dataset came from; part of every run record.

    `kind` is `official`, `regenerated`, `minari`, `toy` or `arrays`; `sha256` is the training file's (for `arrays` that
    of their values), `seed` the generator's.
    """

    kind: str
    name: str
    sha256: str | None = None
    seed: int | None = None
    detail: str = ""


class Dataset(eqx.Module):
    """Rows of trajectories, stored once; `index` lists the rows whose next row is their successor.

    `x_next` and `a_next` of row i are `x` and `a` of row i + 1, so nothing is stored twice. `r` and `mask` belong to
    the transition that starts in the row; `mask` is 0 where it ends the episode for good.
    """

    x: Float32[Array, "row obs"]
    a: Float32[Array, "row act"]
    r: Float32[Array, " row"]
    mask: Float32[Array, " row"]
    index: Int32[Array, " valid"]
    provenance: Provenance = eqx.field(static=True)

    @classmethod
    def build(
        cls,
        x: Float[np.ndarray, "row obs"],
        a: Float[np.ndarray, "row act"],
        r: Float[np.ndarray, " row"],
        mask: Float[np.ndarray, " row"],
        valid: Bool[np.ndarray, " row"],
        provenance: Provenance,
    ) -> "Dataset":
        """Move arrays to the device; actions are clipped to ±(1 − 1e-5).

        Raises `DatasetError` when no row is valid, the last row is, or a valid row holds NaN or infinity.
        """
        index = np.flatnonzero(valid).astype(np.int32)
        if not len(index):
            raise DatasetError(f"dataset '{provenance.name}' has no transition: every row is the end of an episode.")
        if index[-1] + 1 >= len(x):
            raise DatasetError(
                f"dataset '{provenance.name}' calls its last row a transition, but no row follows it: "
                "mark the last row of every episode as its end."
            )
        a = np.clip(a, -ACTION_LIMIT, ACTION_LIMIT)
        for label, array in (("observations", x), ("actions", a), ("rewards", r)):
            if not np.isfinite(array).all():
                row = int(np.argwhere(~np.isfinite(array))[0][0])
                raise DatasetError(
                    f"dataset '{provenance.name}' holds NaN or infinity in its {label}, first in row {row}: "
                    "run `workbench data check` on its file."
                )
        arrays = [jnp.asarray(array, jnp.float32) for array in (x, a, r, mask)]
        return cls(*arrays, index=jnp.asarray(index), provenance=provenance)

    @property
    def size(self) -> int:
        """Number of transitions."""
        return self.index.shape[0]

    @property
    def obs(self) -> int:
        """Width of an observation."""
        return self.x.shape[-1]

    @property
    def act(self) -> int:
        """Width of an action."""
        return self.a.shape[-1]

    def transition(self, i: Index) -> Batch:
        """The i-th transition, 0 ≤ i < size."""
        row = self.index[i]
        return Batch(
            x=self.x[row],
            a=self.a[row],
            r=self.r[row],
            x_next=self.x[row + 1],
            mask=self.mask[row],
            a_next=self.a[row + 1],
        )

    def example(self) -> Batch:
        """The first transition: what an agent needs to know the shapes."""
        return self.transition(jnp.zeros((), jnp.int32))

    def sample(self, batch_size: int, *, key: Key) -> Batch:
        """A batch of transitions, drawn uniformly with replacement."""
        return jax.vmap(self.transition)(jax.random.randint(key, (batch_size,), 0, self.size))

    def nbytes(self) -> int:
        """Bytes on device."""
        return sum(leaf.nbytes for leaf in jax.tree.leaves(self))
