"""How each agent is played and scored in the papers' tables, as data."""

import dataclasses
from dataclasses import dataclass

from workbench.agents.settings import environment_settings
from workbench.errors import UnknownNameError


@dataclass(frozen=True)
class Protocol:
    """The inference budget of an agent (fields of a `Cell`), its updates, and the checkpoints whose mean is its score.

    `sequential` is whether M_inf changes what it does. `tried` are the step counts that are evaluated where
    none are given; without any it is `m_inf`. `note` says what the sources leave open.
    """

    m_inf: int = 1
    n: int = 1
    verifier: str = "mean"
    sequential: bool = False
    updates: int = 1_000_000
    scored: tuple[int, ...] = (800_000, 900_000, 1_000_000)
    note: str = ""
    tried: tuple[int, ...] = ()


_FLOW = Protocol(m_inf=10, sequential=True)

PROTOCOLS: dict[str, Protocol] = {
    "sorl": Protocol(
        m_inf=8,
        sequential=True,
        note="evaluated at 1, 2, 4 and 8; which one the paper reports is unknown",
        tried=(1, 2, 4, 8),
    ),
    "bc": Protocol(),
    "iql": Protocol(),
    "rebrac": Protocol(),
    "idql": Protocol(
        m_inf=5,
        n=32,
        verifier="min",
        sequential=True,
        updates=3_000_000,
        scored=(2_500_000, 2_750_000, 3_000_000),
    ),
    "srpo": Protocol(),
    "cac": Protocol(m_inf=2, sequential=True, note="steps and candidates are not in the sources we have"),
    "fawac": _FLOW,
    "fbrac": _FLOW,
    "ifql": dataclasses.replace(_FLOW, n=32, verifier="min"),
    "fql": Protocol(),
}
"""Fifty episodes a checkpoint, eight seeds; where M_inf changes nothing it is 1. `registry.register` adds to it."""


def protocol(agent: str, environment: str) -> Protocol:
    """The protocol of an agent on an environment such as `cube-single`, which sets N of IDQL and IFQL.

    SORL's verifier aggregates the critics as the environment's TD targets do: their minimum on antmaze.

    Raises `UnknownNameError` for an agent without one.
    """
    if agent not in PROTOCOLS:
        raise UnknownNameError("agent", agent, PROTOCOLS)
    own, settings = PROTOCOLS[agent], environment_settings(environment)
    candidates = {"idql": settings.baselines.idql_n, "ifql": settings.baselines.ifql_n}
    verifiers = {"sorl": "min" if settings.pessimism == 1.0 else "mean"}
    return dataclasses.replace(own, n=candidates.get(agent, own.n), verifier=verifiers.get(agent, own.verifier))
