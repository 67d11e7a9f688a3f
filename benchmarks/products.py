"""What share of the machine's rate do matrix products reach alone, at the sizes that an update is made of?"""

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from measuring import Number, in_turn, main, median

REPEATED = 16
"""Products of one call, so that starting it does not count."""


def measure(smoke: bool) -> Iterator[Number]:
    """Of rows and of their weight gradients, by width; beside the large product of `updates`.

    A rollout that is dealt over 256 rows calls the network for 64 rows four times, for 128 twice, for 192 and for 256.
    What an update reaches is bounded by this, unless its products are made larger.
    """
    rounds, side = (2, 64) if smoke else (40, 2048)
    widths, counts = ((8,), (4,)) if smoke else ((128, 256, 512), (32, 64, 128, 256, 512))
    rng = np.random.default_rng(0)

    def noise(*shape: int) -> Float[Array, " ..."]:
        return jnp.asarray(rng.normal(size=shape), jnp.float32) / np.sqrt(shape[-1])

    sizes = [(width, rows) for width in widths for rows in counts]
    matrix = noise(side, side)
    calls: dict[str, Callable[[], Array]] = {"large": lambda: large(matrix)}
    for width, rows in sizes:
        v, w = noise(rows, width), noise(width, width)
        calls[f"{width}, {rows} rows"] = lambda v=v, w=w: forward(v, w)
        calls[f"{width}, gradient of {rows} rows"] = lambda v=v: gradient(v)
    found = in_turn(calls, rounds, warm=3)
    rate = 2 * side**3 / float(np.median(found.pop("large")))
    for (name, times), (width, rows) in zip(found.items(), [size for size in sizes for _ in "wg"], strict=True):
        work = REPEATED * 2 * rows * width**2
        yield median(f"width {name}", [work / each / rate for each in times], "of the product rate")


@jax.jit
def large(a: Float[Array, "n n"]) -> Float[Array, "n n"]:
    return a @ a


@jax.jit
def forward(v: Float[Array, "rows width"], w: Float[Array, "width width"]) -> Float[Array, "rows width"]:
    """Rows through one matrix, again and again."""
    return jax.lax.fori_loop(0, REPEATED, lambda _, v: v @ w.T, v)


@jax.jit
def gradient(v: Float[Array, "rows width"]) -> Float[Array, "width width"]:
    """Weight gradients; each depends on the one before, by a term that changes nothing."""

    def one(_: int, found: Float[Array, "width width"]) -> Float[Array, "width width"]:
        return (v + 1e-30 * found[0]).T @ v

    return jax.lax.fori_loop(0, REPEATED, one, jnp.zeros((v.shape[1], v.shape[1])))


if __name__ == "__main__":
    main(__doc__ or "", measure)
