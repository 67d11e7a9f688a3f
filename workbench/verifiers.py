"""How one action is made of candidates, as text: what gives them values, and what is made of those. No JAX here."""

import math
from dataclasses import dataclass

from workbench.errors import UnknownNameError, WorkbenchError

VERIFIERS = {"mean": 0.0, "min": 1.0}
"""How a verifier makes one value of those of the critics, as values of `Budget.pessimism`."""

SHARE, TEMPERATURE = "share", "temperature"
DIALS: dict[str, str | None] = {
    "best": None,
    "elite": SHARE,
    "nearest": SHARE,
    "mode": SHARE,
    "weighted": TEMPERATURE,
    "soft": TEMPERATURE,
}
"""Selections (`workbench.selection`) and what their number is: a share of the candidates, or a temperature."""
DEFAULTS = {SHARE: 0.5, TEMPERATURE: 1.0}


@dataclass(frozen=True)
class Rule:
    """A verifier, and a selection with its number `dial`; `Rule.parse(str(rule)) == rule`.

    The text is `mean` or `min` for the best candidate, and else like `elite:0.5` or `min elite:0.25`. Raises
    `UnknownNameError` for other names, `WorkbenchError` for a share outside (0, 1] or a temperature not above 0.
    """

    verifier: str = "mean"
    selection: str = "best"
    dial: float = 1.0

    def __post_init__(self) -> None:
        pessimism_of(self.verifier)
        if self.selection not in DIALS:
            raise UnknownNameError("selection", self.selection, DIALS)
        kind = DIALS[self.selection]
        if kind == SHARE and not 0.0 < self.dial <= 1.0:
            raise WorkbenchError(f"the share of {self.selection} must be above 0 and at most 1, not {self.dial:g}.")
        if kind == TEMPERATURE and not 0.0 < self.dial < math.inf:
            raise WorkbenchError(f"the temperature of {self.selection} must be above 0, not {self.dial:g}.")

    @classmethod
    def parse(cls, text: str) -> "Rule":
        """What a text says; a selection without its number has the default, a half or a temperature of 1."""
        *before, last = text.split() or [""]
        if len(before) > 1:
            raise WorkbenchError(f"'{text}' is more than a verifier and a selection, such as 'min elite:0.5'.")
        name, colon, number = last.partition(":")
        if not before and not colon and name in VERIFIERS:
            return cls(name)
        if name not in DIALS:
            raise UnknownNameError("verifier", last, [*VERIFIERS, *DIALS])
        kind = DIALS[name]
        if colon and kind is None:
            raise WorkbenchError(f"the selection {name} has no number: write '{name}' alone.")
        try:
            dial = float(number) if colon else DEFAULTS.get(kind or "", 1.0)
        except ValueError:
            raise WorkbenchError(f"the {kind} of {name} must be a number, not '{number}'.") from None
        return cls(*before, selection=name, dial=dial)

    def __str__(self) -> str:
        if self.selection == "best":
            return self.verifier
        words = f"{self.selection}:{self.dial:g}"
        return words if self.verifier == "mean" else f"{self.verifier} {words}"


def pessimism_of(verifier: str) -> float:
    """`Budget.pessimism` of a verifier; raises `UnknownNameError` for one that is not in `VERIFIERS`."""
    if verifier not in VERIFIERS:
        raise UnknownNameError("verifier", verifier, VERIFIERS)
    return VERIFIERS[verifier]
