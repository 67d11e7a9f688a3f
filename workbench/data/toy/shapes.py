"""Curved two-dimensional distributions with no closed-form density: rings and two moons. One draw a call."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from workbench.types import Key


class Rings(eqx.Module):
    """Concentric circles about the origin, equally likely, blurred across by normal noise of deviation `blur`."""

    radii: tuple[float, ...] = eqx.field(static=True, default=(0.35, 0.8))
    blur: float = eqx.field(static=True, default=0.04)

    def sample(self, *, key: Key) -> Float[Array, " act"]:
        """One draw: a circle, a uniform angle on it, a normal offset of the radius."""
        key_ring, key_angle, key_blur = jax.random.split(key, 3)
        radius = jax.random.choice(key_ring, jnp.array(self.radii)) + self.blur * jax.random.normal(key_blur)
        angle = jax.random.uniform(key_angle, maxval=2 * jnp.pi)
        return radius * jnp.stack([jnp.cos(angle), jnp.sin(angle)])


class TwoMoons(eqx.Module):
    """Two interleaved half circles of radius `size`, equally likely, blurred by round normal noise of deviation `blur`.

    The upper moon opens downwards about (-size/2, -size/4), the lower one upwards about (size/2, size/4).
    """

    size: float = eqx.field(static=True, default=0.55)
    blur: float = eqx.field(static=True, default=0.04)

    def sample(self, *, key: Key) -> Float[Array, " act"]:
        """One draw: a moon, a uniform angle along it, normal noise."""
        key_moon, key_angle, key_blur = jax.random.split(key, 3)
        sign = jax.random.rademacher(key_moon, dtype=jnp.result_type(float))
        angle = jax.random.uniform(key_angle, maxval=jnp.pi)
        arc = sign * jnp.stack([jnp.cos(angle) - 0.5, jnp.sin(angle) - 0.25])
        return self.size * arc + self.blur * jax.random.normal(key_blur, (2,))
