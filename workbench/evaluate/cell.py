"""Cells of an evaluation grid."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.agents.protocol import protocol
from workbench.errors import WorkbenchError
from workbench.verifiers import pessimism_of

if TYPE_CHECKING:
    from workbench.types import Budget


@dataclass(frozen=True, order=True)
class Cell:
    """An inference budget: `m_inf` Euler steps, the best of `n` candidates by `verifier` ("mean" or "min").

    Raises `WorkbenchError` for counts below 1, `UnknownNameError` for another verifier.
    """

    m_inf: int
    n: int
    verifier: str = "mean"

    def __post_init__(self) -> None:
        if self.m_inf < 1 or self.n < 1:
            raise WorkbenchError(f"an inference budget needs at least one step and one candidate, not {self}.")
        pessimism_of(self.verifier)

    def budget(self, n_max: int | None = None) -> "Budget":
        """This budget of one decision; draws `n_max` candidates, by default exactly `n`."""
        from workbench.types import Budget  # with JAX, which the process that renders does without

        return Budget(m_inf=self.m_inf, n=self.n, pessimism=pessimism_of(self.verifier), n_max=n_max)

    def __str__(self) -> str:
        return f"M_inf {self.m_inf}, N {self.n}" + ("" if self.verifier == "mean" else f", {self.verifier}")


def grid(m_inf: tuple[int, ...], n: tuple[int, ...], verifier: str = "mean") -> tuple[Cell, ...]:
    """Every combination of step counts and candidate counts."""
    return tuple(Cell(m, k, verifier) for m in m_inf for k in n)


def protocol_grid(
    agent: str,
    environment: str,
    m_inf: tuple[int, ...] | None = None,
    n: tuple[int, ...] | None = None,
    verifier: str | None = None,
) -> tuple[Cell, ...]:
    """The grid in which what is not given is as `agents.protocol` says; M_inf of agents that do not know it is 1.

    Raises `UnknownNameError` for an agent without a protocol.
    """
    own = protocol(agent, environment)
    steps = (m_inf or (own.m_inf,)) if own.sequential else (1,)
    return grid(steps, n or (own.n,), verifier or own.verifier)


def tried_grid(
    agent: str, environment: str, m_inf: tuple[int, ...] = (), n: tuple[int, ...] = (), verifier: str | None = None
) -> tuple[Cell, ...]:
    """What the commands play: `protocol_grid` at every step count that the protocol tries, where none is given.

    Raises `UnknownNameError` as `protocol_grid` does.
    """
    return protocol_grid(agent, environment, m_inf or protocol(agent, environment).tried, n, verifier)
