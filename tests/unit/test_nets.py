"""Networks against the formulas they are written for."""

import jax
import jax.numpy as jnp
import numpy as np

from workbench.nets import gelu


def test_gelu_and_its_gradient_are_those_of_the_tanh_form() -> None:
    v = jnp.linspace(-12.0, 12.0, 2001)
    np.testing.assert_allclose(gelu(v), jax.nn.gelu(v, approximate=True), rtol=1e-5, atol=5e-6)
    ours, theirs = (jax.vmap(jax.grad(f))(v) for f in (gelu, lambda u: jax.nn.gelu(u, approximate=True)))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=5e-6)
    assert np.isfinite(jax.grad(gelu)(jnp.float32(-100.0)))
