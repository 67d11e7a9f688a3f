"""Networks: actors, velocity fields, denoisers, values and the critic ensemble, as Equinox modules of one example."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from workbench.types import Key


def _linear(inputs: int, outputs: int, *, key: Key) -> eqx.nn.Linear:
    """A linear layer with variance-scaling(1, fan_avg, uniform) weights and zero bias."""
    layer = eqx.nn.Linear(inputs, outputs, key=key)
    weight = jax.nn.initializers.glorot_uniform()(key, (outputs, inputs), layer.weight.dtype)
    return eqx.tree_at(lambda lin: (lin.weight, lin.bias), layer, (weight, jnp.zeros(outputs)))


def _outputs(layer: eqx.nn.Linear) -> int:
    """Length of what a layer returns; "scalar", which Equinox knows too, is none of ours."""
    return int(layer.out_features)


def gelu(v: Float[Array, "*any"]) -> Float[Array, "*any"]:
    r"""GELU in its tanh form, written with the logistic function, whose gradient is cheaper than that of tanh.

    $$\tfrac v2 \big[1 + \tanh u\big] = v\, \sigma(2u), \qquad u = \sqrt{2/\pi}\, (v + 0.044715\, v^3)$$
    """
    return v * jax.nn.sigmoid(2.0 * math.sqrt(2.0 / math.pi) * (v + 0.044715 * v**3))


def _layer_norm(width: int) -> eqx.nn.LayerNorm:
    """Layer normalisation with the field's epsilon, 1e-6, where Equinox has 1e-5."""
    return eqx.nn.LayerNorm(width, eps=1e-6)


class MLP(eqx.Module):
    """Multi-layer perceptron with GELU and, where asked, layer normalisation after each hidden activation."""

    layers: tuple[eqx.nn.Linear, ...]
    norms: tuple[eqx.nn.LayerNorm, ...]

    def __init__(
        self, inputs: int, outputs: int, *, width: int, depth: int, layer_norm: bool = False, key: Key
    ) -> None:
        sizes = [inputs, *[width] * depth, outputs]
        keys = jax.random.split(key, depth + 1)
        self.layers = tuple(_linear(i, o, key=k) for i, o, k in zip(sizes[:-1], sizes[1:], keys, strict=True))
        self.norms = tuple(_layer_norm(width) for _ in range(depth)) if layer_norm else ()

    def __call__(self, v: Float[Array, " inputs"]) -> Float[Array, " outputs"]:
        for i, layer in enumerate(self.layers[:-1]):
            v = gelu(layer(v))
            if self.norms:
                v = self.norms[i](v)
        return self.layers[-1](v)


class ShortcutActor(eqx.Module):
    """The shortcut s(a_t, t, h | x): mean velocity from time t to t + h.

    An MLP of concat(x, a_t, t, log2(1/h)). It is conditioned on h itself, so any step size may be asked for; those
    outside the training grid are extrapolated.
    """

    mlp: MLP

    def __init__(self, obs: int, act: int, *, width: int, depth: int, key: Key) -> None:
        self.mlp = MLP(obs + act + 2, act, width=width, depth=depth, key=key)

    @property
    def act(self) -> int:
        """Dimensions of an action."""
        return _outputs(self.mlp.layers[-1])

    def __call__(
        self, a_t: Float[Array, " act"], t: Float[Array, ""], h: Float[Array, ""], x: Float[Array, " obs"]
    ) -> Float[Array, " act"]:
        return self.mlp(jnp.concatenate([x, a_t, t[None], -jnp.log2(h)[None]]))


class Velocity(eqx.Module):
    """The velocity v(a_t, t | x) of a flow, called as a shortcut is: the step size h is ignored."""

    mlp: MLP

    def __init__(self, obs: int, act: int, *, width: int, depth: int, key: Key) -> None:
        self.mlp = MLP(obs + act + 1, act, width=width, depth=depth, key=key)

    @property
    def act(self) -> int:
        """Dimensions of an action."""
        return _outputs(self.mlp.layers[-1])

    def __call__(
        self, a_t: Float[Array, " act"], t: Float[Array, ""], h: Float[Array, ""], x: Float[Array, " obs"]
    ) -> Float[Array, " act"]:
        return self.mlp(jnp.concatenate([x, a_t, t[None]]))


class Denoiser(eqx.Module):
    """An MLP of concat(x, a_t, t): what a diffusion or consistency model asks about a noised action."""

    mlp: MLP

    def __init__(self, obs: int, act: int, *, width: int, depth: int, key: Key) -> None:
        self.mlp = MLP(obs + act + 1, act, width=width, depth=depth, key=key)

    @property
    def act(self) -> int:
        """Dimensions of an action."""
        return _outputs(self.mlp.layers[-1])

    def __call__(self, a_t: Float[Array, " act"], t: Float[Array, ""], x: Float[Array, " obs"]) -> Float[Array, " act"]:
        return self.mlp(jnp.concatenate([x, a_t, t[None]]))


class ResidualBlock(eqx.Module):
    """v + W_2 gelu(W_1 norm(v)), four times as wide inside."""

    norm: eqx.nn.LayerNorm
    widen: eqx.nn.Linear
    narrow: eqx.nn.Linear

    def __init__(self, width: int, *, key: Key) -> None:
        key_widen, key_narrow = jax.random.split(key)
        self.norm = _layer_norm(width)
        self.widen = _linear(width, 4 * width, key=key_widen)
        self.narrow = _linear(4 * width, width, key=key_narrow)

    def __call__(self, v: Float[Array, " width"]) -> Float[Array, " width"]:
        return v + self.narrow(gelu(self.widen(self.norm(v))))


class ResidualDenoiser(eqx.Module):
    """As `Denoiser`, of residual blocks; t in [0, 1] enters as cos and sin of k·π·t, k = 1, …, 8."""

    enter: eqx.nn.Linear
    blocks: tuple[ResidualBlock, ...]
    leave: eqx.nn.Linear

    def __init__(self, obs: int, act: int, *, width: int, blocks: int, key: Key) -> None:
        key_enter, key_leave, *keys = jax.random.split(key, 2 + blocks)
        self.enter = _linear(obs + act + 16, width, key=key_enter)
        self.blocks = tuple(ResidualBlock(width, key=key_block) for key_block in keys)
        self.leave = _linear(width, act, key=key_leave)

    @property
    def act(self) -> int:
        """Dimensions of an action."""
        return _outputs(self.leave)

    def __call__(self, a_t: Float[Array, " act"], t: Float[Array, ""], x: Float[Array, " obs"]) -> Float[Array, " act"]:
        angles = jnp.pi * t * jnp.arange(1, 9)
        v = self.enter(jnp.concatenate([x, a_t, jnp.cos(angles), jnp.sin(angles)]))
        for block in self.blocks:
            v = block(v)
        return self.leave(gelu(v))


class Policy(eqx.Module):
    """One action from an observation, and from noise z where `noise` says how many numbers of it; tanh if `squash`.

    The last layer's weights begin as variance-scaling(`last_scale`, fan_avg, uniform): √`last_scale` times the others'.
    """

    mlp: MLP
    squash: bool = eqx.field(static=True)

    def __init__(
        self,
        obs: int,
        act: int,
        *,
        width: int,
        depth: int,
        noise: int = 0,
        squash: bool = False,
        last_scale: float = 1.0,
        key: Key,
    ) -> None:
        mlp = MLP(obs + noise, act, width=width, depth=depth, key=key)
        last = math.sqrt(last_scale) * mlp.layers[-1].weight
        self.mlp = eqx.tree_at(lambda mlp: mlp.layers[-1].weight, mlp, last)
        self.squash = squash

    @property
    def act(self) -> int:
        """Dimensions of an action."""
        return _outputs(self.mlp.layers[-1])

    def __call__(self, x: Float[Array, " obs"], z: Float[Array, " noise"] | None = None) -> Float[Array, " act"]:
        a = self.mlp(x if z is None else jnp.concatenate([x, z]))
        return jnp.tanh(a) if self.squash else a


class Value(eqx.Module):
    """V(x), with layer normalisation as the critics have."""

    mlp: MLP

    def __init__(self, obs: int, *, width: int, depth: int, key: Key) -> None:
        self.mlp = MLP(obs, 1, width=width, depth=depth, layer_norm=True, key=key)

    def __call__(self, x: Float[Array, " obs"]) -> Float[Array, ""]:
        return self.mlp(x)[0]


class Critic(eqx.Module):
    """An ensemble of Q(x, a); the caller aggregates.

    With `sees_steps` the number of Euler steps that made the action is one more raw input, as in the released code.
    """

    mlps: tuple[MLP, ...]
    sees_steps: bool = eqx.field(static=True)

    def __init__(
        self, obs: int, act: int, *, width: int, depth: int, ensemble: int = 2, sees_steps: bool = False, key: Key
    ) -> None:
        # Separate networks, not one with a leading axis: batched products measured 1.1 to 1.5 times slower on CPU.
        self.mlps = tuple(
            MLP(obs + act + sees_steps, 1, width=width, depth=depth, layer_norm=True, key=key_member)
            for key_member in jax.random.split(key, ensemble)
        )
        self.sees_steps = sees_steps

    def __call__(
        self, x: Float[Array, " obs"], a: Float[Array, " act"], m: Float[Array, ""] | None = None
    ) -> Float[Array, " ens"]:
        v = jnp.concatenate([x, a, m[None]] if self.sees_steps and m is not None else [x, a])
        return jnp.stack([mlp(v)[0] for mlp in self.mlps])
