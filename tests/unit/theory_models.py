"""Shortcuts with known errors against Gaussian mixtures, shared by the tests of theory."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from workbench.data.toy import Mixture
from workbench.nets import ShortcutActor
from workbench.theory import W2Report, measure

X = jnp.zeros(1)


class Field(eqx.Module):
    """The exact velocity, whatever h, and a constant error."""

    mixture: Mixture
    error: jax.Array

    def __call__(self, a_t, t, h, x):
        return self.mixture.velocity(a_t, t) + self.error


class Flow(eqx.Module):
    """The exact shortcut of one round Gaussian (closed form), and a constant error."""

    mixture: Mixture
    error: jax.Array

    def __call__(self, a_t, t, h, x):
        mean, sd = self.mixture.mean[0], self.mixture.scale[0]
        growth = spread(t + h, sd) / spread(t, sd)
        return ((t + h) * mean + growth * (a_t - t * mean) - a_t) / h + self.error


class Levels(eqx.Module):
    """No flow-matching and no self-consistency error: every step is as many exact-velocity steps of size 1/m_disc."""

    mixture: Mixture
    m_disc: int = eqx.field(static=True)

    def __call__(self, a_t, t, h, x):
        def step(j, z):
            return z + self.mixture.velocity(z, t + j / self.m_disc) / self.m_disc

        count = jnp.round(h * self.m_disc).astype(int)
        return (jax.lax.fori_loop(0, count, step, a_t) - a_t) / h


class Scaled(eqx.Module):
    """A network times a factor."""

    net: ShortcutActor
    factor: jax.Array

    def __call__(self, a_t, t, h, x):
        return self.factor * self.net(a_t, t, h, x)


def spread(t, sd):
    return jnp.sqrt((1 - t) ** 2 + t**2 * sd**2)


def gaussian(mean=(0.4, -0.2), sd=0.3) -> Mixture:
    return Mixture.build(np.array([mean]), sd**2 * np.eye(len(mean))[None])


def random_mixture(seed: int) -> Mixture:
    rng = np.random.default_rng(seed)
    root = rng.normal(0, 0.3, (3, 2, 2))
    cov = root @ root.transpose(0, 2, 1) + 0.02 * np.eye(2)
    return Mixture.build(rng.uniform(-1, 1, (3, 2)), cov, rng.uniform(0.2, 1, 3))


def random_network(seed: int, factor: float = 1.0) -> Scaled:
    net = ShortcutActor(1, 2, width=16, depth=2, key=jax.random.key(seed))
    return Scaled(net, jnp.asarray(factor))


def run(s, mixture: Mixture, m_disc: int = 4, samples: int = 300, seed: int = 0) -> W2Report:
    return measure(s, mixture, X, m_disc=m_disc, samples=samples, key=jax.random.key(seed))
