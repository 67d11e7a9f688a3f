"""Where the authors' released code departs from SORL as it is published: named switches."""

import dataclasses

import equinox as eqx
import numpy as np

SIGMA_MIN = 1e-5
"""Noise that the released code leaves at t = 1."""

SIGMA_PATH = 1.0 - float(np.float32(1.0 - SIGMA_MIN))
"""The same on the path of its flow-matching loss, where it has 1 - 1e-5 in float32 even among float64 numbers."""


class Departures(eqx.Module):
    """Where the authors' released code departs from the algorithm; all off in `paper`, all on in `official`.

    - `leak_td`: the TD target is not stopped, so the critic loss sends gradient into the actor through a'.
    - `shared_adam`: one Adam over both networks, stepped twice an update: momentum moves the network whose gradient
      is zero.
    - `critic_sees_steps`: Q(x, a, m) takes the sampler's step count as an input; one m an update instead of one a row.
    - `ema_sc_target`: the self-consistency target comes from an EMA copy of the actor.
    - `deal_sc`: step sizes of the self-consistency loss are dealt by row position, finest first, and interpolation
      keeps sigma_min = 1e-5 of noise at t = 1.
    - `ema_before_update`: both EMAs read the parameters from before the update.
    - `ql_before_step`: the Q loss asks the critic as it was before this update's critic step.

    With all of them three updates equal the released code's (`tests/golden`). One departure is not offered: its
    best-of-N pairs candidates with other rows' observations.
    """

    leak_td: bool = eqx.field(static=True, default=False)
    shared_adam: bool = eqx.field(static=True, default=False)
    critic_sees_steps: bool = eqx.field(static=True, default=False)
    ema_sc_target: bool = eqx.field(static=True, default=False)
    deal_sc: bool = eqx.field(static=True, default=False)
    ema_before_update: bool = eqx.field(static=True, default=False)
    ql_before_step: bool = eqx.field(static=True, default=False)

    @classmethod
    def every(cls) -> "Departures":
        """All of them: the released code."""
        return cls(**{field.name: True for field in dataclasses.fields(cls)})
