r"""A bound on the W2 distance between a shortcut policy and the behaviour it imitates, with every term measurable.

u is the exact marginal velocity, ψ its flow, p_t its marginals, Z_t a path of it, h_0 = 1/M_disc, and
Φ_h^t(z) = z + h s(z, t, h) one Euler step. Suppose that, for h = h_0, 2h_0, …, 1/M and t = 0, h, 2h, … < 1,

1. s(·, t, h) is L-Lipschitz **wherever the two points compared lie**: one is the flow's own point, the other a step
   from Z_t that missed it, or a point of the M-step rollout. The others are off p_t, where training never looked, so
   the largest slope under p_t is not enough.
2. ‖s(·, t, h_0) - u_t‖ ≤ ε_FM in L2(p_t), at t = 0, h_0, 2h_0, …
3. the self-consistency residual of a step of size 2h is at most ε_SC in L2(p_t), at t = 0, 2h, 4h, … (2h ≤ 1/M).
4. ‖d/dt u_t(Z_t)‖ ≤ A in L2, for **all** t in [0, 1].

Let e_h = sup_t ‖Φ_h^t - ψ_{t→t+h}‖_{L2(p_t)} / h. Then e_{h_0} ≤ ε_FM + A h_0 / 2, as one step of exact velocity
misses the flow by A h_0² / 2; e_{2h} ≤ (1 + hL/2) e_h + ε_SC, by two steps of h and what separates them from one of
2h; and M steps accumulate Σ_j (1 + hL)^j h e_h. Coupling policy and flow by the same noise, for every power of two M
≤ M_disc,

$$W_2(\pi_M, \pi_B) \le \frac{e^L - 1}{L}\, e^{L / 2M}\,
  \Big[\epsilon_{FM} + \frac{A}{2 M_{disc}} + \log_2\!\frac{M_{disc}}{M}\; \epsilon_{SC}\Big].$$

Derived for this workbench, with the three terms of the bound in the SORL paper, whose constants may differ. It is
about the sampler **before** it clips to [-1, 1], against the mixture itself. Clipping moves no two points apart, so
the clipped policy is within the same distance of the clipped mixture. ε_FM is the error against u_t, as in training:
the exact shortcut, the mean velocity over h_0, has an ε_FM of up to A h_0 / 2 and not 0. A policy trained with w_ql >
0 leaves p_t on purpose: the bound still holds, and its terms say how far it went.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from workbench.data.toy import Mixture
from workbench.errors import WorkbenchError
from workbench.flow import Shortcut
from workbench.theory.along import TERMS, along, chain
from workbench.theory.dyadic import as_grid, step_counts
from workbench.theory.report import W2Report
from workbench.theory.wasserstein import wasserstein_2
from workbench.types import Key

FLOW_STEPS = 256
"""Runge-Kutta steps of the exact flow; their size is well below every deviation of the named mixtures."""


def measure(s: Shortcut, mixture: Mixture, x: Float[Array, " obs"], *, m_disc: int, samples: int, key: Key) -> W2Report:
    """Every term of the bound for the shortcut s at one observation, whose exact actions are `mixture`, and W2 itself.

    p_t is sampled by carrying `samples` draws of noise along the exact flow, which has the mixture's marginals. Along
    paths the proof holds word for word for the draws themselves, with their own norms and an L that is the largest
    slope between the very points compared, and the largest spectral norm of the Jacobian at any Z_t. So `coupled` ≤
    `bound_worst` for the draws at hand, up to rounding and the error of the Runge-Kutta steps, although L, a maximum
    over samples, is a lower estimate of the true constant.

    `bound_measured` needs no Lipschitz constant. The difference between the end of M steps and of the exact flow is a
    sum of differences, one for each local error; each is the model's own later steps applied to the point with the
    error and without (see `along.chain`), and the bound is the sum of their root mean squares.

    Compiles once for each structure of s, m_disc and number of samples; s should be an `eqx.Module`, as each new lambda
    compiles anew. Raises `WorkbenchError` when m_disc is no power of two, `samples` < 1, or the model yields NaN or
    infinity.
    """
    if samples < 1:
        raise WorkbenchError(f"samples={samples}: the bound is measured on at least one draw, and well on 2,000.")
    m = step_counts(m_disc)
    key_noise, key_data = jax.random.split(key)
    a_0 = jax.random.normal(key_noise, (samples, mixture.mean.shape[-1]), mixture.mean.dtype)
    data = np.asarray(_draws(mixture, samples, key=key_data))
    found = jax.tree.map(np.asarray, _over_draws(s, mixture, x, a_0, m_disc, max(FLOW_STEPS, m_disc)))
    return W2Report(
        m_disc=m_disc,
        n=samples,
        m=m,
        t=np.arange(m_disc) / m_disc,
        t_fine=np.linspace(0, 1, len(found["acceleration"])),
        w2=np.array([wasserstein_2(end, data) for end in found.pop("ends")]),
        w2_floor=wasserstein_2(found.pop("target"), data),
        **found,
    )


@eqx.filter_jit
def _over_draws(
    s: Shortcut, mixture: Mixture, x: Float[Array, " obs"], a_0: Float[Array, "row act"], m_disc: int, fine: int
) -> dict[str, Array]:
    """Root mean squares over the draws, the largest Lipschitz values, and the ends themselves."""
    each = jax.vmap(lambda a_0: along(s, mixture, x, a_0, m_disc=m_disc, fine=fine))(a_0)
    arrived = []
    for m, shifts in zip(step_counts(m_disc), each.arrivals, strict=True):
        _, terms = chain(int(m), m_disc)
        arrived.append([_rms(shifts)[terms == i].sum() for i in range(len(TERMS))])
    return {
        "eps_fm": _rms(each.flow_matching),
        "acceleration": _rms(each.acceleration),
        "eps_sc": as_grid(_rms(each.self_consistency), m_disc),
        "lipschitz": as_grid(each.lipschitz.max(axis=0), m_disc),
        "arrived": jnp.array(arrived),
        "coupled": _rms(jnp.sum((each.ends - each.target[:, None]) ** 2, axis=-1)),
        "ends": each.ends.swapaxes(0, 1),
        "target": each.target,
    }


def _rms(squared: Float[Array, "row *rest"]) -> Float[Array, "*rest"]:
    return jnp.sqrt(squared.mean(axis=0))


@eqx.filter_jit
def _draws(mixture: Mixture, count: int, *, key: Key) -> Float[Array, "row act"]:
    return jax.vmap(lambda key: mixture.sample(key=key))(jax.random.split(key, count))
