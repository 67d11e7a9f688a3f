"""The result of measuring the three-term bound: terms, prefactors and distances, with a table of one row per M."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from workbench.theory.along import TERMS


def prefactor(lipschitz: float, m: Int[np.ndarray, " step"]) -> Float[np.ndarray, " step"]:
    r"""Worst-case growth of errors over the M-step sampler of an L-Lipschitz shortcut, one value for each M.

    $$\frac{e^L - 1}{L}\, e^{L / 2M}$$

    1 at L = 0; infinite, without a warning, where it exceeds the largest double (L ≈ 700).
    """
    mean_growth = -np.expm1(-lipschitz) / lipschitz if lipschitz > 0 else 1.0
    with np.errstate(over="ignore"):
        return mean_growth * np.exp(lipschitz * (1 + 0.5 / m))


@dataclass(frozen=True)
class W2Report:
    """What `measure` found; rows of every array with a `step` axis are M = 1, 2, 4, …, m_disc.

    Distances are in action units, errors of velocities in action units per unit of flow time. `n` draws of noise.

    - `eps_fm` at t = k/m_disc; `acceleration` at `t_fine`, |d/dt u_t(Z_t)|; root mean squares over the draws.
    - `eps_sc` of the step 2h = 1/M for M = 1, …, m_disc/2 (rows) at t = k/m_disc (columns); NaN off the level's grid.
    - `lipschitz` of s(·, t, 1/M), likewise for every M: the largest value seen, so no more than the true constant.
    - `coupled`: root mean square distance between the ends of M Euler steps and of the exact flow, same noise.
    - `w2`: W2 between those M-step ends and independent draws of the mixture; `w2_floor` is what the ends of the exact
      flow score against the same draws: W2 between two independent samples of one law. w2 ≤ coupled + w2_floor.
    - `arrived`: how far the errors of each term (`TERMS`) move the end, carried there by the model's own later steps.
    """

    m_disc: int
    n: int
    m: Int[np.ndarray, " step"]
    t: Float[np.ndarray, " grid"]
    eps_fm: Float[np.ndarray, " grid"]
    t_fine: Float[np.ndarray, " fine"]
    acceleration: Float[np.ndarray, " fine"]
    eps_sc: Float[np.ndarray, "level grid"]
    lipschitz: Float[np.ndarray, "step grid"]
    coupled: Float[np.ndarray, " step"]
    w2: Float[np.ndarray, " step"]
    w2_floor: float
    arrived: Float[np.ndarray, "step 3"]

    @property
    def flow_matching(self) -> float:
        """ε_FM, the largest over t."""
        return float(self.eps_fm.max())

    @property
    def discretisation(self) -> float:
        """A / (2 m_disc), with A the largest acceleration over t."""
        return float(self.acceleration.max()) / (2 * self.m_disc)

    @property
    def self_consistency(self) -> Float[np.ndarray, " step"]:
        """log2(m_disc / M) · ε_SC, with ε_SC the largest over levels and t."""
        eps_sc = float(self.eps_sc[~np.isnan(self.eps_sc)].max(initial=0.0))
        return np.log2(self.m_disc / self.m) * eps_sc

    @property
    def terms(self) -> Float[np.ndarray, " step"]:
        """The bracket: the sum of the three terms, before any prefactor."""
        return self.flow_matching + self.discretisation + self.self_consistency

    @property
    def worst_lipschitz(self) -> float:
        """L, the largest over times and step sizes."""
        return float(self.lipschitz[~np.isnan(self.lipschitz)].max())

    @property
    def bound_worst(self) -> Float[np.ndarray, " step"]:
        """The bound as proved: `prefactor` times the three terms. Holds for `coupled`, up to rounding."""
        return prefactor(self.worst_lipschitz, self.m) * self.terms

    @property
    def bound_measured(self) -> Float[np.ndarray, " step"]:
        """The bound with every local error carried to the end, where it is measured. Holds for `coupled`, always."""
        return self.arrived.sum(axis=1)

    def table(self) -> list[dict[str, int | float]]:
        """One row for each M.

        `bound_worst` is `prefactor_worst` times the sum of `flow_matching`, `discretisation` and `self_consistency`;
        `amplification` is the prefactor that would make `bound_measured` of that sum (it also takes up what the largest
        error exceeds the others by). The columns `…_end` are the three parts of `bound_measured`.
        """
        return [
            {
                "M": int(m),
                "w2": float(self.w2[i]),
                "w2_floor": self.w2_floor,
                "coupled": float(self.coupled[i]),
                "flow_matching": self.flow_matching,
                "discretisation": self.discretisation,
                "self_consistency": float(self.self_consistency[i]),
                "prefactor_worst": float(prefactor(self.worst_lipschitz, self.m)[i]),
                "bound_worst": float(self.bound_worst[i]),
                "amplification": float(self.bound_measured[i] / self.terms[i]),
                "bound_measured": float(self.bound_measured[i]),
                **{f"{term}_end": float(value) for term, value in zip(TERMS, self.arrived[i], strict=True)},
                "n": self.n,
            }
            for i, m in enumerate(self.m)
        ]
