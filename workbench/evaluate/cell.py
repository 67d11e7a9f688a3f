"""Cells of an evaluation grid."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.agents.protocol import protocol
from workbench.errors import WorkbenchError
from workbench.verifiers import Rule

if TYPE_CHECKING:
    from workbench.types import Budget


@dataclass(frozen=True, order=True)
class Cell:
    """An inference budget: `m_inf` Euler steps, and an action made of `n` candidates as `verifier` says.

    That is the text of a `Rule`: "mean" and "min" are the best by the mean or the least of the critics, "elite:0.5"
    is the mean of the better half. Raises `WorkbenchError` for counts below 1 or too large, and what `Rule` raises.
    """

    m_inf: int
    n: int
    verifier: str = "mean"

    def __post_init__(self) -> None:
        if self.m_inf < 1 or self.n < 1:
            raise WorkbenchError(f"an inference budget needs at least one step and one candidate, not {self}.")
        if max(self.m_inf, self.n) >= 2**31:
            raise WorkbenchError(f"an inference budget counts to 2^31 - 1, not to {max(self.m_inf, self.n):,}.")
        object.__setattr__(self, "verifier", str(Rule.parse(self.verifier)))  # one text for one choice

    def budget(self, n_max: int | None = None) -> "Budget":
        """This budget of one decision; draws `n_max` candidates, by default exactly `n`."""
        from workbench.types import Budget  # with JAX, which the process that renders does without

        return Budget.exactly(self.m_inf, self.n, self.verifier, n_max)

    def __str__(self) -> str:
        return f"M_inf {self.m_inf}, N {self.n}" + ("" if self.verifier == "mean" else f", {self.verifier}")


def grid(m_inf: tuple[int, ...], n: tuple[int, ...], verifier: str = "mean") -> tuple[Cell, ...]:
    """Every combination of step counts and candidate counts, once each."""
    return tuple(dict.fromkeys(Cell(m, k, verifier) for m in m_inf for k in n))


def protocol_grid(
    agent: str,
    environment: str,
    m_inf: tuple[int, ...] = (),
    n: tuple[int, ...] = (),
    verifier: str | None = None,
) -> tuple[Cell, ...]:
    """The grid in which what is not given is as `agents.protocol` says: M_inf is all that it tries.

    M_inf of agents that do not know it is 1. Raises `UnknownNameError` for an agent without a protocol.
    """
    own = protocol(agent, environment)
    steps = (m_inf or own.tried or (own.m_inf,)) if own.sequential else (1,)
    return grid(steps, n or (own.n,), own.verifier if verifier is None else verifier)
