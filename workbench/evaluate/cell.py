"""One cell of an evaluation grid."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Cell:
    """An inference budget: `m_inf` Euler steps, the best of `n` candidates by `verifier` ("mean" or "min")."""

    m_inf: int
    n: int
    verifier: str = "mean"

    def __str__(self) -> str:
        return f"M_inf {self.m_inf}, N {self.n}" + ("" if self.verifier == "mean" else f", {self.verifier}")


def grid(m_inf: tuple[int, ...], n: tuple[int, ...], verifier: str = "mean") -> tuple[Cell, ...]:
    """Every combination of step counts and candidate counts."""
    return tuple(Cell(m, k, verifier) for m in m_inf for k in n)
